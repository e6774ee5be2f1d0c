-- Accuracy by who speaks, and the commonest mistake.  Grain: one row per corpus, system and speaker.
SELECT p.corpus, p.system, u.speaker, count(DISTINCT u.dialogue_id) AS dialogues, count(*) AS utterances,
       round(count(*) FILTER (predicted = gold) / count(*), 4) AS accuracy,
       round(count(*) FILTER (gold = 'neutral') / count(*), 4) AS neutral,
       round(count(*) FILTER (predicted = 'neutral') / count(*), 4) AS called_neutral,
       mode(gold || ' → ' || coalesce(predicted, 'no answer')) FILTER (predicted IS DISTINCT FROM gold) AS often
FROM run_predictions p
JOIN run_utterances u USING (utterance_id)
GROUP BY ALL
