//! What follows when an attempt is over.

use super::health::Sign;
use super::intake::{Gate, Why};
use super::phase::{Conclusion, Phase};
use super::trials::{Hold, Sequel};
use super::{Action, Ending, JobNo, Millis, Scheduler};
use crate::outcome::FailureReason;

impl Scheduler {
    pub(super) fn end(
        &mut self,
        job: JobNo,
        ending: Ending,
        now: Millis,
        actions: &mut Vec<Action>,
    ) {
        let place = self.trials.get(job).place();
        if let Some((seat, life)) = place {
            self.slots.free(seat);
            self.spent = self.spent.plus(life.within_run(now));
        }
        let before = self.trials.get(job).failures;
        match ending {
            Ending::Done => self.conclude(job, Conclusion::Done, actions),
            Ending::Stopped | Ending::Again => self.go_on(job, now, actions),
            Ending::Failed(FailureReason::DiskFull) => {
                self.disk_is_full(actions);
                self.conclude(job, self.remainder(job), actions);
            }
            Ending::Failed(reason) => self.fail(job, reason, now, actions),
        }
        if let Some((seat, life)) = place
            && let Some(device) = seat.device()
        {
            let charged = self.trials.get(job).failures - before;
            let sign = Sign::of(ending, life.at(now), self.policy.suspicion);
            self.note_sign(job, device, sign, charged, now, actions);
        }
    }

    fn fail(&mut self, job: JobNo, reason: FailureReason, now: Millis, actions: &mut Vec<Action>) {
        let entry = self.trials.get_mut(job);
        entry.failures += u32::from(reason.is_charged());
        let failures = entry.failures;
        if reason.is_retryable() && failures <= self.policy.max_retries {
            let pause = self.policy.backoff.pause(job, failures);
            self.go_on(job, now.plus(pause), actions);
        } else {
            self.conclude(job, Conclusion::Failed, actions);
            self.count_failure(actions);
        }
    }

    /// The trial needs another attempt: whether it gets one.
    fn go_on(&mut self, job: JobNo, not_before: Millis, actions: &mut Vec<Action>) {
        let entry = self.trials.get(job);
        match (self.intake.gate, entry.sequel, entry.hold) {
            (_, Sequel::Pruned, _) => self.conclude(job, Conclusion::Pruned, actions),
            (Gate::Closed(_) | Gate::Stopping(_), _, _) => {
                self.conclude(job, self.remainder(job), actions);
            }
            (Gate::Open, Sequel::Aside(_), _) | (Gate::Open, Sequel::Another, Hold::Held) => {
                self.trials.put(job, Phase::Aside);
                actions.push(Action::SetAside { job });
            }
            (Gate::Open, Sequel::Another, Hold::Free) => {
                self.trials.put(job, Phase::Ready { not_before });
                actions.push(Action::Retry { job, not_before });
            }
        }
    }

    pub(super) fn disk_is_full(&mut self, actions: &mut Vec<Action>) {
        match self.intake.gate {
            Gate::Open => {
                actions.push(Action::StartNoMore);
                self.close(Why::DiskFull, actions);
            }
            Gate::Closed(_) | Gate::Stopping(_) => {}
        }
    }

    fn count_failure(&mut self, actions: &mut Vec<Action>) {
        self.failed += 1;
        if self.policy.max_failed.is_some_and(|max| self.failed >= max.get()) {
            self.close(Why::Failures, actions);
        }
    }
}
