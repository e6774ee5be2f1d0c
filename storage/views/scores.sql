-- How good is each run?  Grain: one row per run, corpus, split and system.
-- Columns: run_id, corpus, split, system, utterances, dialogues, accuracy, weighted_f1, macro_f1 (shares: 0..1), each
-- with the ends of its 95 % interval over dialogues (…_low, …_high; NULL where it has none), unparsed
CREATE OR REPLACE VIEW scores AS
SELECT run_id,
       corpus,
       split,
       system,
       max(value) FILTER (metric = 'support')::BIGINT AS utterances,
       max(value) FILTER (metric = 'dialogues')::BIGINT AS dialogues,
       round(max(value) FILTER (metric = 'accuracy'), 4) AS accuracy,
       round(max(low) FILTER (metric = 'accuracy'), 4) AS accuracy_low,
       round(max(high) FILTER (metric = 'accuracy'), 4) AS accuracy_high,
       round(max(value) FILTER (metric = 'weighted_f1'), 4) AS weighted_f1,
       round(max(low) FILTER (metric = 'weighted_f1'), 4) AS weighted_f1_low,
       round(max(high) FILTER (metric = 'weighted_f1'), 4) AS weighted_f1_high,
       round(max(value) FILTER (metric = 'macro_f1'), 4) AS macro_f1,
       round(max(low) FILTER (metric = 'macro_f1'), 4) AS macro_f1_low,
       round(max(high) FILTER (metric = 'macro_f1'), 4) AS macro_f1_high,
       max(value) FILTER (metric = 'unparsed')::BIGINT AS unparsed
FROM metrics
WHERE label IS NULL
GROUP BY ALL
ORDER BY run_id, corpus, split, weighted_f1 DESC;
