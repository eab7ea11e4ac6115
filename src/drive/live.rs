//! A live attempt as the controller sees it: its events into the store, its end judged.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::error::DriveError;
use super::event::TrialName;
use crate::exec::JobHandle;
use crate::outcome::{Checkpoint, Exit, FailureReason, Outcome, StopReason, judge};
use crate::protocol::folder::AttemptFolder;
use crate::protocol::tail::{Batch, Tail, TailError};
use crate::protocol::{End, EventLine, WorkerEvent};
use crate::schedule::Millis;
use crate::store::rows::AttemptRow;
use crate::store::{LastLines, Store};

/// See the module.
#[derive(Debug)]
pub(super) struct LiveAttempt {
    pub(super) row: AttemptRow,
    pub(super) name: TrialName,
    pub(super) handle: JobHandle,
    pub(super) events: Events,
    /// Why we asked it to stop, if we did.
    pub(super) stop: Option<StopReason>,
    /// When its last word was first seen while the process was still there.
    pub(super) silent_since: Option<Millis>,
}

impl LiveAttempt {
    /// Returns whether nothing that the process does can count any more, though it is alive: its
    /// events make no sense, somebody deleted its folder, or it said its last word `grace` ago and
    /// does not leave.
    pub(super) fn is_over(&mut self, now: Millis, grace: Millis) -> bool {
        if self.events.last_word.is_some() {
            let since = *self.silent_since.get_or_insert(now);
            return now >= since.plus(grace);
        }
        // Only where the system says so: one that cannot be asked just now may be there.
        self.events.broken.is_some() || matches!(self.row.folder.try_exists(), Ok(false))
    }
}

/// When an attempt ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ended {
    /// Just now, while its controller watched.
    Now(i64),
    /// Before now, and nobody watched: with its last line, as far as anybody can tell.
    Before(i64),
}

/// The events of an attempt, as far as they are read.
#[derive(Debug)]
pub(super) struct Events {
    attempt: i64,
    started_ms: i64,
    /// When it was heard of last.
    heard_ms: Option<i64>,
    folder: AttemptFolder,
    tail: Tail,
    /// `seq` up to which an earlier controller has told observers.
    told: u64,
    last_word: Option<Outcome>,
    /// Updates of its newest checkpoint.
    checkpoint: Option<u64>,
    broken: Option<String>,
}

impl Events {
    /// Begins at the beginning, also for an attempt that is stored in part: the store keeps no
    /// last word, and what it has already it passes over.
    pub(super) fn of(row: &AttemptRow) -> Self {
        let folder = AttemptFolder::at(&row.folder);
        Self {
            attempt: row.id,
            started_ms: row.started_ms,
            heard_ms: row.heard_ms,
            tail: Tail::new(folder.events(), 0, 0),
            folder,
            told: row.events_seq,
            last_word: None,
            checkpoint: None,
            broken: None,
        }
    }

    /// Stores all complete lines and returns those that nobody was told of yet.
    pub(super) async fn drain(&mut self, store: &Store) -> Result<Vec<EventLine>, DriveError> {
        let mut fresh = Vec::new();
        while let Some(batch) = self.next()? {
            store.append(self.attempt, &batch.lines, batch.offset, batch.last_seq).await?;
            fresh.extend(self.untold(batch));
        }
        Ok(fresh)
    }

    /// Reads the events of an attempt whose process is gone to their end and judges it. The last
    /// lines and the outcome are stored together: a short attempt costs one transaction here.
    pub(super) async fn finish(
        &mut self,
        store: &Store,
        exit: Exit,
        stop: Option<StopReason>,
        before: Option<u64>,
        ended: Ended,
    ) -> Result<(Vec<EventLine>, Outcome), DriveError> {
        let mut fresh = Vec::new();
        let mut last: Option<Batch> = None;
        while let Some(batch) = self.next()? {
            if let Some(earlier) = last.replace(batch) {
                store
                    .append(self.attempt, &earlier.lines, earlier.offset, earlier.last_seq)
                    .await?;
                fresh.extend(self.untold(earlier));
            }
        }
        let outcome = self.judge(exit, stop, before);
        let ended_ms = self.ended_ms(ended);
        match last {
            Some(Batch { lines, offset, last_seq }) => {
                let told = LastLines { lines: &lines, offset, seq: last_seq };
                store.finish_attempt(self.attempt, told, &outcome, ended_ms).await?;
                fresh.extend(self.untold(Batch { lines, offset, last_seq }));
            }
            None => store.end_attempt(self.attempt, &outcome, ended_ms).await?,
        }
        Ok((fresh, outcome))
    }

