-- What was said, by whom and with which emotion?  Grain: one row per utterance of the current runs (view
-- current_runs; utterances_history has all).
-- Columns: utterance_id, corpus, split, dialogue_id, turn (order in the dialogue, from 0), source_utterance_id,
-- speaker, text, emotion, sentiment, video (path in the corpus's folder), start_s, end_s (in the video; NULL: all of
-- it), raters, stage_key, shard.
CREATE OR REPLACE VIEW utterances AS
SELECT *
FROM read_parquet($current, hive_partitioning = false);
