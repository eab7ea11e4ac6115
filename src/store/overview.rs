//! All that a screen shows of a sweep, out of one walk over its attempts: one for the trials, one
//! for what they took and one for their workers would take three times as long.

use serde::Deserialize;

use super::columns::word;
use super::cost::{Spell, Spent, sum_up};
use super::provenance::{Made, WorkerUse};
use super::read::FactsRecord;
use super::rows::{SweepRow, TrialRow};
use super::{Store, StoreError};
use crate::ids::TrainKey;

/// A sweep's trials with what they took.
#[derive(Clone, Debug, PartialEq)]
pub struct Overview {
    /// As [`Store::trials`] returns them.
    pub trials: Vec<TrialRow>,
    /// As [`Store::spent`] returns it.
    pub spent: Vec<Spent>,
    /// As [`Store::workers_of`] returns them.
    pub workers: Vec<WorkerUse>,
}

/// An attempt as the tables have it.
#[derive(Deserialize)]
struct AttemptRecord {
    facts: FactsRecord,
    id: i64,
    invocation: Option<i64>,
    spell: Spell,
}

impl Store {
    /// Returns the trials that this revision of a sweep asks for, what their attempts took, and the
    /// workers that finished them.
    ///
    /// # Errors
    ///
    /// SQLite's own, or a stored value that this version cannot read.
    pub async fn overview(&self, sweep: &SweepRow) -> Result<Overview, StoreError> {
        let attempts = sqlx::query_scalar(
            "SELECT json_group_array(json_array(
                 json_array(l.ordinal, a.number, a.kind, nullif(a.eval_key, ?1),
                     json_array(a.outcome, a.verdict, a.reason, a.detail), NULL),
                 a.id, a.invocation_id,
                 json_array(a.device_json, a.started_ms, a.evaluating_ms,
                         coalesce(a.ended_ms, a.heard_ms, a.started_ms))))
             FROM sweep_trial l CROSS JOIN attempt a ON a.trial_id = l.trial_id
             WHERE l.sweep_id = ?2 AND l.revision = ?3",
        );
        let attempts = attempts.bind(sweep.eval_key.as_str()).bind(sweep.id).bind(sweep.revision);
        let (links, attempts): (_, Vec<AttemptRecord>) =
            tokio::try_join!(self.links(sweep), self.bulk("attempt", attempts))?;
        let mut facts = Vec::with_capacity(attempts.len());
        let mut spells = Vec::with_capacity(attempts.len());
        let mut finished = Vec::new();
        for AttemptRecord { facts: of, id, invocation, spell } in attempts {
            if of.outcome.outcome.as_deref() == Some("finished") {
                finished.push(Made { trial: of.place, attempt: id, invocation });
            }
            spells.push((of.place, word("kind", &of.kind, || format!("attempt {id}"))?, spell));
            facts.push(of);
        }
        let (trials, workers) =
            tokio::try_join!(self.rows(sweep, links, facts), self.uses(&finished))?;
        let key = |ordinal: usize| -> Option<&TrainKey> {
            let place = trials.binary_search_by_key(&ordinal, |row| row.ordinal as usize).ok()?;
            Some(&trials[place].train_key)
        };
        let of = |(ordinal, kind, spell)| Some(Ok((key(ordinal)?, kind, spell)));
        let spent = sum_up(spells.into_iter().filter_map(of))?;
        Ok(Overview { trials, spent, workers })
    }
}
