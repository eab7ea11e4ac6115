//! Which trials were interrupted: their attempts have no end in the store, and neither a worker nor a
//! controller is at work on them. One decision for all who show or choose trials. And who is at
//! the others.

use std::collections::HashSet;

use crate::control::controller::Controller;
use crate::drive::DriveError;
use crate::drive::orphans::{self, Open};
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
        Controller::None => Ok(open(store, trials).await?.gone),
    }
}

/// Tells who is at those of these trials that run, by the store, whether a controller is at work or
/// not. Call it within a runtime.
///
/// # Errors
///
/// The store or the executor failed.
pub async fn open(
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
