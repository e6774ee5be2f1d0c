-- What `dialoguellm ablation` ran and found.

CREATE TABLE ablation_runs (    -- one row per grid, cell, seed and kind of run
    ablation VARCHAR NOT NULL,  -- the grid's name
    base VARCHAR NOT NULL,      -- name of the configuration that the cell starts from
    cell VARCHAR NOT NULL,
    seed BIGINT,                -- of training; NULL where the base's own was kept
    test BOOLEAN NOT NULL,      -- whether it reads the test split; else it scores dev alone
    run_id VARCHAR,             -- NULL where it could not be resolved
    state VARCHAR NOT NULL,     -- done, failed, pending
    error VARCHAR,
    again VARCHAR               -- the line that takes it up again
);

CREATE TABLE ablations (        -- one row per grid, cell, corpus, split and score
    ablation VARCHAR NOT NULL,
    base VARCHAR NOT NULL,
    cell VARCHAR NOT NULL,
    settings JSON,              -- what the cell varies, by dotted name
    against BOOLEAN NOT NULL,   -- whether it is the cell that the others are compared with
    system VARCHAR NOT NULL,    -- tuned, untuned or a server's model
    corpus VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,    -- accuracy, weighted_f1, macro_f1
    runs BIGINT,                -- seeds that are done
    planned BIGINT,             -- seeds asked for
    run_ids JSON,
    utterances BIGINT,
    dialogues BIGINT,
    value DOUBLE,               -- mean over the seeds, a share: 0..1
    sd DOUBLE,                  -- standard deviation over the seeds, NULL of one
    low DOUBLE,                 -- 95 % interval of the mean over dialogues drawn anew, of these trainings
    high DOUBLE,
    difference DOUBLE,          -- from the cell compared with, on the same lines, seed by seed
    difference_low DOUBLE,
    difference_high DOUBLE,
    p DOUBLE,                   -- two-sided, of the paired bootstrap over dialogues
    swap_p DOUBLE,              -- of swapping whole dialogues between the two
    detectable DOUBLE,          -- smallest difference that 80 % of such samples would show
    left_out BIGINT,            -- lines that one of the two alone predicted
    paper DOUBLE,               -- what the paper prints for this cell (test), NULL where it prints nothing
    paper_row VARCHAR,
    PRIMARY KEY (ablation, base, cell, corpus, split, metric)
);
