//! What a run does about strangers on its GPU, about what ended attempts left there, and about room
//! for a further attempt.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::exec::watch::{GpuView, Strangers, Tenant, Whose};

const GIB: u64 = 1 << 30;

fn gpu(used_bytes: u64, tenants: Vec<Tenant>) -> Vec<GpuView> {
    vec![GpuView { uuid: "GPU-0".into(), total_bytes: 16 * GIB, used_bytes, tenants }]
}

fn stranger() -> Tenant {
    Tenant { pid: 7, bytes: None, whose: Whose::Stranger { user: Some("ada".into()) } }
}

fn own(live: usize) -> Vec<Tenant> {
    let tenant = |n: usize| Tenant { pid: n as u32 + 1, bytes: None, whose: Whose::Attempt(n) };
    (0..live).map(tenant).collect()
}

async fn bench(gpu_slots: u32) -> Bench {
    Bench { gpu_slots, ..Bench::new().await }
}

fn is_busy(event: &RunEvent) -> bool {
    matches!(event, RunEvent::DeviceBusy { why, .. } if why.contains("ada"))
}

#[tokio::test]
async fn nothing_starts_beside_a_stranger_until_it_is_gone() {
    static LOOKS: AtomicU32 = AtomicU32::new(0);
    let bench = bench(1).await;
    let executor = ScriptedExecutor::new([finishes()]).with_gpus(|live| {
        match LOOKS.fetch_add(1, Ordering::Relaxed) {
            0 => gpu(GIB, vec![stranger()]),
            1.. => gpu(0, own(live)),
        }
    });
    let (summary, events) = bench.run(&plan(1), &executor).await;
    assert_eq!(summary.done, 1);
    let place = |wanted: fn(&RunEvent) -> bool| events.iter().position(wanted).unwrap();
    let busy = place(is_busy);
    let free = place(|event| matches!(event, RunEvent::DeviceFree { .. }));
    let start = place(|event| matches!(event, RunEvent::AttemptStarted { .. }));
    assert!(busy < free && free < start, "{events:?}");
}

#[tokio::test]
async fn a_gpu_that_was_named_is_used_beside_a_stranger() {
    let mut bench = bench(1).await;
    bench.options.strangers = Strangers::Noted;
    let executor = ScriptedExecutor::new([finishes()]).with_gpus(|_| gpu(GIB, vec![stranger()]));
    let (summary, events) = bench.run(&plan(1), &executor).await;
    assert_eq!(summary.done, 1);
    assert!(events.iter().any(|event| matches!(event, RunEvent::DeviceShared { .. })));
}

#[tokio::test]
async fn the_next_attempt_waits_until_the_last_one_has_left_the_gpu() {
    static LATE: AtomicU32 = AtomicU32::new(0);
    let bench = bench(1).await;
    // The first look is before anything ran; after the first end the driver holds on twice.
    let executor = ScriptedExecutor::new([finishes(), finishes()]).with_gpus(|live| {
        let held = Tenant { pid: 1, bytes: None, whose: Whose::Unknown };
        match live {
            0 if (1..=2).contains(&LATE.fetch_add(1, Ordering::Relaxed)) => gpu(GIB, vec![held]),
            _ => gpu(GIB, own(live)),
        }
    });
    let (summary, events) = bench.run(&plan(2), &executor).await;
    assert_eq!(summary.done, 2);
    assert!(LATE.load(Ordering::Relaxed) >= 4, "it was looked at until it was empty");
    assert!(!events.iter().any(|event| matches!(event, RunEvent::DeviceBusy { .. })), "soon");
}

#[tokio::test]
async fn a_second_attempt_joins_the_first_once_that_one_is_measured() {
    let bench = bench(2).await;
    let measures = WorkerEvent::Metrics {
        update: 1,
        values: [("peak_device_bytes".to_owned(), GIB as f64)].into(),
    };
    let first = Part::Waits(vec![measures], last_words(), Exit::Code(0));
    let executor = ScriptedExecutor::new([first, waits_then(last_words())])
        .with_gpus(|live| gpu(live as u64 * 2 * GIB, own(live)));
    let second = |event: &RunEvent| match event {
        RunEvent::AttemptStarted { trial, .. } if trial.ordinal == 2 => Some(StopRequest::Politely),
        _ => None,
    };
    let (summary, _) = bench.try_run(&plan(2), &executor, second).await;
    assert_eq!(summary.unwrap().done, 2);
    assert_eq!(executor.calls(), ["launch", "launch", "soft", "soft"]);
}

#[tokio::test]
async fn a_second_attempt_does_not_join_one_that_leaves_no_room() {
    let bench = bench(2).await;
    let measures = WorkerEvent::Metrics {
        update: 1,
        values: [("peak_device_bytes".to_owned(), 9.0 * GIB as f64)].into(),
    };
    let first = Part::Waits(vec![measures], last_words(), Exit::Code(0));
    let executor = ScriptedExecutor::new([first, finishes()])
        .with_gpus(|live| gpu(live as u64 * 10 * GIB, own(live)));
    let mut plan = plan(2);
    // The first one ends only by its deadline.
    plan.meta.resources.time_limit = Some(Duration::from_millis(2500));
    bench.run(&plan, &executor).await;
    assert_eq!(executor.calls()[..2], ["launch", "soft"]);
}
