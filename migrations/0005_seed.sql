-- What a list of trials needs, where it is read.
--
-- Why it looks as it does:
--   * Trials of a group differ in the seed alone, and a list of ten thousand is of a few groups: one
--     spec of each is read, and of the others the seed. It is in the spec as well; neither changes.
--   * Few trials are held or pardoned, and every list asks which. The index holds just those.

ALTER TABLE trial ADD COLUMN seed INTEGER;
UPDATE trial SET seed = spec_json ->> '$.seed' WHERE json_valid(spec_json);

CREATE INDEX trial_wished ON trial (id) WHERE held_ms IS NOT NULL OR pardoned > 0;
