-- What does each stage cost?  Grain: one row per run and stage.
-- Columns: run_id, stage, shards, done, row_count, rejects, seconds (of work), rows_per_second, megabytes
CREATE OR REPLACE VIEW stage_costs AS
SELECT run_id, stage, shards, done, row_count, rejects,
       round(seconds, 1) AS seconds,
       round(row_count / nullif(seconds, 0), 1) AS rows_per_second,
       round(bytes / 1e6, 2) AS megabytes
FROM stages
ORDER BY run_id, position;
