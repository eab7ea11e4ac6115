//! Whoever can do what a verb asks: a live controller, asked over its socket; where none is alive,
//! this process, which holds the state folder's lock meanwhile so that none starts.

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::bail;
use tokio::runtime::Runtime;

use super::places::Places;
use super::reading;
use crate::control;
use crate::drive::DriveError;
use crate::drive::command::{Answer, Request, RunWish, StopHow};
use crate::drive::lock::StateLock;
use crate::drive::orphans::{self, Stopped};
use crate::exec::local::LocalExecutor;
use crate::ids::TrainKey;
use crate::store::{Edit, Store};

/// How long a controller may hold the lock without listening: at its start and at its end.
const BETWEEN: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(50);

/// Whoever can do it.
pub(super) enum Reached {
    /// A live controller.
    Live(Live),
    /// This process.
    Own(Own),
}

/// A live controller.
pub(super) struct Live {
    pub(super) sweep: String,
    pub(super) pid: u32,
    state: PathBuf,
}

/// The store, opened for writing, and the lock.
pub(super) struct Own {
    runtime: Runtime,
    store: Store,
    lock: StateLock,
}

impl Reached {
    /// Finds out who can do it.
    pub(super) fn reach(places: &Places) -> anyhow::Result<Self> {
        let begun = Instant::now();
        loop {
            if let Some(live) = Live::find(places)? {
                return Ok(Self::Live(live));
            }
            match StateLock::take(&places.state) {
                Ok(lock) => return Own::open(places, lock).map(Self::Own),
                Err(error @ DriveError::Locked { .. }) if begun.elapsed() > BETWEEN => {
                    return Err(error.into());
                }
                Err(DriveError::Locked { .. }) => std::thread::sleep(PAUSE),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Returns the live controller, where one works on this sweep.
    pub(super) fn at(&self, sweep: &str) -> Option<&Live> {
        match self {
            Self::Live(live) if live.sweep == sweep => Some(live),
            Self::Live(_) | Self::Own(_) => None,
        }
    }

    /// Has a durable wish granted, and returns how many rows that changed.
    pub(super) fn edit(&self, edit: Edit) -> anyhow::Result<u64> {
        match self {
            Self::Live(live) => live.ask(&Request::Edit { edit }),
            Self::Own(own) => own.edit(&edit),
        }
    }

    /// Has the live attempts of these trials stopped.
    pub(super) fn stop(
        &self,
        trials: Vec<TrainKey>,
        how: StopHow,
        patience: Duration,
    ) -> anyhow::Result<Stopped> {
        match self {
            Self::Live(live) => {
                let asked = live.ask(&Request::Stop { trials, how })?;
                let asked = usize::try_from(asked).unwrap_or(usize::MAX);
                Ok(Stopped { asked, alive: asked })
            }
            Self::Own(own) => own.stop(&trials, how, patience),
        }
    }
}

impl Live {
    /// Finds the controller that works in the state folder.
    pub(super) fn find(places: &Places) -> anyhow::Result<Option<Self>> {
        match control::ask(&places.state, &Request::Who)? {
            Some(Answer::Here { pid, sweep, paused: _ }) => {
                Ok(Some(Self { sweep, pid, state: places.state.clone() }))
            }
            Some(Answer::Granted { .. }) => bail!("the run answered something else than was asked"),
            Some(Answer::Refused { why }) if why == control::ENDING => Ok(None),
            Some(Answer::Refused { why }) => bail!("the run at work refused: {why}"),
            None => Ok(None),
        }
    }

    /// Asks something of the run as a whole, and returns how many attempts are alive there.
    pub(super) fn wish(&self, wish: RunWish) -> anyhow::Result<u64> {
        self.ask(&Request::Run { wish })
    }

    fn ask(&self, request: &Request) -> anyhow::Result<u64> {
        match control::ask(&self.state, request)? {
            Some(Answer::Granted { count }) => Ok(count),
            Some(Answer::Here { .. }) => bail!("the run answered something else than was asked"),
            Some(Answer::Refused { why }) => bail!("the run of {} refused: {why}", self.sweep),
            None => bail!("the run of {} ended before it answered: ask again", self.sweep),
        }
    }
}

impl Own {
    fn open(places: &Places, lock: StateLock) -> anyhow::Result<Self> {
        let runtime = reading::runtime()?;
        let store = runtime.block_on(Store::open(&places.state))?;
        Ok(Self { runtime, store, lock })
    }

    fn edit(&self, edit: &Edit) -> anyhow::Result<u64> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        Ok(self.runtime.block_on(self.store.edit(edit, now_ms))?)
    }

    fn stop(
        &self,
        trials: &[TrainKey],
        how: StopHow,
        patience: Duration,
    ) -> anyhow::Result<Stopped> {
        let stopped = self.runtime.block_on(async {
            let executor = LocalExecutor::without_worker()?;
            orphans::stop(&self.lock, &self.store, &executor, trials, how, patience).await
        });
        Ok(stopped?)
    }
}
