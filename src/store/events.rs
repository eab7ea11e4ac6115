//! Events into the store.

use std::collections::BTreeMap;

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::columns::{signed, text, to_json};
use super::{Store, StoreError};
use crate::failpoint::{self, Point};
use crate::protocol::{EventLine, Stage, WorkerEvent};

/// Rows in one statement; SQLite takes 32766 parameters.
const CHUNK: usize = 500;

impl Store {
    /// Stores events of a live attempt together with the place in its file that they reach:
    /// `offset` bytes, `seq` of the last line. Lines that are stored already are passed over, so
    /// that the same call may be made again. Of progress only the turn to evaluation is stored: the
    /// rest is for those who watch. The last word is not stored: it becomes the outcome.
    ///
    /// # Errors
    ///
    /// The attempt does not exist or has ended; lines are missing in between.
    pub async fn append(
        &self,
        attempt: i64,
        lines: &[EventLine],
        offset: u64,
        seq: u64,
    ) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(self.sql())?;
        self.append_within(&mut tx, attempt, lines, offset, seq).await?;
        failpoint::reach(Point::EventsUnstored);
        tx.commit().await.map_err(self.sql())?;
        failpoint::reach(Point::EventsStored);
        Ok(())
    }

    /// Does what [`append`](Self::append) does, as a part of a larger transaction.
    pub(super) async fn append_within(
        &self,
        tx: &mut SqliteConnection,
        attempt: i64,
        lines: &[EventLine],
        offset: u64,
        seq: u64,
    ) -> Result<(), StoreError> {
        let stored = self.stored_seq(tx, attempt).await?;
        let known = lines.partition_point(|line| line.seq <= stored);
        let fresh = &lines[known..];
        check_continuous(attempt, stored, fresh, seq)?;
        if seq <= stored {
            return Ok(());
        }
        for line in fresh {
            self.store_event(tx, attempt, line).await?;
        }
        self.store_metrics(tx, attempt, fresh).await?;
        let told =
            "UPDATE attempt SET events_offset = ?, events_seq = ?, heard_ms = ? WHERE id = ?";
        sqlx::query(told)
            .bind(signed("offset", offset)?)
            .bind(signed("seq", seq)?)
            .bind(fresh.last().map(|line| line.at_ms))
            .bind(attempt)
            .execute(tx)
            .await
            .map_err(self.sql())?;
        Ok(())
    }

    /// Returns the seq up to which a live attempt's events are stored.
    async fn stored_seq(&self, tx: &mut SqliteConnection, attempt: i64) -> Result<u64, StoreError> {
        let row: Option<(i64, bool)> =
            sqlx::query_as("SELECT events_seq, outcome IS NULL FROM attempt WHERE id = ?")
                .bind(attempt)
                .fetch_optional(tx)
                .await
                .map_err(self.sql())?;
        match row {
            None => Err(StoreError::NoAttempt(attempt)),
            Some((_, false)) => Err(StoreError::AlreadyEnded(attempt)),
            Some((seq, true)) => Ok(seq.cast_unsigned()),
        }
    }

    /// Stores an event other than metrics, which go in together.
    async fn store_event(
        &self,
        tx: &mut SqliteConnection,
        attempt: i64,
        line: &EventLine,
    ) -> Result<(), StoreError> {
        let seq = signed("seq", line.seq)?;
        let query = match &line.event {
            WorkerEvent::Progress(progress) => match progress.stage {
                Stage::Evaluate => sqlx::query(
                    "UPDATE attempt SET evaluating_ms = coalesce(evaluating_ms, ?) WHERE id = ?",
                )
                .bind(line.at_ms)
                .bind(attempt),
                Stage::Load | Stage::Train => return Ok(()),
            },
            WorkerEvent::Ended { .. } | WorkerEvent::Metrics { .. } => return Ok(()),
            WorkerEvent::Evaluated { values } => {
                return self.store_evaluation(tx, attempt, values).await;
            }
            WorkerEvent::Started(started) => {
                sqlx::query("UPDATE attempt SET started_json = ? WHERE id = ?")
                    .bind(to_json(started))
                    .bind(attempt)
            }
            WorkerEvent::Checkpointed { update, file } => sqlx::query(
                "UPDATE attempt SET checkpoint_update = ?, checkpoint_file = ? WHERE id = ?",
            )
            .bind(signed("update", *update)?)
            .bind(text(file)?)
            .bind(attempt),
            WorkerEvent::Artifact { artifact, file, digest } => sqlx::query(
                "INSERT INTO artifact (attempt_id, seq, kind, path, digest) VALUES (?, ?, ?, ?, ?)",
            )
            .bind(attempt)
            .bind(seq)
            .bind(artifact)
            .bind(text(file)?)
            .bind(digest),
            WorkerEvent::Note { text } => {
                sqlx::query("INSERT INTO note (attempt_id, seq, at_ms, text) VALUES (?, ?, ?, ?)")
                    .bind(attempt)
                    .bind(seq)
                    .bind(line.at_ms)
                    .bind(text)
            }
        };
        query.execute(tx).await.map_err(self.sql())?;
        Ok(())
    }

    /// Stores final values; of a name that comes again the last one stays.
    async fn store_evaluation(
        &self,
        tx: &mut SqliteConnection,
        attempt: i64,
        values: &BTreeMap<String, f64>,
    ) -> Result<(), StoreError> {
        for (name, value) in values {
            sqlx::query(
                "INSERT INTO evaluation (attempt_id, name, value) VALUES (?, ?, ?)
                 ON CONFLICT (attempt_id, name) DO UPDATE SET value = excluded.value",
            )
            .bind(attempt)
            .bind(name)
            .bind(value)
            .execute(&mut *tx)
            .await
            .map_err(self.sql())?;
        }
        Ok(())
    }

    /// Stores all metrics of the lines; of a name and update that come again the last one stays.
    async fn store_metrics(
        &self,
        tx: &mut SqliteConnection,
        attempt: i64,
        lines: &[EventLine],
    ) -> Result<(), StoreError> {
        let mut names: BTreeMap<&str, i64> = BTreeMap::new();
        let mut rows: BTreeMap<(i64, i64), f64> = BTreeMap::new();
        for line in lines {
            let WorkerEvent::Metrics { update, values } = &line.event else { continue };
            let step = signed("update", *update)?;
            for (name, value) in values {
                let id = match names.get(name.as_str()) {
                    Some(&id) => id,
                    None => self.metric_id(tx, name).await?,
                };
                names.insert(name, id);
                rows.insert((id, step), *value);
            }
        }
        let rows: Vec<_> = rows.into_iter().collect();
        for chunk in rows.chunks(CHUNK) {
            let mut query: QueryBuilder<Sqlite> =
                QueryBuilder::new("INSERT INTO metric (attempt_id, name_id, step, value) ");
            query.push_values(chunk, |mut row, ((name, step), value)| {
                row.push_bind(attempt).push_bind(*name).push_bind(*step).push_bind(*value);
            });
            query.push(
                " ON CONFLICT (attempt_id, name_id, step) DO UPDATE SET value = excluded.value",
            );
            query.build().execute(&mut *tx).await.map_err(self.sql())?;
        }
        Ok(())
    }

    /// Returns the number of a metric's name, which it gets when first seen.
    async fn metric_id(&self, tx: &mut SqliteConnection, name: &str) -> Result<i64, StoreError> {
        sqlx::query("INSERT INTO metric_name (name) VALUES (?) ON CONFLICT (name) DO NOTHING")
            .bind(name)
            .execute(&mut *tx)
            .await
            .map_err(self.sql())?;
        sqlx::query_scalar("SELECT id FROM metric_name WHERE name = ?")
            .bind(name)
            .fetch_one(tx)
            .await
            .map_err(self.sql())
    }
}

/// Checks that lines go on where the store is, one by one, and end where the caller says.
fn check_continuous(
    attempt: i64,
    stored: u64,
    fresh: &[EventLine],
    seq: u64,
) -> Result<(), StoreError> {
    let mut expected = stored + 1;
    for line in fresh {
        if line.seq != expected {
            return Err(StoreError::Gap { attempt, expected, found: line.seq });
        }
        expected += 1;
    }
    let told_right = if fresh.is_empty() { seq <= stored } else { seq + 1 == expected };
    if told_right { Ok(()) } else { Err(StoreError::Gap { attempt, expected, found: seq }) }
}
