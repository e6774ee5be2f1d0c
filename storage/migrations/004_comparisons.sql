-- What `dialoguellm compare` found.

CREATE TABLE comparisons (      -- one row per comparison, corpus and score
    comparison VARCHAR NOT NULL,
    first VARCHAR NOT NULL,     -- run id and system: demo-2fa31b:tuned
    second VARCHAR NOT NULL,
    corpus VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    metric VARCHAR NOT NULL,    -- accuracy, weighted_f1, macro_f1
    utterances BIGINT,          -- lines that both predicted
    dialogues BIGINT,
    first_only BIGINT,          -- lines that one alone predicted, left out
    second_only BIGINT,
    first_value DOUBLE,         -- shares: 0..1
    second_value DOUBLE,
    difference DOUBLE,          -- first less second, with its 95 % interval
    low DOUBLE,
    high DOUBLE,
    p DOUBLE,                   -- two-sided, of the paired bootstrap over dialogues
    mcnemar_p DOUBLE,           -- exact, for accuracy; takes lines for independent
    detectable DOUBLE,          -- smallest difference that 80 % of such samples would show
    resamples BIGINT,
    seed BIGINT,
    PRIMARY KEY (comparison, corpus, metric)
);
