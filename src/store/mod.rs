//! The SQLite store: one writer, many readers. Knows nothing of processes, clocks or event files:
//! times, events and outcomes are handed in.
//!
//! All SQL is below this module: `open` (files, versions), `sync` (plans), `write` (attempts),
//! `events` (what workers tell), `finish` (an end with its last events), `edit` and `wished` (what
//! people wish), `early` (what policies decided), `tidy` (checkpoints that nothing needs), `read`
//! (sweeps, trials, attempts), `overview` (a sweep at one look), `results` (what reports need), `artifacts` (files), `snapshot` (one
//! state), `watch` (what changed since).
//! `standing` derives a trial's state; `columns` tells how values lie in columns; `rows` is what
//! others see.

mod artifacts;
mod bulk;
mod columns;
mod cost;
mod early;
mod edit;
mod error;
mod events;
mod finish;
mod open;
mod overview;
mod provenance;
mod read;
mod results;
pub mod rows;
mod snapshot;
mod standing;
mod sync;
mod tidy;
mod upkeep;
mod watch;
mod wished;
mod write;

use std::path::PathBuf;

use sqlx::SqlitePool;

pub use artifacts::ArtifactRow;
pub use cost::Spent;
pub use edit::Edit;
pub use error::{StoreError, how_to_restore};
pub use finish::LastLines;
pub use overview::Overview;
pub use provenance::{InvocationRow, WorkerUse};
pub use tidy::OldCheckpoint;
pub use upkeep::{AskedFor, BackupError, Finding, Weight};
pub use watch::Seen;
pub use wished::Wish;
pub use write::NewAttempt;

/// Name of the database in the state folder.
pub const DATABASE: &str = "byol-sweep.db";

/// Plans, attempts and what they measured.
///
/// What it promises, whatever calls it and whenever the machine stops:
///
/// - **A call happened whole or not at all.** Each writing method is one transaction, and is on
///   the disk when it returns (`synchronous = FULL`).
/// - **One live attempt.** A trial has at most one attempt without an outcome;
///   [`begin_attempt`](Self::begin_attempt) refuses a second. Attempts of both kinds are numbered
///   1, 2, 3, ... within their trial, and a number is never given twice.
/// - **An outcome is final.** An attempt that has ended takes no further events, handle or outcome.
/// - **Events count once.** Events and the offset up to which their file is stored are written
///   together, so that a reader which continues at the stored offset misses nothing. Lines that
///   are stored already are passed over; a gap is an error.
/// - **History stays.** [`sync_plan`](Self::sync_plan) of a changed plan makes a new revision of
///   its sweep. Trials that it no longer asks for keep their attempts and results; they are seen
///   by their key and by any sweep that asks for them again. An equal plan changes nothing.
/// - **A trial belongs to all who ask for it.** It is identified by its training alone; each sweep
///   sees it under its own number and labels, and by its own evaluation protocol.
/// - **State is derived, never stored.** With respect to an evaluation protocol a trial is
///   *running* while an attempt lives, else *done* once an attempt with that protocol finished,
///   else *trained* once a training attempt finished, else what its last attempt was (*stopped*,
///   *failed*), else *pending*. To a sweep whose policy stopped it early, a trial that is none of
///   the first three is *pruned*.
/// - **Only accepted results count.** Final values come from finished attempts alone, from the one
///   with the highest number. A series takes, at each update, the value of the highest attempt
///   that has one, so that steps trained again after a resume replace those before.
/// - **Paths are portable.** The database keeps them relative to the state folder; methods return
///   them joined with the state folder that was opened.
///
/// One process at a time writes (the controller holds the state folder's lock); readers open the
/// same file beside it and see committed states only.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
    /// The state folder.
    state: PathBuf,
    /// On whose behalf it writes, if anybody's.
    author: Option<provenance::Author>,
}
