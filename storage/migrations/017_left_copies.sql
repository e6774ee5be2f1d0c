CREATE TABLE left_copies (      -- one row per copy of which this database has another now; its file stays for its readers
    path VARCHAR PRIMARY KEY,
    left_at DOUBLE NOT NULL     -- seconds since 1970
);
