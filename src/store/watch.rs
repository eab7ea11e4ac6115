//! What changed since somebody looked: for those who show a sweep while it goes on, and would
//! rather not read all of it again.

use super::columns::word;
use super::{DATABASE, Store, StoreError};
use crate::ids::TrainKey;

/// How far somebody has seen the attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Row id of the newest attempt.
    newest: i64,
    /// Row ids of those that lived.
    alive: Vec<i64>,
}

impl Store {
    /// Returns a number that is another one once another process has changed the database.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn data_version(&self) -> Result<i64, StoreError> {
        sqlx::query_scalar("PRAGMA data_version").fetch_one(&self.pool).await.map_err(self.sql())
    }

    /// Checks that the schema is still this version's: a newer program may have changed it since
    /// this store was opened.
    ///
    /// # Errors
    ///
    /// [`StoreError::Newer`] where one did; SQLite's own.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        self.is_migrated(&self.state.join(DATABASE)).await.map(|_| ())
    }

    /// Returns where the attempts are now.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn seen(&self) -> Result<Seen, StoreError> {
        let newest: Option<i64> = sqlx::query_scalar("SELECT max(id) FROM attempt")
            .fetch_one(&self.pool)
            .await
            .map_err(self.sql())?;
        let alive = sqlx::query_scalar(
            "SELECT id FROM attempt WHERE outcome IS NULL AND id <= ? ORDER BY id",
        )
        .bind(newest.unwrap_or(0))
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?;
        Ok(Seen { newest: newest.unwrap_or(0), alive })
    }

    /// Returns the trials with an attempt that began or ended since, and how far that was seen.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn since(&self, seen: &Seen) -> Result<(Seen, Vec<TrainKey>), StoreError> {
        let before = serde_json::to_string(&seen.alive).unwrap_or_default();
        let rows: Vec<(i64, String, bool)> = sqlx::query_as(
            "SELECT a.id, t.train_key, a.outcome IS NULL
             FROM attempt a JOIN trial t ON t.id = a.trial_id
             WHERE a.id > ? OR a.id IN (SELECT value FROM json_each(?))
             ORDER BY a.id",
        )
        .bind(seen.newest)
        .bind(before)
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?;
        let mut now = Seen { newest: seen.newest, alive: Vec::new() };
        let mut touched = Vec::new();
        for (id, key, is_alive) in rows {
            let is_new = id > seen.newest;
            now.newest = now.newest.max(id);
            if is_alive {
                now.alive.push(id);
            }
            if is_new || !is_alive {
                touched.push(word("train_key", &key, || "a trial".to_owned())?);
            }
        }
        Ok((now, touched))
    }
}
