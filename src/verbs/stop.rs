//! `stop` and `kill`: of a run with all its attempts, or of trials, which are held then. Attempts
//! that live on without a run are stopped too.

use std::time::Duration;

use super::reach::{Persistence, Reached};
use super::{Scope, Subject, VerbError};
use crate::drive::command::StopHow;
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
    pub fn stopped(&self) -> &Stopped {
        match self {
            Self::Run { stopped, .. }
            | Self::Attempts { stopped }
            | Self::Trials { stopped, .. } => stopped,
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
    let trials = match subject.scope {
        Scope::Sweep => subject.trials(|_| true).await?,
        Scope::Trials(_) => subject.trials(|trial| trial.state != TrialState::Done).await?,
    };
    let is_part = subject.scope != Scope::Sweep;
    if is_part && trials.is_empty() {
        return Err(VerbError::NothingToStop { sweep: subject.sweep.to_owned() });
    }
    let persistence = Persistence::begin();
    loop {
        let reached = Reached::reach(subject.state).await?;
        let halted = match subject.scope {
            Scope::Sweep => stop_all(&reached, subject, trials.clone(), how, patience).await,
            Scope::Trials(_) => stop_some(&reached, trials.clone(), how, patience).await,
        };
        if !persistence.asks_again(&halted).await {
            return halted;
        }
    }
}

async fn stop_some(
    reached: &Reached,
    trials: Vec<TrainKey>,
    how: StopHow,
    patience: Duration,
) -> Result<Halted, VerbError> {
    // First the wish, so that nothing starts anew in between.
    reached.edit(Edit::Hold { trials: trials.clone() }).await?;
    let stopped = reached.stop(trials.clone(), how, patience).await?;
    Ok(Halted::Trials { trials, stopped })
}

async fn stop_all(
    reached: &Reached,
    subject: &Subject<'_>,
    trials: Vec<TrainKey>,
    how: StopHow,
    patience: Duration,
) -> Result<Halted, VerbError> {
    if let Some(live) = reached.at(subject.sweep) {
        let stopped = live.end(how).await?;
        return Ok(Halted::Run { pid: live.pid, stopped });
    }
    let stopped = reached.stop(trials, how, patience).await?;
    if stopped == Stopped::default() {
        return Err(VerbError::NothingRuns { sweep: subject.sweep.to_owned() });
    }
    Ok(Halted::Attempts { stopped })
}
