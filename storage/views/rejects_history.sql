-- What was left out, and why, ever?  Grain: one row per rejected row and stage key: results of old settings too.
-- Columns: utterance_id, stage, reason, detail, stage_key, shard.
CREATE OR REPLACE VIEW rejects_history AS
SELECT *
FROM read_parquet($files, hive_partitioning = false);
