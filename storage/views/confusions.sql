-- Which labels are taken for which?  Grain: one row per run, corpus, system and pair of different labels.
-- Columns: run_id, corpus, system, gold, predicted (NULL: did not parse), utterances, share of the gold label (0..1)
CREATE OR REPLACE VIEW confusions AS
SELECT run_id, corpus, system, gold, predicted, count(*) AS utterances,
       round(count(*) / sum(count(*)) OVER (PARTITION BY run_id, corpus, system, gold), 3) AS share
FROM (SELECT *, split_part(utterance_id, '/', 1) AS corpus FROM predictions)
GROUP BY run_id, corpus, system, gold, predicted
QUALIFY predicted IS DISTINCT FROM gold
ORDER BY run_id, corpus, system, utterances DESC;
