//! Opening: files, connection settings, versions of the schema.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlitePool};

use super::error::explain;
use super::{DATABASE, Store, StoreError};
use crate::failpoint::{self, Point};
use crate::volume::{self, Consent, Volume};

static MIGRATIONS: Migrator = sqlx::migrate!();

/// Rows that wait for whoever reads them: sqlx's own 50 make two threads take turns all the time.
const ROWS: usize = 4096;

/// Pages that the write-ahead log holds before they are moved into the file, which waits for the disk
/// twice: 16 MB rather than SQLite's own 4.
const LOG_PAGES: &str = "4000";

/// How long a statement waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(5);

impl Store {
    /// Opens the store for its one writer; makes the folder and the database where they are
    /// missing, and brings an older schema up to date.
    ///
    /// # Errors
    ///
    /// The folder lies on a file system of the network and [`volume::ALLOW`] is not set, the folder
    /// or the file cannot be written, the file is no database of ours, or a newer
    /// version wrote it.
    pub async fn open(state_dir: &Path) -> Result<Self, StoreError> {
        let state = absolute(state_dir)?;
        // Where the system does not tell, SQLite and the lock will.
        if let Ok(volume) = Volume::of(&state) {
            volume::accept(&state, volume.fitness, Consent::from_environment())?;
        }
        std::fs::create_dir_all(&state)
            .map_err(|source| StoreError::Folder { path: state.clone(), source })?;
        let file = state.join(DATABASE);
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .pragma("wal_autocheckpoint", LOG_PAGES)
            .synchronous(SqliteSynchronous::Full);
        let pool = connect(options).await.map_err(|error| explain(file.clone(), error))?;
        let store = Self { pool, state, author: None };
        failpoint::reach(Point::StoreUnmigrated);
        store.migrate(&file).await?;
        failpoint::reach(Point::StoreMigrated);
        store.prove_writable().await?;
        Ok(store)
    }

    /// Opens the store to read beside a writer; `None` where there is no database yet. Changes
    /// nothing on disk but SQLite's own shared-memory file.
    ///
    /// # Errors
    ///
    /// The file is no database of ours, or its schema is not this version's.
    pub async fn open_read_only(state_dir: &Path) -> Result<Option<Self>, StoreError> {
        let state = absolute(state_dir)?;
        let file = state.join(DATABASE);
        if !file.exists() {
            return Ok(None);
        }
        let options = SqliteConnectOptions::new().filename(&file).read_only(true);
        let store = match Self::look_into(options.clone(), &state, &file).await {
            // SQLite keeps a file of shared memory beside the database, which it cannot make in a
            // folder that is read-only or on a disk that is full.
            Err(StoreError::NotWritable { source, .. }) if has_log(&file) => {
                return Err(StoreError::LogUnreadable { path: file, source });
            }
            Err(StoreError::DiskFull { source, .. }) if has_log(&file) => {
                return Err(StoreError::DiskFull { path: file, source });
            }
            Err(StoreError::NotWritable { .. } | StoreError::DiskFull { .. }) => {
                Self::look_into(options.immutable(true), &state, &file).await?
            }
            looked => looked?,
        };
        Ok(store)
    }

    async fn look_into(
        options: SqliteConnectOptions,
        state: &Path,
        file: &Path,
    ) -> Result<Option<Self>, StoreError> {
        let pool = connect(options).await.map_err(|error| explain(file.to_owned(), error))?;
        let store = Self { pool, state: state.to_owned(), author: None };
        Ok(store.is_migrated(file).await?.then_some(store))
    }

    /// Makes an empty store in memory, whose paths are relative to the current folder.
    ///
    /// # Errors
    ///
    /// Memory runs out.
    pub async fn in_memory() -> Result<Self, StoreError> {
        Self::in_memory_for(Path::new("")).await
    }

