//! Whole stories in virtual time: a simulated world answers the scheduler's actions with inputs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;

use proptest::prelude::*;

use super::phase::{Conclusion, IllegalMove};
use super::policy::{Backoff, Policy, Suspicion};
use super::{Action, Ending, Input, Job, JobNo, Millis, Scheduler, StopRequest};
use crate::ids::{DeviceId, Slot};
use crate::outcome::{FailureReason, StopReason};

/// What one attempt does when left alone, and when asked to stop.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    lasts: u64,
    ending: Ending,
    manners: Manners,
}

#[derive(Clone, Copy, Debug)]
enum Manners {
    /// Stops this long after a soft stop.
    Obeys(u64),
    /// Only a hard stop ends it.
    Ignores,
    /// Cannot even be launched.
    NeverStarts,
}

const fn attempt(lasts: u64, ending: Ending) -> Attempt {
    Attempt { lasts, ending, manners: Manners::Obeys(1) }
}

const fn done(lasts: u64) -> Attempt {
    attempt(lasts, Ending::Done)
}

const fn lost(lasts: u64) -> Attempt {
    attempt(lasts, Ending::Failed(FailureReason::Lost))
}

const fn crash(lasts: u64) -> Attempt {
    attempt(lasts, Ending::Failed(FailureReason::Panicked))
}

struct Live {
    device: DeviceId,
    ends_at: u64,
    ending: Ending,
    manners: Manners,
    hard_stopped: bool,
}

/// Plays attempts and the user against a scheduler.
struct World {
    scheduler: Scheduler,
    slots: Vec<Slot>,
    now: u64,
    /// Attempts of each trial, in order; the last one repeats.
    scripts: Vec<Vec<Attempt>>,
    tries: Vec<usize>,
    stops: BTreeMap<u64, Vec<StopRequest>>,
    live: BTreeMap<JobNo, Live>,
    conclusions: BTreeMap<JobNo, Conclusion>,
    stopped: Option<StopRequest>,
    closed: bool,
    finished: bool,
    story: Vec<String>,
}

impl World {
    fn new(scripts: Vec<Vec<Attempt>>, slots: Vec<Slot>, policy: Policy) -> Self {
        let jobs = vec![Job::default(); scripts.len()];
        Self {
            scheduler: Scheduler::new(jobs, slots.clone(), policy),
            slots,
            now: 0,
            tries: vec![0; scripts.len()],
            scripts,
            stops: BTreeMap::new(),
            live: BTreeMap::new(),
            conclusions: BTreeMap::new(),
            stopped: None,
            closed: false,
            finished: false,
            story: Vec::new(),
        }
    }

    fn stop(mut self, at: u64, request: StopRequest) -> Self {
        self.stops.entry(at).or_default().push(request);
        self
    }

    /// Plays until the scheduler has finished.
    fn play(mut self) -> Self {
        self.give(Input::Tick);
        while !self.finished {
            let ends = self.live.values().map(|live| live.ends_at);
            let stops = self.stops.keys().copied();
            let wakes = self.scheduler.next_wakeup().map(|at| at.0);
            let next = ends.chain(stops).chain(wakes).min().expect("something must happen");
            assert!(next < u64::MAX, "nothing can happen any more: {:#?}", self.story);
            assert!(self.story.len() < 1000, "no end in sight");
            self.now = next;
            self.pass();
        }
        self
    }

    fn pass(&mut self) {
        for request in self.stops.remove(&self.now).unwrap_or_default() {
            self.stopped = self.stopped.max(Some(request));
            self.give(Input::Stop(request));
        }
        let over = self.live.iter().filter(|(_, live)| live.ends_at <= self.now);
        let over: Vec<JobNo> = over.map(|(job, _)| *job).collect();
        for job in over {
            let live = self.live.remove(&job).unwrap();
            self.tell(format!("{} {:?}", name(job), live.ending));
            self.give(Input::Ended { job, ending: live.ending });
        }
        self.give(Input::Tick);
    }

