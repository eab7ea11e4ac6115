//! What verbs that only read have in common: the store, opened read-only, and the sweep or trial
//! that was named.

use std::collections::HashSet;
use std::future::Future;
use std::time::SystemTime;

use anyhow::Context;
use tokio::runtime::Runtime;

use super::exit::NothingMatched;
use super::places::Places;
use crate::control::controller::Controller;
use crate::drive::DriveError;
use crate::ids::TrainKey;
use crate::store::Store;
use crate::store::rows::{SweepRow, TrialRow, TrialState};
use crate::verbs;

/// Fewest digits of a key that name a trial.
const SHORTEST_PREFIX: usize = 4;

/// A store that is only read, and what runs its queries.
pub(super) struct Reading {
    runtime: Runtime,
    pub(super) store: Store,
}

impl Reading {
    /// Opens the store; `None` where nothing was ever run.
    pub(super) fn open(places: &Places) -> anyhow::Result<Option<Self>> {
        let runtime = runtime()?;
        let store = runtime.block_on(Store::open_read_only(&places.state))?;
        Ok(store.map(|store| Self { runtime, store }))
    }

    /// Opens the store.
    ///
    /// # Errors
    ///
    /// [`NothingMatched`] where nothing was ever run.
    pub(super) fn open_existing(places: &Places) -> anyhow::Result<Self> {
        Self::open(places)?.ok_or_else(|| {
            let state = places.state.display();
            let text = format!(
                "there is no sweep in {state} yet: start with `byol-sweep run FILE`, or name another folder with --state-dir"
            );
            NothingMatched(text).into()
        })
    }

    /// Waits for a query.
    pub(super) fn wait<T, E: Into<anyhow::Error>>(
        &self,
        query: impl Future<Output = Result<T, E>>,
    ) -> anyhow::Result<T> {
        self.runtime.block_on(query).map_err(Into::into)
    }

    /// Returns those of these trials that nobody is at, though their attempts have no end in the store.
    pub(super) fn interrupted(&self, trials: &[TrialRow]) -> anyhow::Result<HashSet<TrainKey>> {
        if trials.iter().all(|trial| trial.state != TrialState::Running) {
            return Ok(HashSet::new());
        }
        self.interrupted_beside(&Controller::glance(self.store.state_dir()), trials)
    }

    /// Does the same, where it is known who is at work.
    pub(super) fn interrupted_beside(
        &self,
        controller: &Controller,
        trials: &[TrialRow],
    ) -> anyhow::Result<HashSet<TrainKey>> {
        self.drive(verbs::interrupted(&self.store, controller, trials))
    }

    /// Waits for what looks at processes.
    pub(super) fn drive<T>(
        &self,
        look: impl Future<Output = Result<T, DriveError>>,
    ) -> anyhow::Result<T> {
        Ok(self.runtime.block_on(look)?)
    }

    /// Makes something that lives within the runtime.
    pub(super) fn within<T, E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let _runtime = self.runtime.enter();
        make()
    }

    /// Finds a sweep by its name, or the latest one by `@`.
    pub(super) fn sweep(&self, name: &str) -> anyhow::Result<SweepRow> {
        let found = match name {
            "@" => self.wait(self.store.latest_sweep())?,
            name => self.wait(self.store.sweep(name))?,
        };
        if let Some(sweep) = found {
            return Ok(sweep);
        }
        let names: Vec<String> =
            self.wait(self.store.sweeps())?.into_iter().map(|sweep| sweep.name).collect();
        Err(NothingMatched(match names.as_slice() {
            [] => self.none_in_sight()?,
            names => format!("there is no sweep `{name}`: there is {}", names.join(", ")),
        })
        .into())
    }

    /// Says why no sweep is in sight.
    pub(super) fn none_in_sight(&self) -> anyhow::Result<String> {
        let removed = self.wait(self.store.removed_sweeps())?;
        Ok(match removed.as_slice() {
            [] => "there is no sweep yet: start with `byol-sweep run FILE`".to_owned(),
            [one] => format!(
                "there is no sweep in sight: {one} was removed, and `byol-sweep restore {one}` shows it again"
            ),
            names => format!(
                "there is no sweep in sight: {} were removed, and `byol-sweep restore NAME` shows one again",
                names.join(", ")
            ),
        })
    }

    /// Finds a trial: by its number in the named sweep, or by a prefix of its key, which is looked
    /// for in that sweep first and then in all others.
    pub(super) fn trial(&self, sweep: &str, typed: &str) -> anyhow::Result<(SweepRow, TrialRow)> {
        let named = self.sweep(sweep)?;
        let trials = self.wait(self.store.trials(&named))?;
        let number = typed.parse().ok();
        if let Some(at) = trials.iter().position(|trial| Some(trial.ordinal) == number) {
            return Ok((named, trials[at].clone()));
        }
        if typed.len() < SHORTEST_PREFIX {
            return Err(NothingMatched(format!(
                "{} has no trial {typed}: it has {}; name one by its number, or by {SHORTEST_PREFIX} or more digits of its key",
                named.name,
                trials.len()
            ))
            .into());
        }
        if let Some(found) = with_prefix(trials, typed)? {
            return Ok((named, found));
        }
        for other in self.wait(self.store.sweeps())? {
            if let Some(found) = with_prefix(self.wait(self.store.trials(&other))?, typed)? {
                return Ok((other, found));
            }
        }
        let hint = format!("no trial has a key that begins with {typed}: see `byol-sweep ls`");
        Err(NothingMatched(hint).into())
    }
}

/// Returns the one trial whose key begins so.
fn with_prefix(trials: Vec<TrialRow>, prefix: &str) -> Result<Option<TrialRow>, NothingMatched> {
    let mut found = trials.into_iter().filter(|t| t.train_key.as_str().starts_with(prefix));
    let first = found.next();
    match found.count() {
        0 => Ok(first),
        more => Err(NothingMatched(format!(
            "{} trials have keys that begin with {prefix}: give more digits",
            more + 1
        ))),
    }
}

/// Returns the keys of trials.
pub(super) fn keys(trials: &[TrialRow]) -> Vec<TrainKey> {
    trials.iter().map(|trial| trial.train_key.clone()).collect()
}

/// Returns the time on the wall, in milliseconds since 1970.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Waits for something that needs no store of ours.
pub(super) fn block_on<T, E: Into<anyhow::Error>>(
    doing: impl Future<Output = Result<T, E>>,
) -> anyhow::Result<T> {
    runtime()?.block_on(doing).map_err(Into::into)
}

/// Starts what drives queries, timers and processes: one thread is enough.
pub(super) fn runtime() -> anyhow::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")
}
