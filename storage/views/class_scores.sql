-- How good is each run at each label?  Grain: one row per run, corpus, split, system and label.
-- Columns: run_id, corpus, split, system, label, support (gold lines), precision, recall, f1 (shares: 0..1), f1_low and
-- f1_high (its 95 % interval over dialogues, NULL where it has none)
CREATE OR REPLACE VIEW class_scores AS
SELECT run_id, corpus, split, system, label,
       max(value) FILTER (metric = 'support')::BIGINT AS support,
       round(max(value) FILTER (metric = 'precision'), 4) AS precision,
       round(max(value) FILTER (metric = 'recall'), 4) AS recall,
       round(max(value) FILTER (metric = 'f1'), 4) AS f1,
       round(max(low) FILTER (metric = 'f1'), 4) AS f1_low,
       round(max(high) FILTER (metric = 'f1'), 4) AS f1_high
FROM metrics
WHERE label IS NOT NULL AND metric <> 'confusion'
GROUP BY ALL
ORDER BY run_id, corpus, split, system, support DESC, label;
