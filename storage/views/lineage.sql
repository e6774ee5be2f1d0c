-- What did a prediction come from, back to the frames and the file?  Grain: one row per run, utterance and system.
-- Columns: run_id, corpus, utterance_id, system, gold, predicted, prediction_key; the keys of the adapter, instruction,
-- caption, keyframes and transcript it rests on (…_key: see the view keys) and what they hold: prompt, context_ids,
-- caption, captioner, frame_times_s (from the line's start), suspect_frames, frames_file (the lake's part that holds the
-- pictures: see the view pictures), speaker, text, video (in the corpus's folder), start_s, end_s (in the video)
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
)
SELECT p.run_id, split_part(p.utterance_id, '/', 1) AS corpus, p.utterance_id, p.system, p.gold, p.predicted,
       p.stage_key AS prediction_key, keys.adapter_key,
       keys.instructions_key, i.prompt, i.context_ids,
       keys.captions_key, c.text AS caption, c.model AS captioner,
       keys.keyframes_key, f.frame_times_s, f.suspect_frames,
       $lake || '/keyframes/' || f.stage_key || '/part-' || lpad(f.shard::VARCHAR, 5, '0') || '.parquet' AS frames_file,
       keys.ingest_key, u.speaker, u.text, u.video, u.start_s, u.end_s
FROM predictions_history p
JOIN keys USING (run_id)
LEFT JOIN utterances_history u ON u.stage_key = keys.ingest_key AND u.utterance_id = p.utterance_id
LEFT JOIN instructions_history i ON i.stage_key = keys.instructions_key AND i.utterance_id = p.utterance_id
LEFT JOIN captions_history c ON c.stage_key = keys.captions_key AND c.utterance_id = p.utterance_id
LEFT JOIN frames f ON f.stage_key = keys.keyframes_key AND f.utterance_id = p.utterance_id;
