-- Rows stay in the lake. What is left here is small: this file is copied whole at every publication.

CREATE TABLE stage_shards (     -- one row per stage key and shard, whichever runs use the key
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
    error VARCHAR,
    tokens BIGINT,              -- of its prompts and answers; NULL where a stage has none
    retries BIGINT              -- failures since it last succeeded; NULL where nothing is known
);
INSERT INTO stage_shards BY NAME SELECT DISTINCT ON (stage_key, shard) * EXCLUDE (run_id, stage) FROM shards;
DROP TABLE shards;              -- now a view
DROP TABLE predictions;         -- now a view

CREATE TABLE copies (           -- one row per table of the lake and stage key: its rows in one sorted file
    output VARCHAR NOT NULL,
    stage_key VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    PRIMARY KEY (output, stage_key)
);

ALTER TABLE stages ADD COLUMN version INTEGER;  -- of the stage's code; NULL in rows from before, as are the next two
ALTER TABLE stages ADD COLUMN identity JSON;    -- weights, or source files, with their digests
ALTER TABLE stages ADD COLUMN upstream JSON;    -- the keys of the stages it reads

-- What is counted of a run's predictions when they are published, by storage/summaries/<name>.sql.

CREATE TABLE summarised (       -- one row per run: the files that its rows of the tables below were counted from
    run_id VARCHAR PRIMARY KEY,
    source VARCHAR NOT NULL
);

CREATE TABLE counted_answers (  -- one row per run, corpus and system that generates
    run_id VARCHAR NOT NULL,
    corpus VARCHAR,
    system VARCHAR,
    answers BIGINT,
    unparsed BIGINT,
    prompt_tokens BIGINT,
    answer_tokens BIGINT,
    uncounted BIGINT,
    seconds DOUBLE
);

CREATE TABLE counted_captions ( -- one row per run, corpus, system and kind of caption
    run_id VARCHAR NOT NULL,
    corpus VARCHAR,
    system VARCHAR,
    caption VARCHAR,
    utterances BIGINT,
    dialogues BIGINT,
    accuracy DOUBLE,
    neutral DOUBLE
);

CREATE TABLE counted_confusions (  -- one row per run, corpus, system, gold label and label that was said
    run_id VARCHAR NOT NULL,
    corpus VARCHAR,
    system VARCHAR,
    gold VARCHAR,
    predicted VARCHAR,          -- NULL where the answer does not parse
    utterances BIGINT,
    share DOUBLE,
    examples VARCHAR[]
);

CREATE TABLE counted_confidence (  -- one row per run, corpus, split, system and tenth of confidence
    run_id VARCHAR NOT NULL,
    corpus VARCHAR,
    split VARCHAR,
    system VARCHAR,
    above DOUBLE,
    up_to DOUBLE,
    utterances BIGINT,
    confidence DOUBLE,
    accuracy DOUBLE,
    gap DOUBLE
);

CREATE TABLE counted_dialogues (   -- one row per run, corpus, system and dialogue
    run_id VARCHAR NOT NULL,
    corpus VARCHAR,
    system VARCHAR,
    dialogue VARCHAR,
    utterances BIGINT,
    wrong BIGINT,
    accuracy DOUBLE,
    loss DOUBLE,
    mistakes VARCHAR[]
);

CREATE TABLE counted_speakers (    -- one row per run, corpus, system and speaker
    run_id VARCHAR NOT NULL,
    corpus VARCHAR,
    system VARCHAR,
    speaker VARCHAR,
    dialogues BIGINT,
    utterances BIGINT,
    accuracy DOUBLE,
    neutral DOUBLE,
    called_neutral DOUBLE,
    often VARCHAR
);
