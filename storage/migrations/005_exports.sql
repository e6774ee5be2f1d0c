-- Models that were merged out of a run's adapter, and how they compare with it on dev lines.

CREATE TABLE exports (          -- one row per merge, whether it passed or not
    run_id VARCHAR NOT NULL,
    export INTEGER NOT NULL,
    exported_at TIMESTAMP,
    folder VARCHAR,             -- where it was to be written; there only if it passed
    adapter_key VARCHAR,
    dtype VARCHAR,              -- the number format it is stored in
    utterances INTEGER,         -- dev lines that both answered
    agreeing INTEGER,           -- of these, same label
    tied INTEGER,               -- of the others, those whose two labels the adapter itself had within the tolerance
    largest_gap DOUBLE,         -- of a label's probability between the two, 0..1
    effect DOUBLE,              -- the same between adapter and base: what the merge must carry over
    tolerance DOUBLE,           -- largest gap allowed
    seed INTEGER,               -- of the choice of the lines
    passed BOOLEAN,
    PRIMARY KEY (run_id, export)
);
