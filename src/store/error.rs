//! What can go wrong with the store, in words that tell what to do.

use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;

use super::{DATABASE, Store};
use crate::ids::{AttemptNo, TrainKey};
use crate::volume::UnfitFolder;

/// The store cannot do what was asked; nothing was changed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum StoreError {
    /// The state folder cannot be made.
    #[error("cannot create the state folder `{}`; choose another with --state-dir", path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    /// The state folder lies where a database is not safe.
    #[error(transparent)]
    Unfit(#[from] UnfitFolder),
    /// The file or its folder cannot be written.
    #[error(
        "cannot write `{}`: the file or its folder is read-only, or its disk is; \
         choose another folder with --state-dir",
        path.display()
    )]
    NotWritable { path: PathBuf, source: sqlx::Error },
    /// What was written last cannot be seen without writing.
    #[error(
        "cannot read `{}`: its newest changes are in `{}-wal`, and its folder is read-only; copy \
         the folder to where you may write, and name the copy with --state-dir",
        path.display(), path.display()
    )]
    LogUnreadable { path: PathBuf, source: sqlx::Error },
    /// Some other file has the database's name.
    #[error(
        "`{}` is not a byol-sweep database, or its beginning is damaged; move it away, choose \
         another --state-dir, or {}",
        path.display(),
        how_to_restore(path)
    )]
    NotADatabase { path: PathBuf, source: sqlx::Error },
    /// SQLite found its own file damaged.
    #[error("`{}` is damaged; {}", path.display(), how_to_restore(path))]
    Damaged { path: PathBuf, source: sqlx::Error },
    /// Its schema is not known here.
    #[error("`{}` was written by a newer byol-sweep; upgrade", path.display())]
    Newer { path: PathBuf },
    /// Its schema is of the past, and this opening may not change it.
    #[error(
        "`{}` was written by an older byol-sweep; \
         `byol-sweep run` brings it up to date, reading alone does not",
        path.display()
    )]
    Older { path: PathBuf },
    /// Bringing the schema up to date failed.
    #[error("cannot bring the schema of `{}` up to date", path.display())]
    Migrate { path: PathBuf, source: MigrateError },
    /// Another process holds it.
    #[error("`{}` is locked by another process; try again when that one is done", path.display())]
    Busy { path: PathBuf, source: sqlx::Error },
    /// No space is left.
    #[error("the disk of `{}` is full; free some space and run again", path.display())]
    DiskFull { path: PathBuf, source: sqlx::Error },
    /// Anything else that SQLite says.
    #[error("a query on `{}` failed", path.display())]
    Query { path: PathBuf, source: sqlx::Error },
    /// A value in the database is not what this version writes.
    #[error("the database holds a bad {column} of {of}: {cause}")]
    BadValue { column: &'static str, of: String, cause: String },
    /// A number does not fit the database.
    #[error("{what} {value} is beyond what the store holds (2^63 - 1)")]
    TooLarge { what: &'static str, value: u64 },
    /// A path is not text.
    #[error("`{}` is not valid UTF-8, which the store needs; rename it", path.display())]
    PathNotText { path: PathBuf },
    /// The trial was in no plan.
    #[error("there is no trial {0}")]
    NoTrial(TrainKey),
    /// The trial has an attempt that has not ended.
    #[error("trial {trial} has a live attempt, number {number}")]
    AlreadyLive { trial: TrainKey, number: AttemptNo },
    /// No such row.
    #[error("there is no attempt with id {0}")]
    NoAttempt(i64),
    /// An outcome is final.
    #[error("attempt {0} has ended already")]
    AlreadyEnded(i64),
    /// Lines are missing between what is stored and what was handed in.
    #[error("events of attempt {attempt} have seq {found} where {expected} follows")]
    Gap { attempt: i64, expected: u64, found: u64 },
}

/// Says how a database is brought back from a copy.
pub fn how_to_restore(path: &Path) -> String {
    let file = path.display();
    format!(
        "restore it: stop what runs, delete `{file}-wal` and `{file}-shm`, and copy a file that \
         `byol-sweep db backup` wrote over `{file}`"
    )
}

impl Store {
    /// Returns what turns SQLite's errors into ours.
    pub(super) fn sql(&self) -> impl Fn(sqlx::Error) -> StoreError + '_ {
        |source| explain(self.state.join(DATABASE), source)
    }
}

/// Turns SQLite's error about the file at `path` into words.
pub(super) fn explain(path: PathBuf, source: sqlx::Error) -> StoreError {
    // https://www.sqlite.org/rescode.html; the low byte is the class.
    let class = source
        .as_database_error()
        .and_then(|error| error.code()?.parse::<i32>().ok())
        .map(|code| code & 0xff);
    match class {
        Some(3 | 8 | 14) => StoreError::NotWritable { path, source },
        Some(5 | 6) => StoreError::Busy { path, source },
        Some(11) => StoreError::Damaged { path, source },
        Some(13) => StoreError::DiskFull { path, source },
        Some(26) => StoreError::NotADatabase { path, source },
        Some(_) | None => StoreError::Query { path, source },
    }
}
