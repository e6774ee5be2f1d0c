-- Confidence (the probability of the label that was chosen) beside accuracy.
-- Grain: one row per corpus, split, system and tenth of confidence that has lines.
WITH sure AS (
    SELECT corpus, split, system, coalesce(scores[predicted], list_max(map_values(scores))) AS confidence,
           (predicted IS NOT DISTINCT FROM gold)::INTEGER AS hit
    FROM run_predictions
    WHERE cardinality(scores) > 0
)
SELECT corpus, split, system,
       greatest(ceil(confidence * 10) - 1, 0) / 10 AS above,
       greatest(ceil(confidence * 10), 1) / 10 AS up_to,
       count(*) AS utterances,
       round(avg(confidence), 4) AS confidence,
       round(avg(hit), 4) AS accuracy,
       round(avg(hit) - avg(confidence), 4) AS gap
FROM sure
GROUP BY ALL
