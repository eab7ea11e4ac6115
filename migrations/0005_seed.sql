-- What a list of trials needs, where it is read.
--
-- Why it looks as it does:
--   * Trials of a group differ in the seed alone, and a list of ten thousand is of a few groups: one
--     spec of each is read, and of the others the seed. It is in the spec as well; neither changes.
--   * Few trials are held or pardoned, and every list asks which. The index holds just those.

ALTER TABLE trial ADD COLUMN seed INTEGER;
-- A spec that tells none keeps none, and its sweep alone cannot be read.
UPDATE trial SET seed = spec_json ->> '$.seed'
WHERE CASE WHEN json_valid(spec_json) THEN typeof(spec_json ->> '$.seed') = 'integer' END;

CREATE INDEX trial_wished ON trial (id) WHERE held_ms IS NOT NULL OR pardoned > 0;
