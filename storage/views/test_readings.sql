-- How often was the test split read, and by what?  Grain: one row per adapter; per run where nothing was tuned.
-- Columns: adapter_key (NULL: the untuned model), readings (times that evaluate opened test shards), runs (run ids),
-- shards (opened in all), first_at, last_at (UTC), why (the commands that did it, each once)
CREATE OR REPLACE VIEW test_readings AS
SELECT adapter_key,
       count(*) AS readings,
       list_sort(list(DISTINCT run_id)) AS runs,
       sum(shards)::BIGINT AS shards,
       min(read_at) AS first_at,
       max(read_at) AS last_at,
       list_sort(list(DISTINCT why)) AS why
FROM test_reads
GROUP BY adapter_key, CASE WHEN adapter_key IS NULL THEN run_id END
ORDER BY readings DESC, last_at;
