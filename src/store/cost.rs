//! What attempts took, for estimates and for the sum of it all.

use std::collections::HashMap;

use super::columns::{json, key_list, word};
use super::{Store, StoreError};
use crate::ids::{DeviceId, TrainKey};
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

type PastRecord = (String, String, String, u32, String, Option<String>, i64, Option<i64>);

impl Store {
    /// Returns what each trial took that was trained to its end, whichever sweeps ask for it, but
    /// for those that diverged on the way.
    ///
    /// # Errors
    ///
    /// SQLite's own, or a stored value that this version cannot read.
    pub async fn past(&self) -> Result<Vec<Past>, StoreError> {
        let rows: Vec<PastRecord> = sqlx::query_as(
            "SELECT t.group_key, t.spec_json, a.eval_key, a.threads, a.device_json,
                    coalesce(a.started_json ->> '$.device',
                             i.provenance_json ->> '$.devices[0].model'),
                    (SELECT sum(max(coalesce(b.evaluating_ms, b.ended_ms) - b.started_ms, 0))
                     FROM attempt b
                     WHERE b.trial_id = t.id AND b.kind = 'train' AND b.ended_ms IS NOT NULL),
                    max(a.ended_ms - a.evaluating_ms, 0)
             FROM attempt a
             JOIN trial t ON t.id = a.trial_id
             LEFT JOIN invocation i ON i.id = a.invocation_id
             WHERE a.kind = 'train' AND a.outcome = 'finished' AND a.verdict <> 'diverged'",
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
        let rows: Vec<(String, String, String, i64, i64)> = sqlx::query_as(
            "SELECT t.train_key, a.kind, a.device_json,
                    max(coalesce(a.evaluating_ms, a.ended_ms, ?2) - a.started_ms, 0),
                    coalesce(max(coalesce(a.ended_ms, ?2) - a.evaluating_ms, 0), 0)
             FROM json_each(?1) AS asked
             CROSS JOIN trial t ON t.train_key = asked.value
             CROSS JOIN attempt a ON a.trial_id = t.id
             ORDER BY a.id",
        )
        .bind(key_list(trials))
        .bind(now_ms)
        .fetch_all(&self.pool)
        .await
        .map_err(self.sql())?;
        let mut all: Vec<Spent> = Vec::new();
        let mut at: HashMap<(String, DeviceKind), usize> = HashMap::new();
        for (key, attempt, device, before, after) in rows {
            let kind = DeviceKind::of(&json("device_json", &device, || format!("trial {key}"))?);
            let place = *at.entry((key.clone(), kind)).or_insert_with(|| all.len());
            if place == all.len() {
                let train_key = word("train_key", &key, || "a trial".to_owned())?;
                all.push(Spent { train_key, kind, train_ms: 0, eval_ms: 0 });
            }
            let spent = &mut all[place];
            let (before, after) = (before.cast_unsigned(), after.cast_unsigned());
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

fn past(
    (group, spec, eval_key, threads, device, model, train_ms, eval_ms): PastRecord,
) -> Result<Past, StoreError> {
    let of = || format!("a trial of group {group}");
    let device: DeviceId = json("device_json", &device, of)?;
    Ok(Past {
        run: json("spec_json", &spec, of)?,
        eval_key: word("eval_key", &eval_key, of)?,
        place: Place { kind: DeviceKind::of(&device), model: model.unwrap_or_default(), threads },
        train_s: train_ms as f64 / 1000.0,
        eval_s: eval_ms.map(|ms| ms as f64 / 1000.0),
        group: word("group_key", &group, || "a trial".to_owned())?,
    })
}
