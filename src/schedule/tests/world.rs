//! A simulated world that answers the scheduler's actions with inputs, in virtual time, and watches
//! over what must never happen.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::phase::Conclusion;
use super::super::policy::{Backoff, Policy, Suspicion};
use super::super::{
    Action, DiskLevel, Ending, Input, Job, JobNo, Manner, Millis, Scheduler, Start, StopRequest,
};
use crate::ids::{DeviceId, Slot};
use crate::outcome::{FailureReason, StopReason};

/// Time between two lines of an attempt that talks.
const TALK: u64 = 3;

/// What one attempt does when left alone, and when asked to stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub(super) lasts: u64,
    pub(super) ending: Ending,
    pub(super) manners: Manners,
    /// How long it tells something again and again.
    pub(super) talks: u64,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Manners {
    /// Stops this long after a soft stop.
    Obeys(u64),
    /// Only a hard stop ends it.
    Ignores,
    /// Cannot even be launched.
    NeverStarts,
}

pub(super) const fn attempt(lasts: u64, ending: Ending) -> Attempt {
    Attempt { lasts, ending, manners: Manners::Obeys(1), talks: 0 }
}

pub(super) const fn done(lasts: u64) -> Attempt {
    attempt(lasts, Ending::Done)
}

pub(super) const fn lost(lasts: u64) -> Attempt {
    attempt(lasts, Ending::Failed(FailureReason::Lost))
}

pub(super) const fn crash(lasts: u64) -> Attempt {
    attempt(lasts, Ending::Failed(FailureReason::Panicked))
}

pub(super) const POLICY: Policy = Policy {
    max_retries: 2,
    backoff: Backoff { base: Millis(0), most: Millis(0) },
    time_limit: None,
    grace: Millis(10),
    max_failed: None,
    stall_limit: None,
    budget: None,
    suspicion: Suspicion { at_once: Millis(10), trials: 3 },
};

pub(super) fn name(job: JobNo) -> char {
    char::from(b'a' + u8::try_from(job.0).unwrap())
}

pub(super) fn cpu(slots: u32) -> Vec<Slot> {
    (0..slots).map(|ordinal| Slot { device: DeviceId::Cpu, ordinal, threads: 1 }).collect()
}

pub(super) fn gpu(index: u32) -> DeviceId {
    DeviceId::Cuda { index, uuid: format!("GPU-{index}") }
}

/// One slot on each of so many GPUs.
pub(super) fn gpus(count: u32) -> Vec<Slot> {
    (0..count).map(|index| Slot { device: gpu(index), ordinal: 0, threads: 1 }).collect()
}

pub(super) struct Live {
    device: DeviceId,
    since: u64,
    heard: u64,
    talks_until: u64,
    ends_at: u64,
    ending: Ending,
    manners: Manners,
    asked: bool,
    hard_stopped: bool,
}

/// Plays attempts and the user against a scheduler.
pub(super) struct World {
    pub(super) scheduler: Scheduler,
    slots: Vec<Slot>,
    policy: Policy,
    jobs: Vec<Job>,
    now: u64,
    /// Attempts of each trial, in order; the last one repeats.
    pub(super) scripts: Vec<Vec<Attempt>>,
    pub(super) tries: Vec<usize>,
    /// Charged failures of each trial since it was last forgiven by somebody.
    charged: Vec<u32>,
    last_failure: BTreeMap<JobNo, FailureReason>,
    inputs: BTreeMap<u64, Vec<Input>>,
    /// What every attempt does on a device, whatever its script says.
    spells: BTreeMap<DeviceId, Attempt>,
    pub(super) live: BTreeMap<JobNo, Live>,
    pub(super) conclusions: BTreeMap<JobNo, Conclusion>,
    stopped: Option<StopRequest>,
    closed: bool,
    paused: bool,
    disk: DiskLevel,
    held: BTreeSet<JobNo>,
    /// Devices that nothing may start on, for whatever reasons.
    shut: BTreeSet<DeviceId>,
    suspected: BTreeSet<DeviceId>,
    out: BTreeSet<DeviceId>,
    spent: u64,
    finished: bool,
    pub(super) story: Vec<String>,
}

impl World {
    pub(super) fn new(scripts: Vec<Vec<Attempt>>, slots: Vec<Slot>, policy: Policy) -> Self {
        let jobs = vec![Job::default(); scripts.len()];
        Self::with_jobs(jobs, scripts, slots, policy)
    }

