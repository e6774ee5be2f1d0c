-- Which labels are taken for which?  Grain: one row per run, corpus, system and pair of different labels.
-- Columns: run_id, corpus, system, gold, predicted (NULL: did not parse), utterances, share of the gold label (0..1),
-- examples (ids of up to three such lines, those it was surest of first)
CREATE OR REPLACE VIEW confusions AS
SELECT *
FROM counted_confusions
WHERE predicted IS DISTINCT FROM gold
ORDER BY run_id, corpus, system, utterances DESC, gold, predicted;
