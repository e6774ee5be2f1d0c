-- How much does the seed of training matter?  Grain: one row per setup (runs that differ in finetune.seed alone),
-- corpus, split and system. A run trained by `--set finetune.seed=1` joins the setup of the others.
-- Columns: setup, name, corpus, split, system, runs (different adapters), seeds, run_ids, and the mean and the standard
-- deviation (…_sd, NULL of one run) of accuracy, weighted_f1 and macro_f1 (shares: 0..1)
CREATE OR REPLACE VIEW seeds AS
WITH made AS (
    SELECT run_id,
           max(stage_key) FILTER (stage = 'instructions') AS prompts,
           max(stage_key) FILTER (stage = 'finetune') AS adapter,
           max(settings::VARCHAR) FILTER (stage = 'finetune')::JSON AS tuned,
           max(settings::VARCHAR) FILTER (stage = 'evaluate')::JSON AS asked
    FROM stages
    GROUP BY run_id
),
setups AS (  -- what is set to null here does not change a result, but for the seed
    SELECT run_id, adapter, (tuned->>'seed')::BIGINT AS seed,
           md5(prompts
               || json_merge_patch(tuned, '{"seed": null, "threads": null, "micro_batch": null,
                                            "checkpoint_every": null, "max_rejects": null}')::VARCHAR
               || coalesce(  -- NULL where evaluate was off: scores of dev alone
                   json_merge_patch(asked, CASE WHEN (asked->>'share')::DOUBLE = 1 THEN '{"seed": null}' ELSE '{}' END,
                                    '{"threads": null, "batch_size": null, "max_rejects": null, "enabled": null}'
                   )::VARCHAR, '')
           )[:8] AS setup
    FROM made
    WHERE adapter IS NOT NULL
)
SELECT setup, min(name) AS name, corpus, split, system,
       count(*) AS runs,
       list(seed ORDER BY seed, run_id) AS seeds,
       list(run_id ORDER BY seed, run_id) AS run_ids,
       round(avg(accuracy), 4) AS accuracy, round(stddev_samp(accuracy), 4) AS accuracy_sd,
       round(avg(weighted_f1), 4) AS weighted_f1, round(stddev_samp(weighted_f1), 4) AS weighted_f1_sd,
       round(avg(macro_f1), 4) AS macro_f1, round(stddev_samp(macro_f1), 4) AS macro_f1_sd
FROM (
    SELECT setups.*, runs.name, scores.* EXCLUDE (run_id)
    FROM setups
    JOIN runs USING (run_id)
    JOIN scores USING (run_id)
    QUALIFY row_number() OVER (PARTITION BY setup, adapter, corpus, split, system ORDER BY run_id) = 1
)
GROUP BY setup, corpus, split, system
ORDER BY name, setup, corpus, split, weighted_f1 DESC;
