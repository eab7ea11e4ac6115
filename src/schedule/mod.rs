//! Which attempt starts or stops next: a pure function of inputs and time.
//!
//! A trial is [`phase::Phase::Ready`], then launching, running, perhaps stopping, and back to
//! ready or on to its end. The scheduler names trials by their place in the plan; it knows
//! nothing of what they train, of processes, files or clocks. The same inputs give the same
//! actions.

pub mod early;
mod message;
pub mod phase;
pub mod policy;
mod slots;
#[cfg(test)]
mod tests;

use crate::ids::{DeviceId, Slot};
use crate::outcome::{FailureReason, StopReason};
use phase::{Conclusion, IllegalMove, Kill, Phase};
use policy::Policy;
use slots::Slots;

pub use message::{Action, Ending, Input, Job, JobNo, Millis, StopRequest};

/// The state of a run. See the module for what it decides.
#[derive(Clone, Debug)]
pub struct Scheduler {
    jobs: Vec<Entry>,
    slots: Slots,
    policy: Policy,
    intake: Intake,
    failed: u32,
    finished: bool,
    /// Of the last step.
    now: Millis,
}

#[derive(Clone, Debug)]
struct Entry {
    failures: u32,
    phase: Phase,
}

/// Whether new attempts may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intake {
    Open,
    /// Too many trials failed, or the disk is full: what runs may end by itself, nothing starts.
    Closed,
    Stopping(StopRequest),
}

impl Scheduler {
    /// Makes all trials ready, in the order of the plan.
    pub fn new(jobs: Vec<Job>, slots: Vec<Slot>, policy: Policy) -> Self {
        let ready = |job: Job| Entry {
            failures: job.failures,
            phase: Phase::Ready { not_before: Millis(0) },
        };
        Self {
            jobs: jobs.into_iter().map(ready).collect(),
            slots: Slots::new(slots),
            policy,
            intake: Intake::Open,
            failed: 0,
            finished: false,
            now: Millis(0),
        }
    }

    /// Takes an input and returns what to do, in order. `now` must not go back.
    ///
    /// # Errors
    ///
    /// [`IllegalMove`] when the input does not fit the trial's phase; nothing has changed then.
    pub fn step(&mut self, input: Input, now: Millis) -> Result<Vec<Action>, IllegalMove> {
        self.now = now;
        let mut actions = Vec::new();
        let whole_picture = !matches!(input, Input::Adopted { .. });
        match input {
            Input::Tick => {}
            Input::Adopted { job, device, running_for } => {
                self.adopt(job, &device, running_for, now, &mut actions)?;
            }
            Input::Launched(job) => self.launched(job, now, &mut actions)?,
            Input::LaunchFailed(job) => {
                self.entry(job, "launch_failed")?.phase.must_be_launching(job, "launch_failed")?;
                self.end(job, Ending::Failed(FailureReason::LaunchFailed), now, &mut actions);
            }
            Input::Ended { job, ending } => {
                self.entry(job, "ended")?.phase.must_be_alive(job, "ended")?;
                self.end(job, ending, now, &mut actions);
            }
            Input::Stop(request) => self.stop(request, now, &mut actions),
        }
        // Attempts are adopted one by one before the first tick: until then no slot is known free.
        if whole_picture && self.intake != Intake::Stopping(StopRequest::Detach) {
            self.expire(now, &mut actions);
            self.fill(now, &mut actions);
        }
        self.note_the_end(&mut actions);
        Ok(actions)
    }

    /// Returns when, after the last step, time alone will change something: a retry comes due, a
    /// deadline or a grace period runs out. `None` when only an input can.
    pub fn next_wakeup(&self) -> Option<Millis> {
        let times = self.jobs.iter().filter_map(|entry| entry.phase.wakes_at());
        // A trial that is due already waits for a slot, not for the clock.
        times.filter(|&at| at > self.now).min()
    }

    /// Returns a trial's phase.
    pub fn phase(&self, job: JobNo) -> Option<&Phase> {
        self.jobs.get(job.0).map(|entry| &entry.phase)
    }

