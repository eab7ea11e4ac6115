//! Attempts into the store: begun and ended.

use std::path::Path;

use super::columns::{OutcomeColumns, kind_word, text, to_json};
use super::rows::{AttemptKind, AttemptRow};
use super::{Store, StoreError};
use crate::failpoint::{self, Point};
use crate::ids::{AttemptNo, DeviceId, EvalKey, TrainKey};
use crate::outcome::Outcome;
use crate::protocol::folder::TrialFolder;

/// An attempt that is about to start.
#[derive(Clone, Debug, PartialEq)]
pub struct NewAttempt {
    /// The trial.
    pub train_key: TrainKey,
    /// What it does.
    pub kind: AttemptKind,
    /// Protocol it evaluates by.
    pub eval_key: EvalKey,
    /// Where it computes.
    pub device: DeviceId,
    /// Intra-op threads.
    pub threads: u32,
    /// Milliseconds since 1970.
    pub started_ms: i64,
}

impl Store {
    /// Writes an attempt's row, to be called before anything is started: gives it the next number
    /// and its folder's name, and creates no folder.
    ///
    /// # Errors
    ///
    /// The trial is not known or has a live attempt.
    pub async fn begin_attempt(&self, new: NewAttempt) -> Result<AttemptRow, StoreError> {
        self.begin_attempt_above(new, AttemptNo(0)).await
    }

    /// The same, with a number above another one, which the store need not know of.
    ///
    /// # Errors
    ///
    /// The trial is not known or has a live attempt.
    pub async fn begin_attempt_above(
        &self,
        new: NewAttempt,
        above: AttemptNo,
    ) -> Result<AttemptRow, StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(self.sql())?;
        let trial: i64 = sqlx::query_scalar("SELECT id FROM trial WHERE train_key = ?")
            .bind(new.train_key.as_str())
            .fetch_optional(&mut *tx)
            .await
            .map_err(self.sql())?
            .ok_or_else(|| StoreError::NoTrial(new.train_key.clone()))?;
        let (last, live): (u32, Option<u32>) = sqlx::query_as(
            "SELECT coalesce(max(number), 0), max(number) FILTER (WHERE outcome IS NULL)
             FROM attempt WHERE trial_id = ?",
        )
        .bind(trial)
        .fetch_one(&mut *tx)
        .await
        .map_err(self.sql())?;
        if let Some(number) = live {
            return Err(StoreError::AlreadyLive {
                trial: new.train_key,
                number: AttemptNo(number),
            });
        }
        let number = AttemptNo(last.max(above.0).saturating_add(1));
        let folder = TrialFolder::new(Path::new(""), &new.train_key).attempt(number);
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO attempt
                 (trial_id, kind, eval_key, number, device_json, threads, folder, started_ms,
                  invocation_id)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
             RETURNING id",
        )
        .bind(trial)
        .bind(kind_word(new.kind))
        .bind(new.eval_key.as_str())
        .bind(number.0)
        .bind(to_json(&new.device))
        .bind(new.threads)
        .bind(text(folder.path())?)
        .bind(new.started_ms)
        .bind(self.author.as_ref().and_then(super::provenance::Author::invocation))
        .fetch_one(&mut *tx)
        .await
        .map_err(self.sql())?;
        failpoint::reach(Point::AttemptUnbegun);
        tx.commit().await.map_err(self.sql())?;
        failpoint::reach(Point::AttemptBegun);
        Ok(AttemptRow {
            id,
            train_key: new.train_key,
            kind: new.kind,
            eval_key: new.eval_key,
            number,
            device: new.device,
            threads: new.threads,
            folder: self.state.join(folder.path()),
            handle_json: None,
            events_offset: 0,
            events_seq: 0,
            started_ms: new.started_ms,
            heard_ms: None,
            ended_ms: None,
            outcome: None,
        })
    }

    /// Notes how the executor finds a live attempt again.
    ///
    /// # Errors
    ///
    /// The attempt does not exist or has ended.
    pub async fn note_handle(&self, attempt: i64, handle_json: &str) -> Result<(), StoreError> {
        let done =
            sqlx::query("UPDATE attempt SET handle_json = ? WHERE id = ? AND outcome IS NULL")
                .bind(handle_json)
                .bind(attempt)
                .execute(&self.pool)
                .await
                .map_err(self.sql())?;
        self.expect_one(done.rows_affected(), attempt).await
    }

    /// Gives a live attempt its outcome.
    ///
    /// # Errors
    ///
    /// The attempt does not exist or has one already.
    pub async fn end_attempt(
        &self,
        attempt: i64,
        outcome: &Outcome,
        ended_ms: i64,
    ) -> Result<(), StoreError> {
        failpoint::reach(Point::AttemptJudged);
        let done = self.end_within(&self.pool, attempt, outcome, ended_ms).await?;
        failpoint::reach(Point::AttemptEnded);
        self.expect_one(done, attempt).await
    }

    /// Does what [`end_attempt`](Self::end_attempt) does, perhaps as a part of a larger
    /// transaction, and returns how many rows it changed.
    pub(super) async fn end_within(
        &self,
        executor: impl sqlx::SqliteExecutor<'_>,
        attempt: i64,
        outcome: &Outcome,
        ended_ms: i64,
    ) -> Result<u64, StoreError> {
        let columns = OutcomeColumns::encode(outcome);
        let done = sqlx::query(
            "UPDATE attempt SET ended_ms = ?, outcome = ?, verdict = ?, reason = ?, detail = ?
             WHERE id = ? AND outcome IS NULL",
        )
        .bind(ended_ms)
        .bind(columns.outcome)
        .bind(columns.verdict)
        .bind(columns.reason)
        .bind(columns.detail)
        .bind(attempt)
        .execute(executor)
        .await
        .map_err(self.sql())?;
        Ok(done.rows_affected())
    }

    /// Notes the digest that the data set at `path` was measured to have.
    ///
    /// # Errors
    ///
    /// The path is not UTF-8.
    pub async fn note_dataset(
        &self,
        path: &Path,
        digest: &str,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO dataset (path, digest, measured_ms) VALUES (?, ?, ?)
             ON CONFLICT (path) DO UPDATE
             SET digest = excluded.digest, measured_ms = excluded.measured_ms",
        )
        .bind(text(path)?)
        .bind(digest)
        .bind(now_ms)
        .execute(&self.pool)
        .await
        .map_err(self.sql())?;
        Ok(())
    }

    /// Tells why an update of a live attempt met no row.
    async fn expect_one(&self, rows: u64, attempt: i64) -> Result<(), StoreError> {
        if rows == 1 {
            return Ok(());
        }
        let exists: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM attempt WHERE id = ?)")
            .bind(attempt)
            .fetch_one(&self.pool)
            .await
            .map_err(self.sql())?;
        Err(if exists { StoreError::AlreadyEnded(attempt) } else { StoreError::NoAttempt(attempt) })
    }
}
