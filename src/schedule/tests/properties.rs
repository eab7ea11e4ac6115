//! What holds in every story: the world itself asserts on the way what must never happen.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use proptest::prelude::*;

use super::super::policy::{Backoff, Policy, Suspicion};
use super::super::{DiskLevel, Ending, Input, Job, JobNo, Manner, Millis, Start, StopRequest};
use super::world::{Attempt, Manners, POLICY, World, done, gpu};
use crate::ids::Slot;
use crate::outcome::FailureReason;

/// By then everything that can be lifted is lifted.
const LIFTED: u64 = 200;

fn any_attempt() -> impl Strategy<Value = Attempt> {
    let ending = prop_oneof![
        8 => Just(Ending::Done),
        2 => Just(Ending::Again),
        4 => Just(Ending::Failed(FailureReason::Lost)),
        4 => Just(Ending::Failed(FailureReason::Panicked)),
        2 => Just(Ending::Failed(FailureReason::OutOfMemory)),
        1 => Just(Ending::Failed(FailureReason::DiskFull)),
    ];
    let manners = prop_oneof![
        4 => (0..20u64).prop_map(Manners::Obeys),
        1 => Just(Manners::Ignores),
        1 => Just(Manners::NeverStarts),
    ];
    (0..60u64, ending, manners, 0..80u64).prop_map(|(lasts, ending, manners, talks)| Attempt {
        lasts,
        ending,
        manners,
        talks,
    })
}

prop_compose! {
    /// A script whose last attempt, which repeats, does not ask for another for ever.
    fn any_script()(mut script in prop::collection::vec(any_attempt(), 0..4), last in 0..60u64)
        -> Vec<Attempt> {
        script.push(Attempt { talks: last, ..done(last) });
        script
    }
}