    fn entry(&self, job: JobNo, input: &'static str) -> Result<&Entry, IllegalMove> {
        self.jobs.get(job.0).ok_or(IllegalMove { job, input, phase: "unknown" })
    }

    fn adopt(
        &mut self,
        job: JobNo,
        device: &DeviceId,
        running_for: Millis,
        now: Millis,
        actions: &mut Vec<Action>,
    ) -> Result<(), IllegalMove> {
        self.entry(job, "adopted")?.phase.must_be_ready(job, "adopted")?;
        let seat = self.slots.take_on(device);
        self.jobs[job.0].phase = Phase::Running {
            seat,
            deadline: self.policy.time_limit.map(|limit| now.plus(limit.minus(running_for))),
        };
        self.obey_an_earlier_stop(job, now, actions);
        Ok(())
    }

    fn launched(
        &mut self,
        job: JobNo,
        now: Millis,
        actions: &mut Vec<Action>,
    ) -> Result<(), IllegalMove> {
        let seat = self.entry(job, "launched")?.phase.must_be_launching(job, "launched")?;
        let deadline = self.policy.time_limit.map(|limit| now.plus(limit));
        self.jobs[job.0].phase = Phase::Running { seat, deadline };
        self.obey_an_earlier_stop(job, now, actions);
        Ok(())
    }

    /// A stop that came while an attempt was being launched holds for it too.
    fn obey_an_earlier_stop(&mut self, job: JobNo, now: Millis, actions: &mut Vec<Action>) {
        match self.intake {
            Intake::Open | Intake::Closed | Intake::Stopping(StopRequest::Detach) => {}
            Intake::Stopping(StopRequest::Politely) => {
                self.stop_softly(job, StopReason::Requested, now, actions);
            }
            Intake::Stopping(StopRequest::ByForce) => self.stop_hard(job, actions),
        }
    }

    fn end(&mut self, job: JobNo, ending: Ending, now: Millis, actions: &mut Vec<Action>) {
        if let Some(seat) = self.jobs[job.0].phase.seat() {
            self.slots.free(seat);
        }
        match ending {
            Ending::Done => self.conclude(job, Conclusion::Done, actions),
            Ending::Stopped => self.conclude(job, Conclusion::Left, actions),
            Ending::Again => self.queue_again(job, now, actions),
            Ending::Failed(FailureReason::DiskFull) => {
                if self.intake == Intake::Open {
                    actions.push(Action::StartNoMore);
                }
                self.close(actions);
                self.conclude(job, Conclusion::Left, actions);
            }
            Ending::Failed(reason) => {
                let failures = self.jobs[job.0].failures + u32::from(reason.is_charged());
                self.jobs[job.0].failures = failures;
                if reason.is_retryable() && failures <= self.policy.max_retries {
                    let pause = self.policy.backoff.pause(job, failures);
                    self.queue_again(job, now.plus(pause), actions);
                } else {
                    self.conclude(job, Conclusion::Failed, actions);
                    self.count_failure(actions);
                }
            }
        }
    }

    fn queue_again(&mut self, job: JobNo, not_before: Millis, actions: &mut Vec<Action>) {
        match self.intake {
            Intake::Open => {
                self.jobs[job.0].phase = Phase::Ready { not_before };
                actions.push(Action::Retry { job, not_before });
            }
            Intake::Closed | Intake::Stopping(_) => self.conclude(job, Conclusion::Left, actions),
        }
    }

    fn count_failure(&mut self, actions: &mut Vec<Action>) {
        self.failed += 1;
        let too_many = self.policy.max_failed.is_some_and(|max| self.failed >= max.get());
        if too_many {
            self.close(actions);
        }
    }

    fn close(&mut self, actions: &mut Vec<Action>) {
        match self.intake {
            Intake::Open => {
                self.intake = Intake::Closed;
                self.leave_the_ready(actions);
            }
            Intake::Closed | Intake::Stopping(_) => {}
        }
    }

