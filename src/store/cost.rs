//! What attempts took, for estimates and for the sum of it all.

use std::collections::HashMap;

use sqlx::FromRow;

use super::columns::{json, once, to_json};
use super::{Store, StoreError};
use crate::ids::{DeviceId, EvalKey, GroupKey, TrainKey};
use crate::plan::cost::{DeviceKind, Past, Place};

/// Time that the attempts of a trial took on one kind of device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The trial.
    pub train_key: TrainKey,
    /// Where.
    pub kind: DeviceKind,
    /// Milliseconds of training.
    pub train_ms: u64,
    /// Milliseconds of evaluation.
    pub eval_ms: u64,
}

/// Trials that differ in the seed alone and were trained alike, as they are summed up.
#[derive(FromRow)]
struct PastRecord {
    #[sqlx(try_from = "String")]
    group_key: GroupKey,
    spec_json: String,
    #[sqlx(try_from = "String")]
    eval_key: EvalKey,
    threads: u32,
    device_json: String,
    model: Option<String>,
    runs: u32,
    train_ms: i64,
    evaluated: u32,
    eval_ms: Option<i64>,
}

impl Store {
    /// Returns what trials took that were trained to their end, whichever sweeps ask for them,
    /// but for those that diverged on the way.
    ///
    /// # Errors
    ///
    /// SQLite's own, or a stored value that this version cannot read.
    pub async fn past(&self) -> Result<Vec<Past>, StoreError> {
        // One spec of each group is read, and after the grouping: of 10,000 trials that is what
        // takes the time.
        let rows: Vec<PastRecord> = sqlx::query_as(
            "WITH took AS MATERIALIZED (
                 SELECT trial_id,
                        sum(max(coalesce(evaluating_ms, ended_ms) - started_ms, 0)) AS train_ms
                 FROM attempt
                 WHERE kind = 'train' AND ended_ms IS NOT NULL
                 GROUP BY trial_id),
             made AS MATERIALIZED (
                 SELECT id, provenance_json ->> '$.devices[0].model' AS model FROM invocation),
             alike AS (
                 SELECT min(a.id) AS first, min(a.trial_id) AS trial_id,
                        a.eval_key, a.threads, a.device_json,
                        coalesce(a.started_json ->> '$.device', made.model) AS model,
                        count(*) AS runs,
                        sum(took.train_ms) AS train_ms,
                        count(a.evaluating_ms) AS evaluated,
                        sum(max(a.ended_ms - a.evaluating_ms, 0)) AS eval_ms
                 FROM took
                 CROSS JOIN attempt a ON a.trial_id = took.trial_id
                 CROSS JOIN trial t ON t.id = a.trial_id
                 LEFT JOIN made ON made.id = a.invocation_id
                 WHERE a.kind = 'train' AND a.outcome = 'finished' AND a.verdict <> 'diverged'
                 GROUP BY t.group_key, a.eval_key, a.threads, a.device_json, model)
             SELECT t.group_key, t.spec_json, alike.*
             FROM alike JOIN trial t ON t.id = alike.trial_id
             ORDER BY alike.first",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?;
        rows.into_iter().map(past).collect()
    }

    /// Returns the time that attempts of these trials took, up to `now_ms` for those alive.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn spent(&self, trials: &[TrainKey], now_ms: i64) -> Result<Vec<Spent>, StoreError> {
        let asked = once(trials);
        let times = sqlx::query_scalar(
            "SELECT json_group_array(json_array(asked.key, a.kind, a.device_json,
                 max(coalesce(a.evaluating_ms, a.ended_ms, ?2) - a.started_ms, 0),
                 coalesce(max(coalesce(a.ended_ms, ?2) - a.evaluating_ms, 0), 0)))
             FROM json_each(?1) AS asked
             CROSS JOIN trial t ON t.train_key = asked.value
             CROSS JOIN attempt a ON a.trial_id = t.id",
        );
        let times = times.bind(to_json(&asked)).bind(now_ms);
        let rows: Vec<(usize, String, String, u64, u64)> = self.bulk("attempt", times).await?;
        let mut all: Vec<Spent> = Vec::new();
        let mut at: HashMap<(usize, DeviceKind), usize> = HashMap::new();
        for (trial, attempt, device, before, after) in rows {
            let key = asked[trial];
            let kind = DeviceKind::of(&json("device_json", &device, || format!("trial {key}"))?);
            let place = *at.entry((trial, kind)).or_insert_with(|| all.len());
            if place == all.len() {
                all.push(Spent { train_key: key.clone(), kind, train_ms: 0, eval_ms: 0 });
            }
            let spent = &mut all[place];
            match attempt.as_str() {
                "train" => {
                    spent.train_ms += before;
                    spent.eval_ms += after;
                }
                _ => spent.eval_ms += before + after,
            }
        }
        Ok(all)
    }
}

fn past(record: PastRecord) -> Result<Past, StoreError> {
    let of = || format!("a trial of group {}", record.group_key);
    let device: DeviceId = json("device_json", &record.device_json, of)?;
    Ok(Past {
        run: json("spec_json", &record.spec_json, of)?,
        place: Place {
            kind: DeviceKind::of(&device),
            model: record.model.unwrap_or_default(),
            threads: record.threads,
        },
        runs: record.runs,
        train_s: record.train_ms as f64 / 1000.0,
        evaluated: record.evaluated,
        eval_s: record.eval_ms.unwrap_or(0) as f64 / 1000.0,
        group: record.group_key,
        eval_key: record.eval_key,
    })
}
