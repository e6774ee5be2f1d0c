-- Does a run live on captions that name an emotion outright?  Grain: one row per run, corpus, system and kind of caption.
-- Columns: run_id, corpus, system, caption (names an emotion; names none; no caption), utterances, dialogues, accuracy
-- (0..1), neutral (share of gold lines: the kinds are of different lines, so compare systems within a kind)
CREATE OR REPLACE VIEW caption_effect AS
SELECT *
FROM counted_captions
ORDER BY run_id, corpus, system, caption;
