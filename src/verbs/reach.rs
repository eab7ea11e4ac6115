//! Whoever can do what a verb asks: a live controller, asked over its socket; where none is alive,
//! this process, which holds the state folder's lock meanwhile so that none starts.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use super::VerbError;
use crate::control::{self, ControlError};
use crate::drive::DriveError;
use crate::drive::command::{Answer, ENDING, Request, RunWish, StopHow, When};
use crate::drive::lock::{self, Holder, StateLock};
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

/// Who works in a state folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AtWork {
    /// A run.
    Run {
        /// Its process.
        pid: u32,
        /// Its sweep.
        sweep: String,
    },
    /// Somebody who holds the lock and does not listen: a run at its start or its end, or a verb
    /// that acts itself.
    Somebody,
    /// Nobody.
    Nobody,
}

/// Tells who works in a state folder.
///
/// # Errors
///
/// The run there could not be asked, or gave no answer; the lock cannot be looked at.
pub async fn at_work(state: &Path) -> Result<AtWork, VerbError> {
    if let Some(Live { pid, sweep, .. }) = Live::find(state).await? {
        return Ok(AtWork::Run { pid, sweep });
    }
    let failed = |source| DriveError::Lock { path: state.to_owned(), source };
    Ok(match lock::holder(state).map_err(failed)? {
        Holder::Somebody(_) => AtWork::Somebody,
        Holder::Nobody => AtWork::Nobody,
    })
}

/// Who meets the end of a run asks again, for a while: what is asked twice changes nothing more.
pub(super) struct Persistence {
    begun: Instant,
}

impl Persistence {
    pub(super) fn begin() -> Self {
        Self { begun: Instant::now() }
    }

    /// Returns whether to ask again after this, when it is time to.
    pub(super) async fn asks_again<T>(&self, came: &Result<T, VerbError>) -> bool {
        let ended = matches!(came, Err(VerbError::Ended { .. }));
        let again = ended && self.begun.elapsed() < BETWEEN;
        if again {
            tokio::time::sleep(PAUSE).await;
        }
        again
    }
}

/// What was granted.
pub(super) struct Granted {
    /// How many trials, attempts, tags or sweeps it concerned.
    pub(super) count: u64,
    /// When a run acts upon it.
    pub(super) when: When,
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

    /// Has a durable wish granted.
    pub(super) async fn edit(&self, edit: Edit) -> Result<Granted, VerbError> {
        match self {
            Self::Live(live) => live.granted(Request::Edit { edit }).await,
            Self::Own(own) => {
                let count = own.store.edit(&edit, now_ms()).await?;
                Ok(Granted { count, when: When::NextRun })
            }
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
            Self::Live(live) => live.stopping(Request::Stop { trials, how }).await,
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
            Some(Answer::Granted { .. } | Answer::Stopping { .. }) => Err(VerbError::Confused),
            Some(Answer::Refused { why }) if why == ENDING => Ok(None),
            Some(Answer::Refused { why }) => Err(VerbError::Refused { why }),
            None => Ok(None),
        }
    }

    fn doer(&self) -> Doer {
        Doer::Run { pid: self.pid, sweep: self.sweep.clone() }
    }

    /// Asks something of the run as a whole; what it counts are its live attempts.
    pub(super) async fn wish(&self, wish: RunWish) -> Result<Granted, VerbError> {
        self.granted(Request::Run { wish }).await
    }

    /// Has the run end, and its attempts before it.
    pub(super) async fn end(&self, how: StopHow) -> Result<Stopped, VerbError> {
        let wish = match how {
            StopHow::Politely => RunWish::Stop,
            StopHow::ByForce => RunWish::Kill,
        };
        self.stopping(Request::Run { wish }).await
    }

    async fn granted(&self, request: Request) -> Result<Granted, VerbError> {
        match self.ask(request).await? {
            Answer::Granted { count, when } => Ok(Granted { count, when }),
            Answer::Here { .. } | Answer::Stopping { .. } | Answer::Refused { .. } => {
                Err(VerbError::Confused)
            }
        }
    }

    /// Asks for the end of attempts, which are on their way to it then.
    async fn stopping(&self, request: Request) -> Result<Stopped, VerbError> {
        match self.ask(request).await? {
            Answer::Stopping { asked, elsewhere } => {
                let asked = usize::try_from(asked).unwrap_or(usize::MAX);
                Ok(Stopped { asked, alive: asked, elsewhere })
            }
            Answer::Here { .. } | Answer::Granted { .. } | Answer::Refused { .. } => {
                Err(VerbError::Confused)
            }
        }
    }

    /// Asks, and returns what is no refusal.
    async fn ask(&self, request: Request) -> Result<Answer, VerbError> {
        let ended = || VerbError::Ended { sweep: self.sweep.clone() };
        match ask(&self.state, request).await? {
            Some(Answer::Refused { why }) if why == ENDING => Err(ended()),
            Some(Answer::Refused { why }) => Err(VerbError::Refused { why }),
            Some(answer) => Ok(answer),
            None => Err(ended()),
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
