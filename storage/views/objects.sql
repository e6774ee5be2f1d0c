-- What was seen, by a small detector of 79 kinds of things?  Grain: one row per utterance, keyframe and thing of the
-- current runs (captions_history.objects has all); no row where nothing was found or looked for.
-- Columns: utterance_id, rank (of the keyframe), name ("cup", "dining table"), x, y, width, height (in its pixels), score
-- (0..1, from 0.6; things are told of as sure from 0.75 on), stage_key
CREATE OR REPLACE VIEW objects AS
SELECT utterance_id, unnest(objects, max_depth := 2), stage_key
FROM captions;
