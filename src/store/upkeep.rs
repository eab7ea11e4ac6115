//! Looking after the file itself, and after what lies beside it: checks, copies, what is still
//! asked for.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::columns::text;
use super::error::explain;
use super::{DATABASE, Store, StoreError};
use crate::ids::TrainKey;
use crate::spec::run::RunSpec;

/// Findings of one kind that are told; a ruined page makes thousands.
const MOST: usize = 20;

/// Something that a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub weight: Weight,
    /// What it is.
    pub text: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// The database is not what was written.
    Broken,
    /// Worth knowing; nothing is lost.
    Note,
}

impl Finding {
    fn broken(text: impl Into<String>) -> Self {
        Self { weight: Weight::Broken, text: text.into() }
    }

    /// Makes a finding that is no damage.
    pub fn note(text: impl Into<String>) -> Self {
        Self { weight: Weight::Note, text: text.into() }
    }
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum BackupError {
    /// A file has its name.
    #[error("`{}` exists; name a file that does not", path.display())]
    Exists { path: PathBuf },
    /// The copy cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// The copy is not sound.
    #[error("the copy is not sound, and was taken away again: {found}")]
    Unsound { found: String },
    /// SQLite's own.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BackupError {
    /// Returns whether another command line would have gone well.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Exists { .. } => true,
            Self::Write { .. } | Self::Unsound { .. } | Self::Store(_) => false,
        }
    }
}

/// Files that the store counts on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskedFor {
    /// Trials that a sweep which is not removed asks for, by any of its revisions.
    pub trials: HashSet<TrainKey>,
    /// Folders of all attempts, absolute.
    pub folders: HashSet<PathBuf>,
}

impl Store {
    /// Has SQLite look through the whole file, then holds the rows to what this store promises.
    ///
    /// # Errors
    ///
    /// SQLite's own, where the damage lets no query through.
    pub async fn check(&self) -> Result<Vec<Finding>, StoreError> {
        let mut found = self.check_pages().await?;
        // Rows of a ruined file are not worth a look.
        if found.is_empty() {
            found.extend(self.check_links().await?);
            found.extend(self.check_specs().await?);
            found.extend(self.check_numbers().await?);
            found.extend(self.check_events().await?);
        }
        Ok(found)
    }

    async fn check_pages(&self) -> Result<Vec<Finding>, StoreError> {
        let lines: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(20)")
            .fetch_all(&self.pool)
            .await
            .map_err(self.sql())?;
        let told = lines.iter().flat_map(|line| line.lines()).filter(|line| *line != "ok");
        Ok(told.map(|line| Finding::broken(format!("pages: {line}"))).collect())
    }

    async fn check_links(&self) -> Result<Vec<Finding>, StoreError> {
        let rows: Vec<(String, Option<i64>, String)> =
            sqlx::query_as("SELECT \"table\", rowid, parent FROM pragma_foreign_key_check LIMIT ?")
                .bind(MOST as i64)
                .fetch_all(&self.pool)
                .await
                .map_err(self.sql())?;
        let told = |(table, row, parent): (String, Option<i64>, String)| {
            let row = row.map_or_else(String::new, |row| format!(" {row}"));
            Finding::broken(format!("links: {table}{row} names a missing {parent}"))
        };
        Ok(rows.into_iter().map(told).collect())
    }

