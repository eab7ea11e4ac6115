//! What results were made with: written with a plan, read with its attempts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use sqlx::SqliteConnection;

use serde::Deserialize;

use super::columns::{json, once, to_json};
use super::{Store, StoreError};
use crate::ids::{AttemptNo, TrainKey};
use crate::provenance::{About, Provenance, WorkerBinary};

/// An attempt that finished.
#[derive(Deserialize)]
pub(super) struct Made {
    /// Place of its trial in the list that was asked for.
    pub(super) trial: usize,
    /// Row id.
    pub(super) attempt: i64,
    /// `None` where an earlier version noted none.
    pub(super) invocation: Option<i64>,
}

/// For whom a store writes: once its plan is synced, attempts are linked to the invocation.
#[derive(Clone, Debug)]
pub(super) struct Author {
    provenance: Arc<Provenance>,
    /// Row id of the invocation; 0 before there is one.
    invocation: Arc<AtomicI64>,
}

impl Author {
    pub(super) fn invocation(&self) -> Option<i64> {
        Some(self.invocation.load(Ordering::Relaxed)).filter(|id| *id > 0)
    }

    pub(super) fn began(&self, invocation: i64) {
        self.invocation.store(invocation, Ordering::Relaxed);
    }

    /// Writes a new invocation, and returns its row id.
    pub(super) async fn begin(
        &self,
        tx: &mut SqliteConnection,
        (sweep, revision): (i64, i64),
        now_ms: i64,
    ) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(
            "INSERT INTO invocation (sweep_id, revision, at_ms, provenance_json)
             VALUES (?, ?, ?, ?) RETURNING id",
        )
        .bind(sweep)
        .bind(revision)
        .bind(now_ms)
        .bind(to_json(&*self.provenance))
        .fetch_one(tx)
        .await
    }
}

/// One `run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvocationRow {
    /// Row id.
    pub id: i64,
    /// Name of the sweep that it ran.
    pub sweep: String,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// What it was made with.
    pub provenance: Provenance,
}

/// A worker binary that finished trials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerUse {
    /// The binary.
    pub worker: WorkerBinary,
    /// Trials that it finished.
    pub trials: u32,
}

type InvocationRecord = (i64, String, i64, String);

impl Store {
    /// Writes on behalf of a run that is made with this: each plan that is synced from now on
    /// makes an invocation, to which attempts are linked.
    #[must_use]
    pub fn on_behalf_of(mut self, provenance: Provenance) -> Self {
        let invocation = Arc::new(AtomicI64::new(0));
        self.author = Some(Author { provenance: Arc::new(provenance), invocation });
        self
    }

    /// Returns the invocations that began a trial's attempts; attempts of earlier versions have
    /// none.
    ///
    /// # Errors
    ///
    /// SQLite's own, or a provenance that this version cannot read.
    pub async fn invocations_of(
        &self,
        trial: &TrainKey,
    ) -> Result<BTreeMap<AttemptNo, InvocationRow>, StoreError> {
        let rows: Vec<(u32, i64, String, i64, String)> = sqlx::query_as(
            "SELECT a.number, i.id, s.name, i.at_ms, i.provenance_json
             FROM trial t
             JOIN attempt a ON a.trial_id = t.id
             JOIN invocation i ON i.id = a.invocation_id
             JOIN sweep s ON s.id = i.sweep_id
             WHERE t.train_key = ?",
        )
        .bind(trial.as_str())
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?;
        let row = |(number, id, sweep, at_ms, text)| {
            Ok((AttemptNo(number), decode((id, sweep, at_ms, text))?))
        };
        rows.into_iter().map(row).collect()
    }

    /// Returns the newest invocation of a sweep.
    ///
    /// # Errors
    ///
    /// SQLite's own, or a provenance that this version cannot read.
    pub async fn last_invocation(&self, sweep: i64) -> Result<Option<InvocationRow>, StoreError> {
        let row: Option<InvocationRecord> = sqlx::query_as(
            "SELECT i.id, s.name, i.at_ms, i.provenance_json
             FROM invocation i JOIN sweep s ON s.id = i.sweep_id
             WHERE i.sweep_id = ? ORDER BY i.id DESC LIMIT 1",
        )
        .bind(sweep)
        .fetch_optional(&self.pool)
        .await
        .map_err(self.sql())?;
        row.map(decode).transpose()
    }

