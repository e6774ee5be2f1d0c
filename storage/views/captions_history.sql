-- What do the descriptions say, and how good are they, ever?  Grain: one row per utterance and stage key: results of
-- old settings too.
-- Columns: utterance_id, text, model, revision, prompt_id, n_frames, n_tokens, emotion_words (that it names
-- outright), seconds, n_words, repetition, english, refusal, like_previous, contradiction, people, expressions
-- and objects (by small detectors, a list each; NULL where nobody looked), n_prompt_tokens (that were read for it,
-- pictures' among them; NULL where nobody counted), stage_key, shard.
CREATE OR REPLACE VIEW captions_history AS
SELECT *
FROM read_parquet($files, hive_partitioning = false);