    /// Makes an empty store in memory that names attempt folders below `state_dir`.
    ///
    /// # Errors
    ///
    /// Memory runs out.
    pub async fn in_memory_for(state_dir: &Path) -> Result<Self, StoreError> {
        let file = PathBuf::from(":memory:");
        let options = SqliteConnectOptions::new().filename(&file).in_memory(true);
        let pool = connect(options).await.map_err(|error| explain(file.clone(), error))?;
        let store = Self { pool, state: state_dir.to_owned(), author: None };
        store.migrate(&file).await?;
        Ok(store)
    }

    /// Returns the state folder, absolute for a store on disk.
    pub fn state_dir(&self) -> &Path {
        &self.state
    }

    /// Closes the file and waits until that is done.
    pub async fn close(self) {
        self.pool.close().await;
    }

    async fn migrate(&self, file: &Path) -> Result<(), StoreError> {
        let path = file.to_owned();
        MIGRATIONS.run(&self.pool).await.map_err(|error| match error {
            // Only the future has migrations that we lack.
            MigrateError::VersionMissing(_) => StoreError::Newer { path },
            MigrateError::Execute(source) => explain(path, source),
            source => StoreError::Migrate { path, source },
        })
    }

    /// SQLite opens a file that it may not write as read-only and says nothing until the first
    /// write, which would be in the middle of a run.
    async fn prove_writable(&self) -> Result<(), StoreError> {
        let transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(self.sql())?;
        transaction.rollback().await.map_err(self.sql())
    }

    /// Returns `false` where a writer has made the file and not yet its tables.
    pub(super) async fn is_migrated(&self, file: &Path) -> Result<bool, StoreError> {
        let failed = |error| explain(file.to_owned(), error);
        let table = "SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'";
        let tables: i64 = sqlx::query_scalar(table).fetch_one(&self.pool).await.map_err(failed)?;
        if tables == 0 {
            return Ok(false);
        }
        let applied: BTreeSet<i64> =
            sqlx::query_scalar("SELECT version FROM _sqlx_migrations WHERE success")
                .fetch_all(&self.pool)
                .await
                .map_err(failed)?
                .into_iter()
                .collect();
        if applied.is_empty() {
            return Ok(false);
        }
        let known: BTreeSet<i64> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        // Each version counts, not the newest alone: a later release may have lacked one of ours.
        if !applied.is_subset(&known) {
            return Err(StoreError::Newer { path: file.to_owned() });
        }
        if applied == known {
            return Ok(true);
        }
        // Of a file that holds nothing yet, a writer is making the tables just now.
        let sweeps: i64 = sqlx::query_scalar("SELECT count(*) FROM sweep")
            .fetch_one(&self.pool)
            .await
            .map_err(failed)?;
        if sweeps == 0 { Ok(false) } else { Err(StoreError::Older { path: file.to_owned() }) }
    }
}

/// Returns whether changes wait in SQLite's log that are not in the file yet.
fn has_log(file: &Path) -> bool {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    Path::new(&log).metadata().is_ok_and(|log| log.len() > 0)
}

fn absolute(state_dir: &Path) -> Result<PathBuf, StoreError> {
    std::path::absolute(state_dir)
        .map_err(|source| StoreError::Folder { path: state_dir.to_owned(), source })
}

/// One connection that lives as long as the store: an in-memory database is gone with it, the number
/// that tells of changes is its own, and what is asked together is answered from one file.
async fn connect(options: SqliteConnectOptions) -> Result<SqlitePool, sqlx::Error> {
    // Slow statements would be warned of with their whole text, thousands of values long.
    let options = options
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .row_buffer_size(ROWS)
        .disable_statement_logging();
    SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options)
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_writer_commits_is_on_the_disk() {
        let scratch = tempfile::tempdir().unwrap();
        let store = Store::open(scratch.path()).await.unwrap();
        let synchronous: i64 =
            sqlx::query_scalar("PRAGMA synchronous").fetch_one(&store.pool).await.unwrap();
        let journal: String =
            sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&store.pool).await.unwrap();
        // 2 is FULL: the log is synced at each commit, not only where it is moved into the file.
        assert_eq!((synchronous, journal.as_str()), (2, "wal"));
        store.close().await;
    }
}
