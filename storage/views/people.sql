-- Who was seen, by a small detector of bodies?  Grain: one row per utterance, keyframe and person of the current runs
-- (captions_history.people has all); no row where nobody was found or looked for.
-- Columns: utterance_id, rank (of the keyframe), x, y, width, height (in its pixels, the square that would hold the whole
-- body), score (0..1, from 0.5; people are told of as sure from 0.75 on), stage_key
CREATE OR REPLACE VIEW people AS
SELECT utterance_id, unnest(people, max_depth := 2), stage_key
FROM captions;
