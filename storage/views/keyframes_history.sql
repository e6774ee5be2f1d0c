-- Which frames were chosen, and on what evidence, ever?  Grain: one row per utterance and frame and stage key:
-- results of old settings too.
-- Columns: utterance_id, rank (from 0, in order of time), time_s (from the start of the utterance), width, height,
-- sharpness, novelty, score, suspect (out of a damaged stretch), faces, face_boxes, method, stage_key, shard. The
-- pictures themselves are in the view pictures.
CREATE OR REPLACE VIEW keyframes_history AS
SELECT *
FROM read_parquet($files, hive_partitioning = false);
