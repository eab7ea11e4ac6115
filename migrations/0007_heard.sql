-- What attempts took that nobody watched to their end.
--
-- Why it looks as it does:
--   * A worker may leave, and a machine lose its power, days before anybody looks again. What such an
--     attempt took goes up to its last line; the time in between was nobody's.
--   * It is the clock of the last line that is stored, and goes with `events_seq`; nothing where no
--     line is.

ALTER TABLE attempt ADD COLUMN heard_ms INTEGER;
