-- Mistakes and loss of whole dialogues.  Grain: one row per corpus, system and dialogue.
SELECT corpus, system, dialogue, count(*) AS utterances,
       count(*) FILTER (predicted IS DISTINCT FROM gold) AS wrong,
       round(count(*) FILTER (predicted = gold) / count(*), 4) AS accuracy,
       round(avg(-ln(greatest(scores[gold], 1e-15))), 3) AS loss,
       list(gold || ' → ' || coalesce(predicted, 'no answer') ORDER BY utterance_id)
           FILTER (predicted IS DISTINCT FROM gold) AS mistakes
FROM run_predictions
GROUP BY ALL
