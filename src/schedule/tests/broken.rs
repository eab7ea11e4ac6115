//! Stories of devices, disks and workers that do not work.

use super::super::phase::Conclusion;
use super::super::policy::Policy;
use super::super::{DiskLevel, Input, Job, JobNo, Millis, Start};
use super::world::{Attempt, Manners, POLICY, World, attempt, cpu, crash, done, gpu, gpus, lost};
use crate::ids::Slot;
use crate::outcome::FailureReason;
use crate::schedule::Ending;

const NEVER: Attempt = Attempt { manners: Manners::NeverStarts, ..done(1) };

fn all(world: &World, conclusion: Conclusion) -> bool {
    world.conclusions.values().all(|&found| found == conclusion)
}

fn said(world: &World, text: &str) -> usize {
    world.story.iter().filter(|line| line.contains(text)).count()
}

#[test]
fn a_device_where_all_die_is_convicted_by_one_that_lives_elsewhere_and_costs_nobody_a_retry() {
    let policy = Policy { max_retries: 0, ..POLICY };
    for broken in [crash(1), lost(1)] {
        let world = World::new(vec![vec![done(20)]; 6], gpus(2), policy);
        let world = world.spell(gpu(0), broken).play();
        assert!(all(&world, Conclusion::Done), "{:#?}", world.story);
        // It need not end: after 10 it has lived long enough.
        let convicted = world.story.iter().find(|line| line.contains("cuda:0 out"));
        assert_eq!(convicted.unwrap(), "30 cuda:0 out, 1 left");
        assert_eq!(said(&world, "on cuda:0"), 3);
    }
}

#[test]
fn a_sweep_whose_every_trial_panics_fails_and_no_device_is_to_blame() {
    for slots in [gpus(1), gpus(2), gpus(3), cpu(2)] {
        let world = World::new(vec![vec![crash(1)]; 8], slots, POLICY).play();
        assert!(all(&world, Conclusion::Failed), "{:#?}", world.story);
        assert_eq!(said(&world, " out, "), 0);
    }
}

#[test]
fn trials_that_are_broken_themselves_give_the_device_back() {
    // All of them meet one device, since the other one is at work on something good.
    let mut scripts = vec![vec![done(30)], vec![crash(1)], vec![crash(1)], vec![crash(1)]];
    scripts.extend(vec![vec![done(20)]; 6]);
    let world = World::new(scripts, gpus(2), POLICY).play();
    let failed = world.conclusions.values().filter(|&&end| end == Conclusion::Failed).count();
    assert_eq!((failed, said(&world, "suspected")), (3, 1), "{:#?}", world.story);
    assert_eq!((said(&world, "cleared"), said(&world, " out, ")), (1, 0));
    let last = world.story.iter().rposition(|line| line.contains("on cuda:1")).unwrap();
    let cleared = world.story.iter().position(|line| line.contains("cleared")).unwrap();
    assert!(last > cleared, "it is used again: {:#?}", world.story);
}

#[test]
fn where_nothing_can_be_launched_the_last_device_goes_too_and_no_trial_fails() {
    let world = World::new(vec![vec![NEVER]; 9], gpus(2), Policy { max_retries: 0, ..POLICY });
    let world = world.play();
    assert!(all(&world, Conclusion::Left), "{:#?}", world.story);
    assert_eq!(said(&world, "out, 0 left"), 1);
}

#[test]
fn one_trial_alone_never_takes_a_device_out() {
    let world = World::new(vec![vec![NEVER], vec![done(1)]], gpus(1), POLICY).play();
    assert_eq!(world.conclusions[&JobNo(0)], Conclusion::Failed);
    assert_eq!(world.conclusions[&JobNo(1)], Conclusion::Done);
}

#[test]
fn what_the_trial_is_to_blame_for_says_nothing_of_the_device() {
    for reason in
        [FailureReason::SpecRejected, FailureReason::OutOfMemory, FailureReason::ProtocolBroken]
    {
        let bad = attempt(1, Ending::Failed(reason));
        let world = World::new(vec![vec![bad]; 6], gpus(2), POLICY).play();
        assert_eq!(said(&world, "suspected") + said(&world, "out"), 0, "{reason:?}");
    }
}

#[test]
fn a_busy_device_is_left_alone_and_comes_back() {
    let world = World::new(vec![vec![done(5)]; 3], gpus(1), POLICY)
        .input(3, Input::Rooms(vec![(gpu(0), 0)]))
        .input(50, Input::Rooms(vec![(gpu(0), 1)]))
        .play();
    assert!(all(&world, Conclusion::Done));
    assert_eq!(world.story[3], "50 b on cuda:0", "what was alive went on: {:#?}", world.story);
}

