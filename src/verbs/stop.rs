//! `stop` and `kill`: of a run with all its attempts, or of trials, which are held then. Attempts
//! that live on without a run are stopped too.

use std::time::Duration;

use super::reach::Reached;
use super::{Scope, Subject, VerbError};
use crate::drive::command::{RunWish, StopHow};
use crate::drive::orphans::Stopped;
use crate::ids::TrainKey;
use crate::store::Edit;
use crate::store::rows::TrialState;

/// What came of `stop` or `kill`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halted {
    /// The run at work ends, and its attempts before it.
    Run {
        /// Its process.
        pid: u32,
        /// Its attempts.
        stopped: Stopped,
    },
    /// The sweep had attempts and no run.
    Attempts {
        /// These.
        stopped: Stopped,
    },
    /// Trials are held back, and their attempts stopped.
    Trials {
        /// The trials, in the order of their sweep.
        trials: Vec<TrainKey>,
        /// Their attempts.
        stopped: Stopped,
    },
}

impl Halted {
    /// Returns what became of the attempts.
    pub fn stopped(&self) -> Stopped {
        match self {
            Self::Run { stopped, .. }
            | Self::Attempts { stopped }
            | Self::Trials { stopped, .. } => *stopped,
        }
    }
}

/// Stops a sweep or trials; waits so long for attempts that no run watches.
///
/// # Errors
///
/// See [`VerbError`].
pub async fn stop(
    subject: &Subject<'_>,
    how: StopHow,
    patience: Duration,
) -> Result<Halted, VerbError> {
    match &subject.scope {
        Scope::Sweep => stop_sweep(subject, how, patience).await,
        Scope::Trials(_) => {
            let trials = subject.trials(|trial| trial.state != TrialState::Done).await?;
            if trials.is_empty() {
                return Err(VerbError::NothingToStop { sweep: subject.sweep.to_owned() });
            }
            let reached = Reached::reach(subject.state).await?;
            // First the wish, so that nothing starts anew in between.
            reached.edit(Edit::Hold { trials: trials.clone() }).await?;
            let stopped = reached.stop(trials.clone(), how, patience).await?;
            Ok(Halted::Trials { trials, stopped })
        }
    }
}

async fn stop_sweep(
    subject: &Subject<'_>,
    how: StopHow,
    patience: Duration,
) -> Result<Halted, VerbError> {
    let trials = subject.trials(|_| true).await?;
    let reached = Reached::reach(subject.state).await?;
    if let Some(live) = reached.at(subject.sweep) {
        let wish = match how {
            StopHow::Politely => RunWish::Stop,
            StopHow::ByForce => RunWish::Kill,
        };
        let asked = usize::try_from(live.wish(wish).await?).unwrap_or(usize::MAX);
        return Ok(Halted::Run { pid: live.pid, stopped: Stopped { asked, alive: asked } });
    }
    let stopped = reached.stop(trials, how, patience).await?;
    if stopped.asked == 0 {
        return Err(VerbError::NothingRuns { sweep: subject.sweep.to_owned() });
    }
    Ok(Halted::Attempts { stopped })
}
