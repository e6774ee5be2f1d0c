-- Which label was said for which, with up to three examples, those it was surest of first.
-- Grain: one row per corpus, system, gold label and label said.
SELECT corpus, system, gold, predicted, count(*) AS utterances,
       round(count(*) / sum(count(*)) OVER (PARTITION BY corpus, system, gold), 3) AS share,
       list(utterance_id ORDER BY scores[predicted] DESC NULLS LAST, utterance_id)[:3] AS examples
FROM run_predictions
GROUP BY corpus, system, gold, predicted
