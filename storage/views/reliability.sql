-- Is a system as often right as it is sure?  Grain: one row per run, corpus, split, system and tenth of confidence
-- (the probability of the label that was chosen) that has lines.
-- Columns: run_id, corpus, split, system, above, up_to (ends of the tenth), utterances, confidence (their mean),
-- accuracy (share that is right, 0..1), gap (accuracy less confidence: below 0 is too sure)
CREATE OR REPLACE VIEW reliability AS
WITH sure AS (
    SELECT run_id, split_part(utterance_id, '/', 1) AS corpus, split_part(utterance_id, '/', 2) AS split, system,
           coalesce(scores[predicted], list_max(map_values(scores))) AS confidence,
           (predicted IS NOT DISTINCT FROM gold)::INTEGER AS hit
    FROM predictions
    WHERE cardinality(scores) > 0
)
SELECT run_id, corpus, split, system,
       greatest(ceil(confidence * 10) - 1, 0) / 10 AS above,
       greatest(ceil(confidence * 10), 1) / 10 AS up_to,
       count(*) AS utterances,
       round(avg(confidence), 4) AS confidence,
       round(avg(hit), 4) AS accuracy,
       round(avg(hit) - avg(confidence), 4) AS gap
FROM sure
GROUP BY ALL
ORDER BY run_id, corpus, split, system, above;
