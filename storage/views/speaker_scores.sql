-- Whose lines does a run understand?  Grain: one row per run, corpus, system and speaker.
-- Columns: run_id, corpus, system, speaker, dialogues, utterances, accuracy (0..1), neutral (share of their gold lines),
-- called_neutral (share of their predictions), often (their commonest mistake as gold → predicted)
CREATE OR REPLACE VIEW speaker_scores AS
SELECT *
FROM counted_speakers
ORDER BY run_id, corpus, system, utterances DESC, speaker;
