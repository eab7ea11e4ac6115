//! Telling a broken device from broken trials.
//!
//! Several different trials in a row that die at once on one device may mean that the device is
//! broken; but a sweep whose every trial panics looks the same. So the device is suspected only:
//! nothing starts there, its trials go back to the queue uncharged, and other devices take them. One
//! that lives there proves the device broken, and it is out of service. When all of them die there
//! too, they are to blame, their failures stand, and the device is cleared.
//!
//! With no other device to ask, trials fail as they always do: it cannot be known better. Launches
//! that fail are no fault of any trial: a device where several fail in a row is out at once, the
//! last one too.

use super::health::{Record, Sign};
use super::intake::{Gate, Why};
use super::phase::Phase;
use super::slots::Trust;
use super::trials::{Grave, Hold};
use super::{Action, JobNo, Millis, Scheduler};

impl Scheduler {
    /// Draws the conclusions of an attempt's end.
    pub(super) fn note_sign(
        &mut self,
        job: JobNo,
        device: usize,
        sign: Sign,
        charged: u32,
        now: Millis,
        actions: &mut Vec<Action>,
    ) {
        match sign {
            Sign::Good => self.prove_elsewhere(job, device, actions),
            Sign::Bad if self.is_guilty(job, device) => {
                for record in &mut self.records {
                    record.deaths.remove(&job);
                }
                return;
            }
            Sign::Bad => self.trials.get_mut(job).grave = Grave::On(device),
            Sign::NoLaunch | Sign::Mute => {}
        }
        self.records[device].note(job, sign, charged);
        if sign == Sign::Good && self.slots.trust(device) == Trust::Suspected {
            self.clear(device, actions);
        }
        self.suspect(device, now, actions);
    }

    /// Notes on which devices a trial died at once, and returns whether it is to blame for it.
    fn is_guilty(&mut self, job: JobNo, device: usize) -> bool {
        let entry = self.trials.get_mut(job);
        match entry.grave {
            Grave::Nowhere => false,
            Grave::On(earlier) if earlier == device => false,
            Grave::On(_) => {
                entry.grave = Grave::Several;
                true
            }
            Grave::Several => true,
        }
    }

    fn suspect(&mut self, device: usize, now: Millis, actions: &mut Vec<Action>) {
        let in_service = self.slots.is_in_service(device);
        if self.intake.gate != Gate::Open || !in_service {
            return;
        }
        let enough = self.policy.suspicion.trials;
        if self.records[device].refusals.len() >= enough {
            let Record { deaths: _, refusals } = std::mem::take(&mut self.records[device]);
            for (job, charges) in refusals {
                self.give_back(job, charges, now, actions);
            }
            self.take_out(device, actions);
        } else if self.records[device].deaths.len() >= enough
            && self.slots.trust(device) == Trust::Trusted
            && self.slots.another_is_usable(device)
        {
            self.slots.set_trust(device, Trust::Suspected);
            actions.push(Action::DeviceSuspected { device: self.slots.id(device).clone() });
            for (job, charges) in self.records[device].deaths.clone() {
                self.give_back(job, charges, now, actions);
            }
        }
    }

    /// Forgives what a trial met on a device, and makes it ready at once.
    fn give_back(&mut self, job: JobNo, charges: u32, now: Millis, actions: &mut Vec<Action>) {
        let entry = self.trials.get_mut(job);
        entry.failures = entry.failures.saturating_sub(charges);
        self.reopen(job, now, actions);
        match (self.trials.get(job).phase(), self.trials.get(job).hold) {
            (Phase::Ready { .. }, Hold::Free) => {
                self.trials.put(job, Phase::Ready { not_before: now });
            }
            (Phase::Ready { .. }, Hold::Held)
            | (
                Phase::Aside
                | Phase::Launching { .. }
                | Phase::Running { .. }
                | Phase::Stopping { .. }
                | Phase::Done(_),
                _,
            ) => {}
        }
    }

    /// A trial does well on `device`: any other one where it died at once is broken.
    fn prove_elsewhere(&mut self, job: JobNo, device: usize, actions: &mut Vec<Action>) {
        for other in 0..self.records.len() {
            let accused = self.slots.trust(other) == Trust::Suspected
                && self.records[other].deaths.contains_key(&job);
            if accused && other != device {
                self.take_out(other, actions);
            }
        }
    }

    /// Attempts need not end to prove a device broken: to live long enough on another one will do.
    pub(super) fn note_survivors(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let live: Vec<JobNo> = self.trials.live().collect();
        for job in live {
            if self.survives_at(job).is_some_and(|at| at <= now)
                && let Some(device) = self.device_of(job)
            {
                self.prove_elsewhere(job, device, actions);
            }
        }
    }

    /// Returns when a live attempt will have proved a suspected device broken.
    pub(super) fn survives_at(&self, job: JobNo) -> Option<Millis> {
        let (seat, life) = self.trials.get(job).place()?;
        let here = seat.device()?;
        let accuses = (0..self.records.len()).any(|device| {
            device != here
                && self.slots.trust(device) == Trust::Suspected
                && self.records[device].deaths.contains_key(&job)
        });
        accuses.then(|| life.from.plus(self.policy.suspicion.at_once.minus(life.before)))
    }

    fn device_of(&self, job: JobNo) -> Option<usize> {
        self.trials.get(job).place()?.0.device()
    }

    /// Clears the devices that nothing can prove broken any more: their trials are over or put
    /// aside, or there is no other device to try them on.
    pub(super) fn relieve_suspects(&mut self, actions: &mut Vec<Action>) {
        for device in 0..self.records.len() {
            if self.slots.trust(device) == Trust::Trusted || self.intake.gate != Gate::Open {
                continue;
            }
            let mut deaths = std::mem::take(&mut self.records[device].deaths);
            deaths.retain(|&job, _| match self.trials.get(job).phase() {
                Phase::Ready { .. }
                | Phase::Launching { .. }
                | Phase::Running { .. }
                | Phase::Stopping { .. } => true,
                Phase::Aside | Phase::Done(_) => false,
            });
            let undecided = !deaths.is_empty() && self.slots.another_is_usable(device);
            self.records[device].deaths = deaths;
            if !undecided {
                self.clear(device, actions);
            }
        }
    }

    fn clear(&mut self, device: usize, actions: &mut Vec<Action>) {
        self.slots.set_trust(device, Trust::Trusted);
        self.records[device] = Record::default();
        if self.slots.is_in_service(device) {
            actions.push(Action::DeviceCleared { device: self.slots.id(device).clone() });
        }
    }

    fn take_out(&mut self, device: usize, actions: &mut Vec<Action>) {
        self.slots.take_out(device);
        self.slots.set_trust(device, Trust::Trusted);
        self.records[device] = Record::default();
        let left = self.slots.in_service();
        actions.push(Action::DeviceOut { device: self.slots.id(device).clone(), left });
        if left == 0 {
            self.close(Why::NoDevice, actions);
        }
    }
}
