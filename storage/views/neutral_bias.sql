-- Does a run say "neutral" too often?  Grain: one row per run, corpus, split and system, for corpora with that label.
-- Columns: run_id, corpus, split, system, utterances, gold (share of lines that are neutral, 0..1), predicted (share
-- called neutral), excess (predicted less gold), recall (neutral lines called so), missed (other lines called
-- neutral), of_mistakes (share of all mistakes that call another label neutral)
CREATE OR REPLACE VIEW neutral_bias AS
SELECT run_id, corpus, split, system,
       sum(value)::BIGINT AS utterances,
       round(sum(value) FILTER (label = 'neutral') / sum(value), 4) AS gold,
       round(sum(value) FILTER (predicted = 'neutral') / sum(value), 4) AS predicted,
       round((sum(value) FILTER (predicted = 'neutral') - sum(value) FILTER (label = 'neutral')) / sum(value), 4)
           AS excess,
       round(sum(value) FILTER (label = 'neutral' AND predicted = 'neutral')
             / nullif(sum(value) FILTER (label = 'neutral'), 0), 4) AS recall,
       round(sum(value) FILTER (label <> 'neutral' AND predicted = 'neutral')
             / nullif(sum(value) FILTER (label <> 'neutral'), 0), 4) AS missed,
       round(sum(value) FILTER (label <> 'neutral' AND predicted = 'neutral')
             / nullif(sum(value) FILTER (predicted IS DISTINCT FROM label), 0), 4) AS of_mistakes
FROM metrics
WHERE metric = 'confusion'
GROUP BY ALL
HAVING count(*) FILTER (label = 'neutral') > 0
ORDER BY run_id, corpus, split, system;
