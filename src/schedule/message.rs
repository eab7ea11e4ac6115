//! What goes into the scheduler and what comes out of it.

use super::phase::Conclusion;
use crate::ids::{DeviceId, Slot};
use crate::outcome::{FailureReason, StopReason};

/// Milliseconds on a clock that never goes back; where it begins does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Millis(pub u64);

impl Millis {
    /// Returns the time `other` later.
    pub fn plus(self, other: Millis) -> Millis {
        Millis(self.0.saturating_add(other.0))
    }

    /// Returns the time `other` earlier, or zero.
    pub fn minus(self, other: Millis) -> Millis {
        Millis(self.0.saturating_sub(other.0))
    }
}

/// A trial's place among those handed to [`super::Scheduler::new`], from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobNo(pub usize);

/// A trial to bring to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// Failed attempts that count against [`super::policy::Policy::max_retries`] already.
    pub failures: u32,
}

/// What the scheduler is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Time went on.
    Tick,
    /// An attempt of an earlier controller is alive. All of these come before the first other
    /// input.
    Adopted {
        /// Its trial, which must be ready.
        job: JobNo,
        /// Where it computes; it may be a device that this run does not use.
        device: DeviceId,
        /// How long it has been running.
        running_for: Millis,
    },
    /// The launch that was asked for has happened.
    Launched(JobNo),
    /// The launch that was asked for failed; counts as a failed attempt.
    LaunchFailed(JobNo),
    /// The live attempt is over.
    Ended {
        /// Its trial.
        job: JobNo,
        /// How.
        ending: Ending,
    },
    /// The user asks to stop.
    Stop(StopRequest),
}

/// How an attempt ended, as far as what follows depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The trial is done.
    Done,
    /// The trial needs another attempt, through no fault of this one.
    Again,
    /// Stopped on request.
    Stopped,
    /// Failed.
    Failed(FailureReason),
}

/// How strongly the user asks to stop; each step includes the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopRequest {
    /// Start nothing; every live attempt writes a checkpoint and stops.
    Politely,
    /// Every live attempt is killed.
    ByForce,
    /// Leave at once; live attempts go on by themselves.
    Detach,
}

/// What the scheduler asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start an attempt; answer with [`Input::Launched`] or [`Input::LaunchFailed`].
    Launch {
        /// The trial.
        job: JobNo,
        /// Where.
        slot: Slot,
    },
    /// Ask the live attempt to write a checkpoint and stop.
    StopSoftly {
        /// The trial.
        job: JobNo,
        /// Why.
        why: StopReason,
    },
    /// Kill the live attempt.
    StopHard {
        /// The trial.
        job: JobNo,
        /// Why.
        why: StopReason,
    },
    /// The trial will have another attempt; nothing to do but to tell.
    Retry {
        /// The trial.
        job: JobNo,
        /// When, at the earliest.
        not_before: Millis,
    },
    /// The trial is over for this run; nothing to do but to tell.
    Concluded {
        /// The trial.
        job: JobNo,
        /// How.
        conclusion: Conclusion,
    },
    /// A disk is full: nothing more starts in this run. Nothing to do but to tell.
    StartNoMore,
    /// Nothing is left to wait for. Said once, last.
    Finished,
}
