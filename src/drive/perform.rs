//! The scheduler's actions, carried out and told.

use super::disk;
use super::error::DriveError;
use super::event::{RunEvent, RunSummary};
use super::live::LiveAttempt;
use super::run::{EndedAttempt, Origin, Run};
use crate::exec::{Executor, Force};
use crate::outcome::StopReason;
use crate::schedule::phase::Conclusion;
use crate::schedule::{Action, JobNo};

/// What follows an ended attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sequel {
    Another,
    None,
}

impl<E: Executor> Run<'_, E> {
    pub(super) async fn perform(&mut self, action: Action) -> Result<(), DriveError> {
        match action {
            Action::Launch { job, slot } => self.launch(job, &slot).await?,
            Action::StopSoftly { job, why } => self.stop_attempt(job, why, Force::Soft).await?,
            Action::StopHard { job, why } => self.stop_attempt(job, why, Force::Hard).await?,
            Action::Silent { job, silent_for } => {
                let time = std::time::Duration::from_secs(silent_for.0 / 1000);
                let time = humantime::format_duration(time);
                self.tell(RunEvent::Noted {
                    trial: self.jobs[job.0].name(),
                    text: format!("has told nothing for {time}; stopped after as long again"),
                });
            }
            Action::Retry { job, .. } => self.tell_ended(job, Sequel::Another),
            Action::SetAside { job } => self.tell_ended(job, Sequel::None),
            Action::Concluded { job, conclusion } => {
                self.tell_ended(job, Sequel::None);
                if self.jobs[job.0].trial().is_some() {
                    count(&mut self.summary, conclusion);
                }
            }
            Action::Reopened { job } => {
                if self.jobs[job.0].trial().is_some() {
                    self.summary.failed -= 1;
                }
            }
            Action::DeviceSuspected { device } => self.tell(RunEvent::DeviceSuspected { device }),
            Action::DeviceCleared { device } => self.tell(RunEvent::DeviceCleared { device }),
            Action::DeviceOut { device, left } => self.tell(RunEvent::DeviceOut { device, left }),
            Action::StartNoMore => {
                let folder = self.store.state_dir().to_owned();
                let free_bytes = disk::space(&folder).map(|space| space.free);
                self.tell(RunEvent::DiskFull { folder, free_bytes });
            }
            Action::BudgetSpent => self.tell(RunEvent::BudgetSpent),
            Action::Finished => self.finished = true,
        }
        Ok(())
    }

    async fn stop_attempt(
        &mut self,
        job: JobNo,
        why: StopReason,
        force: Force,
    ) -> Result<(), DriveError> {
        let Some(attempt) = self.live.get_mut(&job) else { return Ok(()) };
        attempt.stop = Some(why);
        self.executor.stop(&attempt.handle, force).await?;
        Ok(())
    }

    pub(super) fn tell_started(&mut self, attempt: &LiveAttempt, origin: Origin) {
        self.tell(RunEvent::AttemptStarted {
            trial: attempt.name.clone(),
            attempt: attempt.row.number,
            kind: attempt.row.kind,
            device: attempt.row.device.clone(),
            adopted: origin == Origin::Adopted,
        });
    }

    fn tell_ended(&mut self, job: JobNo, sequel: Sequel) {
        let Some(EndedAttempt { number, outcome, metric }) = self.untold.remove(&job) else {
            return;
        };
        self.tell(RunEvent::AttemptEnded {
            trial: self.jobs[job.0].name(),
            attempt: number,
            outcome,
            metric,
            retried: sequel == Sequel::Another,
        });
    }

    pub(super) fn tell(&mut self, event: RunEvent) {
        self.observer.on(&event);
    }
}

fn count(summary: &mut RunSummary, conclusion: Conclusion) {
    match conclusion {
        Conclusion::Done => summary.done += 1,
        Conclusion::Failed => summary.failed += 1,
        Conclusion::Pruned => summary.pruned += 1,
        Conclusion::Left => summary.left += 1,
        Conclusion::Held => {
            summary.left += 1;
            summary.held += 1;
        }
        Conclusion::OverBudget => {
            summary.left += 1;
            summary.over_budget += 1;
        }
    }
}
