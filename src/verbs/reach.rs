//! Whoever can do what a verb asks: a live controller, asked over its socket; where none is alive,
//! this process, which holds the state folder's lock meanwhile so that none starts.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::VerbError;
use crate::control::{self, ControlError};
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

/// Who did what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doer {
    /// A run at work.
    Run {
        /// Its process.
        pid: u32,
        /// Its sweep.
        sweep: String,
    },
    /// This process: no run is at work.
    Here,
}

impl Doer {
    /// Returns whether a run of this sweep did it.
    pub fn is_run_of(&self, sweep: &str) -> bool {
        match self {
            Self::Run { sweep: its, .. } => its == sweep,
            Self::Here => false,
        }
    }
}

/// Returns the run that works in the state folder and listens, if there is one.
///
/// # Errors
///
/// It could not be asked, or gave no answer.
pub async fn at_work(state: &Path) -> Result<Option<Doer>, VerbError> {
    Ok(Live::find(state).await?.map(|live| live.doer()))
}

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
    store: Store,
    lock: StateLock,
}

impl Reached {
    /// Finds out who can do it.
    pub(super) async fn reach(state: &Path) -> Result<Self, VerbError> {
        let begun = Instant::now();
        loop {
            if let Some(live) = Live::find(state).await? {
                return Ok(Self::Live(live));
            }
            match StateLock::take(state) {
                Ok(lock) => {
                    let store = Store::open(state).await?;
                    return Ok(Self::Own(Own { store, lock }));
                }
                Err(error @ DriveError::Locked { .. }) if begun.elapsed() > BETWEEN => {
                    return Err(error.into());
                }
                Err(DriveError::Locked { .. }) => tokio::time::sleep(PAUSE).await,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Returns who that is.
    pub(super) fn doer(&self) -> Doer {
        match self {
            Self::Live(live) => live.doer(),
            Self::Own(_) => Doer::Here,
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
    pub(super) async fn edit(&self, edit: Edit) -> Result<u64, VerbError> {
        match self {
            Self::Live(live) => live.ask(Request::Edit { edit }).await,
            Self::Own(own) => Ok(own.store.edit(&edit, now_ms()).await?),
        }
    }

    /// Has the live attempts of these trials stopped.
    pub(super) async fn stop(
        &self,
        trials: Vec<TrainKey>,
        how: StopHow,
        patience: Duration,
    ) -> Result<Stopped, VerbError> {
        match self {
            Self::Live(live) => {
                let asked = live.ask(Request::Stop { trials, how }).await?;
                let asked = usize::try_from(asked).unwrap_or(usize::MAX);
                Ok(Stopped { asked, alive: asked })
            }
            Self::Own(Own { store, lock }) => {
                let executor = LocalExecutor::without_worker()?;
                Ok(orphans::stop(lock, store, &executor, &trials, how, patience).await?)
            }
        }
    }
}

impl Live {
    /// Finds the controller that works in the state folder.
    async fn find(state: &Path) -> Result<Option<Self>, VerbError> {
        match ask(state, Request::Who).await? {
            Some(Answer::Here { pid, sweep, paused: _ }) => {
                Ok(Some(Self { sweep, pid, state: state.to_owned() }))
            }
            Some(Answer::Granted { .. }) => Err(VerbError::Confused),
            Some(Answer::Refused { why }) if why == control::ENDING => Ok(None),
            Some(Answer::Refused { why }) => Err(VerbError::Refused { why }),
            None => Ok(None),
        }
    }

    fn doer(&self) -> Doer {
        Doer::Run { pid: self.pid, sweep: self.sweep.clone() }
    }

    /// Asks something of the run as a whole, and returns how many attempts are alive there.
    pub(super) async fn wish(&self, wish: RunWish) -> Result<u64, VerbError> {
        self.ask(Request::Run { wish }).await
    }

    async fn ask(&self, request: Request) -> Result<u64, VerbError> {
        match ask(&self.state, request).await? {
            Some(Answer::Granted { count }) => Ok(count),
            Some(Answer::Here { .. }) => Err(VerbError::Confused),
            Some(Answer::Refused { why }) => Err(VerbError::Refused { why }),
            None => Err(VerbError::Ended { sweep: self.sweep.clone() }),
        }
    }
}

/// Asks on a thread that may block.
async fn ask(state: &Path, request: Request) -> Result<Option<Answer>, ControlError> {
    let folder = state.to_owned();
    let asked = tokio::task::spawn_blocking(move || control::ask(&folder, &request)).await;
    asked.unwrap_or_else(|gone| {
        Err(ControlError::Ask { state: state.to_owned(), source: io::Error::other(gone) })
    })
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
