//! Which trials were interrupted: their attempts have no end in the store, and neither a worker nor a
//! controller is at work on them. One decision for all who show or choose trials. And which live on out
//! of reach.

use std::collections::HashSet;

use crate::control::controller::Controller;
use crate::drive::DriveError;
use crate::drive::orphans::{self, Elsewhere, Open};
use crate::exec::local::LocalExecutor;
use crate::ids::TrainKey;
use crate::store::Store;
use crate::store::rows::{TrialRow, TrialState};

/// Returns those of these trials that were interrupted. Looks at no process where none of them runs,
/// by the store. Call it within a runtime.
///
/// # Errors
///
/// The store or the executor failed.
pub async fn interrupted(
    store: &Store,
    controller: &Controller,
    trials: impl IntoIterator<Item = &TrialRow>,
) -> Result<HashSet<TrainKey>, DriveError> {
    match controller {
        // It watches, and writes down what it finds.
        Controller::Alive { .. } => Ok(HashSet::new()),
        Controller::None => Ok(look(store, trials).await?.gone),
    }
}

/// Returns the attempts of these trials that are alive where this machine cannot reach them, whether
/// a controller is at work or not. Call it within a runtime.
///
/// # Errors
///
/// The store or the executor failed.
pub async fn out_of_reach(
    store: &Store,
    trials: impl IntoIterator<Item = &TrialRow>,
) -> Result<Vec<Elsewhere>, DriveError> {
    Ok(look(store, trials).await?.elsewhere)
}

async fn look(
    store: &Store,
    trials: impl IntoIterator<Item = &TrialRow>,
) -> Result<Open, DriveError> {
    let running = trials.into_iter().filter(|trial| trial.state == TrialState::Running);
    let running: Vec<TrainKey> = running.map(|trial| trial.train_key.clone()).collect();
    if running.is_empty() {
        return Ok(Open::default());
    }
    let executor = LocalExecutor::without_worker()?;
    orphans::open(store, &executor, &running).await
}
