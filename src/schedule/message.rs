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

/// A trial of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// Failed attempts that count against [`super::policy::Policy::max_retries`] already.
    pub failures: u32,
    /// Where it stands when the run begins.
    pub start: Start,
    /// Device time that it is expected to take; `None` where nothing comparable is known.
    pub expected: Option<Millis>,
}

/// Where a trial stands when the run begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// It is to be brought to its end.
    #[default]
    Ready,
    /// The same, once it is released.
    Held,
    /// It failed in an earlier run; only [`Input::Retry`] makes it ready.
    Failed,
}

/// What the scheduler is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Time went on. Deadlines, grace periods and silence are looked at now and at no other input,
    /// so that whoever was away for long may say first what happened meanwhile.
    Tick,
    /// An attempt of an earlier controller is alive. All of these come before the first other
    /// input.
    Adopted {
        /// Its trial, which must be ready or held.
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
    /// The live attempt told something.
    Spoke(JobNo),
    /// The live attempt is over.
    Ended {
        /// Its trial.
        job: JobNo,
        /// How.
        ending: Ending,
    },
    /// The user asks to stop.
    Stop(StopRequest),
    /// Start nothing until [`Input::Resume`]; what is alive goes on.
    Pause,
    /// Start again.
    Resume,
    /// Start nothing of this trial until it is released; what is alive goes on.
    Hold(JobNo),
    /// The trial may start again, whether it was held or stopped.
    Release(JobNo),
    /// The trial's failures are forgiven; one that failed, or was stopped, is ready again.
    Retry(JobNo),
    /// Stop the trial's live attempt, if there is one, and start no other in this run.
    StopJob {
        /// The trial.
        job: JobNo,
        /// How.
        manner: Manner,
    },
    /// The trial is not worth more: a live attempt is asked to stop, and none follows.
    Prune {
        /// The trial.
        job: JobNo,
    },
    /// Of each of these devices, how many attempts may be there at a time, within its slots; none
    /// start while it is 0. What is alive goes on.
    Rooms(Vec<(DeviceId, u32)>),
    /// How much room the disk of the state folder has.
    Disk(DiskLevel),
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

/// How one attempt is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It writes a checkpoint first.
    Softly,
    /// It is killed.
    Hard,
}

/// How much room the disk has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiskLevel {
    /// Enough.
    Fine,
    /// Nothing starts until there is more.
    Low,
    /// Every live attempt writes a checkpoint and stops while it still can; the run ends.
    Critical,
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
    /// The live attempt has told nothing for half of the time that it may be silent.
    Silent {
        /// The trial.
        job: JobNo,
        /// For how long.
        silent_for: Millis,
    },
    /// The trial will have another attempt; nothing to do but to tell.
    Retry {
        /// The trial.
        job: JobNo,
        /// When, at the earliest.
        not_before: Millis,
    },
    /// No attempt follows until somebody asks for one; nothing to do but to tell.
    SetAside {
        /// The trial.
        job: JobNo,
    },
    /// The trial is over for this run; nothing to do but to tell.
    Concluded {
        /// The trial.
        job: JobNo,
        /// How.
        conclusion: Conclusion,
    },
    /// A trial that had failed is ready again: its conclusion does not count any more.
    Reopened {
        /// The trial.
        job: JobNo,
    },
    /// Nothing starts on the device until its trials were tried elsewhere; these are ready again,
    /// uncharged.
    DeviceSuspected {
        /// The device.
        device: DeviceId,
    },
    /// The device is not to blame: attempts start there again.
    DeviceCleared {
        /// The device.
        device: DeviceId,
    },
    /// The device is out of service until the run ends.
    DeviceOut {
        /// The device.
        device: DeviceId,
        /// Devices that are left.
        left: usize,
    },
    /// A disk is full: nothing more starts in this run. Nothing to do but to tell.
    StartNoMore,
    /// The next trial would cost more than is left of the budget: nothing more starts in this run.
    /// Nothing to do but to tell.
    BudgetSpent,
    /// Nothing is left to wait for. Said once, last.
    Finished,
}
