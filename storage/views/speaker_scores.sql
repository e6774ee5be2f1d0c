-- Whose lines does a run understand?  Grain: one row per run, corpus, system and speaker.
-- Columns: run_id, corpus, system, speaker, dialogues, utterances, accuracy (0..1), neutral (share of their gold lines),
-- called_neutral (share of their predictions), often (their commonest mistake as gold → predicted)
CREATE OR REPLACE VIEW speaker_scores AS
WITH said AS (
    SELECT p.*, split_part(p.utterance_id, '/', 1) AS corpus, u.speaker, u.dialogue_id
    FROM predictions p
    JOIN stages s ON s.run_id = p.run_id AND s.stage = 'ingest'
    JOIN utterances u ON u.stage_key = s.stage_key AND u.utterance_id = p.utterance_id
)
SELECT run_id, corpus, system, speaker,
       count(DISTINCT dialogue_id) AS dialogues,
       count(*) AS utterances,
       round(count(*) FILTER (predicted = gold) / count(*), 4) AS accuracy,
       round(count(*) FILTER (gold = 'neutral') / count(*), 4) AS neutral,
       round(count(*) FILTER (predicted = 'neutral') / count(*), 4) AS called_neutral,
       mode(gold || ' → ' || coalesce(predicted, 'no answer')) FILTER (predicted IS DISTINCT FROM gold) AS often
FROM said
GROUP BY ALL
ORDER BY run_id, corpus, system, utterances DESC, speaker;
