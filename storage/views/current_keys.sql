-- Which results are current?  Grain: one row per stage key that a current run rests on.
-- Columns: stage_key, stage, names (configurations whose last run uses it)
CREATE OR REPLACE VIEW current_keys AS
SELECT s.stage_key, s.stage, list_sort(list(c.name)) AS names
FROM stages s
JOIN current_runs c USING (run_id)
GROUP BY ALL;
