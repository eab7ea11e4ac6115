//! Looking at the world: live attempts, what they tell and how they end; the disk.

use std::time::Duration;

use super::disk::{self, Watermarks};
use super::error::DriveError;
use super::event::RunEvent;
use super::gpus::Look;
use super::live::{Ended, LiveAttempt};
use super::run::{EndedAttempt, Run};
use super::tidy::tidy;
use crate::exec::{Executor, Force, JobHandle, JobStatus, logs};
use crate::outcome::{Exit, Outcome, StopReason, Verdict};
use crate::protocol::folder::AttemptFolder;
use crate::protocol::{EventLine, WorkerEvent};
use crate::schedule::{DiskLevel, Ending, Input, JobNo, Millis};
use crate::store::rows::AttemptRow;

/// Time between two looks at the disk.
const DISK_PAUSE: Duration = Duration::from_secs(1);

/// What is known of the disk of the state folder.
#[derive(Debug)]
pub(super) struct DiskWatch {
    marks: Option<Watermarks>,
    level: DiskLevel,
    /// Bytes of the largest checkpoint seen.
    largest_checkpoint: u64,
    /// When to look next.
    next: Millis,
}

impl DiskWatch {
    pub(super) fn new(marks: Option<Watermarks>) -> Self {
        Self { marks, level: DiskLevel::Fine, largest_checkpoint: 0, next: Millis(0) }
    }
}