#[test]
fn what_is_alive_on_the_last_device_to_leave_goes_on() {
    let slot = |ordinal| Slot { device: gpu(0), ordinal, threads: 1 };
    let mut scripts = vec![vec![done(50)]];
    scripts.extend(vec![vec![NEVER]; 6]);
    let policy = Policy { max_retries: 0, ..POLICY };
    let world = World::new(scripts, vec![slot(0), slot(1)], policy).play();
    assert_eq!(said(&world, "out, 0 left"), 1, "{:#?}", world.story);
    assert_eq!(world.conclusions[&JobNo(0)], Conclusion::Done);
    let left = world.conclusions.values().filter(|&&end| end == Conclusion::Left).count();
    assert_eq!(left, 6, "{:#?}", world.story);
}

#[test]
fn little_room_starts_nothing_and_more_room_starts_again() {
    let world = World::new(vec![vec![done(5)]; 2], cpu(1), POLICY)
        .input(3, Input::Disk(DiskLevel::Low))
        .input(40, Input::Disk(DiskLevel::Fine))
        .play();
    assert_eq!(world.story[3], "40 b on cpu", "{:#?}", world.story);
}

#[test]
fn no_room_stops_all_politely_and_fails_none() {
    let stubborn = Attempt { manners: Manners::Ignores, ..done(u64::MAX) };
    let world = World::new(vec![vec![done(50)], vec![stubborn], vec![done(1)]], cpu(2), POLICY)
        .input(3, Input::Disk(DiskLevel::Critical))
        .play();
    let expected = [
        "0 a on cpu",
        "0 b on cpu",
        "3 nothing more starts",
        "3 c is Left",
        "3 a stop, NoRoom",
        "3 b stop, NoRoom",
        "4 a Stopped",
        "4 a is Left",
        "13 b kill, NoRoom",
        "14 b Stopped",
        "14 b is Left",
    ];
    assert_eq!(world.story, expected);
}

#[test]
fn who_is_silent_for_too_long_is_remarked_upon_then_stopped_then_killed_and_tried_again() {
    let hung = Attempt { talks: 9, manners: Manners::Ignores, ..done(u64::MAX) };
    let policy = Policy { stall_limit: Some(Millis(40)), ..POLICY };
    let world = World::new(vec![vec![hung, done(5)]], cpu(1), policy).play();
    let expected = [
        "0 a on cpu",
        "29 a is silent",
        "49 a stop, Stalled",
        "59 a kill, Stalled",
        "60 a Failed(Stalled)",
        "60 a again",
        "60 a on cpu",
        "65 a Done",
        "65 a is Done",
    ];
    assert_eq!(world.story, expected);
}

#[test]
fn who_talks_is_never_stalled() {
    let talks = Attempt { talks: 200, ..done(200) };
    let policy = Policy { stall_limit: Some(Millis(8)), ..POLICY };
    assert_eq!(World::new(vec![vec![talks]], cpu(1), policy).play().story.len(), 3);
}

#[test]
fn whoever_was_away_for_long_hears_first_and_judges_then() {
    let policy = Policy { stall_limit: Some(Millis(40)), ..POLICY };
    let mut world = World::new(vec![vec![done(1)]; 2], cpu(2), policy);
    world.scheduler.step(Input::Tick, Millis(0)).unwrap();
    for job in [JobNo(0), JobNo(1)] {
        world.scheduler.step(Input::Launched(job), Millis(0)).unwrap();
    }
    // The controller itself stood still; one attempt ended meanwhile, the other talked.
    let late = Millis(1000);
    world.scheduler.step(Input::Ended { job: JobNo(0), ending: Ending::Done }, late).unwrap();
    world.scheduler.step(Input::Spoke(JobNo(1)), late).unwrap();
    assert_eq!(world.scheduler.step(Input::Tick, late).unwrap(), []);
}

#[test]
fn the_budget_counts_what_is_spent_what_runs_and_what_would_come() {
    let job = Job { expected: Some(Millis(10)), ..Job::default() };
    let policy = Policy { budget: Some(Millis(35)), ..POLICY };
    let scripts = vec![vec![done(10)]; 5];
    let world = World::with_jobs(vec![job; 5], scripts, cpu(2), policy).play();
    let ends: Vec<_> = world.conclusions.into_values().collect();
    let (done, over) = (Conclusion::Done, Conclusion::OverBudget);
    assert_eq!(ends, [done, done, done, over, over]);
    assert_eq!(world.story.iter().filter(|line| line.contains("budget")).count(), 1);
}

#[test]
fn without_an_expectation_only_what_was_spent_counts() {
    let policy = Policy { budget: Some(Millis(15)), ..POLICY };
    let world = World::new(vec![vec![done(10)]; 4], cpu(1), policy).play();
    assert_eq!(world.tries, [1, 1, 0, 0]);
}

#[test]
fn what_was_held_or_failed_before_costs_the_budget_nothing() {
    let start = |start| Job { start, expected: Some(Millis(10)), ..Job::default() };
    let jobs = vec![start(Start::Held), start(Start::Failed), start(Start::Ready)];
    let policy = Policy { budget: Some(Millis(10)), ..POLICY };
    let world = World::with_jobs(jobs, vec![vec![done(10)]; 3], cpu(1), policy).play();
    let ends: Vec<_> = world.conclusions.into_values().collect();
    assert_eq!(ends, [Conclusion::Held, Conclusion::Failed, Conclusion::Done]);
}