    pub(super) fn with_jobs(
        jobs: Vec<Job>,
        scripts: Vec<Vec<Attempt>>,
        slots: Vec<Slot>,
        policy: Policy,
    ) -> Self {
        let standing = |start| {
            let found = jobs.iter().enumerate().filter(move |(_, job)| job.start == start);
            found.map(|(place, _)| JobNo(place))
        };
        Self {
            scheduler: Scheduler::new(jobs.clone(), slots.clone(), policy),
            slots,
            policy,
            now: 0,
            tries: vec![0; scripts.len()],
            charged: jobs.iter().map(|job| job.failures).collect(),
            last_failure: BTreeMap::new(),
            scripts,
            inputs: BTreeMap::new(),
            spells: BTreeMap::new(),
            live: BTreeMap::new(),
            conclusions: standing(Start::Failed).map(|job| (job, Conclusion::Failed)).collect(),
            held: standing(Start::Held).collect(),
            jobs,
            stopped: None,
            closed: false,
            paused: false,
            disk: DiskLevel::Fine,
            shut: BTreeSet::new(),
            suspected: BTreeSet::new(),
            out: BTreeSet::new(),
            spent: 0,
            finished: false,
            story: Vec::new(),
        }
    }

    pub(super) fn stop(self, at: u64, request: StopRequest) -> Self {
        self.input(at, Input::Stop(request))
    }

    pub(super) fn input(mut self, at: u64, input: Input) -> Self {
        self.inputs.entry(at).or_default().push(input);
        self
    }

    pub(super) fn spell(mut self, device: DeviceId, attempt: Attempt) -> Self {
        self.spells.insert(device, attempt);
        self
    }

    /// Plays until the scheduler has finished.
    pub(super) fn play(mut self) -> Self {
        self.give(Input::Tick);
        while !self.finished {
            let ends = self.live.values().map(|live| live.ends_at);
            let talks = self.live.values().filter_map(Live::talks_next);
            let inputs = self.inputs.keys().copied();
            let wakes = self.scheduler.next_wakeup().map(|at| at.0);
            let next = ends.chain(talks).chain(inputs).chain(wakes).min();
            let next = next.unwrap_or_else(|| panic!("nothing can happen: {:#?}", self.story));
            assert!(next < u64::MAX, "nothing can happen any more: {:#?}", self.story);
            assert!(self.story.len() < 5000, "no end in sight: {:#?}", &self.story[..100]);
            assert!(next >= self.now, "time goes back");
            self.now = next;
            self.pass();
        }
        self
    }

    fn pass(&mut self) {
        for input in self.inputs.remove(&self.now).unwrap_or_default() {
            if !self.finished {
                self.note_input(&input);
                self.give(input);
            }
        }
        self.let_talk();
        self.let_end();
        if !self.finished {
            self.give(Input::Tick);
            self.check_patience();
        }
    }

    fn let_talk(&mut self) {
        let talking = self.live.iter().filter(|(_, live)| live.talks_next() == Some(self.now));
        for job in talking.map(|(job, _)| *job).collect::<Vec<_>>() {
            self.live.get_mut(&job).unwrap().heard = self.now;
            self.give(Input::Spoke(job));
        }
    }

    fn let_end(&mut self) {
        let over = self.live.iter().filter(|(_, live)| live.ends_at <= self.now);
        let over: Vec<JobNo> = over.map(|(job, _)| *job).collect();
        for job in over {
            let live = self.live.remove(&job).unwrap();
            self.spent += self.now - live.since;
            self.note_ending(job, live.ending);
            self.tell(format!("{} {:?}", name(job), live.ending));
            self.give(Input::Ended { job, ending: live.ending });
        }
    }

    fn note_ending(&mut self, job: JobNo, ending: Ending) {
        match ending {
            Ending::Failed(reason) => {
                self.charged[job.0] += u32::from(reason.is_charged());
                self.last_failure.insert(job, reason);
            }
            Ending::Done | Ending::Again | Ending::Stopped => {
                self.last_failure.remove(&job);
            }
        }
    }