impl<E: Executor> Run<'_, E> {
    /// Looks at the disk now and then, and tells the scheduler when its level changes.
    pub(super) async fn watch_disk(&mut self) -> Result<(), DriveError> {
        let now = self.clock.now();
        if now < self.disk.next {
            return Ok(());
        }
        self.disk.next = now.plus(Millis(DISK_PAUSE.as_millis() as u64));
        self.tidy_logs();
        let folder = self.store.state_dir();
        // Where the system does not tell, attempts that meet a full disk still do.
        let Some(space) = disk::space(folder) else { return Ok(()) };
        let marks = self.disk.marks.unwrap_or_else(|| Watermarks::for_disk_of(space.total));
        let marks = match self.disk.marks {
            Some(marks) => marks,
            None => marks.with_checkpoints_of(self.disk.largest_checkpoint),
        };
        let level = marks.level(space.free, self.disk.level);
        if level == self.disk.level {
            return Ok(());
        }
        self.disk.level = level;
        let folder = folder.to_owned();
        match level {
            DiskLevel::Fine => self.tell(RunEvent::DiskRoom { folder }),
            DiskLevel::Low => self.tell(RunEvent::DiskLow {
                folder,
                free_bytes: space.free,
                missing_bytes: marks.low.saturating_sub(space.free),
            }),
            // The scheduler's own answer is told.
            DiskLevel::Critical => {}
        }
        self.give(Input::Disk(level)).await
    }

    fn tidy_logs(&self) {
        for attempt in self.live.values() {
            // Should it fail, the disk is watched all the same.
            let _ = logs::tidy(&AttemptFolder::at(&attempt.row.folder));
        }
    }

    /// Looks at all live attempts, reads what they told, and ends those that are gone.
    pub(super) async fn observe(&mut self) -> Result<(), DriveError> {
        let handles: Vec<JobHandle> =
            self.live.values().map(|attempt| attempt.handle.clone()).collect();
        let jobs: Vec<JobNo> = self.live.keys().copied().collect();
        // First the processes, then their events: what is gone writes nothing more.
        let statuses = self.executor.look(&handles).await?;
        for (job, status) in jobs.into_iter().zip(statuses) {
            match status {
                JobStatus::Alive => {
                    self.read(job).await?;
                    self.kill_if_over(job).await?;
                }
                JobStatus::Gone(exit) => self.settle(job, exit).await?,
            }
        }
        Ok(())
    }

    async fn read(&mut self, job: JobNo) -> Result<(), DriveError> {
        let Some(attempt) = self.live.get_mut(&job) else { return Ok(()) };
        let lines = attempt.events.drain(self.store).await?;
        if lines.is_empty() {
            return Ok(());
        }
        self.note_checkpoints(job, &lines);
        self.tidy_after(job, &lines).await?;
        self.tell_lines(job, lines);
        self.give(Input::Spoke(job)).await
    }

    /// A newer checkpoint, which the store knows of, takes the place of an earlier attempt's.
    async fn tidy_after(&self, job: JobNo, lines: &[EventLine]) -> Result<(), DriveError> {
        let Some(attempt) = self.live.get(&job) else { return Ok(()) };
        let is_checkpoint =
            |line: &EventLine| matches!(line.event, WorkerEvent::Checkpointed { .. });
        if attempt.row.number.0 > 1 && lines.iter().any(is_checkpoint) {
            tidy(self.store, Some(&attempt.row.train_key), self.clock.wall_ms()).await?;
        }
        Ok(())
    }

    /// Remembers how large checkpoints are, to keep room for them.
    fn note_checkpoints(&mut self, job: JobNo, lines: &[EventLine]) {
        let Some(attempt) = self.live.get(&job) else { return };
        for line in lines {
            if let WorkerEvent::Checkpointed { file, .. } = &line.event {
                let size = attempt.row.folder.join(file).metadata().map_or(0, |file| file.len());
                self.disk.largest_checkpoint = self.disk.largest_checkpoint.max(size);
            }
        }
    }

    fn tell_lines(&mut self, job: JobNo, lines: Vec<EventLine>) {
        for EventLine { event, .. } in lines {
            match event {
                WorkerEvent::Progress(progress) => {
                    self.tell(RunEvent::Progressed { trial: self.jobs[job.0].name(), progress });
                }
                WorkerEvent::Note { text } => {
                    self.tell(RunEvent::Noted { trial: self.jobs[job.0].name(), text });
                }
                WorkerEvent::Metrics { update, values } => {
                    self.note_memory(job, &values);
                    if let Some(early) = &mut self.early {
                        early.note(self.jobs[job.0].key(), update, &values);
                    }
                }
                WorkerEvent::Started(_)
                | WorkerEvent::Evaluated { .. }
                | WorkerEvent::Checkpointed { .. }
                | WorkerEvent::Artifact { .. }
                | WorkerEvent::Ended { .. } => {}
            }
        }
    }

    async fn kill_if_over(&mut self, job: JobNo) -> Result<(), DriveError> {
        let Some(attempt) = self.live.get_mut(&job) else { return Ok(()) };
        if attempt.is_over(self.clock.now(), self.options.grace) {
            self.executor.stop(&attempt.handle, Force::Hard).await?;
        }
        Ok(())
    }

    /// Stores what a gone attempt told last together with its outcome, and goes on from there.
    async fn settle(&mut self, job: JobNo, exit: Exit) -> Result<(), DriveError> {
        let Some(mut attempt) = self.live.remove(&job) else { return Ok(()) };
        self.executor.clear(&attempt.row.folder, Some(&attempt.handle)).await?;
        // Before its device is lent again.
        self.watch_gpus(Look::Now).await?;
        let before = match attempt.stop {
            Some(StopReason::Deadline) => self.store.checkpoint_before(&attempt.row).await?,
            Some(
                StopReason::Requested
                | StopReason::Stalled
                | StopReason::NoRoom
                | StopReason::Early,
            )
            | None => None,
        };
        let ended_ms = self.clock.wall_ms();
        let (lines, outcome) = attempt
            .events
            .finish(self.store, exit, attempt.stop, before, Ended::Now(ended_ms))
            .await?;
        self.tell_lines(job, lines);
        if let Some(early) = &mut self.early {
            early.ended(&attempt.row.train_key);
        }
        tidy(self.store, Some(&attempt.row.train_key), ended_ms).await?;
        let ending = self.ending(job, &attempt, &outcome);
        self.remember(job, &attempt.row, outcome).await?;
        self.give(Input::Ended { job, ending }).await
    }

    fn ending(&self, job: JobNo, attempt: &LiveAttempt, outcome: &Outcome) -> Ending {
        match (self.jobs[job.0].trial(), outcome) {
            // Only its own sweep knows how to go on with it.
            (None, _) => Ending::Done,
            // A finished attempt of another protocol leaves this one's evaluation to do.
            (Some(_), Outcome::Finished { verdict: Verdict::Healthy | Verdict::Collapsed })
                if attempt.row.eval_key != self.plan.eval_key =>
            {
                Ending::Again
            }
            (Some(_), Outcome::Finished { .. }) => Ending::Done,
            // Not by us: an earlier controller had asked, or somebody's signal.
            (Some(_), Outcome::Stopped) if attempt.stop.is_none() => Ending::Again,
            (Some(_), Outcome::Stopped) => Ending::Stopped,
            (Some(_), Outcome::Failed { reason, .. }) => Ending::Failed(*reason),
        }
    }

    /// Keeps an ended attempt, which the store has already, until observers hear of it.
    pub(super) async fn remember(
        &mut self,
        job: JobNo,
        row: &AttemptRow,
        outcome: Outcome,
    ) -> Result<(), DriveError> {
        let metric = self.metric(row, &outcome).await?;
        self.untold.insert(job, EndedAttempt { number: row.number, outcome, metric });
        Ok(())
    }

    /// Returns the sweep's report metric of a finished attempt.
    pub(super) async fn metric(
        &self,
        row: &AttemptRow,
        outcome: &Outcome,
    ) -> Result<Option<f64>, DriveError> {
        match outcome {
            Outcome::Finished { .. } => {}
            Outcome::Stopped | Outcome::Failed { .. } => return Ok(None),
        }
        let key = std::slice::from_ref(&row.train_key);
        let finals = self.store.finals(&row.eval_key, key).await?;
        let values = finals.first().map(|finals| &finals.values);
        Ok(values.and_then(|values| values.get(&self.plan.meta.report_metric)).copied())
    }
}
