//! Where a trial stands in this run, and which moves are legal. Knows nothing of policy.

use super::slots::Seat;
use super::{JobNo, Millis};
use crate::outcome::StopReason;

/// Where a trial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waits for a slot.
    Ready {
        /// Waits at least until then.
        not_before: Millis,
    },
    /// Waits for somebody to release it: it is held, or its attempt was stopped.
    Aside,
    /// A launch was asked for and not answered yet.
    Launching {
        /// Place that it takes up.
        seat: Seat,
        /// Its life so far.
        life: Life,
    },
    /// An attempt is alive.
    Running {
        /// Place that it takes up.
        seat: Seat,
        /// Its life so far.
        life: Life,
        /// When it will be stopped.
        deadline: Option<Millis>,
        /// When it was last heard of.
        voice: Voice,
    },
    /// A live attempt was asked to stop.
    Stopping {
        /// Place that it takes up until it is gone.
        seat: Seat,
        /// Its life so far.
        life: Life,
        /// Why.
        why: StopReason,
        /// What follows when it does not obey.
        kill: Kill,
    },
    /// Over for this run.
    Done(Conclusion),
}

/// How long an attempt has lived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// Since when this run knows it.
    pub from: Millis,
    /// How old it was then.
    pub before: Millis,
}

impl Life {
    /// Returns a life that begins now.
    pub fn begins(now: Millis) -> Self {
        Self { from: now, before: Millis(0) }
    }

    /// Returns its length.
    pub fn at(self, now: Millis) -> Millis {
        self.within_run(now).plus(self.before)
    }

    /// Returns the part of it that fell into this run.
    pub fn within_run(self, now: Millis) -> Millis {
        now.minus(self.from)
    }
}

/// When an attempt was last heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// Then.
    Heard(Millis),
    /// Then, and its silence has been remarked upon.
    Silent(Millis),
}

/// The hard stop behind a soft one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kill {
    /// Comes then.
    At(Millis),
    /// Was asked for.
    Sent,
}

/// How a trial came out of this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Trained and evaluated.
    Done,
    /// Failed, and no attempt follows by itself.
    Failed,
    /// Not brought to an end: the run was stopped or closed before, or the trial's attempt was.
    Left,
    /// Not brought to an end, because it is held.
    Held,
    /// Not brought to an end, because the budget is spent.
    OverBudget,
    /// Given up early: it is not worth more.
    Pruned,
}

/// An input that does not fit a trial's phase: a defect of the loop, not of the trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("internal error: trial {} of the run cannot be `{input}` while it is `{phase}`", .job.0 + 1)]
pub struct IllegalMove {
    /// The trial.
    pub job: JobNo,
    /// The input's name.
    pub input: &'static str,
    /// The phase's name.
    pub phase: &'static str,
}

impl Phase {
    /// Returns whether an attempt may exist.
    pub fn is_live(&self) -> bool {
        self.seat().is_some()
    }

    pub(super) fn must_be_waiting(
        &self,
        job: JobNo,
        input: &'static str,
    ) -> Result<(), IllegalMove> {
        match self {
            Phase::Ready { .. } | Phase::Aside => Ok(()),
            Phase::Launching { .. }
            | Phase::Running { .. }
            | Phase::Stopping { .. }
            | Phase::Done(_) => Err(self.refuse(job, input)),
        }
    }

    pub(super) fn must_be_launching(
        &self,
        job: JobNo,
        input: &'static str,
    ) -> Result<(Seat, Life), IllegalMove> {
        match self {
            Phase::Launching { seat, life } => Ok((*seat, *life)),
            Phase::Ready { .. }
            | Phase::Aside
            | Phase::Running { .. }
            | Phase::Stopping { .. }
            | Phase::Done(_) => Err(self.refuse(job, input)),
        }
    }

    pub(super) fn must_be_alive(&self, job: JobNo, input: &'static str) -> Result<(), IllegalMove> {
        match self {
            Phase::Running { .. } | Phase::Stopping { .. } => Ok(()),
            Phase::Ready { .. } | Phase::Aside | Phase::Launching { .. } | Phase::Done(_) => {
                Err(self.refuse(job, input))
            }
        }
    }

    pub(super) fn seat(&self) -> Option<Seat> {
        self.place().map(|(seat, _)| seat)
    }

    /// Returns where its attempt is, and how long it has lived.
    pub(super) fn place(&self) -> Option<(Seat, Life)> {
        match self {
            Phase::Launching { seat, life }
            | Phase::Running { seat, life, .. }
            | Phase::Stopping { seat, life, .. } => Some((*seat, *life)),
            Phase::Ready { .. } | Phase::Aside | Phase::Done(_) => None,
        }
    }

    fn refuse(&self, job: JobNo, input: &'static str) -> IllegalMove {
        let phase = match self {
            Phase::Ready { .. } => "ready",
            Phase::Aside => "set aside",
            Phase::Launching { .. } => "launching",
            Phase::Running { .. } => "running",
            Phase::Stopping { .. } => "stopping",
            Phase::Done(_) => "done",
        };
        IllegalMove { job, input, phase }
    }
}
