//! Attempts without a controller: stopped on request, cleared away, or told of where they are out of
//! reach.

use super::super::command::StopHow;
use super::super::orphans::{self, Elsewhere, Open, Stopped};
use super::*;
use crate::ids::{AttemptNo, TrainKey};

/// Stops these trials politely, without waiting.
async fn stop(bench: &Bench, executor: &ScriptedExecutor, trials: &[TrainKey]) -> Stopped {
    let lock = lock::StateLock::take(bench.folder.path()).unwrap();
    let how = StopHow::Politely;
    orphans::stop(&lock, &bench.store, executor, trials, how, Duration::ZERO).await.unwrap()
}

#[tokio::test]
async fn what_an_orphan_left_behind_is_cleared_away_once_it_is_stopped() {
    let bench = Bench::new().await;
    let plan = plan(1);
    let executor = ScriptedExecutor::new([waits_then(vec![ended(End::Stopped)])]);
    let (row, handle) = bench.leave_a_worker(&plan, &executor).await;
    bench.note(&row, &handle).await;
    let key = plan.trials[0].train_key.clone();
    assert_eq!(stop(&bench, &executor, &[]).await, Stopped::default(), "not asked for");
    assert!(executor.cleared().is_empty(), "what is alive keeps what it started");
    let stopped = stop(&bench, &executor, &[key]).await;
    assert_eq!(stopped, Stopped { asked: 1, ..Stopped::default() });
    assert_eq!(executor.cleared(), [row.folder]);
    assert_eq!(bench.state(&plan).await, TrialState::Stopped);
}

#[tokio::test]
async fn what_is_out_of_reach_is_told_with_its_place() {
    let bench = Bench::new().await;
    let plan = plan(1);
    let (row, _lock) = bench.leave_a_far_worker(&plan).await;
    let key = plan.trials[0].train_key.clone();
    let executor = ScriptedExecutor::new([]);
    let elsewhere =
        |host| Elsewhere { trial: key.clone(), attempt: AttemptNo(1), host, pid: Some(77) };
    let told = stop(&bench, &executor, std::slice::from_ref(&key)).await;
    assert_eq!(told, Stopped { asked: 0, alive: 0, elsewhere: vec![elsewhere(None)] });
    assert_eq!(stop(&bench, &executor, &[]).await, Stopped::default(), "nobody asked for it");
    assert_eq!(bench.state(&plan).await, TrialState::Running);

    let far = serde_json::from_str(bench.attempts(&plan).await[0].handle_json.as_deref().unwrap());
    let far: JobHandle = far.unwrap();
    let lines = [EventLine { seq: 1, at_ms: 0, event: WorkerEvent::Started(started(&far)) }];
    bench.store.append(row.id, &lines, 1, 1).await.unwrap();
    let told = stop(&bench, &executor, std::slice::from_ref(&key)).await;
    assert_eq!(told.elsewhere, [elsewhere(Some("here".into()))]);
}

#[tokio::test]
async fn who_is_at_an_open_attempt_is_told_without_changing_anything() {
    let bench = Bench::new().await;
    let plan = plan(1);
    let key = plan.trials[0].train_key.clone();
    let (row, lock) = bench.leave_a_far_worker(&plan).await;
    let executor = ScriptedExecutor::new([]);
    let look = async || orphans::open(&bench.store, &executor, std::slice::from_ref(&key)).await;
    let far = look().await.unwrap();
    assert_eq!(far.elsewhere.iter().map(|far| far.pid).collect::<Vec<_>>(), [Some(77)]);
    assert!(far.alive.is_empty() && far.gone.is_empty());
    drop(lock);
    let gone = Open { gone: [key.clone()].into(), ..Open::default() };
    assert_eq!(look().await.unwrap(), gone);
    assert_eq!(orphans::open(&bench.store, &executor, &[]).await.unwrap(), Open::default());
    assert_eq!(bench.attempts(&plan).await[0].outcome, row.outcome);
}