    /// Returns the next lines, if there are any and all of those before made sense.
    fn next(&mut self) -> Result<Option<Batch>, DriveError> {
        if self.broken.is_some() {
            return Ok(None);
        }
        match self.tail.read() {
            Ok(batch) if batch.lines.is_empty() => Ok(None),
            Ok(batch) => {
                for line in &batch.lines {
                    self.heard_ms = Some(line.at_ms);
                    self.note(&line.event);
                }
                Ok(Some(batch))
            }
            Err(error @ TailError::Io { .. }) => Err(error.into()),
            Err(
                error @ (TailError::NotAnEvent { .. }
                | TailError::OutOfOrder { .. }
                | TailError::LineTooLong { .. }
                | TailError::Cut { .. }),
            ) => {
                self.broken = Some(error.to_string());
                Ok(None)
            }
        }
    }

    fn untold(&self, batch: Batch) -> impl Iterator<Item = EventLine> {
        let told = self.told;
        batch.lines.into_iter().filter(move |line| line.seq > told)
    }

    /// Its clock may be another machine's, or have been set meanwhile.
    fn ended_ms(&self, ended: Ended) -> i64 {
        match ended {
            Ended::Now(now_ms) => now_ms,
            Ended::Before(now_ms) => {
                self.heard_ms.unwrap_or(self.started_ms).min(now_ms).max(self.started_ms)
            }
        }
    }

    fn note(&mut self, event: &WorkerEvent) {
        match event {
            WorkerEvent::Ended { end } => self.last_word = Some(outcome(end)),
            WorkerEvent::Checkpointed { update, .. } => self.checkpoint = Some(*update),
            WorkerEvent::Started(_)
            | WorkerEvent::Progress(_)
            | WorkerEvent::Metrics { .. }
            | WorkerEvent::Evaluated { .. }
            | WorkerEvent::Artifact { .. }
            | WorkerEvent::Note { .. } => {}
        }
    }

    /// Judges the attempt, whose process is gone and whose events are read to the end;
    /// `before` is the trial's newest checkpoint, in updates, when the attempt began.
    fn judge(&self, exit: Exit, stop: Option<StopReason>, before: Option<u64>) -> Outcome {
        if let Some(detail) = &self.broken {
            return Outcome::Failed {
                reason: FailureReason::ProtocolBroken,
                detail: detail.clone(),
            };
        }
        let checkpoint = Checkpoint::between(before, self.checkpoint);
        match judge(self.last_word.as_ref(), exit, stop, checkpoint) {
            Outcome::Failed { reason: reason @ FailureReason::DiskFull, detail }
                if self.last_word.is_none() =>
            {
                let folder = self.folder.path().display();
                Outcome::Failed { reason, detail: format!("{detail}: {folder}") }
            }
            // Whatever else it met: without its folder no worker can go on, and we end it.
            Outcome::Failed { reason: FailureReason::Panicked | FailureReason::Killed, .. }
                if self.last_word.is_none() && !self.folder.path().exists() =>
            {
                let detail = format!("somebody deleted {}", self.folder.path().display());
                Outcome::Failed { reason: FailureReason::Lost, detail }
            }
            Outcome::Failed { reason: reason @ FailureReason::Panicked, detail }
                if self.last_word.is_none() =>
            {
                let detail = match last_line(&self.folder.stderr()) {
                    Some(line) => format!("{detail}: {line}"),
                    None => detail,
                };
                Outcome::Failed { reason, detail }
            }
            outcome @ (Outcome::Finished { .. } | Outcome::Stopped | Outcome::Failed { .. }) => {
                outcome
            }
        }
    }
}

fn outcome(end: &End) -> Outcome {
    match end {
        End::Finished { verdict } => Outcome::Finished { verdict: *verdict },
        End::Stopped => Outcome::Stopped,
        End::Failed { reason, detail } => {
            Outcome::Failed { reason: *reason, detail: detail.clone() }
        }
    }
}

/// Returns the last line of a log that says something, fit for a terminal; `None` where there is
/// none or it cannot be read, since it is a courtesy only.
fn last_line(path: &Path) -> Option<String> {
    const TAKEN: u64 = 2048;
    let mut file = std::fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAKEN))).ok()?;
    let mut bytes = Vec::new();
    file.take(TAKEN).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    Some(line.chars().filter(|c| !c.is_control()).take(200).collect())
}
