//! Plans into the store.

use std::io::Write;

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::columns::to_json;
use super::{Store, StoreError};
use crate::failpoint::{self, Point};
use crate::plan::{Facts, Plan, PlannedTrial};

/// Trials in one statement.
const CHUNK: usize = 500;

impl Store {
    /// Makes the plan its sweep's newest revision, unless it is that already, and marks the sweep
    /// as the latest; returns the sweep's row id. Trials are added where they are new; none is
    /// taken away. A removed sweep is restored: who runs it wants to see it.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn sync_plan(&self, plan: &Plan, now_ms: i64) -> Result<i64, StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(self.sql())?;
        let sweep = upsert_sweep(&mut tx, plan, now_ms).await.map_err(self.sql())?;
        let revision = sync_revision(&mut tx, sweep, plan, now_ms).await.map_err(self.sql())?;
        let invocation = match &self.author {
            Some(author) => {
                let asked = (sweep, revision);
                Some((author, author.begin(&mut tx, asked, now_ms).await.map_err(self.sql())?))
            }
            None => None,
        };
        failpoint::reach(Point::PlanUnsynced);
        tx.commit().await.map_err(self.sql())?;
        failpoint::reach(Point::PlanSynced);
        if let Some((author, invocation)) = invocation {
            author.began(invocation);
        }
        Ok(sweep)
    }
}

async fn upsert_sweep(
    tx: &mut SqliteConnection,
    plan: &Plan,
    now_ms: i64,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "INSERT INTO sweep (name, created_ms, asked_ms) VALUES (?1, ?2, ?2)
         ON CONFLICT (name) DO UPDATE SET asked_ms = excluded.asked_ms, removed_ms = NULL
         RETURNING id",
    )
    .bind(&plan.meta.name)
    .bind(now_ms)
    .fetch_one(tx)
    .await
}

async fn sync_revision(
    tx: &mut SqliteConnection,
    sweep: i64,
    plan: &Plan,
    now_ms: i64,
) -> Result<i64, sqlx::Error> {
    let newest: Option<(i64, String)> =
        sqlx::query_as("SELECT revision, plan_digest FROM sweep_now WHERE id = ?")
            .bind(sweep)
            .fetch_optional(&mut *tx)
            .await?;
    let digest = digest(plan);
    let revision = match newest {
        Some((revision, known)) if known == digest => return Ok(revision),
        Some((revision, _)) => revision + 1,
        None => 1,
    };
    sqlx::query(
        "INSERT INTO sweep_revision (sweep_id, revision, source_toml, eval_key, facts_json, plan_digest, created_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(sweep)
    .bind(revision)
    .bind(&plan.source_toml)
    .bind(plan.eval_key.as_str())
    .bind(to_json(&Facts::from(plan)))
    .bind(digest)
    .bind(now_ms)
    .execute(&mut *tx)
    .await?;
    for trials in plan.trials.chunks(CHUNK) {
        insert_trials(tx, sweep, revision, trials).await?;
    }
    Ok(revision)
}

/// Inserts many trials with two statements.
async fn insert_trials(
    tx: &mut SqliteConnection,
    sweep: i64,
    revision: i64,
    trials: &[PlannedTrial],
) -> Result<(), sqlx::Error> {
    let mut query: QueryBuilder<Sqlite> =
        QueryBuilder::new("INSERT INTO trial (train_key, group_key, seed, spec_json) ");
    query.push_values(trials, |mut row, trial| {
        row.push_bind(trial.train_key.as_str())
            .push_bind(trial.group_key.as_str())
            .push_bind(trial.run.seed.cast_signed())
            .push_bind(trial.run.canonical_json());
    });
    query.push(" ON CONFLICT (train_key) DO NOTHING");
    query.build().execute(&mut *tx).await?;

    let links: Vec<_> = trials
        .iter()
        .map(|trial| (trial.ordinal, &trial.train_key, to_json(&trial.labels)))
        .collect();
    // Links go in as one JSON array. CROSS JOIN keeps the order: each looks its trial up.
    sqlx::query(
        "INSERT INTO sweep_trial (sweep_id, revision, ordinal, trial_id, labels_json)
         SELECT ?, ?, link.value ->> 0, trial.id, link.value ->> 2
         FROM json_each(?) AS link
         CROSS JOIN trial ON trial.train_key = link.value ->> 1",
    )
    .bind(sweep)
    .bind(revision)
    .bind(to_json(&links))
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Returns a hash of all that the plan asks of the store.
fn digest(plan: &Plan) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |json: String| {
        // Hashing cannot fail; a line break parts what JSON keeps on one line.
        let _ = writeln!(hasher, "{json}");
    };
    add(to_json(&(&plan.eval_key, &plan.source_toml, Facts::from(plan))));
    for trial in &plan.trials {
        add(to_json(&(trial.ordinal, &trial.train_key, &trial.labels)));
    }
    hasher.finalize().to_hex().to_string()
}
