-- What is the language model shown, and what should it say, ever?  Grain: one row per utterance and stage key:
-- results of old settings too.
-- Columns: utterance_id, variant, messages, prompt, answer, n_prompt_tokens, context_ids, caption_key (NULL: without
-- a description), cuts, stage_key, shard.
CREATE OR REPLACE VIEW instructions_history AS
SELECT *
FROM read_parquet($files, hive_partitioning = false);
