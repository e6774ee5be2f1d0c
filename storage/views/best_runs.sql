-- Which run is best on each corpus?  Grain: one row per corpus and split, the run and system of the highest weighted F1.
-- Columns: corpus, split, run_id, system, utterances, weighted_f1 with the ends of its interval, accuracy, macro_f1
-- (shares: 0..1), chosen_from (how many there were: the best of many on test is flattered by chance)
CREATE OR REPLACE VIEW best_runs AS
SELECT corpus, split, run_id, system, utterances, weighted_f1, weighted_f1_low, weighted_f1_high, accuracy, macro_f1,
       count(*) OVER (PARTITION BY corpus, split) AS chosen_from
FROM scores
WHERE system NOT IN ('majority', 'tfidf_lr')
QUALIFY row_number() OVER (PARTITION BY corpus, split ORDER BY weighted_f1 DESC NULLS LAST, run_id, system) = 1
ORDER BY corpus, split;
