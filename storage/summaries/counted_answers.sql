-- Generated answers and their tokens.  Grain: one row per corpus and system that generates.
SELECT corpus, system, count(*) AS answers, count(*) FILTER (predicted IS NULL) AS unparsed,
       sum(n_prompt_tokens) AS prompt_tokens, sum(n_tokens) AS answer_tokens,
       count(*) FILTER (n_prompt_tokens IS NULL OR n_tokens IS NULL) AS uncounted, round(sum(seconds), 1) AS seconds
FROM run_predictions
WHERE cardinality(scores) = 0
GROUP BY ALL
