-- What did calibrate find on dev?  Grain: one row per utterance and system of the current runs (view current_runs;
-- dev_predictions_history has all).
-- Columns: utterance_id, system, gold, predicted (NULL: did not parse), scores (label to probability), raw, seconds,
-- n_prompt_tokens, n_tokens, stage_key, shard.
CREATE OR REPLACE VIEW dev_predictions AS
SELECT *
FROM read_parquet($current, hive_partitioning = false);
