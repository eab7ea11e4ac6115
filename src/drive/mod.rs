//! The loop: gathers inputs, asks the scheduler, performs its actions, writes the store and then
//! tells observers. Decides nothing itself: what starts or stops is the scheduler's, how an
//! attempt ended is [`crate::outcome::judge`]'s.
//!
//! A controller may die at any point. Every attempt has its row before its process, events are
//! stored together with the place in their file, and the next controller goes on from there.

mod agenda;
mod clock;
pub mod command;
pub mod disk;
mod early;
mod error;
pub mod event;
mod fading;
mod gpus;
mod home;
mod inbox;
mod launch;
mod live;
pub mod lock;
mod names;
mod obey;
mod order;
pub mod orphans;
mod perform;
mod recover;
mod run;
pub mod signals;
#[cfg(test)]
mod tests;
mod tidy;
mod todo;
mod watch;

use std::num::NonZeroU32;
use std::time::Duration;

use crate::exec::Executor;
use crate::exec::watch::Strangers;
use crate::ids::Slot;
use crate::plan::{Plan, PlannedTrial};
use crate::schedule::Millis;
use crate::schedule::policy::Backoff;
use crate::store::Store;

pub use error::DriveError;
pub use names::name;
pub use order::{Images, work};
pub use todo::{Ended, RetryFailed, Standing, standing};

use command::Commands;
use disk::Watermarks;
use event::{RunEvent, RunSummary};
use signals::StopSource;

/// What to run, and with what.
pub struct RunRequest<'a, E> {
    /// The trials.
    pub plan: &'a Plan,
    /// Where everything is kept; its state folder is the one that is locked.
    pub store: &'a Store,
    /// Runs the workers.
    pub executor: &'a E,
    /// Places for attempts.
    pub slots: Vec<Slot>,
    /// Where images lie on this machine.
    pub images: Images<'a>,
    /// How to go about it.
    pub options: Options,
    /// What it is asked while it runs; a closed channel is as good as one that stays silent.
    pub commands: Commands,
    /// The device time that a trial is expected to take.
    pub expected: &'a dyn Fn(&PlannedTrial) -> Option<Millis>,
}

/// How to go about a run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Begin at most this many trials (`--limit`); those that are alive already do not count.
    pub limit: Option<usize>,
    /// Begin nothing more once this many trials failed (`--fail-fast` is 1, `--max-fail`).
    pub max_failed: Option<NonZeroU32>,
    /// Whether failed trials are tried again.
    pub retry_failed: RetryFailed,
    /// Time between a failure and the next attempt.
    pub backoff: Backoff,
    /// Time between a soft stop and the hard one: enough for an update and a checkpoint.
    pub grace: Millis,
    /// Time between two looks at live attempts.
    pub tick: Duration,
    /// Device time that the attempts of this run may take up in all (`--budget`).
    pub budget: Option<Millis>,
    /// How much room the disk of the state folder must have; `None` for what suits its size.
    pub disk: Option<Watermarks>,
    /// What processes of others on a GPU mean.
    pub strangers: Strangers,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limit: None,
            max_failed: None,
            retry_failed: RetryFailed::No,
            backoff: Backoff { base: Millis(4_000), most: Millis(300_000) },
            grace: Millis(120_000),
            tick: Duration::from_millis(200),
            budget: None,
            disk: None,
            strangers: Strangers::Respected,
        }
    }
}

/// Watches a run. Watching gives no control.
pub trait Observer {
    /// Hears of something that the store has already.
    fn on(&mut self, event: &RunEvent);
}

/// Brings the trials of a plan to their end, as far as they are not there yet. Safe to repeat,
/// which is how one resumes.
///
/// # Errors
///
/// See [`DriveError`]. Live attempts go on by themselves then, as they do after a request to
/// detach, and the next run adopts them.
pub async fn run<E: Executor>(
    request: RunRequest<'_, E>,
    observer: &mut dyn Observer,
    stop: impl StopSource,
) -> Result<RunSummary, DriveError> {
    let lock = lock::StateLock::take_soon(request.store.state_dir()).await?;
    run_locked(&lock, request, observer, stop).await
}

/// Does what [`run`] does, for a caller that holds the lock of the store's state folder already.
///
/// # Errors
///
/// Those of [`run`].
pub async fn run_locked<E: Executor>(
    _lock: &lock::StateLock,
    request: RunRequest<'_, E>,
    observer: &mut dyn Observer,
    mut stop: impl StopSource,
) -> Result<RunSummary, DriveError> {
    let (mut run, mut inbox) = run::Run::prepare(request, observer).await?;
    run.play(&mut stop, &mut inbox).await
}
