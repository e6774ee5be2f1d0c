-- What does each stage cost?  Grain: one row per run and stage.
-- Columns: run_id, stage, shards, done, row_count, rejects, retries (failures of shards before they succeeded), seconds (of
-- work), rows_per_second, tokens (of captions; of prompts, answers that were generated included; of training rows as often
-- as they were learned from; NULL for stages without), tokens_per_second, bytes, megabytes
CREATE OR REPLACE VIEW stage_costs AS
SELECT run_id, stage, shards, done, row_count, rejects, retries,
       round(seconds, 1) AS seconds,
       round(row_count / nullif(seconds, 0), 1) AS rows_per_second,
       tokens,
       round(tokens / nullif(seconds, 0), 1) AS tokens_per_second,
       bytes, round(bytes / 1e6, 2) AS megabytes
FROM stages
ORDER BY run_id, position;
