-- Where does a run err, and what did the video description say?  Grain: one row per run, system and wrong utterance.
-- Columns: run_id, corpus, system, utterance_id, speaker, text, gold, predicted (NULL: did not parse), caption
CREATE OR REPLACE VIEW wrong_predictions AS
SELECT run_id, corpus, system, utterance_id, speaker, text, gold, predicted, caption
FROM lineage
WHERE predicted IS DISTINCT FROM gold;
