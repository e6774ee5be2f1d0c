-- Which frames were chosen, and on what evidence?  Grain: one row per utterance and frame of the current runs (view
-- current_runs; keyframes_history has all).
-- Columns: utterance_id, rank (from 0, in order of time), time_s (from the start of the utterance), width, height,
-- sharpness, novelty, score, suspect (out of a damaged stretch), faces, face_boxes, method, stage_key, shard. The
-- pictures themselves are in the view pictures.
CREATE OR REPLACE VIEW keyframes AS
SELECT *
FROM read_parquet($current, hive_partitioning = false);
