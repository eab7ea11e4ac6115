//! What attempts took, for estimates and for the sum of it all.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::Deserialize;

use super::columns::{json, once, to_json, word};
use super::rows::AttemptKind;
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
    place: PlaceRecord,
    /// To the end of training, and with a verdict that predicts.
    finished: u8,
    train_ms: i64,
    /// `None` where nobody noted when evaluation began.
    eval_ms: Option<i64>,
}

/// By what protocol an attempt was evaluated, and where it ran.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
struct PlaceRecord {
    eval_key: EvalKey,
    threads: u32,
    device_json: String,
    model: Option<String>,
}

/// What trials have in common that are summed up: they differ in the seed alone.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Alike {
    group_key: GroupKey,
    place: PlaceRecord,
}

/// Trials that differ in the seed alone.
#[derive(Deserialize)]
struct GroupRecord {
    group_key: GroupKey,
    /// Row ids.
    trials: Vec<i64>,
}

/// When an attempt was at what, and where.
#[derive(Deserialize)]
pub(super) struct Spell {
    device_json: String,
    started_ms: i64,
    /// `None` before evaluation, and where nobody noted when it began.
    evaluating_ms: Option<i64>,
    /// Its end, or when it was heard of last.
    until_ms: i64,
}

impl Spell {
    /// Returns the milliseconds of training and of evaluation.
    fn times(&self, kind: AttemptKind) -> (u64, u64) {
        let between = |from: i64, to: i64| u64::try_from(to.saturating_sub(from)).unwrap_or(0);
        let end = self.until_ms;
        match (kind, self.evaluating_ms) {
            (AttemptKind::Train, None) => (between(self.started_ms, end), 0),
            (AttemptKind::Train, Some(at)) => (between(self.started_ms, at), between(at, end)),
            (AttemptKind::Eval, _) => (0, between(self.started_ms, end)),
        }
    }
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
                 json_array(a.eval_key, a.threads, a.device_json,
                     coalesce(made.model, a.started_json ->> '$.device')),
                 a.outcome = 'finished' AND a.verdict <> 'diverged',
                 max(coalesce(a.evaluating_ms, a.ended_ms) - a.started_ms, 0),
                 max(a.ended_ms - a.evaluating_ms, 0)))
             FROM attempt a
             LEFT JOIN made ON made.id = a.invocation_id AND made.device = a.device_json
             WHERE a.kind = 'train' AND a.ended_ms IS NOT NULL",
        );
        // Out of the index alone.
        let groups = sqlx::query_scalar(
            "SELECT json_group_array(json_array(group_key, json(trials)))
             FROM (SELECT group_key, json_group_array(id) AS trials FROM trial GROUP BY group_key)",
        );
        let (ended, groups): (Vec<TrainedRecord>, Vec<GroupRecord>) =
            tokio::try_join!(self.bulk("attempt", ended), self.bulk("trial", groups))?;
        let groups: HashMap<i64, &GroupKey> = groups
            .iter()
            .flat_map(|group| group.trials.iter().map(|id| (*id, &group.group_key)))
            .collect();
        let mut took: HashMap<i64, i64> = HashMap::new();
        for attempt in &ended {
            *took.entry(attempt.trial).or_default() += attempt.train_ms;
        }
        let mut sums: Vec<(Alike, Sum)> = Vec::new();
        let mut places: HashMap<(&GroupKey, PlaceRecord), usize> = HashMap::new();
        for attempt in ended.into_iter().filter(|attempt| attempt.finished == 1) {
            // Its trial came with a plan that was synced between the two queries.
            let Some(group_key) = groups.get(&attempt.trial) else { continue };
            let place = *places.entry((group_key, attempt.place.clone())).or_insert(sums.len());
            if place == sums.len() {
                let alike = Alike { group_key: (*group_key).clone(), place: attempt.place };
                sums.push((alike, Sum { trial: attempt.trial, ..Sum::default() }));
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

    /// Returns the time that attempts of these trials took, up to what was heard of them last for
    /// those without an end.
    ///
    /// # Errors
    ///
    /// SQLite's own.
    pub async fn spent(&self, trials: &[TrainKey]) -> Result<Vec<Spent>, StoreError> {
        let asked = once(trials);
        let spells = sqlx::query_scalar(
            "SELECT json_group_array(json_array(asked.key, a.kind,
                 json_array(a.device_json, a.started_ms, a.evaluating_ms,
                     coalesce(a.ended_ms, a.heard_ms, a.started_ms))))
             FROM json_each(?1) AS asked
             CROSS JOIN trial t ON t.train_key = asked.value
             CROSS JOIN attempt a ON a.trial_id = t.id",
        );
        let spells: Vec<(usize, String, Spell)> =
            self.bulk("attempt", spells.bind(to_json(&asked))).await?;
        let of = |(place, kind, spell): (usize, String, Spell)| {
            let trial = asked[place];
            let kind = word("kind", &kind, || format!("an attempt of trial {trial}"))?;
            Ok((trial, kind, spell))
        };
        sum_up(spells.into_iter().map(of))
    }
}

/// Sums up what attempts took, by trial and kind of device.
pub(super) fn sum_up<'a>(
    spells: impl Iterator<Item = Result<(&'a TrainKey, AttemptKind, Spell), StoreError>>,
) -> Result<Vec<Spent>, StoreError> {
    let mut all: Vec<Spent> = Vec::new();
    let mut at: HashMap<(&TrainKey, DeviceKind), usize> = HashMap::new();
    // There are few devices.
    let mut kinds: HashMap<String, DeviceKind> = HashMap::new();
    for spell in spells {
        let (train_key, attempt, spell) = spell?;
        let (train_ms, eval_ms) = spell.times(attempt);
        let kind = match kinds.get(&spell.device_json) {
            Some(kind) => *kind,
            None => {
                let of = || format!("trial {train_key}");
                let kind = DeviceKind::of(&json("device_json", &spell.device_json, of)?);
                kinds.insert(spell.device_json, kind);
                kind
            }
        };
        match at.entry((train_key, kind)) {
            Entry::Occupied(place) => {
                let spent = &mut all[*place.get()];
                spent.train_ms += train_ms;
                spent.eval_ms += eval_ms;
            }
            Entry::Vacant(place) => {
                place.insert(all.len());
                all.push(Spent { train_key: train_key.clone(), kind, train_ms, eval_ms });
            }
        }
    }
    Ok(all)
}

fn past(alike: Alike, sum: &Sum, spec_json: &str) -> Result<Past, StoreError> {
    let of = || format!("a trial of group {}", alike.group_key);
    let PlaceRecord { eval_key, threads, device_json, model } = alike.place;
    let device: DeviceId = json("device_json", &device_json, of)?;
    Ok(Past {
        run: json("spec_json", spec_json, of)?,
        place: Place { kind: DeviceKind::of(&device), model: model.unwrap_or_default(), threads },
        runs: sum.runs,
        train_s: sum.train_ms as f64 / 1000.0,
        evaluated: sum.evaluated,
        eval_s: sum.eval_ms as f64 / 1000.0,
        group: alike.group_key,
        eval_key,
    })
}