    /// Returns the worker binaries that finished trials among these, the oldest first, each with
    /// how many; trials of earlier versions do not count, since nobody knows theirs.
    ///
    /// # Errors
    ///
    /// SQLite's own, or a provenance that this version cannot read.
    pub async fn workers_of(&self, trials: &[TrainKey]) -> Result<Vec<WorkerUse>, StoreError> {
        let asked = once(trials);
        let finished = sqlx::query_scalar(
            "SELECT json_group_array(json_array(asked.key, a.id, a.invocation_id))
             FROM json_each(?) AS asked
             CROSS JOIN trial t ON t.train_key = asked.value
             CROSS JOIN attempt a ON a.trial_id = t.id AND a.outcome = 'finished'",
        );
        let finished: Vec<Made> = self.bulk("attempt", finished.bind(to_json(&asked))).await?;
        self.uses(&finished).await
    }

    /// Returns the worker binaries that made these attempts, the oldest attempt's first.
    pub(super) async fn uses(&self, attempts: &[Made]) -> Result<Vec<WorkerUse>, StoreError> {
        let workers: Vec<(i64, Option<String>)> =
            sqlx::query_as("SELECT id, provenance_json -> '$.worker' FROM invocation")
                .fetch_all(&self.pool)
                .await
                .map_err(self.sql())?;
        let mut known: HashMap<i64, WorkerBinary> = HashMap::new();
        for (id, worker) in workers {
            if let Some(worker) = worker {
                known.insert(id, json("provenance_json", &worker, || format!("invocation {id}"))?);
            }
        }
        let mut used: BTreeMap<&str, (i64, &WorkerBinary, HashSet<usize>)> = BTreeMap::new();
        for made in attempts {
            let Some(worker) = made.invocation.and_then(|id| known.get(&id)) else { continue };
            let first = || (made.attempt, worker, HashSet::new());
            let (oldest, by, trials) = used.entry(&worker.digest).or_insert_with(first);
            if made.attempt < *oldest {
                (*oldest, *by) = (made.attempt, worker);
            }
            trials.insert(made.trial);
        }
        let mut used: Vec<_> = used.into_values().collect();
        used.sort_unstable_by_key(|(oldest, ..)| *oldest);
        let one = |(_, worker, trials): (i64, &WorkerBinary, HashSet<usize>)| WorkerUse {
            worker: worker.clone(),
            trials: u32::try_from(trials.len()).unwrap_or(u32::MAX),
        };
        Ok(used.into_iter().map(one).collect())
    }

    /// Returns what a worker binary said of itself when it was asked; `None` where it never was,
    /// `Some(None)` where it said nothing.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn about(&self, digest: &str) -> Result<Option<Option<About>>, StoreError> {
        let row: Option<Option<String>> =
            sqlx::query_scalar("SELECT about_json FROM worker_binary WHERE digest = ?")
                .bind(digest)
                .fetch_optional(&self.pool)
                .await
                .map_err(self.sql())?;
        let read = |text: String| json("about_json", &text, || format!("worker {digest}"));
        row.map(|text| text.map(read).transpose()).transpose()
    }

    /// Notes what a worker binary said of itself.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn note_about(
        &self,
        digest: &str,
        about: Option<&About>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO worker_binary (digest, about_json, asked_ms) VALUES (?, ?, ?)
             ON CONFLICT (digest) DO UPDATE
             SET about_json = excluded.about_json, asked_ms = excluded.asked_ms",
        )
        .bind(digest)
        .bind(about.map(to_json))
        .bind(now_ms)
        .execute(&self.pool)
        .await
        .map_err(self.sql())?;
        Ok(())
    }

    /// Returns the attempt up to which a trial's failures are forgiven; 0 where none is.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn pardoned(&self, trial: &TrainKey) -> Result<u32, StoreError> {
        let pardoned: Option<u32> =
            sqlx::query_scalar("SELECT pardoned FROM trial WHERE train_key = ?")
                .bind(trial.as_str())
                .fetch_optional(&self.pool)
                .await
                .map_err(self.sql())?;
        Ok(pardoned.unwrap_or(0))
    }

    /// Returns the sweeps that ask for a trial, by any revision, whether removed or not.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn sweeps_with(&self, trial: &TrainKey) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar(
            "SELECT DISTINCT s.name FROM trial t
             JOIN sweep_trial l ON l.trial_id = t.id JOIN sweep s ON s.id = l.sweep_id
             WHERE t.train_key = ? ORDER BY s.id",
        )
        .bind(trial.as_str())
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())
    }
}

fn decode((id, sweep, at_ms, text): InvocationRecord) -> Result<InvocationRow, StoreError> {
    let provenance = json("provenance_json", &text, || format!("invocation {id}"))?;
    Ok(InvocationRow { id, sweep, at_ms, provenance })
}
