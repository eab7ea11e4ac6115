//! Stories of what users ask for while a run is at work.

use super::super::phase::Conclusion;
use super::super::{Action, Input, Job, JobNo, Manner, Millis, Scheduler, Start, StopRequest};
use super::world::{Attempt, Manners, POLICY, World, cpu, crash, done};
use crate::outcome::StopReason;

const A: JobNo = JobNo(0);
const B: JobNo = JobNo(1);

#[test]
fn a_paused_run_lets_live_attempts_end_and_waits_until_it_is_resumed() {
    let world = World::new(vec![vec![done(5)]; 2], cpu(1), POLICY)
        .input(3, Input::Pause)
        .input(50, Input::Resume)
        .play();
    let expected =
        ["0 a on cpu", "5 a Done", "5 a is Done", "50 b on cpu", "55 b Done", "55 b is Done"];
    assert_eq!(world.story, expected);
}

#[test]
fn a_paused_run_obeys_a_stop() {
    let world = World::new(vec![vec![done(5)]; 2], cpu(1), POLICY)
        .input(3, Input::Pause)
        .stop(9, StopRequest::Politely)
        .play();
    assert_eq!(world.story.last().unwrap(), "9 b is Left");
}

#[test]
fn held_trials_stay_out_and_do_not_keep_the_run_alive() {
    let held = Job { start: Start::Held, ..Job::default() };
    let jobs = vec![held, Job::default()];
    let world = World::with_jobs(jobs, vec![vec![done(5)]; 2], cpu(2), POLICY).play();
    assert_eq!(world.story, ["0 b on cpu", "5 b Done", "5 b is Done", "5 a is Held"]);
}

#[test]
fn a_trial_can_be_held_and_released_while_the_run_lives() {
    let world = World::new(vec![vec![done(5)]; 3], cpu(1), POLICY)
        .input(1, Input::Hold(B))
        .input(7, Input::Release(B))
        .play();
    let starts: Vec<_> = world.story.iter().filter(|line| line.contains(" on ")).collect();
    assert_eq!(starts, ["0 a on cpu", "5 c on cpu", "10 b on cpu"]);
}

#[test]
fn a_hold_lets_a_live_attempt_go_on_and_keeps_its_retry_back() {
    let world =
        World::new(vec![vec![super::world::lost(5), done(5)], vec![done(9)]], cpu(2), POLICY)
            .input(1, Input::Hold(A))
            .play();
    assert_eq!(world.conclusions[&A], Conclusion::Held);
    assert!(world.story.contains(&"5 a aside".to_owned()), "{:#?}", world.story);
}

#[test]
fn one_trial_is_stopped_and_the_others_go_on() {
    let world = World::new(vec![vec![done(50)], vec![done(5)]], cpu(1), POLICY)
        .input(3, Input::StopJob { job: A, manner: Manner::Softly })
        .play();
    let expected = [
        "0 a on cpu",
        "3 a stop, Requested",
        "4 a Stopped",
        "4 a aside",
        "4 b on cpu",
        "9 b Done",
        "9 b is Done",
        "9 a is Left",
    ];
    assert_eq!(world.story, expected);
}

#[test]
fn one_trial_is_killed_and_may_be_asked_for_again() {
    let stubborn = Attempt { manners: Manners::Ignores, ..done(100) };
    let world = World::new(vec![vec![stubborn, done(5)], vec![done(30)]], cpu(1), POLICY)
        .input(3, Input::StopJob { job: A, manner: Manner::Softly })
        .input(4, Input::StopJob { job: A, manner: Manner::Hard })
        .input(9, Input::Retry(A))
        .play();
    assert!(world.story.contains(&"4 a kill, Requested".to_owned()), "{:#?}", world.story);
    assert_eq!(world.conclusions[&A], Conclusion::Done);
}

#[test]
fn who_is_released_while_stopping_goes_on() {
    let slow = Attempt { manners: Manners::Obeys(5), ..done(100) };
    let world = World::new(vec![vec![slow, done(5)]], cpu(1), POLICY)
        .input(3, Input::StopJob { job: A, manner: Manner::Softly })
        .input(4, Input::Release(A))
        .play();
    assert_eq!(world.conclusions[&A], Conclusion::Done);
}

#[test]
fn a_failed_trial_that_is_forgiven_has_all_its_retries_again() {
    let world = World::new(vec![vec![crash(1), done(5)], vec![done(30)]], cpu(2), POLICY)
        .input(9, Input::Retry(A))
        .play();
    assert!(world.story.contains(&"9 a reopened".to_owned()), "{:#?}", world.story);
    assert_eq!(world.conclusions[&A], Conclusion::Done);
    // One that failed in an earlier run likewise.
    let failed = Job { failures: 3, start: Start::Failed, ..Job::default() };
    let world = World::with_jobs(vec![failed], vec![vec![done(5)]], cpu(1), POLICY)
        .input(0, Input::Retry(A));
    assert!(world.play().tries == [0], "the run was over before it was asked");
    let jobs = vec![failed, Job::default()];
    let world = World::with_jobs(jobs, vec![vec![done(5)]; 2], cpu(1), POLICY)
        .input(1, Input::Retry(A))
        .play();
    assert_eq!(world.conclusions[&A], Conclusion::Done);
}

#[test]
fn what_is_pruned_is_over_alive_or_not() {
    let world = World::new(vec![vec![done(50)], vec![done(50)], vec![done(5)]], cpu(1), POLICY)
        .input(3, Input::Prune { job: A })
        .input(3, Input::Prune { job: B })
        .play();
    assert_eq!(
        world.story[..5],
        ["0 a on cpu", "3 a stop, Early", "3 b is Pruned", "4 a Stopped", "4 a is Pruned"]
    );
    assert_eq!(world.conclusions[&JobNo(2)], Conclusion::Done);
}

#[test]
fn what_was_done_before_it_heard_that_it_is_pruned_is_done() {
    let deaf = Attempt { manners: Manners::Ignores, ..done(5) };
    let world =
        World::new(vec![vec![deaf]], cpu(1), POLICY).input(3, Input::Prune { job: A }).play();
    assert_eq!(world.conclusions[&A], Conclusion::Done);
}

#[test]
fn a_wish_during_a_launch_reaches_the_attempt_once_it_lives() {
    let cases = [
        (
            Input::StopJob { job: A, manner: Manner::Hard },
            Action::StopHard { job: A, why: StopReason::Requested },
        ),
        (Input::Prune { job: A }, Action::StopSoftly { job: A, why: StopReason::Early }),
    ];
    for (wish, expected) in cases {
        let mut scheduler = Scheduler::new(vec![Job::default()], cpu(1), POLICY);
        scheduler.step(Input::Tick, Millis(0)).unwrap();
        assert_eq!(scheduler.step(wish, Millis(0)).unwrap(), []);
        assert_eq!(scheduler.step(Input::Launched(A), Millis(0)).unwrap(), [expected]);
    }
}