    fn give(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for action in self.scheduler.step(input, Millis(self.now)).unwrap() {
                assert!(!self.finished, "spoke after the end: {action:?}");
                inputs.extend(self.perform(action));
            }
        }
        if self.stopped == Some(StopRequest::ByForce) {
            for (job, live) in &self.live {
                assert!(live.hard_stopped, "{} was not killed", name(*job));
            }
        }
    }

    /// Returns the answer to an action that wants one.
    fn perform(&mut self, action: Action) -> Option<Input> {
        match action {
            Action::Launch { job, slot } => return Some(self.launch(job, slot)),
            Action::StopSoftly { job, why } => {
                self.tell(format!("{} stop, {why:?}", name(job)));
                let live = self.live.get_mut(&job).expect("only a live attempt is stopped");
                if let Manners::Obeys(after) = live.manners {
                    live.ends_at = live.ends_at.min(self.now + after);
                    live.ending = stopped_as(why);
                }
            }
            Action::StopHard { job, why } => {
                self.tell(format!("{} kill, {why:?}", name(job)));
                let live = self.live.get_mut(&job).expect("only a live attempt is killed");
                assert!(!live.hard_stopped, "killed twice");
                live.hard_stopped = true;
                live.ends_at = self.now + 1;
                live.ending = stopped_as(why);
            }
            Action::Retry { job, not_before } => {
                assert!(not_before.0 >= self.now);
                self.tell(format!("{} again", name(job)));
            }
            Action::Concluded { job, conclusion } => {
                assert!(self.conclusions.insert(job, conclusion).is_none(), "concluded twice");
                self.tell(format!("{} is {conclusion:?}", name(job)));
            }
            Action::Silent { job, .. } => self.tell(format!("{} is silent", name(job))),
            Action::SetAside { job } => self.tell(format!("{} aside", name(job))),
            Action::Reopened { job } => {
                let conclusion = self.conclusions.remove(&job);
                assert_eq!(conclusion, Some(Conclusion::Failed), "only a failure is taken back");
                self.tell(format!("{} reopened", name(job)));
            }
            Action::DeviceSuspected { device } => self.tell(format!("{device} suspected")),
            Action::DeviceCleared { device } => self.tell(format!("{device} cleared")),
            Action::DeviceOut { device, left } => self.tell(format!("{device} out, {left} left")),
            Action::BudgetSpent => self.tell("budget spent".to_owned()),
            Action::StartNoMore => {
                self.tell("nothing more starts".to_owned());
                self.closed = true;
            }
            Action::Finished => self.finished = true,
        }
        None
    }

    fn launch(&mut self, job: JobNo, slot: Slot) -> Input {
        assert_eq!(self.stopped, None, "launched after a stop");
        assert!(!self.closed, "launched onto a full disk");
        let script = &self.scripts[job.0];
        let attempt = script[self.tries[job.0].min(script.len() - 1)];
        self.tries[job.0] += 1;
        self.tell(format!("{} on {}", name(job), slot.device));
        if let Manners::NeverStarts = attempt.manners {
            return Input::LaunchFailed(job);
        }
        let live = Live {
            device: slot.device,
            ends_at: self.now.saturating_add(attempt.lasts),
            ending: attempt.ending,
            manners: attempt.manners,
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

    fn tell(&mut self, what: String) {
        self.story.push(format!("{} {what}", self.now));
    }
}

fn stopped_as(why: StopReason) -> Ending {
    match why {
        StopReason::Requested | StopReason::NoRoom | StopReason::Early => Ending::Stopped,
        StopReason::Stalled => Ending::Failed(FailureReason::Stalled),
        StopReason::Deadline => Ending::Failed(FailureReason::NoProgress),
    }
}

fn name(job: JobNo) -> char {
    char::from(b'a' + u8::try_from(job.0).unwrap())
}

fn cpu(slots: u32) -> Vec<Slot> {
    (0..slots).map(|ordinal| Slot { device: DeviceId::Cpu, ordinal, threads: 1 }).collect()
}

const POLICY: Policy = Policy {
    max_retries: 2,
    backoff: Backoff { base: Millis(0), most: Millis(0) },
    time_limit: None,
    grace: Millis(10),
    max_failed: None,
    stall_limit: None,
    budget: None,
    suspicion: SUSPICION,
};

const SUSPICION: Suspicion = Suspicion { at_once: Millis(10), trials: 3 };

#[test]
fn trials_run_in_the_order_of_the_plan() {
    let world = World::new(vec![vec![done(5)], vec![done(3)], vec![done(1)]], cpu(2), POLICY);
    let story = world.play().story;
    let expected = [
        "0 a on cpu",
        "0 b on cpu",
        "3 b Done",
        "3 b is Done",
        "3 c on cpu",
        "4 c Done",
        "4 c is Done",
        "5 a Done",
        "5 a is Done",
    ];
    assert_eq!(story, expected);
}

#[test]
fn an_empty_plan_finishes_at_once() {
    let world = World::new(vec![], cpu(1), POLICY).play();
    assert!(world.story.is_empty());
}

#[test]
fn a_lost_attempt_is_retried_and_a_crashed_one_is_not() {
    let world = World::new(vec![vec![lost(1), done(1)], vec![crash(1)]], cpu(1), POLICY).play();
    let expected = [
        "0 a on cpu",
        "1 a Failed(Lost)",
        "1 a again",
        "1 a on cpu",
        "2 a Done",
        "2 a is Done",
        "2 b on cpu",
        "3 b Failed(Panicked)",
        "3 b is Failed",
    ];
    assert_eq!(world.story, expected);
}

#[test]
fn retries_end() {
    let world = World::new(vec![vec![lost(1)]], cpu(1), POLICY).play();
    assert_eq!(world.tries, [3]);
    assert_eq!(world.conclusions[&JobNo(0)], Conclusion::Failed);
}

#[test]
fn earlier_failures_count_against_the_retries() {
    let mut world = World::new(vec![vec![lost(1)]], cpu(1), POLICY);
    world.scheduler = Scheduler::new(vec![Job { failures: 2, ..Job::default() }], cpu(1), POLICY);
    assert_eq!(world.play().tries, [1]);
}

#[test]
fn another_attempt_that_nobody_is_to_blame_for_is_not_charged() {
    let again = attempt(1, Ending::Again);
    let script = vec![again, again, again, again, done(1)];
    let world = World::new(vec![script], cpu(1), POLICY).play();
    assert_eq!(world.tries, [5]);
    assert_eq!(world.conclusions[&JobNo(0)], Conclusion::Done);
}

#[test]
fn the_pause_before_a_retry_leaves_the_slot_to_others() {
    let policy = Policy { backoff: Backoff { base: Millis(100), most: Millis(100) }, ..POLICY };
    let world = World::new(vec![vec![lost(1), done(1)], vec![done(2)]], cpu(1), policy).play();
    assert_eq!(world.story[3], "1 b on cpu");
    let back: u64 = world.story[6].split(' ').next().unwrap().parse().unwrap();
    assert!((51..=101).contains(&back), "{:?}", world.story);
}

#[test]
fn an_attempt_past_its_deadline_is_stopped_then_killed() {
    let stubborn = Attempt { manners: Manners::Ignores, ..done(u64::MAX) };
    let policy = Policy { time_limit: Some(Millis(50)), ..POLICY };
    let world = World::new(vec![vec![stubborn]], cpu(1), policy).play();
    let expected = [
        "0 a on cpu",
        "50 a stop, Deadline",
        "60 a kill, Deadline",
        "61 a Failed(NoProgress)",
        "61 a is Failed",
    ];
    assert_eq!(world.story, expected);
}

#[test]
fn a_deadline_with_progress_is_retried() {
    let slow = attempt(50, Ending::Failed(FailureReason::DeadlineHit));
    let world = World::new(vec![vec![slow, done(1)]], cpu(1), POLICY).play();
    assert_eq!(world.tries, [2]);
    assert_eq!(world.conclusions[&JobNo(0)], Conclusion::Done);
}

#[test]
fn the_first_stop_is_polite_and_starts_nothing_more() {
    let world = World::new(vec![vec![done(100)], vec![done(1)]], cpu(1), POLICY)
        .stop(7, StopRequest::Politely)
        .play();
    let expected =
        ["0 a on cpu", "7 b is Left", "7 a stop, Requested", "8 a Stopped", "8 a is Left"];
    assert_eq!(world.story, expected);
}

#[test]
fn the_second_stop_kills() {
    let stubborn = Attempt { manners: Manners::Ignores, ..done(u64::MAX) };
    let world = World::new(vec![vec![stubborn]], cpu(1), POLICY)
        .stop(7, StopRequest::Politely)
        .stop(8, StopRequest::ByForce)
        .play();
    let expected =
        ["0 a on cpu", "7 a stop, Requested", "8 a kill, Requested", "9 a Stopped", "9 a is Left"];
    assert_eq!(world.story, expected);
}

#[test]
fn the_third_stop_leaves_attempts_running() {
    let world =
        World::new(vec![vec![done(100)]], cpu(1), POLICY).stop(7, StopRequest::Detach).play();
    assert_eq!(world.story, ["0 a on cpu"]);
    assert_eq!(world.live.len(), 1);
}

#[test]
fn a_lost_attempt_is_left_and_not_failed_while_stopping() {
    let stubborn = Attempt { manners: Manners::Ignores, ..lost(9) };
    let world =
        World::new(vec![vec![stubborn]], cpu(1), POLICY).stop(7, StopRequest::Politely).play();
    assert_eq!(world.conclusions[&JobNo(0)], Conclusion::Left);
}

#[test]
fn too_many_failed_trials_close_the_intake_but_stop_nobody() {
    let policy = Policy { max_failed: NonZeroU32::new(1), ..POLICY };
    let scripts = vec![vec![crash(1)], vec![done(5)], vec![done(1)]];
    let world = World::new(scripts, cpu(2), policy).play();
    let conclusions: Vec<_> = world.conclusions.into_values().collect();
    assert_eq!(conclusions, [Conclusion::Failed, Conclusion::Done, Conclusion::Left]);
}

#[test]
fn a_full_disk_starts_nothing_more_and_stops_nobody() {
    let full = attempt(1, Ending::Failed(FailureReason::DiskFull));
    let scripts = vec![vec![full], vec![full, done(1)], vec![done(5)], vec![done(1)]];
    let world = World::new(scripts, cpu(3), POLICY).play();
    let expected = [
        "0 a on cpu",
        "0 b on cpu",
        "0 c on cpu",
        "1 a Failed(DiskFull)",
        "1 nothing more starts",
        "1 d is Left",
        "1 a is Left",
        "1 b Failed(DiskFull)",
        "1 b is Left",
        "5 c Done",
        "5 c is Done",
    ];
    assert_eq!(world.story, expected);
}

#[test]
fn a_trial_that_cannot_be_launched_is_retried_then_fails() {
    let never = Attempt { manners: Manners::NeverStarts, ..done(1) };
    let world = World::new(vec![vec![never]], cpu(1), POLICY).play();
    assert_eq!(world.tries, [3]);
    assert_eq!(world.conclusions[&JobNo(0)], Conclusion::Failed);
}

#[test]
fn adopted_attempts_keep_their_slots_and_their_deadlines() {
    let policy = Policy { time_limit: Some(Millis(100)), ..POLICY };
    let mut scheduler = Scheduler::new(vec![Job::default(); 2], cpu(1), policy);
    let adopted = Input::Adopted { job: JobNo(1), device: DeviceId::Cpu, running_for: Millis(30) };
    assert_eq!(scheduler.step(adopted, Millis(0)).unwrap(), []);
    assert_eq!(scheduler.step(Input::Tick, Millis(69)).unwrap(), [], "the only slot is taken");
    assert_eq!(
        scheduler.step(Input::Tick, Millis(70)).unwrap(),
        [Action::StopSoftly { job: JobNo(1), why: StopReason::Deadline }]
    );
}

#[test]
fn a_stop_during_a_launch_reaches_the_attempt_once_it_lives() {
    let mut scheduler = Scheduler::new(vec![Job::default()], cpu(1), POLICY);
    scheduler.step(Input::Tick, Millis(0)).unwrap();
    assert_eq!(scheduler.step(Input::Stop(StopRequest::ByForce), Millis(0)).unwrap(), []);
    assert_eq!(
        scheduler.step(Input::Launched(JobNo(0)), Millis(0)).unwrap(),
        [Action::StopHard { job: JobNo(0), why: StopReason::Requested }]
    );
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let mut scheduler = Scheduler::new(vec![Job::default()], vec![], POLICY);
    let ended = Input::Ended { job: JobNo(0), ending: Ending::Done };
    for (input, name) in [
        (Input::Launched(JobNo(0)), "launched"),
        (Input::LaunchFailed(JobNo(0)), "launch_failed"),
        (ended, "ended"),
    ] {
        let refused = IllegalMove { job: JobNo(0), input: name, phase: "ready" };
        assert_eq!(scheduler.step(input, Millis(0)).unwrap_err(), refused);
    }
    let unknown = scheduler.step(Input::Launched(JobNo(9)), Millis(0)).unwrap_err();
    assert_eq!(unknown.phase, "unknown");
}

fn any_attempt() -> impl Strategy<Value = Attempt> {
    let ending = prop_oneof![
        4 => Just(Ending::Done),
        1 => Just(Ending::Again),
        2 => Just(Ending::Failed(FailureReason::Lost)),
        1 => Just(Ending::Failed(FailureReason::OutOfMemory)),
        1 => Just(Ending::Failed(FailureReason::DiskFull)),
    ];
    let manners = prop_oneof![
        4 => (0..20u64).prop_map(Manners::Obeys),
        1 => Just(Manners::Ignores),
        1 => Just(Manners::NeverStarts),
    ];
    (0..60u64, ending, manners).prop_map(|(lasts, ending, manners)| Attempt {
        lasts,
        ending,
        manners,
    })
}

prop_compose! {
    /// A script whose last attempt, which repeats, does not ask for another for ever.
    fn any_script()(mut script in prop::collection::vec(any_attempt(), 0..4), last in 0..60u64)
        -> Vec<Attempt> {
        script.push(done(last));
        script
    }
}

prop_compose! {
    fn any_slots()(per_device in prop::collection::vec(1..3u32, 1..4)) -> Vec<Slot> {
        let device = |index| DeviceId::Cuda { index, uuid: format!("GPU-{index}") };
        let of = |(index, slots): (u32, u32)| {
            (0..slots).map(move |ordinal| Slot { device: device(index), ordinal, threads: 1 })
        };
        (0..).zip(per_device).flat_map(of).collect()
    }
}

prop_compose! {
    fn any_policy()(
        max_retries in 0..3u32,
        base in 0..20u64,
        time_limit in prop::option::of(20..80u64),
        max_failed in prop::option::weighted(0.2, 1..3u32),
    ) -> Policy {
        Policy {
            max_retries,
            backoff: Backoff { base: Millis(base), most: Millis(50) },
            time_limit: time_limit.map(Millis),
            grace: Millis(10),
            max_failed: max_failed.and_then(NonZeroU32::new),
            ..POLICY
        }
    }
}

fn any_world() -> impl Strategy<Value = (Vec<Vec<Attempt>>, Vec<Slot>, Policy, Vec<u64>)> {
    (
        prop::collection::vec(any_script(), 0..8),
        any_slots(),
        any_policy(),
        prop::collection::vec(0..150u64, 0..3),
    )
}

fn world(
    (scripts, slots, policy, mut stops): (Vec<Vec<Attempt>>, Vec<Slot>, Policy, Vec<u64>),
) -> World {
    stops.sort_unstable();
    let requests = [StopRequest::Politely, StopRequest::ByForce];
    let world = World::new(scripts, slots, policy);
    stops.into_iter().zip(requests).fold(world, |world, (at, request)| world.stop(at, request))
}

proptest! {
    // The world itself asserts on the way: no device over its slots, one live attempt a trial,
    // one conclusion a trial, no launch after a stop, all killed after the second.
    #[test]
    fn every_trial_reaches_exactly_one_end(parts in any_world()) {
        let max_retries = parts.2.max_retries as usize;
        let world = world(parts).play();
        prop_assert!(world.live.is_empty());
        let ended: BTreeSet<_> = world.conclusions.keys().copied().collect();
        prop_assert_eq!(ended.len(), world.scripts.len());
        for (job, script) in world.scripts.iter().enumerate() {
            let uncharged =
                script.iter().filter(|attempt| attempt.ending == Ending::Again).count();
            prop_assert!(world.tries[job] <= 1 + max_retries + uncharged);
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_actions(parts in any_world()) {
        prop_assert_eq!(world(parts.clone()).play().story, world(parts).play().story);
    }

    #[test]
    fn first_attempts_start_in_the_order_of_the_plan(parts in any_world()) {
        let world = world(parts).play();
        let mut seen = BTreeSet::new();
        let starts = world.story.iter().filter(|line| line.contains(" on "));
        let firsts: Vec<_> = starts
            .map(|line| line.split(' ').nth(1).unwrap().to_owned())
            .filter(|name| seen.insert(name.clone()))
            .collect();
        prop_assert!(firsts.is_sorted(), "{:?}", firsts);
    }
}
