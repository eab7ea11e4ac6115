//! Which attempt starts or stops next: a pure function of inputs and time.
//!
//! A trial is [`phase::Phase::Ready`], then launching, running, perhaps stopping, and back to
//! ready or on to its end. The scheduler names trials by their place in the plan; it knows
//! nothing of what they train, of processes, files or clocks. The same inputs give the same
//! actions, and no step costs more because of trials that are over or far from their turn.

mod doubt;
pub mod early;
mod ending;
mod health;
mod intake;
mod message;
pub mod phase;
pub mod policy;
mod slots;
mod stopping;
#[cfg(test)]
mod tests;
mod trials;
mod wishes;

use crate::ids::{DeviceId, Slot};
use crate::outcome::FailureReason;
use health::Record;
use intake::{Gate, Intake, Pause, Why};
use phase::{Conclusion, IllegalMove, Life, Phase, Voice};
use policy::Policy;
use slots::{Seat, Slots};
use trials::Trials;

pub use message::{
    Action, DiskLevel, Ending, Input, Job, JobNo, Manner, Millis, Start, StopRequest,
};

/// The state of a run. See the module for what it decides.
#[derive(Clone, Debug)]
pub struct Scheduler {
    trials: Trials,
    slots: Slots,
    /// Of each device.
    records: Vec<Record>,
    policy: Policy,
    intake: Intake,
    failed: u32,
    /// Device time of the attempts that are over.
    spent: Millis,
    finished: bool,
    /// Of the last step.
    now: Millis,
}

impl Scheduler {
    /// Takes all trials, in the order of the plan.
    pub fn new(jobs: Vec<Job>, slots: Vec<Slot>, policy: Policy) -> Self {
        let slots = Slots::new(slots);
        Self {
            trials: Trials::new(jobs),
            records: vec![Record::default(); slots.devices()],
            slots,
            policy,
            intake: Intake::open(),
            failed: 0,
            spent: Millis(0),
            finished: false,
            now: Millis(0),
        }
    }

    /// Takes an input and returns what to do, in order; nothing after the end. `now` must not go
    /// back.
    ///
    /// # Errors
    ///
    /// [`IllegalMove`] when the input does not fit the trial's phase; nothing has changed then.
    pub fn step(&mut self, input: Input, now: Millis) -> Result<Vec<Action>, IllegalMove> {
        if self.finished {
            return Ok(Vec::new());
        }
        self.now = now;
        let mut actions = Vec::new();
        // Attempts are adopted one by one before the first tick: until then no slot is known free.
        let whole_picture = !matches!(input, Input::Adopted { .. });
        self.take(input, now, &mut actions)?;
        if whole_picture {
            self.relieve_suspects(&mut actions);
            self.fill(now, &mut actions);
            self.note_the_end(&mut actions);
        }
        Ok(actions)
    }

    fn take(
        &mut self,
        input: Input,
        now: Millis,
        actions: &mut Vec<Action>,
    ) -> Result<(), IllegalMove> {
        match input {
            Input::Tick => self.expire(now, actions),
            Input::Adopted { job, device, running_for } => {
                self.adopt(job, &device, running_for, now, actions)?;
            }
            Input::Launched(job) => self.launched(job, now, actions)?,
            Input::LaunchFailed(job) => {
                self.trials.named(job, "launch_failed")?.must_be_launching(job, "launch_failed")?;
                self.end(job, Ending::Failed(FailureReason::LaunchFailed), now, actions);
            }
            Input::Spoke(job) => self.spoke(job, now)?,
            Input::Ended { job, ending } => {
                self.trials.named(job, "ended")?.must_be_alive(job, "ended")?;
                self.end(job, ending, now, actions);
            }
            Input::Stop(request) => self.stop(request, now, actions),
            Input::Pause => self.intake.pause = Pause::On,
            Input::Resume => self.intake.pause = Pause::Off,
            Input::Hold(job) => self.hold(job)?,
            Input::Release(job) => self.release(job, now)?,
            Input::Retry(job) => self.retry(job, now, actions)?,
            Input::StopJob { job, manner } => self.stop_job(job, manner, now, actions)?,
            Input::Prune { job } => self.prune(job, now, actions)?,
            Input::Rooms(rooms) => self.slots.set_rooms(&rooms),
            Input::Disk(level) => self.disk_changed(level, now, actions),
        }
        Ok(())
    }

    /// Returns when, after the last step, time alone will change something: a retry comes due, a
    /// deadline, a grace period or the patience with a silent attempt runs out. `None` when only
    /// an input can.
    pub fn next_wakeup(&self) -> Option<Millis> {
        let live = self.trials.live().filter_map(|job| self.wakes_at(job));
        // What is due already waits for a slot, not for the clock.
        live.chain(self.trials.next_due()).filter(|&at| at > self.now).min()
    }