    /// Keeps account of what the scheduler is told.
    fn note_input(&mut self, input: &Input) {
        match input {
            Input::Stop(request) => self.stopped = self.stopped.max(Some(*request)),
            Input::Pause => self.paused = true,
            Input::Resume => self.paused = false,
            Input::Hold(job) => {
                self.held.insert(*job);
            }
            Input::Release(job) => {
                self.held.remove(job);
            }
            Input::Retry(job) => self.charged[job.0] = 0,
            Input::Disk(level) => self.disk = *level,
            Input::Rooms(rooms) => {
                for (device, room) in rooms {
                    if *room == 0 {
                        self.shut.insert(device.clone());
                    } else {
                        self.shut.remove(device);
                    }
                }
            }
            Input::Tick
            | Input::Adopted { .. }
            | Input::Launched(_)
            | Input::LaunchFailed(_)
            | Input::Spoke(_)
            | Input::Ended { .. }
            | Input::StopJob { .. }
            | Input::Prune { .. } => {}
        }
    }

    fn give(&mut self, input: Input) {
        let asked = match input {
            Input::StopJob { job, .. } | Input::Prune { job } => Some(job),
            _ => None,
        };
        let killed = match input {
            Input::StopJob { job, manner: Manner::Hard } => Some(job),
            _ => None,
        };
        // Who was not alive yet may be begun by the same step.
        let [asked, killed] =
            [asked, killed].map(|job| job.filter(|job| self.live.contains_key(job)));
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for action in self.scheduler.step(input, Millis(self.now)).unwrap() {
                assert!(!self.finished, "spoke after the end: {action:?}");
                inputs.extend(self.perform(action));
            }
        }
        for (job, live) in &self.live {
            let must_die = self.stopped == Some(StopRequest::ByForce) || killed == Some(*job);
            assert!(live.hard_stopped || !must_die, "{} was not killed", name(*job));
            let must_stop = self.stopped == Some(StopRequest::Politely)
                || self.disk == DiskLevel::Critical
                || asked == Some(*job);
            assert!(live.asked || !must_stop, "{} was not asked to stop", name(*job));
        }
    }

    /// Nobody is alive beyond the limits without having been asked to stop.
    fn check_patience(&self) {
        for (job, live) in self.live.iter().filter(|(_, live)| !live.asked) {
            let within =
                |limit: Option<Millis>, since| limit.is_none_or(|l| self.now - since < l.0);
            assert!(within(self.policy.time_limit, live.since), "{} is overdue", name(*job));
            assert!(within(self.policy.stall_limit, live.heard), "{} is stalled", name(*job));
        }
    }

    /// Returns the answer to an action that wants one.
    fn perform(&mut self, action: Action) -> Option<Input> {
        match action {
            Action::Launch { job, slot } => return Some(self.launch(job, slot)),
            Action::StopSoftly { job, why } => {
                self.tell(format!("{} stop, {why:?}", name(job)));
                let live = self.live.get_mut(&job).expect("only a live attempt is stopped");
                assert!(!live.asked, "asked twice");
                live.asked = true;
                if let Manners::Obeys(after) = live.manners {
                    live.ends_at = live.ends_at.min(self.now + after);
                    live.ending = stopped_as(why);
                }
            }
            Action::StopHard { job, why } => {
                self.tell(format!("{} kill, {why:?}", name(job)));
                let live = self.live.get_mut(&job).expect("only a live attempt is killed");
                assert!(!live.hard_stopped, "killed twice");
                live.asked = true;
                live.hard_stopped = true;
                live.ends_at = self.now + 1;
                live.ending = stopped_as(why);
            }
            Action::Silent { job, .. } => self.tell(format!("{} is silent", name(job))),
            Action::Retry { job, not_before } => {
                assert!(not_before.0 >= self.now);
                self.tell(format!("{} again", name(job)));
            }
            Action::SetAside { job } => self.tell(format!("{} aside", name(job))),
            Action::Concluded { job, conclusion } => self.conclude(job, conclusion),
            Action::Reopened { job } => {
                let conclusion = self.conclusions.remove(&job);
                assert_eq!(conclusion, Some(Conclusion::Failed), "only a failure is taken back");
                self.tell(format!("{} reopened", name(job)));
            }
            Action::DeviceSuspected { device } => {
                self.tell(format!("{device} suspected"));
                assert!(self.suspected.insert(device), "suspected twice");
            }
            Action::DeviceCleared { device } => {
                self.tell(format!("{device} cleared"));
                assert!(self.suspected.remove(&device), "cleared of nothing");
            }
            Action::DeviceOut { device, left } => {
                self.tell(format!("{device} out, {left} left"));
                self.suspected.remove(&device);
                assert!(self.out.insert(device), "out twice");
            }
            Action::BudgetSpent => {
                self.tell("budget spent".to_owned());
                self.closed = true;
            }
            Action::StartNoMore => {
                self.tell("nothing more starts".to_owned());
                self.closed = true;
            }
            Action::Finished => self.finished = true,
        }
        None
    }

    fn conclude(&mut self, job: JobNo, conclusion: Conclusion) {
        assert!(self.conclusions.insert(job, conclusion).is_none(), "concluded twice");
        assert!(!self.live.contains_key(&job), "concluded alive");
        match conclusion {
            Conclusion::Held => assert!(self.held.contains(&job), "{} is not held", name(job)),
            Conclusion::Left | Conclusion::OverBudget => {
                assert!(!self.held.contains(&job), "{} is held", name(job));
            }
            Conclusion::Done | Conclusion::Failed | Conclusion::Pruned => {}
        }
        if conclusion == Conclusion::Failed {
            let reason = self.last_failure[&job];
            let spent = self.charged[job.0] > self.policy.max_retries;
            assert!(spent || !reason.is_retryable(), "{} had retries left", name(job));
        }
        self.tell(format!("{} is {conclusion:?}", name(job)));
    }

    fn launch(&mut self, job: JobNo, slot: Slot) -> Input {
        assert_eq!(self.stopped, None, "launched after a stop");
        assert!(!self.closed, "launched although nothing was to start any more");
        assert!(!self.paused, "launched while paused");
        assert_eq!(self.disk, DiskLevel::Fine, "launched with little room");
        assert!(!self.held.contains(&job), "launched a held trial");
        assert!(!self.conclusions.contains_key(&job), "launched what is over");
        for shut in [&self.shut, &self.suspected, &self.out] {
            assert!(!shut.contains(&slot.device), "launched on {}", slot.device);
        }
        self.check_budget(job);
        let script = &self.scripts[job.0];
        let attempt = script[self.tries[job.0].min(script.len() - 1)];
        let attempt = self.spells.get(&slot.device).copied().unwrap_or(attempt);
        self.tries[job.0] += 1;
        self.tell(format!("{} on {}", name(job), slot.device));
        if let Manners::NeverStarts = attempt.manners {
            self.note_ending(job, Ending::Failed(FailureReason::LaunchFailed));
            return Input::LaunchFailed(job);
        }
        let live = Live {
            device: slot.device,
            since: self.now,
            heard: self.now,
            talks_until: self.now.saturating_add(attempt.talks),
            ends_at: self.now.saturating_add(attempt.lasts),
            ending: attempt.ending,
            manners: attempt.manners,
            asked: false,
            hard_stopped: false,
        };
        assert!(self.live.insert(job, live).is_none(), "two live attempts of one trial");
        for slot in &self.slots {
            let places = self.slots.iter().filter(|other| other.device == slot.device).count();
            let taken = self.live.values().filter(|live| live.device == slot.device).count();
            assert!(taken <= places, "{taken} attempts in {places} slots of {}", slot.device);
        }
        Input::Launched(job)
    }

    fn check_budget(&self, job: JobNo) {
        let Some(budget) = self.policy.budget else { return };
        let expected = |job: JobNo| self.jobs[job.0].expected.unwrap_or_default().0;
        let of_live = |(job, live): (&JobNo, &Live)| expected(*job).max(self.now - live.since);
        let committed = self.spent + self.live.iter().map(of_live).sum::<u64>() + expected(job);
        assert!(committed <= budget.0, "{committed} of {} are committed", budget.0);
    }

    fn tell(&mut self, what: String) {
        self.story.push(format!("{} {what}", self.now));
    }
}

impl Live {
    /// Returns when it tells something next.
    fn talks_next(&self) -> Option<u64> {
        let next = self.heard + TALK;
        (next <= self.talks_until && next < self.ends_at).then_some(next)
    }
}

fn stopped_as(why: StopReason) -> Ending {
    match why {
        StopReason::Requested | StopReason::NoRoom | StopReason::Early => Ending::Stopped,
        StopReason::Stalled => Ending::Failed(FailureReason::Stalled),
        StopReason::Deadline => Ending::Failed(FailureReason::NoProgress),
    }
}
