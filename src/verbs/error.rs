//! Why a verb did nothing, or not all.

use crate::control::ControlError;
use crate::drive::DriveError;
use crate::exec::ExecError;
use crate::store::StoreError;

/// Why a verb did nothing, or not all.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum VerbError {
    /// There is no such sweep.
    #[error("there is no sweep `{sweep}`")]
    NoSweep { sweep: String },
    /// Only a run can do it, and none is at work.
    #[error(
        "no run of {sweep} is at work: nothing starts before `byol-sweep run`; to hold back \
         trials, choose them with -E"
    )]
    NoRun { sweep: String },
    /// Only a run of this sweep can do it, and the one at work is of another.
    #[error("the run at work (process {pid}) is of {other}, not of {sweep}")]
    OtherRun { pid: u32, other: String, sweep: String },
    /// Nothing of it may be held.
    #[error("nothing to hold back: what was named of {sweep} is done")]
    NothingToHold { sweep: String },
    /// Nothing of it may be stopped.
    #[error("nothing to stop: what was named of {sweep} is done")]
    NothingToStop { sweep: String },
    /// Nothing of it is left to start.
    #[error("nothing to resume: what was named of {sweep} is done")]
    NothingToResume { sweep: String },
    /// Nothing of it failed.
    #[error("nothing to retry: no failure among what was named of {sweep}")]
    NothingToRetry { sweep: String },
    /// Nothing of it has a live attempt.
    #[error("nothing of {sweep} is running")]
    NothingRuns { sweep: String },
    /// The run at work does not want to.
    #[error("the run at work refused: {why}")]
    Refused { why: String },
    /// The run at work ends, and does not get there.
    #[error("the run of {sweep} is about to end, and does not answer any more: ask again then")]
    Ended { sweep: String },
    /// The run at work answered another question.
    #[error("the run answered something else than was asked")]
    Confused,
    /// The run at work could not be asked.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The lock is somebody's, or attempts could not be stopped.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ExecError> for VerbError {
    fn from(error: ExecError) -> Self {
        Self::Drive(error.into())
    }
}

impl VerbError {
    /// Returns whether there was nothing to do it to.
    pub fn is_nothing(&self) -> bool {
        match self {
            Self::NoSweep { .. }
            | Self::NoRun { .. }
            | Self::OtherRun { .. }
            | Self::NothingToHold { .. }
            | Self::NothingToStop { .. }
            | Self::NothingToResume { .. }
            | Self::NothingToRetry { .. }
            | Self::NothingRuns { .. } => true,
            Self::Refused { .. }
            | Self::Ended { .. }
            | Self::Confused
            | Self::Control(_)
            | Self::Drive(_)
            | Self::Store(_) => false,
        }
    }
}
