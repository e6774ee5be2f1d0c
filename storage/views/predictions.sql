-- What did each system say of each test line?  Grain: one row per current run (view current_runs; predictions_history
-- has all), utterance and system.
-- Columns: run_id, utterance_id, system (tuned, untuned, or a server's model), gold, predicted (NULL where the answer
-- does not parse: counted as wrong), scores (label to probability), raw, seconds, n_prompt_tokens, n_tokens,
-- stage_key, shard
CREATE OR REPLACE VIEW predictions AS
SELECT s.run_id, p.*
FROM read_parquet($current, hive_partitioning = false) p
JOIN stages s ON s.stage_key = p.stage_key AND s.stage = 'evaluate'
JOIN current_runs c ON c.run_id = s.run_id;
