-- What did a run cost?  Grain: one row per run.
-- Columns: run_id, seconds (of work in all that it rests on), own_seconds (of shards that it made itself), rows, rejects,
-- megabytes, shards, attempts, failed (attempts that did not complete), learning_seconds and looking_seconds (of
-- finetune, and of keyframes and captions)
CREATE OR REPLACE VIEW run_costs AS
WITH work AS (
    SELECT run_id, count(*) AS shards, sum(row_count) AS rows, sum(rejects) AS rejects,
           round(sum(bytes) / 1e6, 2) AS megabytes, round(sum(seconds), 1) AS seconds,
           round(coalesce(sum(seconds) FILTER (made_by = run_id), 0), 1) AS own_seconds,
           round(coalesce(sum(seconds) FILTER (stage = 'finetune'), 0), 1) AS learning_seconds,
           round(coalesce(sum(seconds) FILTER (stage IN ('keyframes', 'captions')), 0), 1) AS looking_seconds
    FROM shards
    WHERE state = 'done'
    GROUP BY run_id
),
tries AS (
    SELECT run_id, count(*) AS attempts, count(*) FILTER (state <> 'completed') AS failed
    FROM attempts
    GROUP BY run_id
)
SELECT run_id, w.seconds, w.own_seconds, w.rows, w.rejects, w.megabytes, w.shards,
       coalesce(t.attempts, 0) AS attempts, coalesce(t.failed, 0) AS failed, w.learning_seconds, w.looking_seconds
FROM work w
LEFT JOIN tries t USING (run_id)
ORDER BY run_id;
