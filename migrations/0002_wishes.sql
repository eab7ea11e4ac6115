-- What people ask of trials and sweeps beyond what a sweep file says.
--
-- Why it looks as it does:
--   * A held trial is not started until it is released, by whatever controller and whichever sweep:
--     the wish outlives the controller that heard it.
--   * A pardon forgives failures and rewrites none: attempts up to `pardoned` no longer count
--     against a trial's retries.
--   * A removed sweep is hidden, with all its revisions and links; to restore it is one update.

ALTER TABLE sweep ADD COLUMN removed_ms INTEGER;
ALTER TABLE trial ADD COLUMN held_ms INTEGER;
ALTER TABLE trial ADD COLUMN pardoned INTEGER NOT NULL DEFAULT 0 CHECK (pardoned >= 0);

CREATE TABLE tag (
    trial_id INTEGER NOT NULL REFERENCES trial (id),
    name     TEXT    NOT NULL,
    PRIMARY KEY (trial_id, name)
) STRICT, WITHOUT ROWID;

-- Each sweep that is not removed, with its newest revision.
DROP VIEW sweep_now;
CREATE VIEW sweep_now AS
SELECT s.id, s.name, r.revision, r.source_toml, r.eval_key, r.facts_json, r.plan_digest, s.created_ms, s.asked_ms
FROM sweep s
JOIN sweep_revision r
  ON r.sweep_id = s.id
 AND r.revision = (SELECT max(n.revision) FROM sweep_revision n WHERE n.sweep_id = s.id)
WHERE s.removed_ms IS NULL;
