-- Which shards are done, and what became of the others?  Grain: one row per run, stage and shard.
-- Columns: run_id, stage, stage_key, shard, state (done, missing, failed, corrupt), row_count, rejects, bytes, seconds,
-- finished_at (UTC), made_by (the run that did the work), sha256, error, tokens (NULL where a stage has none), retries
CREATE OR REPLACE VIEW shards AS
SELECT s.run_id, s.stage, k.*
FROM stage_shards k
JOIN stages s USING (stage_key);
