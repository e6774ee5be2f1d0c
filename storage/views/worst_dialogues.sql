-- Which dialogues does a run understand least?  Grain: one row per run, corpus, system and dialogue, the worst first.
-- Columns: run_id, corpus, system, dialogue (corpus/split/id), utterances, wrong, accuracy (0..1), loss (mean nats of
-- the gold label, NULL without probabilities), mistakes (each as gold → predicted, in order of the ids)
CREATE OR REPLACE VIEW worst_dialogues AS
SELECT *
FROM counted_dialogues
ORDER BY run_id, corpus, system, accuracy, wrong DESC, dialogue;
