-- What an attempt set out to do, which flow run it was, and what it scored. NULL in attempts from before.

ALTER TABLE attempts ADD COLUMN IF NOT EXISTS plan_digest VARCHAR;  -- of the pending shards with their reasons: equal for equal work
ALTER TABLE attempts ADD COLUMN IF NOT EXISTS flow_run VARCHAR;     -- Prefect's id of the flow run; a retry has the same one
ALTER TABLE attempts ADD COLUMN IF NOT EXISTS scores JSON;          -- weighted F1 by corpus, split and system, where it scored
