//! What the ends of attempts say of their devices. Decides whom to suspect, not what follows.

use std::collections::BTreeMap;

use super::message::{Ending, JobNo, Millis};
use super::policy::Suspicion;
use crate::outcome::FailureReason;

/// What the end of an attempt says of its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It works.
    Good,
    /// An attempt died at once, as it does on a device that is broken.
    Bad,
    /// No process could even be started.
    NoLaunch,
    /// Nothing.
    Mute,
}

impl Sign {
    pub(super) fn of(ending: Ending, age: Millis, suspicion: Suspicion) -> Self {
        let lived = age >= suspicion.at_once;
        match ending {
            Ending::Done => Sign::Good,
            Ending::Failed(FailureReason::LaunchFailed) => Sign::NoLaunch,
            Ending::Again | Ending::Stopped | Ending::Failed(_) if lived => Sign::Good,
            Ending::Failed(
                FailureReason::Killed
                | FailureReason::Lost
                | FailureReason::Panicked
                | FailureReason::IoError,
            ) => Sign::Bad,
            // Of these the trial, its time or the host's disk is to blame.
            Ending::Failed(
                FailureReason::SpecRejected
                | FailureReason::OutOfMemory
                | FailureReason::ProtocolBroken
                | FailureReason::DeadlineHit
                | FailureReason::NoProgress
                | FailureReason::Stalled
                | FailureReason::DiskFull,
            )
            | Ending::Again
            | Ending::Stopped => Sign::Mute,
        }
    }
}

/// The trials that died at once on a device since an attempt last did well there, each with the
/// retries that it was charged.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) deaths: BTreeMap<JobNo, u32>,
    pub(super) refusals: BTreeMap<JobNo, u32>,
}

impl Record {
    /// Notes what an attempt's end says.
    pub(super) fn note(&mut self, job: JobNo, sign: Sign, charged: u32) {
        match sign {
            Sign::Good => *self = Self::default(),
            Sign::Bad => {
                self.refusals.clear();
                *self.deaths.entry(job).or_default() += charged;
            }
            Sign::NoLaunch => *self.refusals.entry(job).or_default() += charged,
            Sign::Mute => self.refusals.clear(),
        }
    }
}
