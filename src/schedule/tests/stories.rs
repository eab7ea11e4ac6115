//! Whole stories of runs: slots, retries, deadlines, stops.

use std::num::NonZeroU32;

use super::super::phase::{Conclusion, IllegalMove};
use super::super::policy::{Backoff, Policy};
use super::super::{Action, Ending, Input, Job, JobNo, Millis, Scheduler, StopRequest};
use super::world::{Attempt, Manners, POLICY, World, attempt, cpu, crash, done, lost};
use crate::ids::DeviceId;
use crate::outcome::{FailureReason, StopReason};

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
    let jobs = vec![Job { failures: 2, ..Job::default() }];
    let world = World::with_jobs(jobs, vec![vec![lost(1)]], cpu(1), POLICY);
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
