-- What flipped between two runs?  Grain: one row per ordered pair of runs, system and utterance of which the two say
-- something different. Name both: WHERE first_run = '…' AND second_run = '…'.
-- Columns: first_run, second_run, corpus, system, utterance_id, flip (gained: right in the second alone; lost: in the
-- first alone; moved: wrong in both), gold, first_predicted, second_predicted (NULL: did not parse), speaker, text
CREATE OR REPLACE VIEW flips AS
SELECT a.run_id AS first_run, b.run_id AS second_run, split_part(a.utterance_id, '/', 1) AS corpus, a.system,
       a.utterance_id,
       CASE WHEN b.predicted = b.gold THEN 'gained' WHEN a.predicted = a.gold THEN 'lost' ELSE 'moved' END AS flip,
       a.gold, a.predicted AS first_predicted, b.predicted AS second_predicted, u.speaker, u.text
FROM predictions_history a
JOIN predictions_history b
  ON a.utterance_id = b.utterance_id AND a.system = b.system AND a.run_id <> b.run_id
 AND a.predicted IS DISTINCT FROM b.predicted
LEFT JOIN stages s ON s.run_id = a.run_id AND s.stage = 'ingest'
LEFT JOIN utterances_history u ON u.stage_key = s.stage_key AND u.utterance_id = a.utterance_id;
