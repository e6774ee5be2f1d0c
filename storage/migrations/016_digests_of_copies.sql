-- The SHA-256 of each copy, so that `fsck` finds one that was damaged since.

ALTER TABLE copies ADD COLUMN IF NOT EXISTS sha256 VARCHAR;  -- NULL for a copy of an earlier program
