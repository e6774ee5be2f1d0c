-- What did a prediction come from?  Grain: one row per run, utterance and system.
-- Columns: the prediction and its corpus; the keys of the adapter, instruction, caption and keyframes it rests on;
-- what they hold.
CREATE OR REPLACE VIEW lineage AS
WITH keys AS (
    SELECT run_id,
           max(stage_key) FILTER (stage = 'ingest') AS ingest_key,
           max(stage_key) FILTER (stage = 'keyframes') AS keyframes_key,
           max(stage_key) FILTER (stage = 'captions') AS captions_key,
           max(stage_key) FILTER (stage = 'instructions') AS instructions_key,
           max(stage_key) FILTER (stage = 'finetune') AS adapter_key
    FROM stages
    GROUP BY run_id
),
frames AS (
    SELECT stage_key, utterance_id, list(round(time_s, 2) ORDER BY rank) AS frame_times_s
    FROM keyframes
    GROUP BY ALL
)
SELECT p.run_id, split_part(p.utterance_id, '/', 1) AS corpus, p.utterance_id, p.system, p.gold, p.predicted,
       p.stage_key AS prediction_key, keys.adapter_key,
       keys.instructions_key, i.prompt, i.context_ids,
       keys.captions_key, c.text AS caption, c.model AS captioner,
       keys.keyframes_key, f.frame_times_s,
       keys.ingest_key, u.speaker, u.text, u.video
FROM predictions p
JOIN keys USING (run_id)
LEFT JOIN utterances u ON u.stage_key = keys.ingest_key AND u.utterance_id = p.utterance_id
LEFT JOIN instructions i ON i.stage_key = keys.instructions_key AND i.utterance_id = p.utterance_id
LEFT JOIN captions c ON c.stage_key = keys.captions_key AND c.utterance_id = p.utterance_id
LEFT JOIN frames f ON f.stage_key = keys.keyframes_key AND f.utterance_id = p.utterance_id;
