-- Accuracy by what a line's caption gives away.  Grain: one row per corpus, system and kind of caption.
WITH seen AS (
    SELECT p.*,
           CASE WHEN c.utterance_id IS NULL THEN 'no caption'
                WHEN len(c.emotion_words) > 0 THEN 'names an emotion'
                ELSE 'names none' END AS caption
    FROM run_predictions p
    LEFT JOIN run_captions c USING (utterance_id)
)
SELECT corpus, system, caption, count(*) AS utterances, count(DISTINCT dialogue) AS dialogues,
       round(count(*) FILTER (predicted = gold) / count(*), 4) AS accuracy,
       round(count(*) FILTER (gold = 'neutral') / count(*), 4) AS neutral
FROM seen
GROUP BY ALL
