//! Files that workers left, out of the store.

use std::path::PathBuf;

use super::{Store, StoreError};
use crate::ids::{EvalKey, TrainKey};

/// A file that a worker left for reports and exports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactRow {
    /// Where it was written; it may have been cleaned away since.
    pub path: PathBuf,
    /// BLAKE3 of its bytes, in hexadecimal digits.
    pub digest: String,
}

impl Store {
    /// Returns the newest file of a kind that the trial's finished training left, if it left one:
    /// `weights`, ...
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn artifact(
        &self,
        trial: &TrainKey,
        kind: &str,
    ) -> Result<Option<ArtifactRow>, StoreError> {
        let row: Option<(String, String, String)> = sqlx::query_as(
            "SELECT a.folder, w.path, w.digest
             FROM trial t
             JOIN attempt a ON a.trial_id = t.id AND a.kind = 'train' AND a.outcome = 'finished'
             JOIN artifact w ON w.attempt_id = a.id AND w.kind = ?
             WHERE t.train_key = ?
             ORDER BY a.number DESC, w.seq DESC
             LIMIT 1",
        )
        .bind(kind)
        .bind(trial.as_str())
        .fetch_optional(&self.pool)
        .await
        .map_err(self.sql())?;
        Ok(row.map(|row| self.placed(row)))
    }

    /// Returns the newest exhibit that an attempt of the trial left which evaluated by this protocol
    /// to its end, if one left it.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn exhibit(
        &self,
        trial: &TrainKey,
        eval_key: &EvalKey,
    ) -> Result<Option<ArtifactRow>, StoreError> {
        let row: Option<(String, String, String)> = sqlx::query_as(
            "SELECT a.folder, w.path, w.digest
             FROM trial t
             JOIN attempt a ON a.trial_id = t.id AND a.eval_key = ? AND a.outcome = 'finished'
             JOIN artifact w ON w.attempt_id = a.id AND w.kind = ?
             WHERE t.train_key = ?
             ORDER BY a.number DESC, w.seq DESC
             LIMIT 1",
        )
        .bind(eval_key.as_str())
        .bind(crate::protocol::exhibit::ARTIFACT)
        .bind(trial.as_str())
        .fetch_optional(&self.pool)
        .await
        .map_err(self.sql())?;
        Ok(row.map(|row| self.placed(row)))
    }

    fn placed(&self, (folder, file, digest): (String, String, String)) -> ArtifactRow {
        ArtifactRow { path: self.state.join(folder).join(file), digest }
    }
}
