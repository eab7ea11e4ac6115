-- What estimates need of trials: which of them differ in the seed alone.
--
-- Why it looks as it does:
--   * Estimates sum up the attempts of all trials by their groups. The rows of trials hold their specs;
--     the index holds the groups and is a tenth as large.

CREATE INDEX trial_by_group ON trial (group_key);
