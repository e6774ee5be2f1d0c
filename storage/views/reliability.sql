-- Is a system as often right as it is sure?  Grain: one row per run, corpus, split, system and tenth of confidence
-- (the probability of the label that was chosen) that has lines.
-- Columns: run_id, corpus, split, system, above, up_to (ends of the tenth), utterances, confidence (their mean),
-- accuracy (share that is right, 0..1), gap (accuracy less confidence: below 0 is too sure)
CREATE OR REPLACE VIEW reliability AS
SELECT *
FROM counted_confidence
ORDER BY run_id, corpus, split, system, above;
