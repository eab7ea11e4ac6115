//! Whether new attempts may start at all. Knows nothing of trials.

use super::message::{DiskLevel, StopRequest};
use super::phase::Conclusion;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intake {
    pub(super) gate: Gate,
    pub(super) pause: Pause,
    pub(super) disk: DiskLevel,
}

/// What cannot be lifted any more once it is not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    /// What runs may end by itself, nothing starts.
    Closed(Why),
    Stopping(StopRequest),
}

/// Why nothing more starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Too many trials failed.
    Failures,
    DiskFull,
    BudgetSpent,
    NoDevice,
}

/// A wish of the user that can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    Off,
    On,
}

impl Intake {
    pub(super) fn open() -> Self {
        Self { gate: Gate::Open, pause: Pause::Off, disk: DiskLevel::Fine }
    }

    /// Returns whether an attempt may start now.
    pub(super) fn lets_in(&self) -> bool {
        self.gate == Gate::Open && self.pause == Pause::Off && self.disk == DiskLevel::Fine
    }

    /// Returns how a trial comes out that is neither done nor failed when nothing more starts.
    pub(super) fn remainder(&self) -> Conclusion {
        match self.gate {
            Gate::Closed(Why::BudgetSpent) => Conclusion::OverBudget,
            Gate::Open
            | Gate::Closed(Why::Failures | Why::DiskFull | Why::NoDevice)
            | Gate::Stopping(_) => Conclusion::Left,
        }
    }
}
