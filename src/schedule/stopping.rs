//! Asking live attempts to stop: on request, past a deadline, after a silence, on a disk without
//! room; and killing those that do not obey.

use super::intake::Gate;
use super::phase::{IllegalMove, Kill, Phase, Voice};
use super::trials::Sequel;
use super::{Action, DiskLevel, JobNo, Manner, Millis, Scheduler, StopRequest};
use crate::outcome::StopReason;

impl Scheduler {
    pub(super) fn stop(&mut self, request: StopRequest, now: Millis, actions: &mut Vec<Action>) {
        if let Gate::Stopping(earlier) = self.intake.gate
            && earlier >= request
        {
            return;
        }
        self.intake.gate = Gate::Stopping(request);
        self.leave(self.trials.all_waiting(), actions);
        self.all_live(|scheduler, job| match request {
            StopRequest::Politely => {
                scheduler.stop_softly(job, StopReason::Requested, now, actions);
            }
            StopRequest::ByForce => scheduler.stop_hard(job, StopReason::Requested, actions),
            StopRequest::Detach => {}
        });
    }

    /// A stop that came while an attempt was being launched holds for it too.
    pub(super) fn obey_an_earlier_stop(
        &mut self,
        job: JobNo,
        now: Millis,
        actions: &mut Vec<Action>,
    ) {
        match self.trials.get(job).sequel {
            Sequel::Another => {}
            Sequel::Aside(manner) => self.stop_one(job, manner, now, actions),
            Sequel::Pruned => self.stop_softly(job, StopReason::Early, now, actions),
        }
        match self.intake.gate {
            Gate::Open | Gate::Closed(_) | Gate::Stopping(StopRequest::Detach) => {}
            Gate::Stopping(StopRequest::Politely) => {
                self.stop_softly(job, StopReason::Requested, now, actions);
            }
            Gate::Stopping(StopRequest::ByForce) => {
                self.stop_hard(job, StopReason::Requested, actions);
            }
        }
        if self.intake.disk == DiskLevel::Critical {
            self.stop_softly(job, StopReason::NoRoom, now, actions);
        }
    }

    pub(super) fn stop_one(
        &mut self,
        job: JobNo,
        manner: Manner,
        now: Millis,
        actions: &mut Vec<Action>,
    ) {
        match manner {
            Manner::Softly => self.stop_softly(job, StopReason::Requested, now, actions),
            Manner::Hard => self.stop_hard(job, StopReason::Requested, actions),
        }
    }

    pub(super) fn stop_softly(
        &mut self,
        job: JobNo,
        why: StopReason,
        now: Millis,
        actions: &mut Vec<Action>,
    ) {
        match *self.trials.get(job).phase() {
            Phase::Running { seat, life, .. } => {
                let kill = Kill::At(now.plus(self.policy.grace));
                self.trials.put(job, Phase::Stopping { seat, life, why, kill });
                actions.push(Action::StopSoftly { job, why });
            }
            Phase::Ready { .. }
            | Phase::Aside
            | Phase::Launching { .. }
            | Phase::Stopping { .. }
            | Phase::Done(_) => {}
        }
    }

    /// Kills an attempt: for the reason that it was asked to stop for, or else for `why`.
    fn stop_hard(&mut self, job: JobNo, why: StopReason, actions: &mut Vec<Action>) {
        let (seat, life, why) = match *self.trials.get(job).phase() {
            Phase::Running { seat, life, .. } => (seat, life, why),
            Phase::Stopping { seat, life, why, kill: Kill::At(_) } => (seat, life, why),
            Phase::Ready { .. }
            | Phase::Aside
            | Phase::Launching { .. }
            | Phase::Stopping { kill: Kill::Sent, .. }
            | Phase::Done(_) => return,
        };
        self.trials.put(job, Phase::Stopping { seat, life, why, kill: Kill::Sent });
        actions.push(Action::StopHard { job, why });
    }

