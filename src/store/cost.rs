//! What attempts took, for estimates and for the sum of it all.

use std::collections::HashMap;

use serde::Deserialize;

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

/// An attempt at training that has ended.
#[derive(Deserialize)]
struct TrainedRecord {
    trial: i64,
    alike: Alike,
    /// To the end of training, and with a verdict that predicts.
    finished: u8,
    train_ms: i64,
    /// `None` where nobody noted when evaluation began.
    eval_ms: Option<i64>,
}

/// What trials have in common that are summed up: they differ in the seed alone.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
struct Alike {
    group_key: GroupKey,
    eval_key: EvalKey,
    threads: u32,
    device_json: String,
    model: Option<String>,
}

/// Trials that are alike.
#[derive(Default)]
struct Sum {
    /// One of them.
    trial: i64,
    runs: u32,
    train_ms: i64,
    evaluated: u32,
    eval_ms: i64,
}

impl Store {
    /// Returns what trials took that were trained to their end, whichever sweeps ask for them,
    /// but for those that diverged on the way.
    ///
    /// # Errors
    ///
    /// SQLite's own, or a stored value that this version cannot read.
    pub async fn past(&self) -> Result<Vec<Past>, StoreError> {
        // What the run found on the device tells its model, where it was noted; to read that of
        // each worker takes longer than all the rest.
        let ended = sqlx::query_scalar(
            "WITH made AS MATERIALIZED (
                 SELECT i.id, device.value -> '$.id' AS device, device.value ->> '$.model' AS model
                 FROM invocation i, json_each(i.provenance_json, '$.devices') AS device)
             SELECT json_group_array(json_array(
                 a.trial_id,
                 json_array(t.group_key, a.eval_key, a.threads, a.device_json,
                     coalesce(made.model, a.started_json ->> '$.device')),
                 a.outcome = 'finished' AND a.verdict <> 'diverged',
                 max(coalesce(a.evaluating_ms, a.ended_ms) - a.started_ms, 0),
                 max(a.ended_ms - a.evaluating_ms, 0)))
             FROM attempt a
             CROSS JOIN trial t ON t.id = a.trial_id
             LEFT JOIN made ON made.id = a.invocation_id AND made.device = a.device_json
             WHERE a.kind = 'train' AND a.ended_ms IS NOT NULL",
        );
        let ended: Vec<TrainedRecord> = self.bulk("attempt", ended).await?;
        let mut took: HashMap<i64, i64> = HashMap::new();
        for attempt in &ended {
            *took.entry(attempt.trial).or_default() += attempt.train_ms;
        }
        let mut sums: Vec<(Alike, Sum)> = Vec::new();
        let mut places: HashMap<Alike, usize> = HashMap::new();
        for attempt in ended.into_iter().filter(|attempt| attempt.finished == 1) {
            let place = *places.entry(attempt.alike.clone()).or_insert(sums.len());
            if place == sums.len() {
                sums.push((attempt.alike, Sum { trial: attempt.trial, ..Sum::default() }));
            }
            let sum = &mut sums[place].1;
            sum.runs += 1;
            sum.train_ms += took[&attempt.trial];
            sum.evaluated += u32::from(attempt.eval_ms.is_some());
            sum.eval_ms += attempt.eval_ms.unwrap_or(0);
        }
        let trials: Vec<i64> = sums.iter().map(|(_, sum)| sum.trial).collect();
        let specs: HashMap<i64, String> = sqlx::query_as(
            "SELECT t.id, t.spec_json FROM json_each(?) AS asked JOIN trial t ON t.id = asked.value",
        )
        .bind(to_json(&trials))
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?
        .into_iter()
        .collect();
        let one = |(alike, sum): (Alike, Sum)| match specs.get(&sum.trial) {
            Some(spec) => past(alike, &sum, spec),
            None => Err(StoreError::BadValue {
                column: "spec_json",
                of: format!("a trial of group {}", alike.group_key),
                cause: "it is not there any more".to_owned(),
            }),
        };
        sums.into_iter().map(one).collect()
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

fn past(alike: Alike, sum: &Sum, spec_json: &str) -> Result<Past, StoreError> {
    let of = || format!("a trial of group {}", alike.group_key);
    let device: DeviceId = json("device_json", &alike.device_json, of)?;
    Ok(Past {
        run: json("spec_json", spec_json, of)?,
        place: Place {
            kind: DeviceKind::of(&device),
            model: alike.model.unwrap_or_default(),
            threads: alike.threads,
        },
        runs: sum.runs,
        train_s: sum.train_ms as f64 / 1000.0,
        evaluated: sum.evaluated,
        eval_s: sum.eval_ms as f64 / 1000.0,
        group: alike.group_key,
        eval_key: alike.eval_key,
    })
}
