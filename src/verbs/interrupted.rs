//! Which trials were interrupted: their attempts have no end in the store, and neither a worker nor a
//! controller is at work on them. One decision for all who show or choose trials.

use std::collections::HashSet;

use crate::control::controller::Controller;
use crate::drive::DriveError;
use crate::drive::orphans;
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
        Controller::None => {
            let running = trials.into_iter().filter(|trial| trial.state == TrialState::Running);
            let running: Vec<TrainKey> = running.map(|trial| trial.train_key.clone()).collect();
            if running.is_empty() {
                return Ok(HashSet::new());
            }
            let executor = LocalExecutor::without_worker()?;
            Ok(orphans::open(store, &executor, &running).await?.gone)
        }
    }
}
