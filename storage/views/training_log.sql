-- How did training go, step by step?  Grain: one row per optimizer step of an adapter of the current runs (view
-- current_runs; training_log_history has all).
-- Columns: step, epoch, loss, learning_rate, gradient_norm, tokens, seconds, dev_loss, dev_weighted_f1,
-- unique_tokens, memory_mib, stage_key, shard.
CREATE OR REPLACE VIEW training_log AS
SELECT *
FROM read_parquet($current, hive_partitioning = false);
