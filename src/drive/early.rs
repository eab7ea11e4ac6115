//! Early stopping in a run: the probe's values by trial, put together to settings, judged by the
//! plan's policy. Decides nothing itself: what falls behind is [`crate::schedule::early::judge`]'s.
//!
//! All that it knows is in the store too, so that the next controller goes on where this one was.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::error::DriveError;
use super::event::RunEvent;
use super::run::Run;
use crate::exec::Executor;
use crate::ids::{GroupKey, TrainKey};
use crate::plan::{Plan, PlannedTrial};
use crate::schedule::early::{Entrant, Standing, judge};
use crate::schedule::phase::Phase;
use crate::schedule::{Input, JobNo};
use crate::spec::early::METRIC;
use crate::spec::rules::BASELINE;
use crate::spec::sweep::EarlyStop;
use crate::store::Store;
use crate::store::rows::{EarlyStopRow, Series};

/// What a policy looks at.
#[derive(Debug)]
pub(super) struct EarlyWatch {
    policy: EarlyStop,
    epochs: u32,
    rungs: Vec<u32>,
    groups: Vec<Group>,
    /// Group and seed of each trial.
    seats: HashMap<TrainKey, (usize, usize)>,
    /// Rungs at which something changed since they were judged.
    due: BTreeSet<u32>,
}

#[derive(Debug)]
struct Group {
    seeds: Vec<Seed>,
    standing: Standing,
    decision: Option<EarlyStopRow>,
}

#[derive(Debug)]
struct Seed {
    key: TrainKey,
    /// Update to value; an epoch gives one, so the n-th is that of epoch n.
    values: BTreeMap<u64, f64>,
}

impl Seed {
    fn reached(&self) -> usize {
        self.values.len()
    }
}

/// A group to stop.
#[derive(Debug, PartialEq)]
pub(super) struct Decision {
    /// Its trials that are not through with their epochs.
    pub(super) trials: Vec<TrainKey>,
    pub(super) why: EarlyStopRow,
}

impl EarlyWatch {
    /// Reads what is known already; `None` where the plan has no policy.
    pub(super) async fn of(plan: &Plan, store: &Store) -> Result<Option<Self>, DriveError> {
        let Some(policy) = plan.meta.early_stop else { return Ok(None) };
        let mut watch = Self::new(plan, policy);
        let keys: Vec<TrainKey> = watch.seats.keys().cloned().collect();
        watch.recall(store.series(METRIC, &keys).await?);
        for (key, decision) in store.early_stops(&plan.meta.name, &policy).await? {
            if let Some((group, _)) = watch.seats.get(&key) {
                let group = &mut watch.groups[*group];
                group.standing = Standing::Stopped;
                group.decision = Some(decision);
            }
        }
        Ok(Some(watch))
    }

    fn new(plan: &Plan, policy: EarlyStop) -> Self {
        let epochs = plan.trials.first().map_or(0, |trial| trial.run.epochs);
        let rungs = policy.rungs(epochs);
        let due = rungs.iter().copied().collect();
        let (groups, seats) = (Vec::new(), HashMap::new());
        let mut watch = Self { policy, epochs, rungs, groups, seats, due };
        let mut at: HashMap<&GroupKey, usize> = HashMap::new();
        for trial in &plan.trials {
            let group = *at.entry(&trial.group_key).or_insert_with(|| {
                let standing = standing(trial);
                watch.groups.push(Group { seeds: Vec::new(), standing, decision: None });
                watch.groups.len() - 1
            });
            let seeds = &mut watch.groups[group].seeds;
            watch.seats.insert(trial.train_key.clone(), (group, seeds.len()));
            seeds.push(Seed { key: trial.train_key.clone(), values: BTreeMap::new() });
        }
        watch
    }

    fn recall(&mut self, all: Vec<Series>) {
        for series in all {
            if let Some(seed) = self.seed(&series.train_key) {
                seed.values.extend(series.points);
            }
        }
    }

    fn seed(&mut self, key: &TrainKey) -> Option<&mut Seed> {
        let (group, seed) = *self.seats.get(key)?;
        Some(&mut self.groups[group].seeds[seed])
    }

    /// Notes what a trial told after an update.
    pub(super) fn note(&mut self, key: &TrainKey, update: u64, values: &BTreeMap<String, f64>) {
        let Some(&value) = values.get(METRIC) else { return };
        let Some(seed) = self.seed(key) else { return };
        seed.values.insert(update, value);
        let epoch = seed.values.range(..=update).count();
        self.due.extend(self.rungs.iter().find(|rung| **rung as usize == epoch));
    }

    /// Notes that an attempt is over: nobody waits for it any more.
    pub(super) fn ended(&mut self, key: &TrainKey) {
        let Some((group, _)) = self.seats.get(key) else { return };
        let reached = self.groups[*group].seeds.iter().map(Seed::reached).max().unwrap_or(0);
        self.due.extend(self.rungs.iter().filter(|rung| **rung as usize <= reached));
    }

