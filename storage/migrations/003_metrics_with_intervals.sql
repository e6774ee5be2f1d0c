-- How certain a score is: the 95 % interval of a bootstrap over dialogues; NULL for counts and in rows written before.

ALTER TABLE metrics ADD COLUMN low DOUBLE;
ALTER TABLE metrics ADD COLUMN high DOUBLE;
