//! Bringing an attempt to life: row, order, process, handle. In this order, so that no process is
//! without a row.

use std::path::Path;

use super::error::DriveError;
use super::live::{Events, LiveAttempt};
use super::order;
use super::recover::to_json;
use super::run::{Origin, Run};
use crate::exec::{ExecError, Executor, JobHandle, LaunchOrder};
use crate::failpoint::{self, Point};
use crate::files::hand_over;
use crate::ids::{AttemptNo, Slot};
use crate::outcome::{FailureReason, Outcome};
use crate::plan::PlannedTrial;
use crate::protocol::folder::{AttemptFolder, TrialFolder};
use crate::schedule::{Ending, Input, JobNo};
use crate::store::NewAttempt;
use crate::store::rows::AttemptRow;

impl<E: Executor> Run<'_, E> {
    /// Starts the next attempt of a trial, and leaves the answer for the scheduler.
    pub(super) async fn launch(&mut self, job: JobNo, slot: &Slot) -> Result<(), DriveError> {
        let Some(trial) = self.jobs[job.0].trial() else {
            // A stranger is alive from the start and over when it ends; should one get here, it
            // is over too.
            self.inputs.push_back(Input::Launched(job));
            self.inputs.push_back(Input::Ended { job, ending: Ending::Done });
            return Ok(());
        };
        let row = self.write_order(trial, slot).await?;
        let launch = LaunchOrder {
            folder: row.folder.clone(),
            device: row.device.clone(),
            threads: row.threads,
        };
        let answer = match self.executor.launch(&launch).await {
            Ok(handle) => {
                failpoint::reach(Point::WorkerSpawned);
                self.launched(job, row, handle).await?;
                Input::Launched(job)
            }
            Err(error) => {
                let outcome = launch_failed(&error);
                self.store.end_attempt(row.id, &outcome, self.clock.wall_ms()).await?;
                self.remember(job, &row, outcome).await?;
                Input::LaunchFailed(job)
            }
        };
        self.inputs.push_back(answer);
        Ok(())
    }

    async fn write_order(
        &mut self,
        trial: &PlannedTrial,
        slot: &Slot,
    ) -> Result<AttemptRow, DriveError> {
        let key = &trial.train_key;
        let known = self.store.known(&self.plan.eval_key, std::slice::from_ref(key)).await?;
        let known = known.get(key).cloned().unwrap_or_default();
        let work = order::work(&known, Path::exists);
        let new = NewAttempt {
            train_key: key.clone(),
            kind: order::kind(&work),
            eval_key: self.plan.eval_key.clone(),
            device: slot.device.clone(),
            // Frozen at the first attempt, since they change the order of float sums.
            threads: known.threads.unwrap_or(slot.threads),
            started_ms: self.clock.wall_ms(),
        };
        // A database that was restored, or lost, knows nothing of the last attempts: their folders
        // have claims and results, which are not this one's.
        let folder = TrialFolder::new(self.store.state_dir(), key);
        let unreadable = |source| DriveError::Folder { path: folder.path().to_owned(), source };
        let above = folder.newest().map_err(unreadable)?;
        let above = above.unwrap_or(AttemptNo(0));
        let row = self.store.begin_attempt_above(new, above).await?;
        let particulars = order::Particulars {
            state: self.store.state_dir(),
            attempt: row.number,
            device: &row.device,
            threads: row.threads,
            work,
        };
        let order = order::order(self.plan, trial, self.images, particulars);
        let path = AttemptFolder::at(&row.folder).spec();
        let json = serde_json::to_vec_pretty(&order).expect("plain data serialises");
        // After a power cut nobody reads it: its worker is gone, and the next attempt has its own.
        hand_over(&path, &json).map_err(|source| DriveError::Order { path, source })?;
        failpoint::reach(Point::OrderWritten);
        Ok(row)
    }

    async fn launched(
        &mut self,
        job: JobNo,
        row: AttemptRow,
        handle: JobHandle,
    ) -> Result<(), DriveError> {
        self.store.note_handle(row.id, &to_json(&handle)).await?;
        failpoint::reach(Point::HandleNoted);
        let attempt = LiveAttempt {
            name: self.jobs[job.0].name(),
            events: Events::of(&row),
            row,
            handle,
            stop: None,
            silent_since: None,
        };
        self.tell_started(&attempt, Origin::Launched);
        self.live.insert(job, attempt);
        Ok(())
    }
}

fn launch_failed(error: &ExecError) -> Outcome {
    use std::error::Error;
    let detail = match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    };
    Outcome::Failed { reason: FailureReason::LaunchFailed, detail }
}
