-- The first schema.
--
-- Why it looks as it does:
--   * A trial is what is computed; a sweep is who asks for it. They meet in `sweep_trial`, so that
--     a cell which two sweeps share is trained once and keeps both labels.
--   * Editing a sweep file makes a revision. Links of earlier revisions stay: results of cells that
--     are no longer asked for are orphans, not losses. History is never rewritten.
--   * No table holds a trial's state. It follows from the attempts and an evaluation protocol; two
--     truths cannot disagree where there is one.
--   * An attempt is unfinished exactly while it has no outcome, and a trial has one such attempt
--     at most. Both are held by the database, whatever the program does.
--   * Paths are relative: folders to the state folder, files to the attempt's folder. A state
--     folder that was moved or copied still works.
--   * Times are milliseconds since 1970-01-01 UTC.
--   * Metrics are nearly all of the rows; names are numbers there and rows carry no rowid, which
--     keeps one below 40 bytes.

CREATE TABLE sweep (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL,
    -- When a plan of this name was last synced: what `@` goes by.
    asked_ms   INTEGER NOT NULL
) STRICT;

CREATE TABLE sweep_revision (
    sweep_id    INTEGER NOT NULL REFERENCES sweep (id),
    revision    INTEGER NOT NULL CHECK (revision >= 1),
    source_toml TEXT    NOT NULL,
    eval_key    TEXT    NOT NULL,
    -- What reports say of the sweep, `--set` included.
    facts_json  TEXT    NOT NULL,
    -- Of all that the plan asks for: an equal plan is no revision.
    plan_digest TEXT    NOT NULL,
    created_ms  INTEGER NOT NULL,
    PRIMARY KEY (sweep_id, revision)
) STRICT, WITHOUT ROWID;

-- Each sweep with its newest revision.
CREATE VIEW sweep_now AS
SELECT s.id, s.name, r.revision, r.source_toml, r.eval_key, r.facts_json, r.plan_digest, s.created_ms, s.asked_ms
FROM sweep s
JOIN sweep_revision r
  ON r.sweep_id = s.id
 AND r.revision = (SELECT max(n.revision) FROM sweep_revision n WHERE n.sweep_id = s.id);

CREATE TABLE trial (
    id        INTEGER PRIMARY KEY,
    train_key TEXT    NOT NULL UNIQUE,
    group_key TEXT    NOT NULL,
    spec_json TEXT    NOT NULL
) STRICT;

CREATE TABLE sweep_trial (
    sweep_id    INTEGER NOT NULL,
    revision    INTEGER NOT NULL,
    ordinal     INTEGER NOT NULL CHECK (ordinal >= 1),
    trial_id    INTEGER NOT NULL REFERENCES trial (id),
    labels_json TEXT    NOT NULL,
    PRIMARY KEY (sweep_id, revision, ordinal),
    UNIQUE (sweep_id, revision, trial_id),
    FOREIGN KEY (sweep_id, revision) REFERENCES sweep_revision (sweep_id, revision)
) STRICT, WITHOUT ROWID;

CREATE INDEX sweep_trial_by_trial ON sweep_trial (trial_id);

CREATE TABLE attempt (
    id                INTEGER PRIMARY KEY,
    trial_id          INTEGER NOT NULL REFERENCES trial (id),
    kind              TEXT    NOT NULL CHECK (kind IN ('train', 'eval')),
    eval_key          TEXT    NOT NULL,
    -- Attempts of both kinds share one numbering.
    number            INTEGER NOT NULL CHECK (number >= 1),
    -- How the executor finds the process again; absent between this row and the spawn.
    handle_json       TEXT,
    device_json       TEXT    NOT NULL,
    threads           INTEGER NOT NULL CHECK (threads >= 1),
    folder            TEXT    NOT NULL,
    started_ms        INTEGER NOT NULL,
    ended_ms          INTEGER,
    outcome           TEXT    CHECK (outcome IN ('finished', 'stopped', 'failed')),
    verdict           TEXT,
    reason            TEXT,
    detail            TEXT,
    -- How far the event file is stored; written together with what its lines say.
    events_offset     INTEGER NOT NULL DEFAULT 0,
    events_seq        INTEGER NOT NULL DEFAULT 0,
    -- The worker's first line: the second way to find it, and what it computed with.
    started_json      TEXT,
    checkpoint_file   TEXT,
    checkpoint_update INTEGER,
    UNIQUE (trial_id, number),
    CHECK ((ended_ms IS NULL) = (outcome IS NULL)),
    CHECK ((verdict IS NOT NULL) = (outcome IS 'finished')),
    CHECK ((reason IS NOT NULL) = (outcome IS 'failed')),
    CHECK ((detail IS NULL) = (reason IS NULL)),
    CHECK ((checkpoint_file IS NULL) = (checkpoint_update IS NULL))
) STRICT;

CREATE UNIQUE INDEX attempt_one_live_per_trial ON attempt (trial_id) WHERE outcome IS NULL;

CREATE TABLE metric_name (
    id   INTEGER PRIMARY KEY,
    name TEXT    NOT NULL UNIQUE
) STRICT;

CREATE TABLE metric (
    attempt_id INTEGER NOT NULL REFERENCES attempt (id),
    name_id    INTEGER NOT NULL REFERENCES metric_name (id),
    -- Updates done.
    step       INTEGER NOT NULL,
    value      REAL    NOT NULL,
    PRIMARY KEY (attempt_id, name_id, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE evaluation (
    attempt_id INTEGER NOT NULL REFERENCES attempt (id),
    name       TEXT    NOT NULL,
    value      REAL    NOT NULL,
    PRIMARY KEY (attempt_id, name)
) STRICT, WITHOUT ROWID;

-- `seq` in the next two is that of the event: a line that is read twice is stored once.
CREATE TABLE artifact (
    attempt_id INTEGER NOT NULL REFERENCES attempt (id),
    seq        INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    path       TEXT    NOT NULL,
    digest     TEXT    NOT NULL,
    PRIMARY KEY (attempt_id, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE note (
    attempt_id INTEGER NOT NULL REFERENCES attempt (id),
    seq        INTEGER NOT NULL,
    at_ms      INTEGER NOT NULL,
    text       TEXT    NOT NULL,
    PRIMARY KEY (attempt_id, seq)
) STRICT, WITHOUT ROWID;

-- Digests of data sets on this machine, measured once.
CREATE TABLE dataset (
    path        TEXT    PRIMARY KEY,
    digest      TEXT    NOT NULL,
    measured_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
