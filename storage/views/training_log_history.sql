-- How did training go, step by step, ever?  Grain: one row per optimizer step of an adapter and stage key: results of
-- old settings too.
-- Columns: step, epoch, loss, learning_rate, gradient_norm, tokens, seconds, dev_loss, dev_weighted_f1,
-- unique_tokens, memory_mib, stage_key, shard.
CREATE OR REPLACE VIEW training_log_history AS
SELECT *
FROM read_parquet($files, hive_partitioning = false);
