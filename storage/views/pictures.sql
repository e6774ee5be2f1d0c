-- How does a keyframe look?  Grain: one row per utterance, frame and stage key, from the lake's own parts. Name the file
-- where there are thousands: SELECT jpeg FROM pictures WHERE file = (lineage's frames_file, as text).
-- Columns: utterance_id, rank, jpeg (bytes), stage_key, shard, file (the part that holds it)
CREATE OR REPLACE VIEW pictures AS
SELECT p.utterance_id, p.rank, p.jpeg, parse_filename(parse_dirpath(p.filename)) AS stage_key,
       TRY_CAST(regexp_extract(p.filename, 'part-(\d+)', 1) AS INTEGER) AS shard, p.filename AS file
FROM read_parquet($parts, filename = true, hive_partitioning = false) p
WHERE (stage_key, shard) IN (SELECT (stage_key, shard) FROM stage_shards WHERE state = 'done');
