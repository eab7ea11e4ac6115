//! What a run has to do: the plan, what is known and what is alive, put together. Pure.

use std::collections::{HashMap, HashSet};

use super::event::{RunSummary, TrialName};
use super::recover::Recovered;
use super::todo::{Ended, Standing, standing};
use super::{Options, names};
use crate::ids::TrainKey;
use crate::plan::{Plan, PlannedTrial};
use crate::schedule::{Job, Millis, Start};
use crate::store::rows::Known;

/// A trial of the scheduler.
pub(super) enum RunJob<'a> {
    /// The plan asks for it.
    Planned(&'a PlannedTrial),
    /// Only another sweep asks for it: it is watched to its end.
    Stranger(TrialName),
}

impl<'a> RunJob<'a> {
    pub(super) fn trial(&self) -> Option<&'a PlannedTrial> {
        match self {
            Self::Planned(trial) => Some(trial),
            Self::Stranger(_) => None,
        }
    }

    pub(super) fn key(&self) -> &TrainKey {
        match self {
            Self::Planned(trial) => &trial.train_key,
            Self::Stranger(name) => &name.key,
        }
    }

    pub(super) fn name(&self) -> TrialName {
        match self {
            Self::Planned(trial) => names::name(trial),
            Self::Stranger(name) => name.clone(),
        }
    }
}

/// What a run has to do.
pub(super) struct Agenda<'a> {
    pub(super) jobs: Vec<RunJob<'a>>,
    /// Of each job, its share of the retries that is used up, and more for the scheduler.
    pub(super) budgets: Vec<Job>,
    /// What is clear before anything runs.
    pub(super) summary: RunSummary,
}

impl<'a> Agenda<'a> {
    pub(super) fn draw_up(
        plan: &'a Plan,
        known: &HashMap<TrainKey, Known>,
        recovered: &Recovered,
        options: Options,
        expected: &dyn Fn(&PlannedTrial) -> Option<Millis>,
    ) -> Self {
        let mut agenda =
            Self { jobs: Vec::new(), budgets: Vec::new(), summary: RunSummary::default() };
        let alive: HashSet<&TrainKey> =
            recovered.adopted.iter().map(|attempt| &attempt.row.train_key).collect();
        let unwatched: HashSet<&TrainKey> =
            recovered.ended.iter().map(|(row, _)| &row.train_key).collect();
        let unreachable: HashSet<&TrainKey> =
            recovered.unreachable.iter().map(|elsewhere| &elsewhere.trial).collect();
        let nothing = Known::default();
        let mut begun = 0;
        for trial in &plan.trials {
            let key = &trial.train_key;
            if unreachable.contains(key) {
                agenda.summary.left += 1;
                continue;
            }
            let ended = if unwatched.contains(key) { Ended::Unwatched } else { Ended::Watched };
            let known = known.get(key).unwrap_or(&nothing);
            let held = known.held_ms.is_some();
            match standing(known, plan.meta.max_retries, options.retry_failed, ended) {
                Standing::Done => agenda.summary.done += 1,
                Standing::Pruned => agenda.summary.pruned += 1,
                Standing::Failed => {
                    agenda.summary.failed += 1;
                    let job = Job { start: Start::Failed, ..Job::default() };
                    agenda.add(RunJob::Planned(trial), job);
                }
                Standing::Open(job) if held => {
                    let job = Job { start: Start::Held, expected: expected(trial), ..job };
                    agenda.add(RunJob::Planned(trial), job);
                }
                Standing::Open(_)
                    if !alive.contains(key)
                        && options.limit.is_some_and(|limit| begun >= limit) =>
                {
                    agenda.summary.left += 1;
                    agenda.summary.limited += 1;
                }
                Standing::Open(job) => {
                    begun += usize::from(!alive.contains(key));
                    let job = Job { expected: expected(trial), ..job };
                    agenda.add(RunJob::Planned(trial), job);
                }
            }
        }
        agenda.add_strangers(recovered, plan);
        agenda
    }

    /// Attempts of other sweeps take up devices and want watching, but are not gone on with.
    fn add_strangers(&mut self, recovered: &Recovered, plan: &Plan) {
        let planned: HashSet<&TrainKey> =
            plan.trials.iter().map(|trial| &trial.train_key).collect();
        for attempt in &recovered.adopted {
            if !planned.contains(&attempt.row.train_key) {
                self.add(RunJob::Stranger(attempt.name.clone()), Job::default());
            }
        }
    }

    fn add(&mut self, job: RunJob<'a>, budget: Job) {
        self.jobs.push(job);
        self.budgets.push(budget);
    }
}
