-- What was left out, and why?  Grain: one row per rejected row of the current runs (view current_runs;
-- rejects_history has all).
-- Columns: utterance_id, stage, reason, detail, stage_key, shard.
CREATE OR REPLACE VIEW rejects AS
SELECT *
FROM read_parquet($current, hive_partitioning = false);