    /// Returns whether attempts may still start in this run, now or once it is resumed.
    pub fn starts_more(&self) -> bool {
        !self.finished && self.intake.gate == Gate::Open
    }

    /// Returns a trial's phase.
    pub fn phase(&self, job: JobNo) -> Option<&Phase> {
        self.trials.phase(job)
    }

    /// Returns whether the user has paused the run.
    pub fn is_paused(&self) -> bool {
        self.intake.pause == Pause::On
    }

    fn adopt(
        &mut self,
        job: JobNo,
        device: &DeviceId,
        running_for: Millis,
        now: Millis,
        actions: &mut Vec<Action>,
    ) -> Result<(), IllegalMove> {
        self.trials.named(job, "adopted")?.must_be_waiting(job, "adopted")?;
        let seat = self.slots.take_on(device);
        self.begin(job, seat, Life { from: now, before: running_for }, now, actions);
        Ok(())
    }

    fn launched(
        &mut self,
        job: JobNo,
        now: Millis,
        actions: &mut Vec<Action>,
    ) -> Result<(), IllegalMove> {
        let (seat, life) =
            self.trials.named(job, "launched")?.must_be_launching(job, "launched")?;
        self.begin(job, seat, life, now, actions);
        Ok(())
    }

    fn begin(
        &mut self,
        job: JobNo,
        seat: Seat,
        life: Life,
        now: Millis,
        actions: &mut Vec<Action>,
    ) {
        let left = |limit: Millis| now.plus(limit.minus(life.before));
        let deadline = self.policy.time_limit.map(left);
        self.trials.put(job, Phase::Running { seat, life, deadline, voice: Voice::Heard(now) });
        self.obey_an_earlier_stop(job, now, actions);
    }

    /// Fills free slots with due trials, in the order of the plan.
    fn fill(&mut self, now: Millis, actions: &mut Vec<Action>) {
        self.trials.wake(now);
        while self.intake.lets_in()
            && let Some(job) = self.trials.first_due()
            && let Some((seat, slot)) = self.slots.take_emptiest()
        {
            if self.affords(job, now) {
                self.trials.put(job, Phase::Launching { seat, life: Life::begins(now) });
                actions.push(Action::Launch { job, slot });
            } else {
                self.slots.free(seat);
                actions.push(Action::BudgetSpent);
                self.close(Why::BudgetSpent, actions);
            }
        }
    }

    /// Returns whether the budget has room for a trial beside what is spent and what the live
    /// attempts will have spent when they end as expected. Of one that nothing is known of, only
    /// what it has taken already counts.
    fn affords(&self, job: JobNo, now: Millis) -> bool {
        let Some(budget) = self.policy.budget else { return true };
        let of_live = |job: JobNo| {
            let entry = self.trials.get(job);
            let so_far =
                self.phase(job).and_then(Phase::place).map(|(_, life)| life.within_run(now));
            so_far.max(entry.expected).unwrap_or_default()
        };
        let of_this = self.trials.get(job).expected.unwrap_or(Millis(1));
        self.trials.live().map(of_live).fold(self.spent.plus(of_this), Millis::plus) <= budget
    }

    fn close(&mut self, why: Why, actions: &mut Vec<Action>) {
        match self.intake.gate {
            Gate::Open => {
                self.intake.gate = Gate::Closed(why);
                self.leave(self.trials.all_waiting(), actions);
            }
            Gate::Closed(_) | Gate::Stopping(_) => {}
        }
    }

    /// Concludes trials that nothing more will be done for.
    fn leave(&mut self, jobs: Vec<JobNo>, actions: &mut Vec<Action>) {
        for job in jobs {
            self.conclude(job, self.remainder(job), actions);
        }
    }

    fn remainder(&self, job: JobNo) -> Conclusion {
        match self.trials.get(job).hold {
            trials::Hold::Held => Conclusion::Held,
            trials::Hold::Free => self.intake.remainder(),
        }
    }

    fn conclude(&mut self, job: JobNo, conclusion: Conclusion, actions: &mut Vec<Action>) {
        self.trials.put(job, Phase::Done(conclusion));
        actions.push(Action::Concluded { job, conclusion });
    }

    fn note_the_end(&mut self, actions: &mut Vec<Action>) {
        let detached = self.intake.gate == Gate::Stopping(StopRequest::Detach);
        if self.finished || !(detached || self.trials.are_at_rest()) {
            return;
        }
        self.finished = true;
        self.leave(self.trials.all_aside(), actions);
        actions.push(Action::Finished);
    }
}
