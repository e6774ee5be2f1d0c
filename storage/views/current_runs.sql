-- Which runs are current?  Grain: one row per configuration name: the run of that name that was used last.
-- Columns: name, run_id, used_at (UTC), runs (of that name in all)
CREATE OR REPLACE VIEW current_runs AS
SELECT name, run_id, used_at, count(*) OVER (PARTITION BY name) AS runs
FROM runs
QUALIFY row_number() OVER (PARTITION BY name ORDER BY used_at DESC NULLS LAST, run_id) = 1
ORDER BY name;
