//! What a run has to do: the plan, what is known and what is alive, put together. Pure.

use std::collections::{HashMap, HashSet};

use super::event::{RunSummary, TrialName};
use super::recover::Recovered;
use super::todo::{Ended, Standing, standing};
use super::{Options, names};
use crate::ids::TrainKey;
use crate::plan::{Plan, PlannedTrial};
use crate::schedule::Job;
use crate::store::rows::Known;

/// A trial of the scheduler.
pub(super) struct RunJob<'a> {
    /// `None` for one that only another sweep asks for: it is watched to its end.
    pub(super) trial: Option<&'a PlannedTrial>,
    pub(super) name: TrialName,
}

/// What a run has to do.
pub(super) struct Agenda<'a> {
    pub(super) jobs: Vec<RunJob<'a>>,
    /// Of each job, its share of the retries that is used up.
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
    ) -> Self {
        let mut agenda =
            Self { jobs: Vec::new(), budgets: Vec::new(), summary: RunSummary::default() };
        let alive: HashSet<&TrainKey> =
            recovered.adopted.iter().map(|attempt| &attempt.row.train_key).collect();
        let unwatched: HashSet<&TrainKey> =
            recovered.ended.iter().map(|(row, _)| &row.train_key).collect();
        let nothing = Known::default();
        let mut begun = 0;
        for trial in &plan.trials {
            let key = &trial.train_key;
            if recovered.unreachable.contains(key) {
                agenda.summary.left += 1;
                continue;
            }
            let ended = if unwatched.contains(key) { Ended::Unwatched } else { Ended::Watched };
            let known = known.get(key).unwrap_or(&nothing);
            match standing(known, plan.meta.max_retries, options.retry_failed, ended) {
                Standing::Done => agenda.summary.done += 1,
                Standing::Failed => agenda.summary.failed += 1,
                Standing::Open(_)
                    if !alive.contains(key)
                        && options.limit.is_some_and(|limit| begun >= limit) =>
                {
                    agenda.summary.left += 1;
                    agenda.summary.limited += 1;
                }
                Standing::Open(budget) => {
                    begun += usize::from(!alive.contains(key));
                    agenda.add(Some(trial), names::name(trial), budget);
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
                self.add(None, attempt.name.clone(), Job::default());
            }
        }
    }

    fn add(&mut self, trial: Option<&'a PlannedTrial>, name: TrialName, budget: Job) {
        self.jobs.push(RunJob { trial, name });
        self.budgets.push(budget);
    }
}
