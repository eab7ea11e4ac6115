//! Attempts that live on without a controller: found and stopped on request, and their ends
//! recorded as far as they come while somebody waits. What lives longer is the next run's.

use std::collections::HashSet;
use std::time::Duration;

use super::clock::Clock;
use super::command::StopHow;
use super::error::DriveError;
use super::live::{Ended, LiveAttempt};
use super::lock::StateLock;
use super::names;
pub use super::recover::Elsewhere;
use super::recover::{elsewhere, is_deserted, lock_is_held, recover};
use crate::exec::{Executor, Force, JobHandle, JobStatus};
use crate::ids::TrainKey;
use crate::outcome::StopReason;
use crate::store::Store;

/// Time between two looks at processes that are no children of ours.
const LOOK: Duration = Duration::from_millis(50);

/// What became of attempts that were asked to stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// How many were asked.
    pub asked: usize,
    /// How many of these live on; the next run records their ends.
    pub alive: usize,
    /// Those that could not be asked, since they are not of this machine or this boot.
    pub elsewhere: Vec<Elsewhere>,
}

/// Stops the live attempts of these trials, and waits so long for their ends, which are recorded.
/// So are those of all attempts that ended while nobody watched. The lock proves that no
/// controller is at work.
///
/// # Errors
///
/// The store or the executor failed; attempts may have been stopped.
pub async fn stop<E: Executor>(
    _lock: &StateLock,
    store: &Store,
    executor: &E,
    trials: &[TrainKey],
    how: StopHow,
    patience: Duration,
) -> Result<Stopped, DriveError> {
    let clock = Clock::start();
    let recovered = recover(store, executor, &clock, names::stranger).await?;
    let chosen = |attempt: &LiveAttempt| trials.contains(&attempt.row.train_key);
    let mut left: Vec<LiveAttempt> = recovered.adopted.into_iter().filter(chosen).collect();
    let asked = left.len();
    let mut elsewhere = recovered.unreachable;
    elsewhere.retain(|elsewhere| trials.contains(&elsewhere.trial));
    let force = match how {
        StopHow::Politely => Force::Soft,
        StopHow::ByForce => Force::Hard,
    };
    for attempt in &left {
        executor.stop(&attempt.handle, force).await?;
    }
    let begun = tokio::time::Instant::now();
    loop {
        left = record(left, store, executor, &clock).await?;
        if left.is_empty() || begun.elapsed() >= patience {
            return Ok(Stopped { asked, alive: left.len(), elsewhere });
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Records the ends of those that are gone and returns the others.
async fn record<E: Executor>(
    attempts: Vec<LiveAttempt>,
    store: &Store,
    executor: &E,
    clock: &Clock,
) -> Result<Vec<LiveAttempt>, DriveError> {
    let handles: Vec<JobHandle> = attempts.iter().map(|attempt| attempt.handle.clone()).collect();
    let statuses = executor.look(&handles).await?;
    let mut left = Vec::new();
    for (mut attempt, status) in attempts.into_iter().zip(statuses) {
        match status {
            JobStatus::Alive => left.push(attempt),
            JobStatus::Gone(exit) => {
                // What it left behind must not live on beside a stopped trial.
                executor.clear(&attempt.row.folder, Some(&attempt.handle)).await?;
                let (why, ended) = (Some(StopReason::Requested), Ended::Now(clock.wall_ms()));
                attempt.events.finish(store, exit, why, None, ended).await?;
            }
        }
    }
    Ok(left)
}

/// Trials whose attempts have no end in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// With a process on this machine.
    pub alive: HashSet<TrainKey>,
    /// With one that holds the trial's lock from where it cannot be reached.
    pub elsewhere: Vec<Elsewhere>,
    /// Without one.
    pub gone: HashSet<TrainKey>,
}

/// Looks for the processes of these trials' attempts. Changes nothing, so it may be asked beside a
/// controller.
///
/// # Errors
///
/// The store or the executor failed.
pub async fn open<E: Executor>(
    store: &Store,
    executor: &E,
    trials: &[TrainKey],
) -> Result<Open, DriveError> {
    let mut open = Open::default();
    for row in store.live_attempts().await? {
        if !trials.contains(&row.train_key) {
            continue;
        }
        let handle: Option<JobHandle> =
            row.handle_json.as_deref().and_then(|json| serde_json::from_str(json).ok());
        let seen = match &handle {
            Some(handle) => executor.look(std::slice::from_ref(handle)).await?.pop(),
            None => None,
        };
        match seen {
            Some(JobStatus::Alive) if !is_deserted(store, &row)? => {
                open.alive.insert(row.train_key);
            }
            // What holds the lock and has no handle yet was started this moment.
            None if lock_is_held(store, &row.train_key)? => {
                open.alive.insert(row.train_key);
            }
            Some(JobStatus::Gone(_)) if lock_is_held(store, &row.train_key)? => {
                open.elsewhere.push(elsewhere(store, row).await?);
            }
            Some(JobStatus::Alive | JobStatus::Gone(_)) | None => {
                open.gone.insert(row.train_key);
            }
        }
    }
    Ok(open)
}
