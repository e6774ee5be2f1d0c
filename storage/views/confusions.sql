-- Which labels are taken for which?  Grain: one row per run, corpus, system and pair of different labels.
-- Columns: run_id, corpus, system, gold, predicted (NULL: did not parse), utterances, share of the gold label (0..1),
-- examples (ids of up to three such lines, those it was surest of first)
CREATE OR REPLACE VIEW confusions AS
SELECT run_id, corpus, system, gold, predicted, count(*) AS utterances,
       round(count(*) / sum(count(*)) OVER (PARTITION BY run_id, corpus, system, gold), 3) AS share,
       list(utterance_id ORDER BY scores[predicted] DESC NULLS LAST, utterance_id)[:3] AS examples
FROM (SELECT *, split_part(utterance_id, '/', 1) AS corpus FROM predictions)
GROUP BY run_id, corpus, system, gold, predicted
QUALIFY predicted IS DISTINCT FROM gold
ORDER BY run_id, corpus, system, utterances DESC;
