-- Scores are those of one corpus: a run may join several.

ALTER TABLE metrics ADD COLUMN corpus VARCHAR;  -- NULL in rows that were written before
