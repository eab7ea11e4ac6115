-- What results were made with, and how long each part took.
--
-- Why it looks as it does:
--   * What a run was made with is frozen when its plan is synced, as one JSON document: it is read
--     whole by people, and later versions may say more without a migration.
--   * An attempt keeps the invocation that began it, whoever watched it to its end. Attempts of
--     earlier versions have none.
--   * What a worker says of itself is asked once a binary: the digest is the key. A binary that
--     says nothing has a row too, without a text.
--   * An attempt that trains goes on to evaluate. When it turned from one to the other is kept, so
--     that the cost of each is known.

CREATE TABLE invocation (
    id              INTEGER PRIMARY KEY,
    sweep_id        INTEGER NOT NULL,
    revision        INTEGER NOT NULL,
    at_ms           INTEGER NOT NULL,
    provenance_json TEXT    NOT NULL,
    FOREIGN KEY (sweep_id, revision) REFERENCES sweep_revision (sweep_id, revision)
) STRICT;

ALTER TABLE attempt ADD COLUMN invocation_id INTEGER REFERENCES invocation (id);
ALTER TABLE attempt ADD COLUMN evaluating_ms INTEGER;

CREATE TABLE worker_binary (
    digest     TEXT    PRIMARY KEY,
    about_json TEXT,
    asked_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
