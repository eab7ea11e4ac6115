//! Reads an event file from a byte offset. Never returns half a line.
