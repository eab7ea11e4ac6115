//! The trials of a run, and who of them waits or lives, at no cost that grows with those that are
//! over. Knows nothing of devices or rules.

use std::collections::BTreeSet;

use super::message::{Job, JobNo, Manner, Millis, Start};
use super::phase::{Conclusion, IllegalMove, Life, Phase};
use super::slots::Seat;

/// A trial.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) failures: u32,
    pub(super) expected: Option<Millis>,
    pub(super) hold: Hold,
    /// What follows its live attempt.
    pub(super) sequel: Sequel,
    /// Where it died at once.
    pub(super) grave: Grave,
    phase: Phase,
}

impl Entry {
    pub(super) fn phase(&self) -> &Phase {
        &self.phase
    }

    pub(super) fn place(&self) -> Option<(Seat, Life)> {
        self.phase.place()
    }
}

/// Whether a trial may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Free,
    Held,
}

/// What follows a trial's live attempt if it does not end the trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequel {
    /// Another one.
    Another,
    /// None until somebody asks for it; the attempt was to be stopped like this.
    Aside(Manner),
    /// None.
    Pruned,
}

/// Where a trial died at once, by its device's place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grave {
    Nowhere,
    On(usize),
    /// On more than one device: the trial is to blame.
    Several,
}

/// See the module. Every trial that is neither over nor set aside is in exactly one of the sets.
#[derive(Clone, Debug)]
pub(super) struct Trials {
    entries: Vec<Entry>,
    /// Ready, in the order of the plan.
    due: BTreeSet<JobNo>,
    /// Ready later.
    waiting: BTreeSet<(Millis, JobNo)>,
    aside: BTreeSet<JobNo>,
    /// With an attempt, or about to have one: never more than there are slots and adopted ones.
    live: BTreeSet<JobNo>,
}

impl Trials {
    pub(super) fn new(jobs: Vec<Job>) -> Self {
        let mut trials = Self {
            entries: Vec::with_capacity(jobs.len()),
            due: BTreeSet::new(),
            waiting: BTreeSet::new(),
            aside: BTreeSet::new(),
            live: BTreeSet::new(),
        };
        for (place, job) in jobs.into_iter().enumerate() {
            let (phase, hold) = match job.start {
                Start::Ready => (Phase::Ready { not_before: Millis(0) }, Hold::Free),
                Start::Held => (Phase::Aside, Hold::Held),
                Start::Failed => (Phase::Done(Conclusion::Failed), Hold::Free),
            };
            trials.entries.push(Entry {
                failures: job.failures,
                expected: job.expected,
                hold,
                sequel: Sequel::Another,
                grave: Grave::Nowhere,
                phase,
            });
            trials.enter(JobNo(place), phase);
        }
        trials
    }

    pub(super) fn phase(&self, job: JobNo) -> Option<&Phase> {
        self.entries.get(job.0).map(|entry| &entry.phase)
    }

    /// Returns a trial that an input names.
    pub(super) fn named(&self, job: JobNo, input: &'static str) -> Result<&Phase, IllegalMove> {
        self.phase(job).ok_or(IllegalMove { job, input, phase: "unknown" })
    }

    /// Returns a trial that is known to exist.
    pub(super) fn get(&self, job: JobNo) -> &Entry {
        &self.entries[job.0]
    }

    pub(super) fn get_mut(&mut self, job: JobNo) -> &mut Entry {
        &mut self.entries[job.0]
    }

    /// Moves a trial; the only way to change its phase.
    pub(super) fn put(&mut self, job: JobNo, phase: Phase) {
        self.leave(job, self.entries[job.0].phase);
        self.entries[job.0].phase = phase;
        self.enter(job, phase);
    }

    fn enter(&mut self, job: JobNo, phase: Phase) {
        match phase {
            Phase::Ready { not_before } => {
                self.waiting.insert((not_before, job));
            }
            Phase::Aside => {
                self.aside.insert(job);
            }
            Phase::Launching { .. } | Phase::Running { .. } | Phase::Stopping { .. } => {
                self.live.insert(job);
            }
            Phase::Done(_) => {}
        }
    }

    fn leave(&mut self, job: JobNo, phase: Phase) {
        match phase {
            Phase::Ready { not_before } => {
                if !self.due.remove(&job) {
                    self.waiting.remove(&(not_before, job));
                }
            }
            Phase::Aside => {
                self.aside.remove(&job);
            }
            Phase::Launching { .. } | Phase::Running { .. } | Phase::Stopping { .. } => {
                self.live.remove(&job);
            }
            Phase::Done(_) => {}
        }
    }

    /// Makes those due whose time has come.
    pub(super) fn wake(&mut self, now: Millis) {
        while let Some(&(not_before, job)) = self.waiting.first()
            && not_before <= now
        {
            self.waiting.pop_first();
            self.due.insert(job);
        }
    }

    /// Returns the first of the plan that may start.
    pub(super) fn first_due(&self) -> Option<JobNo> {
        self.due.first().copied()
    }

    /// Returns when the next one comes due.
    pub(super) fn next_due(&self) -> Option<Millis> {
        self.waiting.first().map(|&(not_before, _)| not_before)
    }

    pub(super) fn live(&self) -> impl Iterator<Item = JobNo> {
        self.live.iter().copied()
    }

    /// Returns those that wait for a slot, a time or a word.
    pub(super) fn all_waiting(&self) -> Vec<JobNo> {
        let waiting = self.waiting.iter().map(|&(_, job)| job);
        let all: BTreeSet<_> =
            self.due.iter().copied().chain(waiting).chain(self.aside.iter().copied()).collect();
        all.into_iter().collect()
    }

    pub(super) fn all_aside(&self) -> Vec<JobNo> {
        self.aside.iter().copied().collect()
    }

    /// Returns whether no trial is ready or alive.
    pub(super) fn are_at_rest(&self) -> bool {
        self.due.is_empty() && self.waiting.is_empty() && self.live.is_empty()
    }
}