    /// Judges the rungs at which something changed.
    pub(super) fn decide(
        &mut self,
        at_ms: i64,
        is_live: impl Fn(&TrainKey) -> bool,
    ) -> Vec<Decision> {
        let mut decisions = Vec::new();
        while let Some(epoch) = self.due.pop_first() {
            let entrants: Vec<Entrant> =
                self.groups.iter().map(|group| group.entrant(epoch, &is_live)).collect();
            for stop in judge(&self.policy, epoch, &entrants) {
                let why = EarlyStopRow { epoch, value: stop.value, bar: stop.bar, at_ms };
                let group = &mut self.groups[stop.entrant];
                group.standing = Standing::Stopped;
                group.decision = Some(why);
                decisions.push(Decision { trials: group.unfinished(self.epochs), why });
            }
        }
        decisions
    }

    /// Returns what was decided before, for all trials of the groups concerned.
    pub(super) fn earlier(&self) -> Vec<Decision> {
        let of = |group: &Group| {
            Some(Decision { trials: group.unfinished(self.epochs), why: group.decision? })
        };
        self.groups.iter().filter_map(of).collect()
    }
}

/// The baseline is what the arms are compared with: a sweep without it tells nothing.
fn standing(trial: &PlannedTrial) -> Standing {
    let is_baseline = trial.labels.iter().any(|label| label.arm.as_deref() == Some(BASELINE));
    if is_baseline { Standing::Exempt } else { Standing::Open }
}

impl Group {
    /// Returns the group as it stands at an epoch. While a seed at work has not got there it is
    /// compared with, but not judged.
    fn entrant(&self, epoch: u32, is_live: impl Fn(&TrainKey) -> bool) -> Entrant {
        let behind = |seed: &Seed| seed.reached() < epoch as usize && is_live(&seed.key);
        let waits = self.seeds.iter().any(behind);
        let standing = match self.standing {
            Standing::Open if waits => Standing::Exempt,
            standing @ (Standing::Open | Standing::Exempt | Standing::Stopped) => standing,
        };
        Entrant { curve: self.curve(epoch), standing }
    }

    /// Returns the mean over those seeds that got as far, epoch by epoch.
    fn curve(&self, epochs: u32) -> Vec<f64> {
        let mut sums: Vec<(f64, f64)> = Vec::new();
        for seed in &self.seeds {
            for (place, value) in seed.values.values().take(epochs as usize).enumerate() {
                if sums.len() == place {
                    sums.push((0.0, 0.0));
                }
                sums[place] = (sums[place].0 + value, sums[place].1 + 1.0);
            }
        }
        sums.into_iter().map(|(sum, count)| sum / count).collect()
    }

    /// Returns the trials that have epochs left; the others are being evaluated, or are done.
    fn unfinished(&self, epochs: u32) -> Vec<TrainKey> {
        let left = self.seeds.iter().filter(|seed| seed.reached() < epochs as usize);
        left.map(|seed| seed.key.clone()).collect()
    }
}

