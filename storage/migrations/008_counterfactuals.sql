-- What `dialoguellm counterfactual` found: the tuned model's answers with other descriptions of the video.

CREATE TABLE counterfactuals (  -- one row per measurement, condition, kind of caption, corpus and score
    run_id VARCHAR NOT NULL,
    counterfactual VARCHAR NOT NULL,
    adapter_key VARCHAR,
    condition VARCHAR NOT NULL, -- dropped, swapped_within, swapped_across, constant, captions_alone
    against VARCHAR NOT NULL,   -- original (the descriptions as they are), of captions_alone: majority
    captions VARCHAR NOT NULL,  -- all lines, or those whose caption "names an emotion" or "names none"
    corpus VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,    -- accuracy, weighted_f1, macro_f1
    utterances BIGINT,
    dialogues BIGINT,
    uncaptioned BIGINT,         -- of these lines, those without a caption: they stay as they are
    changed BIGINT,             -- of these lines, those whose prompt is another; NULL for captions_alone
    value DOUBLE,               -- shares: 0..1
    against_value DOUBLE,
    change DOUBLE,              -- value less against_value, with its 95 % interval
    low DOUBLE,
    high DOUBLE,
    p DOUBLE,                   -- two-sided, of the paired bootstrap over dialogues
    swap_p DOUBLE,              -- of swapping whole dialogues between the two
    detectable DOUBLE,          -- smallest difference that 80 % of such samples would show
    resamples BIGINT,
    seed BIGINT,
    PRIMARY KEY (run_id, counterfactual, condition, captions, corpus, metric)
);

-- Commands that are no attempt of a run read the test split too: attempt is NULL there.
ALTER TABLE test_reads ALTER COLUMN attempt DROP NOT NULL;
