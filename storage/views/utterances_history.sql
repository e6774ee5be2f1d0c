-- What was said, by whom and with which emotion, ever?  Grain: one row per utterance and stage key: results of old
-- settings too.
-- Columns: utterance_id, corpus, split, dialogue_id, turn (order in the dialogue, from 0), source_utterance_id,
-- speaker, text, emotion, sentiment, video (path in the corpus's folder), start_s, end_s (in the video; NULL: all of
-- it), raters, stage_key, shard.
CREATE OR REPLACE VIEW utterances_history AS
SELECT *
FROM read_parquet($files, hive_partitioning = false);
