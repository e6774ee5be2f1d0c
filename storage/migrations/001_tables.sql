-- The tables of results.duckdb. Times are UTC.

CREATE TABLE runs (             -- one row per run: a configuration resolved against a workspace
    run_id VARCHAR PRIMARY KEY,
    name VARCHAR NOT NULL,
    source VARCHAR,             -- the configuration file
    created_at TIMESTAMP,
    used_at TIMESTAMP,
    git_commit VARCHAR,
    machine JSON,
    settings JSON
);

CREATE TABLE attempts (         -- one row per execution of a run
    run_id VARCHAR NOT NULL,
    attempt INTEGER NOT NULL,
    parent INTEGER,
    reason VARCHAR,             -- run, or the rerun command that was typed
    engine VARCHAR,             -- prefect or direct
    state VARCHAR,              -- running, completed, failed, crashed
    started_at TIMESTAMP,
    finished_at TIMESTAMP,
    error VARCHAR,
    pending JSON,               -- shards that were to be done, by stage and reason
    PRIMARY KEY (run_id, attempt)
);

CREATE TABLE stages (           -- one row per run and stage that is on
    run_id VARCHAR NOT NULL,
    position INTEGER NOT NULL,
    stage VARCHAR NOT NULL,
    stage_key VARCHAR NOT NULL,
    output VARCHAR,             -- the table it writes
    shards INTEGER,             -- NULL until ingest has cut them
    done INTEGER,
    row_count BIGINT,
    rejects BIGINT,
    bytes BIGINT,
    seconds DOUBLE,             -- of work, summed over shards
    settings JSON,
    PRIMARY KEY (run_id, stage)
);

CREATE TABLE shards (           -- one row per run, stage and shard
    run_id VARCHAR NOT NULL,
    stage VARCHAR NOT NULL,
    stage_key VARCHAR NOT NULL,
    shard INTEGER NOT NULL,
    state VARCHAR NOT NULL,     -- done, missing, failed, corrupt
    row_count BIGINT,
    rejects BIGINT,
    bytes BIGINT,
    seconds DOUBLE,
    finished_at TIMESTAMP,
    made_by VARCHAR,            -- the run that did the work
    sha256 VARCHAR,
    error VARCHAR
);

CREATE TABLE predictions (      -- one row per run, utterance and system (tuned, untuned)
    run_id VARCHAR NOT NULL,
    stage_key VARCHAR NOT NULL,
    utterance_id VARCHAR NOT NULL,
    system VARCHAR NOT NULL,
    gold VARCHAR NOT NULL,
    predicted VARCHAR,          -- NULL where the answer does not parse: counted as wrong
    scores MAP(VARCHAR, DOUBLE),
    raw VARCHAR,
    seconds DOUBLE
);

CREATE TABLE metrics (          -- one row per run, system, score and label
    run_id VARCHAR NOT NULL,
    stage_key VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    system VARCHAR NOT NULL,    -- tuned, untuned, majority, tfidf_lr
    metric VARCHAR NOT NULL,
    label VARCHAR,              -- NULL for scores over all labels
    predicted VARCHAR,          -- the other side of a confusion
    value DOUBLE
);

CREATE TABLE test_reads (       -- one row per time that an attempt opened a test split
    run_id VARCHAR NOT NULL,
    attempt INTEGER NOT NULL,
    stage VARCHAR NOT NULL,
    adapter_key VARCHAR,
    read_at TIMESTAMP,
    why VARCHAR,
    shards INTEGER
);
