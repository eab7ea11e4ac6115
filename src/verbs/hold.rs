//! `pause`, `resume` and `retry`: of a run as a whole, or of trials, which are held and let go.

use super::reach::{Live, Persistence, Reached};
use super::{Doer, Scope, Subject, VerbError};
use crate::drive::command::{RunWish, When};
use crate::ids::TrainKey;
use crate::store::Edit;
use crate::store::rows::TrialState;

/// What came of `pause` or `resume`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Eased {
    /// The run at work does as it was asked.
    Run {
        /// How many attempts are alive there.
        alive: u64,
    },
    /// What was wished of trials is written down.
    Trials(Edited),
}

/// What was wished of trials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The trials, in the order of their sweep.
    pub trials: Vec<TrainKey>,
    /// How many of them had not been so before.
    pub changed: u64,
    /// Who wrote it down.
    pub by: Doer,
    /// When a run acts upon it.
    pub when: When,
}

/// Has the run at work start nothing more; or has trials that are not done held back.
///
/// # Errors
///
/// See [`VerbError`].
pub async fn pause(subject: &Subject<'_>) -> Result<Eased, VerbError> {
    match &subject.scope {
        Scope::Sweep => run(subject, RunWish::Pause).await,
        Scope::Trials(_) => {
            let trials = subject.trials(|trial| trial.state != TrialState::Done).await?;
            if trials.is_empty() {
                return Err(VerbError::NothingToHold { sweep: subject.sweep.to_owned() });
            }
            edit(subject, trials, |trials| vec![Edit::Hold { trials }]).await.map(Eased::Trials)
        }
    }
}

/// Has the run at work start again; or lets trials go that are held or were stopped.
///
/// # Errors
///
/// See [`VerbError`].
pub async fn resume(subject: &Subject<'_>) -> Result<Eased, VerbError> {
    match &subject.scope {
        Scope::Sweep => run(subject, RunWish::Resume).await,
        Scope::Trials(_) => {
            let trials = subject.trials(|trial| trial.state != TrialState::Done).await?;
            if trials.is_empty() {
                return Err(VerbError::NothingToResume { sweep: subject.sweep.to_owned() });
            }
            edit(subject, trials, |trials| vec![Edit::Release { trials }]).await.map(Eased::Trials)
        }
    }
}

/// Gives trials that failed another chance, with all their retries.
///
/// # Errors
///
/// See [`VerbError`].
pub async fn retry(subject: &Subject<'_>) -> Result<Edited, VerbError> {
    let trials = subject.trials(|trial| trial.state == TrialState::Failed).await?;
    if trials.is_empty() {
        return Err(VerbError::NothingToRetry { sweep: subject.sweep.to_owned() });
    }
    // Released first: what is forgiven starts at once where a run is at work.
    let edits = |trials: Vec<TrainKey>| {
        vec![Edit::Release { trials: trials.clone() }, Edit::Pardon { trials }]
    };
    edit(subject, trials, edits).await
}

/// Has wishes granted one after the other; the last one tells what came of it.
async fn edit(
    subject: &Subject<'_>,
    trials: Vec<TrainKey>,
    edits: fn(Vec<TrainKey>) -> Vec<Edit>,
) -> Result<Edited, VerbError> {
    let persistence = Persistence::begin();
    loop {
        let reached = Reached::reach(subject.state).await?;
        let edited = edit_with(&reached, trials.clone(), edits(trials.clone())).await;
        if !persistence.asks_again(&edited).await {
            return edited;
        }
    }
}

async fn edit_with(
    reached: &Reached,
    trials: Vec<TrainKey>,
    edits: Vec<Edit>,
) -> Result<Edited, VerbError> {
    let mut edited = Edited { trials, changed: 0, by: reached.doer(), when: When::Now };
    for edit in edits {
        let granted = reached.edit(edit).await?;
        (edited.changed, edited.when) = (granted.count, granted.when);
    }
    Ok(edited)
}

/// Asks the run of the subject's sweep.
async fn run(subject: &Subject<'_>, wish: RunWish) -> Result<Eased, VerbError> {
    let persistence = Persistence::begin();
    loop {
        let reached = Reached::reach(subject.state).await?;
        let granted = run_of(&reached, subject.sweep)?.wish(wish).await;
        if !persistence.asks_again(&granted).await {
            return Ok(Eased::Run { alive: granted?.count });
        }
    }
}

fn run_of<'r>(reached: &'r Reached, sweep: &str) -> Result<&'r Live, VerbError> {
    let sweep = sweep.to_owned();
    match reached {
        Reached::Live(live) if live.sweep == sweep => Ok(live),
        Reached::Live(live) => {
            Err(VerbError::OtherRun { pid: live.pid, other: live.sweep.clone(), sweep })
        }
        Reached::Own(_) => Err(VerbError::NoRun { sweep }),
    }
}
