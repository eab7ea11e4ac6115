//! What a database holds of a sweep, read as anybody could: plain SQL on the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

/// Name of the database in a state folder.
const DATABASE: &str = "byol-sweep.db";

/// Metrics that say how fast it went, which no run repeats.
const OF_THE_MACHINE: [&str; 3] = ["_per_s", "peak_", "_seconds"];

/// Metric to update to bits.
pub(crate) type Series = BTreeMap<String, BTreeMap<i64, u64>>;

/// An attempt.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) number: i64,
    pub(crate) outcome: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) detail: Option<String>,
    pub(crate) folder: PathBuf,
    pub(crate) series: Series,
}

/// A trial.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    pub(crate) key: String,
    pub(crate) attempts: Vec<Attempt>,
    /// Results of the finished attempt, as bits.
    pub(crate) finals: BTreeMap<String, u64>,
    /// Digest of its weights.
    pub(crate) weights: Vec<String>,
}

impl Trial {
    /// Returns what is seen of it: at each update the value of the highest attempt that has one.
    pub(crate) fn series(&self) -> Series {
        let mut all = Series::new();
        for attempt in &self.attempts {
            for (name, points) in &attempt.series {
                all.entry(name.clone()).or_default().extend(points);
            }
        }
        all.retain(|name, _| !OF_THE_MACHINE.iter().any(|part| name.contains(part)));
        all
    }
}

/// All trials by the order of the sweep.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) trials: Vec<Trial>,
    /// What SQLite says of its file; empty where all is well.
    pub(crate) damage: Vec<String>,
}

impl Kept {
    pub(crate) fn of(state: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(read(state)).unwrap()
    }
}

async fn read(state: &Path) -> Result<Kept, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(state.join(DATABASE)).read_only(true);
    let mut db = SqliteConnection::connect_with(&options).await?;
    let mut damage: Vec<String> =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut db).await?;
    damage.retain(|line| line != "ok");
    let foreign: Vec<String> = sqlx::query_scalar("SELECT \"table\" FROM pragma_foreign_key_check")
        .fetch_all(&mut db)
        .await?;
    damage.extend(foreign.into_iter().map(|table| format!("a dangling key in {table}")));
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT t.id, t.train_key FROM trial t JOIN sweep_trial s ON s.trial_id = t.id
         GROUP BY t.id ORDER BY min(s.ordinal)",
    )
    .fetch_all(&mut db)
    .await?;
    let mut trials = Vec::new();
    for (id, key) in rows {
        trials.push(trial(&mut db, state, id, key).await?);
    }
    db.close().await?;
    Ok(Kept { trials, damage })
}

async fn trial(
    db: &mut SqliteConnection,
    state: &Path,
    id: i64,
    key: String,
) -> Result<Trial, sqlx::Error> {
    type Row = (i64, i64, Option<String>, Option<String>, Option<String>, String);
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, number, outcome, reason, detail, folder FROM attempt
         WHERE trial_id = ? ORDER BY number",
    )
    .bind(id)
    .fetch_all(&mut *db)
    .await?;
    let mut kept = Trial { key, attempts: vec![], finals: BTreeMap::new(), weights: vec![] };
    for (id, number, outcome, reason, detail, folder) in rows {
        if outcome.as_deref() == Some("finished") {
            let finals: Vec<(String, f64)> =
                sqlx::query_as("SELECT name, value FROM evaluation WHERE attempt_id = ?")
                    .bind(id)
                    .fetch_all(&mut *db)
                    .await?;
            kept.finals = finals.into_iter().map(|(name, value)| (name, value.to_bits())).collect();
            kept.weights = sqlx::query_scalar(
                "SELECT digest FROM artifact WHERE attempt_id = ? AND kind = 'weights'",
            )
            .bind(id)
            .fetch_all(&mut *db)
            .await?;
        }
        let series = series(db, id).await?;
        let folder = state.join(folder);
        kept.attempts.push(Attempt { number, outcome, reason, detail, folder, series });
    }
    Ok(kept)
}

async fn series(db: &mut SqliteConnection, attempt: i64) -> Result<Series, sqlx::Error> {
    let rows: Vec<(String, i64, f64)> = sqlx::query_as(
        "SELECT n.name, m.step, m.value FROM metric m JOIN metric_name n ON n.id = m.name_id
         WHERE m.attempt_id = ?",
    )
    .bind(attempt)
    .fetch_all(db)
    .await?;
    let mut series = Series::new();
    for (name, step, value) in rows {
        series.entry(name).or_default().insert(step, value.to_bits());
    }
    Ok(series)
}
