-- What `dialoguellm seceu` found: answers to a test of emotional understanding, and what they are worth.

CREATE TABLE seceu_scores (     -- one row per measurement and system
    measurement VARCHAR NOT NULL,
    test VARCHAR NOT NULL,      -- a digest of the file (and of the order of the options, where it is another)
    system VARCHAR NOT NULL,    -- a model, demo-2fa31b:tuned, or a control: uniform, in_order, best_constant, random
    kind VARCHAR NOT NULL,      -- model or control
    run_id VARCHAR,
    adapter_key VARCHAR,
    model VARCHAR,              -- what identifies the model; of a server's its name alone
    examples BIGINT,            -- worked ones before each story
    items BIGINT,
    answered BIGINT,            -- items whose answer holds a rating for each option
    rescaled BIGINT,            -- of these, those whose ratings did not add up to 10 and were made to
    faults BIGINT,              -- items that a server gave no answer to
    population_mean DOUBLE,     -- people's mean distance and its standard deviation, as the file has them
    population_sd DOUBLE,
    distance DOUBLE,            -- mean Euclidean distance over the answered items: the SECEU score, lower is better
    low DOUBLE,                 -- its 95 % interval over items (random: over draws)
    high DOUBLE,
    eq DOUBLE,                  -- NULL unless every item was answered, and so is the percentile
    percentile DOUBLE,          -- 0..100, of a normal distribution with people's mean and deviation
    pattern DOUBLE,             -- correlation of the items' distances with people's, -1..1
    pattern_p DOUBLE,
    uniform DOUBLE,             -- the distance of 2.5 points for every option on the same items
    gain DOUBLE,                -- uniform less distance, with its interval: above 0 is better than no reading at all
    gain_low DOUBLE,
    gain_high DOUBLE,
    PRIMARY KEY (measurement, system)
);

CREATE TABLE seceu_answers (    -- one row per measurement and item
    measurement VARCHAR NOT NULL,
    system VARCHAR NOT NULL,
    item VARCHAR NOT NULL,
    ratings DOUBLE[],           -- of the options in the order they were shown, 10 in all; NULL where the answer holds none
    total DOUBLE,               -- what they added up to as they stood
    distance DOUBLE,
    raw VARCHAR,                -- the answer as it came, its first 2,000 characters
    n_tokens BIGINT,
    seconds DOUBLE,
    fault VARCHAR,              -- unparsed, or a server's: server_error, timed_out, bad_answer, refused
    PRIMARY KEY (measurement, item)
);
