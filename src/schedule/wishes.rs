//! What is asked of single trials: hold, release, retry, stop, prune.

use super::intake::Gate;
use super::phase::{Conclusion, IllegalMove, Phase};
use super::trials::{Grave, Hold, Sequel};
use super::{Action, JobNo, Manner, Millis, Scheduler};
use crate::outcome::StopReason;

impl Scheduler {
    pub(super) fn hold(&mut self, job: JobNo) -> Result<(), IllegalMove> {
        self.trials.named(job, "held")?;
        self.trials.get_mut(job).hold = Hold::Held;
        match self.trials.get(job).phase() {
            Phase::Ready { .. } => self.trials.put(job, Phase::Aside),
            // What is alive goes on.
            Phase::Aside
            | Phase::Launching { .. }
            | Phase::Running { .. }
            | Phase::Stopping { .. }
            | Phase::Done(_) => {}
        }
        Ok(())
    }

    pub(super) fn release(&mut self, job: JobNo, now: Millis) -> Result<(), IllegalMove> {
        self.trials.named(job, "released")?;
        self.trials.get_mut(job).hold = Hold::Free;
        self.ask_for(job, now);
        Ok(())
    }

    pub(super) fn retry(
        &mut self,
        job: JobNo,
        now: Millis,
        actions: &mut Vec<Action>,
    ) -> Result<(), IllegalMove> {
        self.trials.named(job, "retried")?;
        let entry = self.trials.get_mut(job);
        entry.failures = 0;
        entry.grave = Grave::Nowhere;
        self.reopen(job, now, actions);
        self.ask_for(job, now);
        Ok(())
    }

    /// Somebody wants the trial to go on.
    fn ask_for(&mut self, job: JobNo, now: Millis) {
        let entry = self.trials.get_mut(job);
        match entry.sequel {
            Sequel::Another | Sequel::Aside(_) => entry.sequel = Sequel::Another,
            Sequel::Pruned => return,
        }
        match (self.trials.get(job).phase(), self.trials.get(job).hold) {
            (Phase::Aside | Phase::Ready { .. }, Hold::Free) => {
                self.trials.put(job, Phase::Ready { not_before: now });
            }
            (Phase::Aside | Phase::Ready { .. }, Hold::Held)
            | (
                Phase::Launching { .. }
                | Phase::Running { .. }
                | Phase::Stopping { .. }
                | Phase::Done(_),
                _,
            ) => {}
        }
    }

    /// Takes back that a trial failed, if it did and may still be brought to another end.
    pub(super) fn reopen(&mut self, job: JobNo, now: Millis, actions: &mut Vec<Action>) {
        let failed = *self.trials.get(job).phase() == Phase::Done(Conclusion::Failed);
        if !failed || self.intake.gate != Gate::Open {
            return;
        }
        // Those that failed in earlier runs were never counted.
        self.failed = self.failed.saturating_sub(1);
        let phase = match self.trials.get(job).hold {
            Hold::Free => Phase::Ready { not_before: now },
            Hold::Held => Phase::Aside,
        };
        self.trials.put(job, phase);
        actions.push(Action::Reopened { job });
    }

    pub(super) fn stop_job(
        &mut self,
        job: JobNo,
        manner: Manner,
        now: Millis,
        actions: &mut Vec<Action>,
    ) -> Result<(), IllegalMove> {
        if !self.trials.named(job, "stopped")?.is_live() {
            return Ok(());
        }
        let entry = self.trials.get_mut(job);
        match entry.sequel {
            Sequel::Another | Sequel::Aside(_) => entry.sequel = Sequel::Aside(manner),
            Sequel::Pruned => {}
        }
        self.stop_one(job, manner, now, actions);
        Ok(())
    }

    pub(super) fn prune(
        &mut self,
        job: JobNo,
        now: Millis,
        actions: &mut Vec<Action>,
    ) -> Result<(), IllegalMove> {
        match self.trials.named(job, "pruned")? {
            Phase::Ready { .. } | Phase::Aside => self.conclude(job, Conclusion::Pruned, actions),
            Phase::Launching { .. } | Phase::Running { .. } | Phase::Stopping { .. } => {
                self.trials.get_mut(job).sequel = Sequel::Pruned;
                self.stop_softly(job, StopReason::Early, now, actions);
            }
            Phase::Done(_) => {}
        }
        Ok(())
    }
}
