-- With which settings, code and weights was a result made, and who uses it?  Grain: one row per stage key.
-- Columns: stage, stage_key, current (a current run rests on it), version (of the stage's code), settings, identity
-- (weights or source files, with digests), upstream (the keys of the stages it reads), made_by (the runs that did the
-- work), versions (of the libraries) and git_commit of the first of them, runs (that use it), shards, done, row_count,
-- rejects, bytes, seconds, finished_at (UTC, the last shard)
CREATE OR REPLACE VIEW keys AS
WITH made AS (
    SELECT stage_key, count(*) FILTER (state = 'done') AS done, sum(row_count) AS row_count, sum(rejects) AS rejects,
           sum(bytes) AS bytes, round(sum(seconds), 1) AS seconds, max(finished_at) AS finished_at,
           list_sort(list(DISTINCT made_by) FILTER (made_by IS NOT NULL)) AS made_by, min_by(made_by, (finished_at, shard)) AS first
    FROM stage_shards
    GROUP BY stage_key
)
SELECT any_value(s.stage) AS stage, s.stage_key, bool_or(c.stage_key IS NOT NULL) AS current,
       any_value(s.version) AS version, min_by(s.settings, s.run_id) AS settings, any_value(s.identity) AS identity,
       any_value(s.upstream) AS upstream, any_value(m.made_by) AS made_by,
       any_value(r.machine -> 'versions') AS versions, any_value(r.git_commit) AS git_commit,
       list_sort(list(DISTINCT s.run_id)) AS runs, max(s.shards) AS shards, any_value(m.done) AS done,
       any_value(m.row_count) AS row_count, any_value(m.rejects) AS rejects, any_value(m.bytes) AS bytes,
       any_value(m.seconds) AS seconds, any_value(m.finished_at) AS finished_at
FROM stages s
LEFT JOIN current_keys c USING (stage_key)
LEFT JOIN made m USING (stage_key)
LEFT JOIN runs r ON r.run_id = m.first
GROUP BY s.stage_key
ORDER BY min(s.position), finished_at, s.stage_key;
