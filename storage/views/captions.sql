-- What do the descriptions say, and how good are they?  Grain: one row per utterance of the current runs (view
-- current_runs; captions_history has all).
-- Columns: utterance_id, text, model, revision, prompt_id, n_frames, n_tokens, emotion_words (that it names
-- outright), seconds, n_words, repetition, english, refusal, like_previous, contradiction, people, expressions
-- and objects (by small detectors, a list each; NULL where nobody looked), n_prompt_tokens (that were read for it,
-- pictures' among them; NULL where nobody counted), stage_key, shard.
CREATE OR REPLACE VIEW captions AS
SELECT *
FROM read_parquet($current, hive_partitioning = false);
