//! After an earlier controller: what became of the attempts that it left without an outcome.
//!
//! The row is written before the spawn and the handle after it. Whoever creates the `claim` file
//! first, worker or controller, decides what became of an attempt in between.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::error::DriveError;
use super::event::TrialName;
use super::fading;
use super::live::{Ended, Events, LiveAttempt};
use super::lock::{is_held, who};
use crate::exec::{Executor, JobHandle, JobStatus};
use crate::failpoint::{self, Point};
use crate::ids::{AttemptNo, TrainKey};
use crate::outcome::{Exit, Outcome};
use crate::protocol::Started;
use crate::protocol::folder::{AttemptFolder, TrialFolder};
use crate::store::Store;
use crate::store::rows::AttemptRow;

/// How long a worker that has claimed its attempt may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// What an earlier controller left.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    /// Alive; to be watched on.
    pub(super) adopted: Vec<LiveAttempt>,
    /// Ended while nobody watched; their outcomes are stored.
    pub(super) ended: Vec<(AttemptRow, Outcome)>,
    /// Alive where we cannot reach them: another host, or too early to have a name.
    pub(super) unreachable: Vec<Elsewhere>,
}

/// An attempt that is alive where this process cannot reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    /// Its trial.
    pub trial: TrainKey,
    /// Its number.
    pub attempt: AttemptNo,
    /// Where it said that it runs, if it did.
    pub host: Option<String>,
    /// Its process there, as far as it is known.
    pub pid: Option<u32>,
}

impl Elsewhere {
    /// Returns where it is, as far as it is known, for people.
    pub fn place(&self) -> String {
        let pid = self.pid.map_or("a process unknown".to_owned(), |pid| format!("process {pid}"));
        match &self.host {
            Some(host) => format!("{pid} of host {host}"),
            None => format!("{pid} of a host unknown"),
        }
    }
}

/// What can be found out about an attempt's process.
enum Found {
    Alive(JobHandle),
    /// Not on this machine; its lock tells whether it lives elsewhere.
    Gone {
        exit: Exit,
        handle: JobHandle,
    },
    /// There never was one, or it left before it said who it is.
    Nobody,
    /// Too early to have a name.
    Unreachable,
}

/// Finds out about all attempts without an outcome, and gives one to those that are over.
pub(super) async fn recover<E: Executor>(
    store: &Store,
    executor: &E,
    clock: &Clock,
    name: impl Fn(&TrainKey) -> TrialName,
) -> Result<Recovered, DriveError> {
    let mut found = Vec::new();
    for row in store.live_attempts().await? {
        found.push((find(store, executor, &row).await?, row));
    }
    let held = held_elsewhere(store, &found).await?;
    let mut recovered = Recovered::default();
    for (found, row) in found {
        let (exit, handle) = match found {
            Found::Alive(handle) => {
                let name = name(&row.train_key);
                let events = Events::of(&row);
                recovered.adopted.push(LiveAttempt {
                    row,
                    name,
                    handle,
                    events,
                    stop: None,
                    silent_since: None,
                });
                continue;
            }
            Found::Gone { .. } if held.contains(&row.train_key) => {
                recovered.unreachable.push(elsewhere(store, row).await?);
                continue;
            }
            Found::Unreachable => {
                recovered.unreachable.push(elsewhere(store, row).await?);
                continue;
            }
            Found::Gone { exit, handle } => (exit, Some(handle)),
            Found::Nobody => (Exit::Unseen, None),
        };
        executor.clear(&row.folder, handle.as_ref()).await?;
        let mut events = Events::of(&row);
        let ended = Ended::Before(clock.wall_ms());
        let (_, outcome) = events.finish(store, exit, None, None, ended).await?;
        recovered.ended.push((row, outcome));
    }
    Ok(recovered)
}

/// Returns those trials whose process is gone and whose lock stays held: by a living worker, though
/// not one that this host can see.
async fn held_elsewhere(
    store: &Store,
    found: &[(Found, AttemptRow)],
) -> Result<HashSet<TrainKey>, DriveError> {
    let gone = found.iter().filter(|(found, _)| matches!(found, Found::Gone { .. }));
    let gone = gone.map(|(_, row)| row.train_key.clone()).collect();
    let pause = async || tokio::time::sleep(PAUSE).await;
    let held = fading::outlasting(gone, |trial| lock_is_held(store, trial), pause).await?;
    Ok(held.into_iter().collect())
}

