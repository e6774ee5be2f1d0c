-- What was left out of a run, by which stage and why?  Grain: one row per run, stage and rejected utterance.
-- Columns: run_id, stage, utterance_id, reason, detail
CREATE OR REPLACE VIEW rejected AS
SELECT s.run_id, r.stage, r.utterance_id, r.reason, r.detail
FROM rejects_history r
JOIN stages s ON s.stage_key = r.stage_key
ORDER BY s.run_id, s.position, r.utterance_id;
