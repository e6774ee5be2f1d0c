-- Does a model understand emotions better than answers that read nothing?  Grain: one row per test, system and number
-- of worked examples; controls (uniform, in_order, best_constant, random) stand among the models.
-- Columns: test, system, kind (model or control), run_id, examples, items, answered, unanswered, distance (lower is
-- better; over answered items, with its interval low to high), eq, percentile (both NULL unless all were answered),
-- pattern (item-pattern correlation), uniform (the distance of the constant answer 2.5 on the same items), gain (how
-- much nearer than that, with its interval), better_than (controls of the whole test at a larger distance)
CREATE OR REPLACE VIEW seceu AS
WITH controls AS (SELECT test, system, distance FROM seceu_scores WHERE kind = 'control')
SELECT test, system, kind, run_id, examples, items, answered, items - answered AS unanswered,
       round(distance, 3) AS distance, round(low, 3) AS low, round(high, 3) AS high,
       round(eq, 1) AS eq, round(percentile, 1) AS percentile, round(pattern, 3) AS pattern,
       round(uniform, 3) AS uniform, round(gain, 3) AS gain, round(gain_low, 3) AS gain_low,
       round(gain_high, 3) AS gain_high,
       CASE WHEN answered = items THEN
           (SELECT list(other.system ORDER BY other.distance) FROM controls AS other
            WHERE other.test = found.test AND other.system <> found.system AND other.distance > found.distance)
       END AS better_than
FROM seceu_scores AS found
ORDER BY test, distance NULLS LAST, system;