    pub(super) fn disk_changed(
        &mut self,
        level: DiskLevel,
        now: Millis,
        actions: &mut Vec<Action>,
    ) {
        self.intake.disk = level;
        match level {
            DiskLevel::Fine | DiskLevel::Low => {}
            DiskLevel::Critical => {
                self.disk_is_full(actions);
                self.all_live(|scheduler, job| {
                    scheduler.stop_softly(job, StopReason::NoRoom, now, actions);
                });
            }
        }
    }

    /// An attempt told something.
    pub(super) fn spoke(&mut self, job: JobNo, now: Millis) -> Result<(), IllegalMove> {
        self.trials.named(job, "heard")?.must_be_alive(job, "heard")?;
        match *self.trials.get(job).phase() {
            Phase::Running { seat, life, deadline, voice: _ } => {
                let voice = Voice::Heard(now);
                self.trials.put(job, Phase::Running { seat, life, deadline, voice });
            }
            Phase::Ready { .. }
            | Phase::Aside
            | Phase::Launching { .. }
            | Phase::Stopping { .. }
            | Phase::Done(_) => {}
        }
        Ok(())
    }

    /// Acts on deadlines, silences and grace periods that ran out.
    pub(super) fn expire(&mut self, now: Millis, actions: &mut Vec<Action>) {
        if self.intake.gate == Gate::Stopping(StopRequest::Detach) {
            return;
        }
        self.all_live(|scheduler, job| scheduler.expire_one(job, now, actions));
        self.note_survivors(now, actions);
    }

    fn expire_one(&mut self, job: JobNo, now: Millis, actions: &mut Vec<Action>) {
        match *self.trials.get(job).phase() {
            Phase::Running { deadline: Some(deadline), .. } if deadline <= now => {
                self.stop_softly(job, StopReason::Deadline, now, actions);
            }
            Phase::Running { seat, life, deadline, voice } => match self.hush(voice) {
                Some((Hush::Over(at), _)) if at <= now => {
                    self.stop_softly(job, StopReason::Stalled, now, actions);
                }
                Some((Hush::Half(at), since)) if at <= now => {
                    let voice = Voice::Silent(since);
                    self.trials.put(job, Phase::Running { seat, life, deadline, voice });
                    actions.push(Action::Silent { job, silent_for: now.minus(since) });
                    // Who was not looked at for long may be past both at once.
                    self.expire_one(job, now, actions);
                }
                Some((Hush::Over(_) | Hush::Half(_), _)) | None => {}
            },
            Phase::Stopping { why, kill: Kill::At(at), .. } if at <= now => {
                self.stop_hard(job, why, actions);
            }
            Phase::Ready { .. }
            | Phase::Aside
            | Phase::Launching { .. }
            | Phase::Stopping { .. }
            | Phase::Done(_) => {}
        }
    }

    /// Returns what comes next if the attempt stays silent, when, and since when it is.
    fn hush(&self, voice: Voice) -> Option<(Hush, Millis)> {
        let limit = self.policy.stall_limit?;
        Some(match voice {
            Voice::Heard(since) => (Hush::Half(since.plus(Millis(limit.0 / 2))), since),
            Voice::Silent(since) => (Hush::Over(since.plus(limit)), since),
        })
    }

    pub(super) fn wakes_at(&self, job: JobNo) -> Option<Millis> {
        match *self.trials.get(job).phase() {
            Phase::Running { deadline, voice, .. } => {
                let hush = self.hush(voice).map(|(Hush::Half(at) | Hush::Over(at), _)| at);
                let survives = self.survives_at(job);
                [deadline, hush, survives].into_iter().flatten().min()
            }
            Phase::Stopping { kill: Kill::At(at), .. } => Some(at),
            Phase::Ready { .. }
            | Phase::Aside
            | Phase::Launching { .. }
            | Phase::Stopping { kill: Kill::Sent, .. }
            | Phase::Done(_) => None,
        }
    }

    pub(super) fn all_live(&mut self, mut act: impl FnMut(&mut Self, JobNo)) {
        let live: Vec<JobNo> = self.trials.live().collect();
        for job in live {
            act(self, job);
        }
    }
}

/// What follows when an attempt stays silent, and when.
enum Hush {
    /// It is remarked upon.
    Half(Millis),
    /// The attempt is stopped.
    Over(Millis),
}
