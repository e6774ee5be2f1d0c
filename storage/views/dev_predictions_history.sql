-- What did calibrate find on dev, ever?  Grain: one row per utterance and system and stage key: results of old
-- settings too.
-- Columns: utterance_id, system, gold, predicted (NULL: did not parse), scores (label to probability), raw, seconds,
-- n_prompt_tokens, n_tokens, stage_key, shard.
CREATE OR REPLACE VIEW dev_predictions_history AS
SELECT *
FROM read_parquet($files, hive_partitioning = false);
