//! Checkpoints that nothing will go on from. Knows which they are; removes no file.

use std::path::PathBuf;

use super::columns::to_json;
use super::{Store, StoreError};
use crate::ids::TrainKey;

/// A checkpoint that is not needed any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OldCheckpoint {
    /// The attempt that wrote it.
    pub attempt: i64,
    /// Where it lies.
    pub path: PathBuf,
}

/// The query of [`Store::old_checkpoints`] for the attempts that fit.
macro_rules! old_checkpoints {
    ($fits:literal) => {
        concat!(
            "SELECT a.id, a.folder, a.checkpoint_file FROM attempt a
             WHERE ",
            $fits,
            " AND a.checkpoint_file IS NOT NULL AND a.checkpoint_gone_ms IS NULL
             AND a.outcome IS NOT NULL
             AND EXISTS (
                 SELECT 1 FROM attempt n WHERE n.trial_id = a.trial_id AND (
                     (n.kind = 'train' AND n.outcome = 'finished')
                     OR (n.number > a.number AND n.checkpoint_file IS NOT NULL
                         AND n.checkpoint_gone_ms IS NULL)))"
        )
    };
}

impl Store {
    /// Returns the checkpoints of ended attempts whose trial is trained, or has a newer one; of one
    /// trial, or of all.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn old_checkpoints(
        &self,
        trial: Option<&TrainKey>,
    ) -> Result<Vec<OldCheckpoint>, StoreError> {
        let query = match trial {
            // Asked at the end of each attempt: one trial must not cost a look at all.
            Some(trial) => sqlx::query_as(old_checkpoints!(
                "a.trial_id = (SELECT id FROM trial WHERE train_key = ?)"
            ))
            .bind(trial.as_str()),
            None => sqlx::query_as(old_checkpoints!("TRUE")),
        };
        let rows: Vec<(i64, String, String)> =
            query.fetch_all(&self.pool).await.map_err(self.sql())?;
        let old = |(attempt, folder, file): (i64, String, String)| OldCheckpoint {
            attempt,
            path: self.state.join(folder).join(file),
        };
        Ok(rows.into_iter().map(old).collect())
    }

    /// Notes that these are gone: nobody is sent to them from here on.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn note_checkpoints_gone(
        &self,
        old: &[OldCheckpoint],
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let attempts: Vec<i64> = old.iter().map(|old| old.attempt).collect();
        sqlx::query(
            "UPDATE attempt SET checkpoint_gone_ms = ?
             WHERE id IN (SELECT value FROM json_each(?))",
        )
        .bind(now_ms)
        .bind(to_json(&attempts))
        .execute(&self.pool)
        .await
        .map_err(self.sql())?;
        Ok(())
    }
}
