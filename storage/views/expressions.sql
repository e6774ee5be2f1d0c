-- What does a small classifier read in the faces?  Grain: one row per utterance, keyframe and face of the current runs
-- (captions_history.expressions has all); no row where there is no face, or nobody looked.
-- Columns: utterance_id, rank (of the keyframe), face (from 0: its box is keyframes.face_boxes[face + 1]), angry, disgust,
-- fear, happy, sad, surprise, neutral (0..1, together 1), stage_key
CREATE OR REPLACE VIEW expressions AS
SELECT utterance_id, unnest(expressions, max_depth := 2), stage_key
FROM captions;
