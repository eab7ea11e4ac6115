//! The SQLite store: one writer, many readers.

pub mod rows;
