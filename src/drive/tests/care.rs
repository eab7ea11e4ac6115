//! What a run does about its disk, its budget, and attempts that say nothing.

use super::*;

const PLENTY: u64 = u64::MAX / 2;

#[tokio::test]
async fn with_little_room_nothing_starts_and_it_is_said_once_how_much_is_missing() {
    let mut bench = Bench::new().await;
    bench.options.disk = Some(Watermarks { low: PLENTY, critical: 0 });
    let stop = |event: &RunEvent| {
        matches!(event, RunEvent::DiskLow { .. }).then_some(StopRequest::Politely)
    };
    let (summary, events) = bench.try_run(&plan(2), &ScriptedExecutor::new([]), stop).await;
    assert_eq!(summary.unwrap().left, 2);
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            RunEvent::DiskLow { free_bytes, missing_bytes, .. } => Some(free_bytes + missing_bytes),
            _ => None,
        })
        .collect();
    assert_eq!(told, [PLENTY]);
}

#[tokio::test]
async fn with_no_room_the_run_ends_as_with_a_full_disk() {
    let mut bench = Bench::new().await;
    bench.options.disk = Some(Watermarks { low: PLENTY, critical: PLENTY });
    let (summary, events) = bench.run(&plan(2), &ScriptedExecutor::new([])).await;
    assert_eq!(summary, RunSummary { left: 2, ..RunSummary::default() });
    assert!(events.iter().any(|event| matches!(event, RunEvent::DiskFull { .. })));
}

#[tokio::test]
async fn an_attempt_that_says_nothing_is_noted_stopped_and_tried_again() {
    let bench = Bench::new().await;
    let mut plan = plan(1);
    plan.meta.resources.stall_limit = Some(Duration::from_millis(60));
    let executor = ScriptedExecutor::new([waits_then(vec![ended(End::Stopped)]), finishes()]);
    let (summary, events) = bench.run(&plan, &executor).await;
    assert_eq!(summary.done, 1);
    assert_eq!(executor.calls(), ["launch", "soft", "launch"]);
    assert_eq!(reason(&bench.attempts(&plan).await[0]), Some(FailureReason::Stalled));
    let noted = |event: &&RunEvent| matches!(event, RunEvent::Noted { text, .. } if text.contains("told nothing"));
    assert_eq!(events.iter().filter(noted).count(), 1);
}

#[tokio::test]
async fn what_the_budget_has_no_room_for_is_left_and_counted() {
    let mut bench = Bench::new().await;
    bench.options.budget = Some(Millis(1_000_000));
    bench.expected = Some(Millis(1_100_000));
    let (summary, events) = bench.run(&plan(2), &ScriptedExecutor::new([])).await;
    assert_eq!(summary, RunSummary { left: 2, over_budget: 2, ..RunSummary::default() });
    assert_eq!(events.iter().filter(|event| matches!(event, RunEvent::BudgetSpent)).count(), 1);
    bench.expected = Some(Millis(900_000));
    // The first one is far quicker than expected, so that there is room for the second.
    let executor = ScriptedExecutor::new([finishes(), finishes()]);
    assert_eq!(bench.run(&plan(2), &executor).await.0.done, 2);
}

#[tokio::test]
async fn the_clock_on_the_wall_may_jump_without_ending_anybody() {
    let bench = Bench::new().await;
    let mut plan = plan(1);
    plan.meta.resources.time_limit = Some(Duration::from_secs(3600));
    let executor = ScriptedExecutor::new([waits_then(last_words())]);
    // The row says 1970, which is what a wall clock that jumped by half a century looks like.
    let (row, handle) = bench.leave_a_worker(&plan, &executor).await;
    assert_eq!(row.started_ms, 0);
    let young = crate::protocol::process::ProcessId::of(std::process::id()).unwrap();
    let handle = JobHandle { start_ticks: young.start_ticks, ..handle };
    bench.note(&row, &handle).await;
    let stop = |event: &RunEvent| once_started(event, StopRequest::Politely);
    let (summary, _) = bench.try_run(&plan, &executor, stop).await;
    assert_eq!(summary.unwrap().done, 1, "a deadline would have failed it");
}

#[tokio::test]
async fn a_run_whose_state_folder_is_taken_away_leaves_no_attempt_behind() {
    let bench = Bench::new().await;
    let executor = ScriptedExecutor::new([waits_then(vec![])]);
    let lock = bench.folder.path().join(lock::LOCK);
    let mut taken = false;
    let mut watch = Watch(|event: &RunEvent| {
        if matches!(event, RunEvent::AttemptStarted { .. }) {
            std::fs::remove_file(&lock).unwrap();
            taken = true;
        }
    });
    let (_stop, stops) = ChannelStops::new();
    let ended = bench.run_with(&plan(2), &executor, &mut watch, stops, mpsc::channel(1).1).await;
    assert!(taken);
    assert!(matches!(&ended, Err(DriveError::Homeless { path }) if *path == lock), "{ended:?}");
    assert_eq!(executor.calls(), ["launch", "hard"], "and it begins no other");
}
