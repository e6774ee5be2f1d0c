-- Does a run live on captions that name an emotion outright?  Grain: one row per run, corpus, system and kind of caption.
-- Columns: run_id, corpus, system, caption (names an emotion; names none; no caption), utterances, dialogues, accuracy
-- (0..1), neutral (share of gold lines: the kinds are of different lines, so compare systems within a kind)
CREATE OR REPLACE VIEW caption_effect AS
WITH seen AS (
    SELECT p.*, split_part(p.utterance_id, '/', 1) AS corpus,
           CASE WHEN c.utterance_id IS NULL THEN 'no caption'
                WHEN len(c.emotion_words) > 0 THEN 'names an emotion'
                ELSE 'names none' END AS caption
    FROM predictions p
    LEFT JOIN stages s ON s.run_id = p.run_id AND s.stage = 'captions'
    LEFT JOIN captions c ON c.stage_key = s.stage_key AND c.utterance_id = p.utterance_id
)
SELECT run_id, corpus, system, caption,
       count(*) AS utterances,
       count(DISTINCT regexp_replace(utterance_id, '/[^/]*$', '')) AS dialogues,
       round(count(*) FILTER (predicted = gold) / count(*), 4) AS accuracy,
       round(count(*) FILTER (gold = 'neutral') / count(*), 4) AS neutral
FROM seen
GROUP BY ALL
ORDER BY run_id, corpus, system, caption;
