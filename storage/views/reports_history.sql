-- Which files were written as reports, ever?  Grain: one row per file of a report and stage key: results of old
-- settings too.
-- Columns: path (in the report's folder), bytes, sha256, stage_key, shard.
CREATE OR REPLACE VIEW reports_history AS
SELECT *
FROM read_parquet($files, hive_partitioning = false);