prop_compose! {
    fn any_slots()(per_device in prop::collection::vec(1..3u32, 1..4)) -> Vec<Slot> {
        let of = |(index, slots): (u32, u32)| {
            (0..slots).map(move |ordinal| Slot { device: gpu(index), ordinal, threads: 1 })
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
        stall_limit in prop::option::of(2..60u64),
        budget in prop::option::weighted(0.2, 0..300u64),
        trials in prop_oneof![Just(usize::MAX), 1..4usize],
    ) -> Policy {
        Policy {
            max_retries,
            backoff: Backoff { base: Millis(base), most: Millis(50) },
            time_limit: time_limit.map(Millis),
            max_failed: max_failed.and_then(NonZeroU32::new),
            stall_limit: stall_limit.map(Millis),
            budget: budget.map(Millis),
            suspicion: Suspicion { trials, ..POLICY.suspicion },
            ..POLICY
        }
    }
}

fn any_job() -> impl Strategy<Value = Job> {
    let start =
        prop_oneof![6 => Just(Start::Ready), 1 => Just(Start::Held), 1 => Just(Start::Failed)];
    (0..2u32, start, prop::option::of(0..60u64)).prop_map(|(failures, start, expected)| Job {
        failures,
        start,
        expected: expected.map(Millis),
    })
}

/// An input from outside for one of eight trials or four devices.
fn any_input() -> impl Strategy<Value = Input> {
    let job = || (0..8usize).prop_map(JobNo);
    let manner = prop_oneof![Just(Manner::Softly), Just(Manner::Hard)];
    let level = prop_oneof![4 => Just(DiskLevel::Fine), 4 => Just(DiskLevel::Low), 1 => Just(DiskLevel::Critical)];
    prop_oneof![
        Just(Input::Pause),
        Just(Input::Resume),
        job().prop_map(Input::Hold),
        job().prop_map(Input::Release),
        job().prop_map(Input::Retry),
        (job(), manner).prop_map(|(job, manner)| Input::StopJob { job, manner }),
        job().prop_map(|job| Input::Prune { job }),
        (0..4u32, 0..3u32).prop_map(|(index, room)| Input::Rooms(vec![(gpu(index), room)])),
        level.prop_map(Input::Disk),
    ]
}

#[derive(Clone, Debug)]
struct Parts {
    trials: Vec<(Job, Vec<Attempt>)>,
    slots: Vec<Slot>,
    policy: Policy,
    stops: Vec<u64>,
    inputs: Vec<(u64, Input)>,
}

prop_compose! {
    /// Trials, devices and rules; nobody interferes but to stop.
    fn quiet_parts()(
        scripts in prop::collection::vec(any_script(), 0..8),
        slots in any_slots(),
        policy in any_policy(),
        stops in prop::collection::vec(0..150u64, 0..3),
    ) -> Parts {
        let trials = scripts.into_iter().map(|script| (Job::default(), script)).collect();
        Parts { trials, slots, policy, stops, inputs: Vec::new() }
    }
}

prop_compose! {
    fn any_parts()(
        quiet in quiet_parts(),
        trials in prop::collection::vec((any_job(), any_script()), 0..8),
        inputs in prop::collection::vec((0..LIFTED, any_input()), 0..20),
    ) -> Parts {
        Parts { trials, inputs, ..quiet }
    }
}

fn names_a_trial(input: &Input) -> Option<JobNo> {
    match input {
        Input::Hold(job)
        | Input::Release(job)
        | Input::Retry(job)
        | Input::StopJob { job, .. }
        | Input::Prune { job } => Some(*job),
        _ => None,
    }
}

fn world(parts: Parts) -> World {
    let Parts { trials, slots, policy, mut stops, inputs } = parts;
    let count = trials.len();
    let (jobs, scripts): (Vec<_>, Vec<_>) = trials.into_iter().unzip();
    stops.sort_unstable();
    let requests = [StopRequest::Politely, StopRequest::ByForce];
    let world = World::with_jobs(jobs, scripts, slots, policy);
    let world =
        stops.into_iter().zip(requests).fold(world, |world, (at, request)| world.stop(at, request));
    let known = |input: &Input| names_a_trial(input).is_none_or(|job| job.0 < count);
    let critical = inputs.iter().any(|(_, input)| *input == Input::Disk(DiskLevel::Critical));
    let mut world = inputs
        .into_iter()
        .filter(|(_, input)| known(input))
        .fold(world, |world, (at, input)| world.input(at, input));
    world = world.input(LIFTED, Input::Resume);
    if !critical {
        world = world.input(LIFTED, Input::Disk(DiskLevel::Fine));
    }
    world.input(LIFTED, Input::Rooms((0..4).map(|index| (gpu(index), u32::MAX)).collect()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    // No device over its slots or while it is shut, one live attempt a trial, one conclusion a
    // trial, nothing launched after a stop, while paused, held, low on disk or over budget, nobody
    // alive beyond a limit without being asked to stop, no retry used up by what is not charged.
    #[test]
    fn every_trial_reaches_exactly_one_end_whatever_is_asked_meanwhile(parts in any_parts()) {
        let world = world(parts).play();
        prop_assert!(world.live.is_empty());
        let ended: BTreeSet<_> = world.conclusions.keys().copied().collect();
        prop_assert_eq!(ended.len(), world.scripts.len());
    }

    #[test]
    fn nobody_is_tried_more_often_than_allowed(mut parts in quiet_parts()) {
        parts.policy.suspicion.trials = usize::MAX;
        let max_retries = parts.policy.max_retries as usize;
        let world = world(parts).play();
        for (job, script) in world.scripts.iter().enumerate() {
            let uncharged =
                script.iter().filter(|attempt| attempt.ending == Ending::Again).count();
            prop_assert!(world.tries[job] <= 1 + max_retries + uncharged);
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_actions(parts in any_parts()) {
        prop_assert_eq!(world(parts.clone()).play().story, world(parts).play().story);
    }

    #[test]
    fn first_attempts_start_in_the_order_of_the_plan(parts in quiet_parts()) {
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
