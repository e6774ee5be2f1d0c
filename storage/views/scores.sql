-- How good is each run?  Grain: one row per run, corpus, split and system.
-- Columns: run_id, corpus, split, system, utterances, accuracy, weighted_f1, macro_f1, unparsed (shares: 0..1)
CREATE OR REPLACE VIEW scores AS
SELECT run_id,
       corpus,
       split,
       system,
       max(value) FILTER (metric = 'support')::BIGINT AS utterances,
       round(max(value) FILTER (metric = 'accuracy'), 4) AS accuracy,
       round(max(value) FILTER (metric = 'weighted_f1'), 4) AS weighted_f1,
       round(max(value) FILTER (metric = 'macro_f1'), 4) AS macro_f1,
       max(value) FILTER (metric = 'unparsed')::BIGINT AS unparsed
FROM metrics
WHERE label IS NULL
GROUP BY ALL
ORDER BY run_id, corpus, split, weighted_f1 DESC;
