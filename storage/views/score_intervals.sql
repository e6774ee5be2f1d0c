-- How good is each run, as one writes it: "78.1 [74.9, 81.2]"?  Grain: one row per run, corpus, split and system.
-- Columns: run_id, corpus, split, system, utterances, dialogues, accuracy, weighted_f1, macro_f1 (text: percent with
-- its 95 % interval over dialogues, without one where the score has none)
CREATE OR REPLACE VIEW score_intervals AS
WITH written AS (
    SELECT run_id, corpus, split, system, metric, value,
           printf('%.1f', 100 * value) || coalesce(printf(' [%.1f, %.1f]', 100 * low, 100 * high), '') AS text
    FROM metrics
    WHERE label IS NULL
)
SELECT run_id,
       corpus,
       split,
       system,
       max(value) FILTER (metric = 'support')::BIGINT AS utterances,
       max(value) FILTER (metric = 'dialogues')::BIGINT AS dialogues,
       max(text) FILTER (metric = 'accuracy') AS accuracy,
       max(text) FILTER (metric = 'weighted_f1') AS weighted_f1,
       max(text) FILTER (metric = 'macro_f1') AS macro_f1
FROM written
GROUP BY ALL
ORDER BY run_id, corpus, split, max(value) FILTER (metric = 'weighted_f1') DESC;
