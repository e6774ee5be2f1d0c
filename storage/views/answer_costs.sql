-- What did generated answers cost, and how many could be read?  Grain: one row per run, corpus and system that generates.
-- Columns: run_id, corpus, system, answers, unparsed (answers that name no label), prompt_tokens, answer_tokens (both of
-- answers that were counted), uncounted (answers whose tokens nobody counted), seconds, cost (tokens at evaluate's
-- price_prompt and price_answer a million; NULL without prices, or where answers are uncounted). Rejected rows, which a
-- server may charge for too, are not in it.
CREATE OR REPLACE VIEW answer_costs AS
WITH prices AS (
    SELECT run_id, CAST(settings ->> 'price_prompt' AS DOUBLE) AS price_prompt,
           CAST(settings ->> 'price_answer' AS DOUBLE) AS price_answer
    FROM stages
    WHERE stage = 'evaluate'
)
SELECT a.*,
       CASE WHEN a.uncounted = 0
            THEN (a.prompt_tokens * p.price_prompt + a.answer_tokens * p.price_answer) / 1e6 END AS cost
FROM counted_answers a
LEFT JOIN prices p USING (run_id)
WHERE a.prompt_tokens IS NOT NULL OR a.uncounted > 0
ORDER BY a.run_id, a.corpus, a.system;
