-- How usable are a run's captions, and do they give the label away?  Grain: one row per run and caption.
-- Columns: run_id, corpus, split, utterance_id, text, model, prompt_id, n_frames (distinct pictures), n_tokens, its
-- measures (model/caption_quality.py, model/contradiction.py) n_words, repetition, english, refusal, like_previous,
-- contradiction, emotion_words, and names_gold (an emotion that the line's label means; NULL for the test split),
-- unfinished (it breaks off)
CREATE OR REPLACE VIEW caption_quality AS
WITH meanings (word, meaning) AS (
    VALUES
    ('neutral', 'neutral'),
    ('happiness', 'happiness'), ('happy', 'happiness'), ('joy', 'happiness'), ('joyful', 'happiness'),
    ('joyous', 'happiness'),
    ('sadness', 'sadness'), ('sad', 'sadness'), ('sorrow', 'sadness'), ('sorrowful', 'sadness'),
    ('unhappy', 'sadness'), ('unhappiness', 'sadness'),
    ('anger', 'anger'), ('angry', 'anger'), ('mad', 'anger'), ('furious', 'anger'),
    ('surprise', 'surprise'), ('surprised', 'surprise'), ('astonished', 'surprise'), ('astonishment', 'surprise'),
    ('fear', 'fear'), ('fearful', 'fear'), ('scared', 'fear'), ('afraid', 'fear'), ('frightened', 'fear'),
    ('terrified', 'fear'),
    ('disgust', 'disgust'), ('disgusted', 'disgust'),
    ('peaceful', 'peaceful'), ('peace', 'peaceful'), ('powerful', 'powerful'),
    ('excitement', 'excitement'), ('excited', 'excitement'),
    ('frustration', 'frustration'), ('frustrated', 'frustration')
),
keys AS (
    SELECT run_id,
           max(stage_key) FILTER (stage = 'ingest') AS ingest_key,
           max(stage_key) FILTER (stage = 'captions') AS captions_key
    FROM stages
    GROUP BY run_id
)
SELECT keys.run_id, u.corpus, u.split, c.utterance_id, c.text, c.model, c.prompt_id, c.n_frames, c.n_tokens,
       c.n_words, c.repetition, c.english, c.refusal, c.like_previous, c.contradiction, c.emotion_words,
       CASE WHEN u.split <> 'test' THEN coalesce(list_has_any(
           c.emotion_words,
           (SELECT list(said.word) FROM meanings gold JOIN meanings said USING (meaning) WHERE gold.word = u.emotion)
       ), false) END AS names_gold,
       NOT regexp_matches(c.text, '[.!?…]["'')\]’”]*$') AS unfinished
FROM keys
JOIN captions_history c ON c.stage_key = keys.captions_key
JOIN utterances_history u ON u.stage_key = keys.ingest_key AND u.utterance_id = c.utterance_id;