impl<E: Executor> Run<'_, E> {
    /// Stops what an earlier controller had decided to.
    pub(super) async fn recall_early_stops(&mut self) -> Result<(), DriveError> {
        let earlier = self.early.as_ref().map(EarlyWatch::earlier).unwrap_or_default();
        for decision in earlier {
            self.stop_group(decision).await?;
        }
        Ok(())
    }

    /// Asks the policy, and stops what it says.
    pub(super) async fn stop_early(&mut self) -> Result<(), DriveError> {
        let Some(early) = &mut self.early else { return Ok(()) };
        let (live, numbers) = (&self.live, &self.numbers);
        let is_live =
            |key: &TrainKey| numbers.get(key).is_some_and(|number| live.contains_key(number));
        for decision in early.decide(self.clock.wall_ms(), is_live) {
            self.stop_group(decision).await?;
        }
        Ok(())
    }

    /// Writes a decision down, then acts on it.
    async fn stop_group(&mut self, decision: Decision) -> Result<(), DriveError> {
        let Some(policy) = &self.plan.meta.early_stop else { return Ok(()) };
        let open: Vec<(JobNo, TrainKey)> = decision
            .trials
            .into_iter()
            .filter_map(|key| Some((self.job_of(&key)?, key)))
            .filter(|(job, _)| !matches!(self.scheduler.phase(*job), Some(Phase::Done(_))))
            .collect();
        let keys: Vec<TrainKey> = open.iter().map(|(_, key)| key.clone()).collect();
        self.store.note_early_stops(&self.plan.meta.name, policy, &keys, decision.why).await?;
        for (job, _) in open {
            let trial = self.jobs[job.0].name();
            self.tell(RunEvent::StoppedEarly { trial, why: decision.why });
            self.give(Input::Prune { job }).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Limit, Request, expand};
    use crate::spec::parse;

    fn watch(rest: &str) -> EarlyWatch {
        let text = format!(
            "schema = 1\nname = \"t\"\n[base]\ndata.name = \"shapes\"\nepochs = 9\nwarmup_epochs = 0\n{rest}\n[early_stop]\npolicy = \"asha\"\nmin_epochs = 1\nreduction = 2\n"
        );
        let request = Request { overrides: &[], digests: &|_| None, limit: Limit::Million };
        let plan = expand(&parse("sweep.toml", &text).unwrap(), &request).unwrap();
        let mut watch = EarlyWatch::new(&plan, plan.meta.early_stop.unwrap());
        assert_eq!(watch.due, [1, 2, 4, 8].into());
        assert!(watch.decide(0, |_| false).is_empty(), "nothing is known yet");
        watch
    }

    /// Two settings with two seeds each.
    const TWO: &str = "[grid]\noptimizer.base_lr = [0.1, 0.2]\n[replicates]\nseeds = [0, 1]";

    fn key(watch: &EarlyWatch, group: usize, seed: usize) -> TrainKey {
        watch.groups[group].seeds[seed].key.clone()
    }

    /// An epoch is 10 updates.
    fn tell(watch: &mut EarlyWatch, group: usize, seed: usize, epoch: u64, value: f64) {
        let key = key(watch, group, seed);
        watch.note(&key, 10 * epoch, &[(METRIC.to_owned(), value)].into());
    }

    #[test]
    fn a_setting_is_judged_once_its_seeds_at_work_are_there_and_stopped_with_all_of_them() {
        let mut watch = watch(TWO);
        tell(&mut watch, 0, 0, 1, 0.5);
        tell(&mut watch, 1, 0, 1, 0.25);
        let waits_for = key(&watch, 1, 1);
        assert!(watch.decide(7, |key| *key == waits_for).is_empty(), "a seed is on its way");
        watch.ended(&waits_for);
        let why = EarlyStopRow { epoch: 1, value: 0.25, bar: 0.5, at_ms: 7 };
        let trials = vec![key(&watch, 1, 0), key(&watch, 1, 1)];
        let decision = || Decision { trials: trials.clone(), why };
        assert_eq!(watch.decide(7, |_| false), [decision()]);
        assert_eq!(watch.earlier(), [decision()]);
        // Told once.
        tell(&mut watch, 1, 0, 2, 0.1);
        assert!(watch.decide(8, |_| false).is_empty());
    }

    #[test]
    fn a_setting_has_the_mean_of_its_seeds() {
        let mut watch = watch(TWO);
        tell(&mut watch, 0, 0, 1, 0.4);
        tell(&mut watch, 1, 0, 1, 0.2);
        tell(&mut watch, 1, 1, 1, 0.8);
        let stopped: Vec<f64> =
            watch.decide(0, |_| false).into_iter().map(|decision| decision.why.bar).collect();
        assert_eq!(stopped, [0.5]);
    }

    #[test]
    fn epochs_that_were_trained_again_count_once() {
        let mut watch = watch(TWO);
        for epoch in [1, 2, 1, 2] {
            tell(&mut watch, 0, 0, epoch, 0.5);
        }
        assert_eq!(watch.groups[0].seeds[0].reached(), 2);
        assert_eq!(watch.due, [1, 2].into());
    }

    #[test]
    fn values_of_earlier_runs_count_and_trained_trials_are_left_alone() {
        let mut watch = watch(TWO);
        let series = |key: TrainKey, value: f64, epochs: u64| Series {
            train_key: key,
            points: (1..=epochs).map(|epoch| (10 * epoch, value)).collect(),
        };
        let done = key(&watch, 1, 0);
        watch.recall(vec![series(key(&watch, 0, 0), 0.5, 9), series(done, 0.25, 9)]);
        watch.due = watch.rungs.iter().copied().collect();
        let decisions = watch.decide(0, |_| false);
        assert_eq!(decisions.len(), 1);
        assert_eq!(decisions[0].trials, [key(&watch, 1, 1)]);
    }

    #[test]
    fn the_baseline_is_compared_with_and_never_stopped() {
        let mut watch = watch("[[arm]]\nname = \"crop only\"\naugment.only = [\"crop\"]");
        assert_eq!(watch.groups[0].standing, Standing::Exempt);
        tell(&mut watch, 0, 0, 1, 0.1);
        tell(&mut watch, 1, 0, 1, 0.9);
        assert!(watch.decide(0, |_| false).is_empty());
        tell(&mut watch, 0, 0, 2, 0.9);
        tell(&mut watch, 1, 0, 2, 0.1);
        assert_eq!(watch.decide(0, |_| false)[0].trials, [key(&watch, 1, 0)]);
    }
}