/// Tells where an attempt is that lives out of reach.
pub(super) async fn elsewhere(store: &Store, row: AttemptRow) -> Result<Elsewhere, DriveError> {
    let started = store.started(row.id).await?;
    let handle: Option<JobHandle> =
        row.handle_json.as_deref().and_then(|json| serde_json::from_str(json).ok());
    Ok(Elsewhere {
        trial: row.train_key,
        attempt: row.number,
        pid: started.as_ref().map(|started| started.pid).or(handle.map(|handle| handle.pid)),
        host: started.map(|started| started.host),
    })
}

async fn find<E: Executor>(
    store: &Store,
    executor: &E,
    row: &AttemptRow,
) -> Result<Found, DriveError> {
    let handle = match row.handle_json.as_deref().map(serde_json::from_str::<JobHandle>) {
        Some(Ok(handle)) => handle,
        // Without a handle that we can read, the worker itself is the second way to find it.
        Some(Err(_)) | None => match introduce(store, row).await? {
            Introduced::As(handle) => handle,
            Introduced::Never => return Ok(Found::Nobody),
            Introduced::NotYet => return Ok(Found::Unreachable),
        },
    };
    let exit = match executor.look(std::slice::from_ref(&handle)).await?.first() {
        Some(JobStatus::Alive) if !is_deserted(store, row)? => return Ok(Found::Alive(handle)),
        Some(JobStatus::Gone(exit)) => *exit,
        Some(JobStatus::Alive) | None => Exit::Unseen,
    };
    Ok(Found::Gone { exit, handle })
}

/// Returns whether an attempt was begun by a worker that is not at it any more: whoever has claimed it
/// holds the trial's lock to its end. A copy of a state folder names the workers of the original,
/// which are at work elsewhere and must be left alone.
pub(super) fn is_deserted(store: &Store, row: &AttemptRow) -> Result<bool, DriveError> {
    let claimed = AttemptFolder::at(&row.folder).claim().exists();
    Ok(claimed && !lock_is_held(store, &row.train_key)?)
}

/// Whether a worker without a handle told who it is.
enum Introduced {
    As(JobHandle),
    Never,
    NotYet,
}

/// Claims the attempt, or waits for the worker that has claimed it to say who it is.
async fn introduce(store: &Store, row: &AttemptRow) -> Result<Introduced, DriveError> {
    let folder = AttemptFolder::at(&row.folder);
    match folder.take_claim(&who()) {
        Ok(true) => {
            failpoint::reach(Point::AttemptGivenUp);
            return Ok(Introduced::Never);
        }
        // No folder, no order, no worker.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Introduced::Never),
        Err(source) => return Err(DriveError::Folder { path: folder.claim(), source }),
        Ok(false) => {}
    }
    let mut events = Events::of(row);
    let begun = tokio::time::Instant::now();
    loop {
        // In this order: a worker that leaves has written its lines before it drops the lock.
        let held = lock_is_held(store, &row.train_key)?;
        let lines = events.drain(store).await?;
        let first = lines.into_iter().find_map(|line| line.event.into_started());
        let known = match first {
            Some(started) => Some(started),
            None => store.started(row.id).await?,
        };
        if let Some(started) = known {
            let handle = handle_of(&started);
            store.note_handle(row.id, &to_json(&handle)).await?;
            return Ok(Introduced::As(handle));
        }
        if !held {
            return Ok(Introduced::Never);
        }
        if begun.elapsed() > PATIENCE {
            return Ok(Introduced::NotYet);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn handle_of(started: &Started) -> JobHandle {
    JobHandle {
        pid: started.pid,
        start_ticks: started.start_ticks,
        boot_id: started.boot_id.clone(),
        pid_namespace: started.pid_namespace,
    }
}

/// Returns a handle as the store keeps it.
pub(super) fn to_json(handle: &JobHandle) -> String {
    serde_json::to_string(handle).expect("plain data serialises")
}

/// Returns whether some process holds the trial's lock.
pub(super) fn lock_is_held(store: &Store, trial: &TrainKey) -> Result<bool, DriveError> {
    let path = TrialFolder::new(store.state_dir(), trial).lock();
    is_held(&path).map_err(|source| DriveError::Folder { path, source })
}
