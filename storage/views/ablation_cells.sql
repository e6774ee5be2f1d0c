-- What did each cell of a grid score, as one writes it?  Grain: one row per grid, base, cell, corpus and split.
-- Columns: ablation, base, cell, corpus, split, runs (seeds done of those planned: "3 of 3"), accuracy, weighted_f1,
-- macro_f1 (text: percent, "71.2 ± 0.4 [69.1, 73.0]": mean, deviation over seeds, 95 % interval over dialogues),
-- weighted_f1_change (from the cell compared with, with its interval; empty for that cell itself), p, swap_p (of it),
-- paper_weighted_f1 (what the paper prints, on test), settings
CREATE OR REPLACE VIEW ablation_cells AS
WITH written AS (
    SELECT * EXCLUDE (value, sd, low, high),
           printf('%.1f', 100 * value) || coalesce(printf(' ± %.1f', 100 * sd), '')
               || coalesce(printf(' [%.1f, %.1f]', 100 * low, 100 * high), '') AS text,
           value
    FROM ablations
)
SELECT ablation, base, cell, corpus, split,
       printf('%d of %d', any_value(runs), any_value(planned)) AS runs,
       max(text) FILTER (metric = 'accuracy') AS accuracy,
       max(text) FILTER (metric = 'weighted_f1') AS weighted_f1,
       max(text) FILTER (metric = 'macro_f1') AS macro_f1,
       max(printf('%+.1f', 100 * difference)
           || coalesce(printf(' [%+.1f, %+.1f]', 100 * difference_low, 100 * difference_high), ''))
           FILTER (metric = 'weighted_f1') AS weighted_f1_change,
       max(p) FILTER (metric = 'weighted_f1') AS p,
       max(swap_p) FILTER (metric = 'weighted_f1') AS swap_p,
       max(round(100 * paper, 2)) FILTER (metric = 'weighted_f1') AS paper_weighted_f1,
       any_value(settings) AS settings
FROM written
GROUP BY ablation, base, cell, corpus, split
ORDER BY ablation, base, corpus, split, max(value) FILTER (metric = 'weighted_f1') DESC;
