-- What a policy decided, and which checkpoints are gone.
--
-- Why it looks as it does:
--   * A decision depends on who competed, so it counts for one sweep under one policy. For any
--     other sweep the trial is merely interrupted: no attempt and no outcome tells of the decision.
--   * `policy` is the policy's text rather than a number: equal policies are equal texts.
--   * A checkpoint that is gone keeps the update that it held: whether a later attempt got further
--     is still to be told.

CREATE TABLE early_stop (
    sweep_id INTEGER NOT NULL REFERENCES sweep (id),
    policy   TEXT    NOT NULL,
    trial_id INTEGER NOT NULL REFERENCES trial (id),
    -- Epochs after which it was decided.
    epoch    INTEGER NOT NULL CHECK (epoch >= 1),
    -- Of the trial's group.
    value    REAL    NOT NULL,
    -- What it was compared with.
    bar      REAL    NOT NULL,
    at_ms    INTEGER NOT NULL,
    PRIMARY KEY (sweep_id, policy, trial_id)
) STRICT, WITHOUT ROWID;

ALTER TABLE attempt ADD COLUMN checkpoint_gone_ms INTEGER;
