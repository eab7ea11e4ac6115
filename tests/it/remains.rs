//! Nothing that an attempt started outlives it, however it hides: real processes, real signals.

use std::path::Path;

use byol_sweep::drive::event::RunEvent;
use byol_sweep::exec::JobHandle;
use byol_sweep::schedule::StopRequest;
use byol_sweep::store::rows::AttemptRow;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getsid};

use super::process::{BOUND, Bench, never, runs, wait_until_gone, when_ready};

/// Tells `hides.sh` what to do once its processes are hidden.
fn let_it(bench: &Bench, how: &str) {
    let trial = bench.trial_folder();
    std::fs::create_dir_all(&trial).unwrap();
    std::fs::write(trial.join("how"), how).unwrap();
}

fn pids(row: &AttemptRow, file: &str) -> Vec<u32> {
    let text = std::fs::read_to_string(row.folder.join(file)).unwrap();
    text.lines().map(|line| line.trim().parse().unwrap()).collect()
}

fn handle(row: &AttemptRow) -> JobHandle {
    serde_json::from_str(row.handle_json.as_deref().unwrap()).unwrap()
}

fn pid(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed())
}

#[tokio::test]
async fn what_hides_ends_with_an_attempt_that_finishes() {
    let bench = Bench::new().await;
    let_it(&bench, "finishes");
    assert_eq!(bench.run("hides.sh", never).await.0.done, 1);
    let row = bench.attempts().await.remove(0);
    let hidden = pids(&row, "hidden");
    assert_eq!(hidden.len(), 4);
    for pid in hidden.into_iter().chain(pids(&row, "stripped")) {
        wait_until_gone(pid);
    }
}

#[tokio::test]
async fn what_hides_ends_with_an_attempt_that_is_killed() {
    let bench = Bench::new().await;
    let_it(&bench, "waits");
    bench.run("hides.sh", |event| when_ready(event, StopRequest::ByForce)).await;
    let row = bench.attempts().await.remove(0);
    for pid in pids(&row, "hidden").into_iter().chain(pids(&row, "stripped")) {
        wait_until_gone(pid);
    }
}

#[tokio::test]
async fn what_an_adopted_worker_left_behind_is_killed_before_its_trial_goes_on() {
    let bench = Bench::new().await;
    let_it(&bench, "waits");
    bench.run("hides.sh", |event| when_ready(event, StopRequest::Detach)).await;
    let row = bench.attempts().await.remove(0);
    let worker = handle(&row).pid;
    let hidden = pids(&row, "hidden");
    assert!(hidden.iter().all(|&pid| runs(pid)), "they live while it does");
    kill(pid(worker), Signal::SIGKILL).unwrap();
    wait_until_gone(worker);
    assert_eq!(bench.run("finishes.sh", never).await.0.done, 1);
    for pid in hidden {
        wait_until_gone(pid);
    }
    // Without its session's leader nothing tells whose it is: better alive than a stranger dead.
    let stripped = pids(&row, "stripped")[0];
    assert!(runs(stripped));
    kill(pid(stripped), Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn a_hard_stop_reaches_what_an_adopted_worker_hides() {
    let bench = Bench::new().await;
    let_it(&bench, "waits");
    bench.run("hides.sh", |event| when_ready(event, StopRequest::Detach)).await;
    let row = bench.attempts().await.remove(0);
    let stop = |event: &RunEvent| match event {
        RunEvent::AttemptStarted { adopted: true, .. } => Some(StopRequest::ByForce),
        _ => None,
    };
    bench.run("hides.sh", stop).await;
    for pid in pids(&row, "hidden").into_iter().chain(pids(&row, "stripped")) {
        wait_until_gone(pid);
    }
}

#[tokio::test]
async fn a_chain_of_short_lives_is_broken() {
    let bench = Bench::new().await;
    assert_eq!(bench.run("forks_for_ever.sh", never).await.0.done, 1);
    let links = bench.attempts().await[0].folder.join("links");
    let length = |path: &Path| path.metadata().map_or(0, |of| of.len());
    // One may still have been on its way to its end.
    let begun = std::time::Instant::now();
    loop {
        let before = length(&links);
        std::thread::sleep(std::time::Duration::from_millis(200));
        if length(&links) == before {
            break;
        }
        assert!(begun.elapsed() < BOUND, "it still grows");
    }
}

#[tokio::test]
async fn a_worker_leads_a_session_of_its_own() {
    let bench = Bench::new().await;
    bench.run("obeys.sh", |event| when_ready(event, StopRequest::Detach)).await;
    let worker = pid(handle(&bench.attempts().await[0]).pid);
    assert_eq!(getsid(Some(worker)).unwrap(), worker);
    kill(worker, Signal::SIGTERM).unwrap();
}

#[tokio::test]
async fn a_handle_from_another_container_is_not_taken_for_ours() {
    let bench = Bench::new().await;
    bench.run("obeys.sh", |event| when_ready(event, StopRequest::Detach)).await;
    let row = bench.attempts().await.remove(0);
    let ours = handle(&row);
    let foreign = JobHandle { pid_namespace: Some(1), ..ours.clone() };
    let json = serde_json::to_string(&foreign).unwrap();
    bench.store().note_handle(row.id, &json).await.unwrap();
    // Nobody holds the trial's lock, so the attempt is over; whoever has that number here is not.
    assert_eq!(bench.run("finishes.sh", never).await.0.done, 1);
    assert!(runs(ours.pid));
    kill(pid(ours.pid), Signal::SIGTERM).unwrap();
}
