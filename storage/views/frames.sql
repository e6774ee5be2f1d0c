-- Which frames of a line were chosen?  Grain: one row per utterance with frames and stage key: of old settings too.
-- Columns: utterance_id, frame_times_s (from the start of the line, in order), suspect_frames (out of a damaged part of
-- the file), stage_key, shard
CREATE OR REPLACE VIEW frames AS
SELECT *
FROM read_parquet($files, hive_partitioning = false);