    fn conclude(&mut self, job: JobNo, conclusion: Conclusion, actions: &mut Vec<Action>) {
        self.jobs[job.0].phase = Phase::Done(conclusion);
        actions.push(Action::Concluded { job, conclusion });
    }

    fn leave_the_ready(&mut self, actions: &mut Vec<Action>) {
        for job in self.all() {
            if matches!(self.jobs[job.0].phase, Phase::Ready { .. }) {
                self.conclude(job, Conclusion::Left, actions);
            }
        }
    }

    fn stop(&mut self, request: StopRequest, now: Millis, actions: &mut Vec<Action>) {
        if let Intake::Stopping(earlier) = self.intake
            && earlier >= request
        {
            return;
        }
        self.intake = Intake::Stopping(request);
        self.leave_the_ready(actions);
        for job in self.all() {
            match request {
                StopRequest::Politely => {
                    self.stop_softly(job, StopReason::Requested, now, actions);
                }
                StopRequest::ByForce => self.stop_hard(job, actions),
                StopRequest::Detach => {}
            }
        }
    }

    fn stop_softly(&mut self, job: JobNo, why: StopReason, now: Millis, actions: &mut Vec<Action>) {
        match self.jobs[job.0].phase {
            Phase::Running { seat, .. } => {
                let kill = Kill::At(now.plus(self.policy.grace));
                self.jobs[job.0].phase = Phase::Stopping { seat, why, kill };
                actions.push(Action::StopSoftly { job, why });
            }
            Phase::Ready { .. }
            | Phase::Launching { .. }
            | Phase::Stopping { .. }
            | Phase::Done(_) => {}
        }
    }

    fn stop_hard(&mut self, job: JobNo, actions: &mut Vec<Action>) {
        let (seat, why) = match self.jobs[job.0].phase {
            Phase::Running { seat, .. } => (seat, StopReason::Requested),
            Phase::Stopping { seat, why, kill: Kill::At(_) } => (seat, why),
            Phase::Ready { .. }
            | Phase::Launching { .. }
            | Phase::Stopping { kill: Kill::Sent, .. }
            | Phase::Done(_) => return,
        };
        self.jobs[job.0].phase = Phase::Stopping { seat, why, kill: Kill::Sent };
        actions.push(Action::StopHard { job, why });
    }

    /// Acts on deadlines and grace periods that ran out.
    fn expire(&mut self, now: Millis, actions: &mut Vec<Action>) {
        for job in self.all() {
            match self.jobs[job.0].phase {
                Phase::Running { deadline: Some(deadline), .. } if deadline <= now => {
                    self.stop_softly(job, StopReason::Deadline, now, actions);
                }
                Phase::Stopping { kill: Kill::At(at), .. } if at <= now => {
                    self.stop_hard(job, actions);
                }
                Phase::Ready { .. }
                | Phase::Launching { .. }
                | Phase::Running { .. }
                | Phase::Stopping { .. }
                | Phase::Done(_) => {}
            }
        }
    }

    /// Fills free slots with due trials, in the order of the plan.
    fn fill(&mut self, now: Millis, actions: &mut Vec<Action>) {
        if self.intake != Intake::Open {
            return;
        }
        for job in self.all() {
            if !self.jobs[job.0].phase.is_due(now) {
                continue;
            }
            let Some((seat, slot)) = self.slots.take_emptiest() else { return };
            self.jobs[job.0].phase = Phase::Launching { seat };
            actions.push(Action::Launch { job, slot });
        }
    }

    fn note_the_end(&mut self, actions: &mut Vec<Action>) {
        let over = self.intake == Intake::Stopping(StopRequest::Detach)
            || self.jobs.iter().all(|entry| matches!(entry.phase, Phase::Done(_)));
        if over && !self.finished {
            self.finished = true;
            actions.push(Action::Finished);
        }
    }

    fn all(&self) -> impl Iterator<Item = JobNo> + use<> {
        (0..self.jobs.len()).map(JobNo)
    }
}
