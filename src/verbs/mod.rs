//! What `pause`, `resume`, `stop`, `kill` and `retry` do, and what nobody is at, for whoever asks: a
//! command line or a page.
//! Knows a state folder, a sweep's name and keys of trials; tells in types what came of it, and
//! says nothing itself. Everything here waits without blocking the thread it is called on.

mod error;
mod hold;
mod interrupted;
mod reach;
mod stop;
#[cfg(test)]
mod tests;

use std::path::Path;

use crate::ids::TrainKey;
use crate::store::rows::TrialRow;
use crate::store::{Edit, Store};

pub use error::VerbError;
pub use hold::{Eased, Edited, pause, resume, retry};
pub use interrupted::{interrupted, open};
pub use reach::{AtWork, Doer, at_work};
pub use stop::{Halted, stop};

use reach::{Persistence, Reached};

/// What a verb is about.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The state folder.
    pub state: &'a Path,
    /// Name of the sweep.
    pub sweep: &'a str,
    /// All of it, or a part.
    pub scope: Scope,
}

/// Whether a verb is about a sweep as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// It is.
    Sweep,
    /// It is about these trials alone; those of other sweeps are passed over.
    Trials(Vec<TrainKey>),
}

impl Subject<'_> {
    /// Returns the keys of those trials that a verb has something to do with, in the order of the
    /// sweep.
    async fn trials(
        &self,
        has_to_do: impl Fn(&TrialRow) -> bool,
    ) -> Result<Vec<TrainKey>, VerbError> {
        let no_sweep = || VerbError::NoSweep { sweep: self.sweep.to_owned() };
        let store = Store::open_read_only(self.state).await?.ok_or_else(no_sweep)?;
        let sweep = store.sweep(self.sweep).await?.ok_or_else(no_sweep)?;
        let is_meant = |trial: &TrialRow| match &self.scope {
            Scope::Sweep => true,
            Scope::Trials(keys) => keys.contains(&trial.train_key),
        };
        let trials = store.trials(&sweep).await?.into_iter();
        let trials = trials.filter(|trial| is_meant(trial) && has_to_do(trial));
        Ok(trials.map(|trial| trial.train_key).collect())
    }
}

/// Has a durable wish granted, by the run at work or here, and returns how many rows that changed.
///
/// # Errors
///
/// See [`VerbError`].
pub async fn edit(state: &Path, edit: Edit) -> Result<u64, VerbError> {
    let persistence = Persistence::begin();
    loop {
        let granted = Reached::reach(state).await?.edit(edit.clone()).await;
        if !persistence.asks_again(&granted).await {
            return Ok(granted?.count);
        }
    }
}