    /// A trial's key is the hash of its spec: a bit that turned in either is seen.
    async fn check_specs(&self) -> Result<Vec<Finding>, StoreError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT train_key, spec_json FROM trial ORDER BY id")
                .fetch_all(&self.pool)
                .await
                .map_err(self.sql())?;
        let wrong = |(key, json): (String, String)| {
            let fault = match serde_json::from_str::<RunSpec>(&json) {
                Ok(run) if run.train_key().as_str() == key => return None,
                Ok(_) => "its settings are not those that its key was made from".to_owned(),
                Err(error) => format!("its settings cannot be read: {error}"),
            };
            Some(Finding::broken(format!("trial {key}: {fault}")))
        };
        Ok(rows.into_iter().filter_map(wrong).take(MOST).collect())
    }

    async fn check_numbers(&self) -> Result<Vec<Finding>, StoreError> {
        let rows: Vec<(String, u32, u32)> = sqlx::query_as(
            "SELECT t.train_key, count(*), max(a.number)
             FROM attempt a JOIN trial t ON t.id = a.trial_id
             GROUP BY a.trial_id HAVING count(*) <> max(a.number) LIMIT ?",
        )
        .bind(MOST as i64)
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?;
        let told = |(key, count, last)| {
            Finding::broken(format!("trial {key}: it has {count} attempts, numbered up to {last}"))
        };
        Ok(rows.into_iter().map(told).collect())
    }

    /// What is stored of an event file cannot be more than the file.
    async fn check_events(&self) -> Result<Vec<Finding>, StoreError> {
        let rows: Vec<(String, u32, String, i64)> = sqlx::query_as(
            "SELECT t.train_key, a.number, a.folder, a.events_offset
             FROM attempt a JOIN trial t ON t.id = a.trial_id WHERE a.events_offset > 0",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?;
        let shorter = |(key, number, folder, offset): (String, u32, String, i64)| {
            let file = crate::protocol::folder::AttemptFolder::at(self.state.join(folder)).events();
            // Folders may have been cleaned away.
            let length = file.metadata().ok()?.len();
            (length < offset.cast_unsigned()).then(|| {
                Finding::note(format!(
                    "attempt {number} of trial {key}: {} is shorter than what is stored of it; \
                     the store has what it lost",
                    file.display()
                ))
            })
        };
        Ok(rows.into_iter().filter_map(shorter).take(MOST).collect())
    }

    /// Writes a copy of the database, whole or not at all, beside whoever else reads or writes.
    /// Returns its size in bytes.
    ///
    /// # Errors
    ///
    /// A file of that name exists, it cannot be written, or the copy does not pass a check.
    pub async fn back_up(&self, file: &Path) -> Result<u64, BackupError> {
        let failed = |source| BackupError::Write { path: file.to_owned(), source };
        if file.symlink_metadata().is_ok() {
            return Err(BackupError::Exists { path: file.to_owned() });
        }
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let aside = tempfile::NamedTempFile::new_in(folder).map_err(failed)?.into_temp_path();
        sqlx::query("VACUUM INTO ?")
            .bind(text(&aside)?)
            .execute(&self.pool)
            .await
            .map_err(self.sql())?;
        if let Some(found) = unsound(&aside).await? {
            return Err(BackupError::Unsound { found });
        }
        std::fs::File::open(&aside).and_then(|copy| copy.sync_all()).map_err(failed)?;
        let bytes = aside.metadata().map_err(failed)?.len();
        aside.persist_noclobber(file).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists { path: file.to_owned() },
            _ => failed(error.error),
        })?;
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok(bytes)
    }

    /// Gives back the room of what was deleted. The state folder's lock must be held. Returns the
    /// sizes before and after in bytes, with the log of what was written last.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn vacuum(&self) -> Result<(u64, u64), StoreError> {
        let length = |path: PathBuf| path.metadata().map_or(0, |file| file.len());
        let size = || {
            length(self.state.join(DATABASE)) + length(self.state.join(format!("{DATABASE}-wal")))
        };
        let before = size();
        for statement in ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] {
            sqlx::query(statement).execute(&self.pool).await.map_err(self.sql())?;
        }
        Ok((before, size()))
    }

    /// Returns what files are still asked for.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn asked_for(&self) -> Result<AskedFor, StoreError> {
        let keys: Vec<String> = sqlx::query_scalar(
            "SELECT t.train_key FROM trial t
             WHERE EXISTS (SELECT 1 FROM sweep_trial l JOIN sweep s ON s.id = l.sweep_id
                           WHERE l.trial_id = t.id AND s.removed_ms IS NULL)",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?;
        let folders: Vec<String> = sqlx::query_scalar("SELECT folder FROM attempt")
            .fetch_all(&self.pool)
            .await
            .map_err(self.sql())?;
        Ok(AskedFor {
            trials: keys.iter().filter_map(|key| key.parse().ok()).collect(),
            folders: folders.into_iter().map(|folder| self.state.join(folder)).collect(),
        })
    }

    /// Returns how many rows of each kind there are: what a check looked at.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn sizes(&self) -> Result<BTreeMap<&'static str, u64>, StoreError> {
        let mut sizes = BTreeMap::new();
        let counts = [
            ("sweeps", "SELECT count(*) FROM sweep"),
            ("trials", "SELECT count(*) FROM trial"),
            ("attempts", "SELECT count(*) FROM attempt"),
            ("metrics", "SELECT count(*) FROM metric"),
        ];
        for (name, query) in counts {
            let count: i64 =
                sqlx::query_scalar(query).fetch_one(&self.pool).await.map_err(self.sql())?;
            sizes.insert(name, count.cast_unsigned());
        }
        Ok(sizes)
    }
}

/// Looks through a copy; `None` where it is sound.
async fn unsound(file: &Path) -> Result<Option<String>, StoreError> {
    let failed = |error| explain(file.to_owned(), error);
    let options = SqliteConnectOptions::new().filename(file).read_only(true).immutable(true);
    let mut copy = options.connect().await.map_err(failed)?;
    let line: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(&mut copy)
        .await
        .map_err(failed)?;
    copy.close().await.map_err(failed)?;
    Ok((line != "ok").then_some(line))
}
