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
    /// A launch was asked for and not answered yet.
    Launching {
        /// Place that it takes up.
        seat: Seat,
    },
    /// An attempt is alive.
    Running {
        /// Place that it takes up.
        seat: Seat,
        /// When it will be stopped.
        deadline: Option<Millis>,
    },
    /// A live attempt was asked to stop.
    Stopping {
        /// Place that it takes up until it is gone.
        seat: Seat,
        /// Why.
        why: StopReason,
        /// What follows when it does not obey.
        kill: Kill,
    },
    /// Over for this run.
    Done(Conclusion),
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
    /// Not brought to an end: the run was stopped or closed before.
    Left,
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

    pub(super) fn is_due(&self, now: Millis) -> bool {
        match self {
            Phase::Ready { not_before } => *not_before <= now,
            Phase::Launching { .. }
            | Phase::Running { .. }
            | Phase::Stopping { .. }
            | Phase::Done(_) => false,
        }
    }

    pub(super) fn wakes_at(&self) -> Option<Millis> {
        match self {
            Phase::Ready { not_before } => Some(*not_before),
            Phase::Running { deadline, .. } => *deadline,
            Phase::Stopping { kill: Kill::At(at), .. } => Some(*at),
            Phase::Launching { .. } | Phase::Stopping { kill: Kill::Sent, .. } | Phase::Done(_) => {
                None
            }
        }
    }

    pub(super) fn must_be_ready(&self, job: JobNo, input: &'static str) -> Result<(), IllegalMove> {
        match self {
            Phase::Ready { .. } => Ok(()),
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
    ) -> Result<Seat, IllegalMove> {
        match self {
            Phase::Launching { seat } => Ok(*seat),
            Phase::Ready { .. }
            | Phase::Running { .. }
            | Phase::Stopping { .. }
            | Phase::Done(_) => Err(self.refuse(job, input)),
        }
    }

    pub(super) fn must_be_alive(&self, job: JobNo, input: &'static str) -> Result<(), IllegalMove> {
        match self {
            Phase::Running { .. } | Phase::Stopping { .. } => Ok(()),
            Phase::Ready { .. } | Phase::Launching { .. } | Phase::Done(_) => {
                Err(self.refuse(job, input))
            }
        }
    }

    pub(super) fn seat(&self) -> Option<Seat> {
        match self {
            Phase::Launching { seat }
            | Phase::Running { seat, .. }
            | Phase::Stopping { seat, .. } => Some(*seat),
            Phase::Ready { .. } | Phase::Done(_) => None,
        }
    }

    fn refuse(&self, job: JobNo, input: &'static str) -> IllegalMove {
        let phase = match self {
            Phase::Ready { .. } => "ready",
            Phase::Launching { .. } => "launching",
            Phase::Running { .. } => "running",
            Phase::Stopping { .. } => "stopping",
            Phase::Done(_) => "done",
        };
        IllegalMove { job, input, phase }
    }
}
