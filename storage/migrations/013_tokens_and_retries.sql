-- What a shard read and wrote in tokens, and how often it failed before it succeeded.

ALTER TABLE shards ADD COLUMN IF NOT EXISTS tokens BIGINT;   -- of its prompts and answers; NULL where a stage has none
ALTER TABLE shards ADD COLUMN IF NOT EXISTS retries BIGINT;  -- failures since it last succeeded; NULL where nothing is known
ALTER TABLE stages ADD COLUMN IF NOT EXISTS tokens BIGINT;
ALTER TABLE stages ADD COLUMN IF NOT EXISTS retries BIGINT;
