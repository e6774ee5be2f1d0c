-- Which files were written as reports?  Grain: one row per file of a report of the current runs (view current_runs;
-- reports_history has all).
-- Columns: path (in the report's folder), bytes, sha256, stage_key, shard.
CREATE OR REPLACE VIEW reports AS
SELECT *
FROM read_parquet($current, hive_partitioning = false);
