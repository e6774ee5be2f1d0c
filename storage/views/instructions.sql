-- What is the language model shown, and what should it say?  Grain: one row per utterance of the current runs (view
-- current_runs; instructions_history has all).
-- Columns: utterance_id, variant, messages, prompt, answer, n_prompt_tokens, context_ids, caption_key (NULL: without
-- a description), cuts, stage_key, shard.
CREATE OR REPLACE VIEW instructions AS
SELECT *
FROM read_parquet($current, hive_partitioning = false);
