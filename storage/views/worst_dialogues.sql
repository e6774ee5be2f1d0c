-- Which dialogues does a run understand least?  Grain: one row per run, corpus, system and dialogue, the worst first.
-- Columns: run_id, corpus, system, dialogue (corpus/split/id), utterances, wrong, accuracy (0..1), loss (mean nats of
-- the gold label, NULL without probabilities), mistakes (each as gold → predicted, in order of the ids)
CREATE OR REPLACE VIEW worst_dialogues AS
SELECT run_id, split_part(utterance_id, '/', 1) AS corpus, system,
       regexp_replace(utterance_id, '/[^/]*$', '') AS dialogue,
       count(*) AS utterances,
       count(*) FILTER (predicted IS DISTINCT FROM gold) AS wrong,
       round(count(*) FILTER (predicted = gold) / count(*), 4) AS accuracy,
       round(avg(-ln(greatest(scores[gold], 1e-15))), 3) AS loss,
       list(gold || ' → ' || coalesce(predicted, 'no answer') ORDER BY utterance_id)
           FILTER (predicted IS DISTINCT FROM gold) AS mistakes
FROM predictions
GROUP BY ALL
ORDER BY run_id, corpus, system, accuracy, wrong DESC, dialogue;
