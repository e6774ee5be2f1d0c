-- What did each system say of each test line, in every run?  Grain: one row per run, utterance and system. Name a
-- run: WHERE run_id = …
-- Columns: run_id, utterance_id, system (tuned, untuned, or a server's model), gold, predicted (NULL where the answer
-- does not parse: counted as wrong), scores (label to probability), raw, seconds, n_prompt_tokens, n_tokens,
-- stage_key, shard
CREATE OR REPLACE VIEW predictions_history AS
SELECT s.run_id, p.*
FROM read_parquet($files, hive_partitioning = false) p
JOIN stages s ON s.stage_key = p.stage_key AND s.stage = 'evaluate';
