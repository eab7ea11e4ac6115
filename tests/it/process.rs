//! Real worker processes, real signals: shell scripts that misbehave on purpose stand in for the
//! worker.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use byol_sweep::drive::event::{RunEvent, RunSummary};
use byol_sweep::drive::signals::{ChannelStops, SignalStops, StopSource};
use byol_sweep::drive::{Images, Observer, Options, RunRequest, run};
use byol_sweep::exec::local::LocalExecutor;
use byol_sweep::exec::{Executor, JobHandle, JobStatus, LaunchOrder, logs};
use byol_sweep::ids::{DeviceId, Slot};
use byol_sweep::outcome::{FailureReason, Outcome};
use byol_sweep::plan::{Plan, PlannedTrial};
use byol_sweep::protocol::folder::AttemptFolder;
use byol_sweep::schedule::policy::Backoff;
use byol_sweep::schedule::{Millis, StopRequest};
use byol_sweep::spec::eval::{EVAL_SEMANTICS, EvalSpec, KnnSpec, LinearSpec};
use byol_sweep::spec::run::RunSpec;
use byol_sweep::spec::sweep::{Resources, SweepMeta};
use byol_sweep::store::rows::{AttemptKind, AttemptRow};
use byol_sweep::store::{NewAttempt, Store};
use nix::sys::signal::{Signal, raise};
use tokio::sync::mpsc::{self, UnboundedSender};

/// Far more than anything here takes, on a machine that is busy with other things.
pub(super) const BOUND: Duration = Duration::from_secs(60);

fn worker(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/workers").join(name)
}

/// A state folder and a plan of one trial.
pub(super) struct Bench {
    _folder: tempfile::TempDir,
    store: Store,
    plan: Plan,
    options: Options,
}

impl Bench {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let options =
            Options { backoff: Backoff { base: Millis(0), most: Millis(0) }, ..Options::default() };
        Self { _folder: folder, store, plan: plan(), options }
    }

    /// Runs the plan with the worker of that name; `stop` tells when to stop.
    pub(super) async fn run(
        &self,
        name: &str,
        stop: fn(&RunEvent) -> Option<StopRequest>,
    ) -> (RunSummary, Vec<RunEvent>) {
        // A new executor knows no children: what it finds alive is adopted.
        let executor = LocalExecutor::new(worker(name)).unwrap();
        let (sender, stops) = ChannelStops::new();
        let mut recorder = Recorder { events: Vec::new(), sender, stop };
        let request = RunRequest {
            plan: &self.plan,
            store: &self.store,
            executor: &executor,
            slots: vec![Slot { device: DeviceId::Cpu, ordinal: 0, threads: 3 }],
            images: Images { train: &|_| None, eval: None },
            options: self.options,
            commands: mpsc::channel(1).1,
            expected: &|_| None,
        };
        let summary = tokio::time::timeout(BOUND, run(request, &mut recorder, stops)).await;
        (summary.expect("ends in time").unwrap(), recorder.events)
    }

    /// Leaves an attempt as a controller does that dies beside its worker: a row without a handle,
    /// a claim, and these events.
    pub(super) async fn leave_an_attempt(&self, events: &[u8]) {
        let trial = &self.plan.trials[0];
        self.store.sync_plan(&self.plan, 0).await.unwrap();
        let new = NewAttempt {
            train_key: trial.train_key.clone(),
            kind: AttemptKind::Train,
            eval_key: self.plan.eval_key.clone(),
            device: DeviceId::Cpu,
            threads: 1,
            started_ms: 0,
        };
        let row = self.store.begin_attempt(new).await.unwrap();
        std::fs::create_dir_all(&row.folder).unwrap();
        let folder = AttemptFolder::at(&row.folder);
        assert!(folder.take_claim("worker 1").unwrap());
        std::fs::write(folder.events(), events).unwrap();
    }

    pub(super) async fn attempts(&self) -> Vec<AttemptRow> {
        self.store.attempts(&self.plan.trials[0].train_key).await.unwrap()
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the folder above those of the attempts.
    pub(super) fn trial_folder(&self) -> PathBuf {
        let key = &self.plan.trials[0].train_key;
        self.store.state_dir().join("trials").join(key.as_str())
    }

    /// Returns the outcome of the only attempt.
    async fn outcome(&self) -> Outcome {
        let attempts = self.attempts().await;
        assert_eq!(attempts.len(), 1);
        attempts[0].outcome.clone().unwrap()
    }
}

struct Recorder {
    events: Vec<RunEvent>,
    sender: UnboundedSender<StopRequest>,
    stop: fn(&RunEvent) -> Option<StopRequest>,
}

impl Observer for Recorder {
    fn on(&mut self, event: &RunEvent) {
        if let Some(request) = (self.stop)(event) {
            self.sender.send(request).unwrap();
        }
        self.events.push(event.clone());
    }
}

pub(super) fn never(_: &RunEvent) -> Option<StopRequest> {
    None
}

/// Asks once the worker has told that it is ready.
pub(super) fn when_ready(event: &RunEvent, request: StopRequest) -> Option<StopRequest> {
    matches!(event, RunEvent::Noted { text, .. } if text == "ready").then_some(request)
}

fn plan() -> Plan {
    let run: RunSpec = serde_json::from_str(include_str!("../fixtures/run.json")).unwrap();
    let eval = EvalSpec {
        semantics: EVAL_SEMANTICS,
        data: None,
        knn: KnnSpec { k: 5, temperature: 0.1 },
        linear: LinearSpec { epochs: 1, batch_size: 8, learning_rates: vec![0.1], holdout: 0.1 },
    };
    Plan {
        meta: SweepMeta {
            resources: Resources { stall_limit: None, ..Resources::default() },
            max_retries: 1,
            checkpoint_every: Duration::from_secs(60),
            ..SweepMeta::named("sweep")
        },
        eval_key: eval.eval_key(),
        eval,
        trials: vec![PlannedTrial {
            ordinal: 1,
            train_key: run.train_key(),
            group_key: run.group_key(),
            run,
            data_path: None,
            labels: [].into(),
        }],
        axes: Vec::new(),
        steps: Vec::new(),
        source_toml: String::new(),
    }
}

fn failed(outcome: &Outcome) -> (FailureReason, &str) {
    match outcome {
        Outcome::Failed { reason, detail } => (*reason, detail),
        Outcome::Finished { .. } | Outcome::Stopped => panic!("did not fail: {outcome:?}"),
    }
}

/// Returns whether a process is there and not dead.
pub(super) fn runs(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(')').unwrap().1.trim_start().starts_with('Z'))
}

/// The kernel may take a moment to carry out a kill.
pub(super) fn wait_until_gone(pid: u32) {
    let begun = Instant::now();
    while runs(pid) {
        assert!(begun.elapsed() < BOUND, "process {pid} lives on");
        std::thread::yield_now();
    }
}

fn grandchild(row: &AttemptRow) -> u32 {
    std::fs::read_to_string(row.folder.join("grandchild")).unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn a_good_worker_finishes_and_leaves_no_zombie() {
    let bench = Bench::new().await;
    let (summary, events) = bench.run("finishes.sh", never).await;
    assert_eq!(summary, RunSummary { done: 1, ..RunSummary::default() });
    let metric = events.iter().find_map(|event| match event {
        RunEvent::AttemptEnded { metric, .. } => *metric,
        _ => None,
    });
    assert_eq!(metric, Some(0.75));
    let row = bench.attempts().await.remove(0);
    let handle: JobHandle = serde_json::from_str(row.handle_json.as_deref().unwrap()).unwrap();
    assert!(!Path::new(&format!("/proc/{}", handle.pid)).exists(), "not reaped");
}

#[tokio::test]
async fn a_worker_that_exits_1_failed_and_its_stderr_tells_why() {
    let bench = Bench::new().await;
    let (summary, _) = bench.run("exits_1.sh", never).await;
    assert_eq!(summary.failed, 1);
    let outcome = bench.outcome().await;
    let (reason, detail) = failed(&outcome);
    assert_eq!(reason, FailureReason::Panicked);
    assert!(detail.contains("code 1") && detail.ends_with("no such device"), "{detail}");
}

#[tokio::test]
async fn a_worker_that_dies_silently_was_killed_and_is_tried_again() {
    let bench = Bench::new().await;
    let (summary, _) = bench.run("dies_silently.sh", never).await;
    assert_eq!(summary.failed, 1);
    let attempts = bench.attempts().await;
    assert_eq!(attempts.len(), 2);
    for row in attempts {
        assert_eq!(failed(row.outcome.as_ref().unwrap()).0, FailureReason::Killed);
    }
}

#[tokio::test]
async fn half_a_line_is_never_read() {
    let bench = Bench::new().await;
    let (summary, _) = bench.run("writes_half_a_line.sh", never).await;
    assert_eq!(summary.done, 1);
    let attempts = bench.attempts().await;
    assert_eq!(failed(attempts[0].outcome.as_ref().unwrap()).0, FailureReason::Killed);
    assert_eq!(attempts[0].events_seq, 1);
    assert_eq!(attempts[1].events_seq, 4);
}

#[tokio::test]
async fn a_flood_of_output_blocks_nobody() {
    let bench = Bench::new().await;
    assert_eq!(bench.run("floods.sh", never).await.0.done, 1);
    let folder = AttemptFolder::at(&bench.attempts().await[0].folder);
    assert_eq!(folder.stdout().metadata().unwrap().len(), 4_000_000);
    assert_eq!(folder.stderr().metadata().unwrap().len(), 4_000_000);
}

#[tokio::test]
async fn a_worker_that_floods_its_logs_is_cut_short_and_its_last_words_are_kept() {
    let bench = Bench::new().await;
    assert_eq!(bench.run("floods_for_ever.sh", never).await.0.done, 1);
    let log = AttemptFolder::at(&bench.attempts().await[0].folder).stderr();
    let kept = logs::earlier(&log).metadata().unwrap().len();
    assert!((1..=logs::LIMIT).contains(&kept), "{kept}");
    assert!(std::fs::read_to_string(log).unwrap().ends_with("the end\n"));
}

#[tokio::test]
async fn a_worker_gets_its_device_and_its_threads() {
    let bench = Bench::new().await;
    let (_, events) = bench.run("tells_its_environment.sh", never).await;
    let note = events.iter().find_map(|event| match event {
        RunEvent::Noted { text, .. } => Some(text.as_str()),
        _ => None,
    });
    assert_eq!(note, Some("threads=3 devices=[] order=PCI_BUS_ID"));
}

#[tokio::test]
async fn a_worker_that_obeys_is_stopped_and_resumed() {
    let bench = Bench::new().await;
    let stop = |event: &RunEvent| when_ready(event, StopRequest::Politely);
    let (summary, _) = bench.run("obeys.sh", stop).await;
    assert_eq!(summary, RunSummary { left: 1, interrupted: true, ..RunSummary::default() });
    assert_eq!(bench.outcome().await, Outcome::Stopped);
    assert_eq!(bench.run("finishes.sh", never).await.0.done, 1);
}

#[tokio::test]
async fn a_worker_that_ignores_sigterm_is_killed_by_the_second_stop() {
    let bench = Bench::new().await;
    let stop = |event: &RunEvent| match event {
        RunEvent::Stopping { times: 1 } => Some(StopRequest::ByForce),
        other => when_ready(other, StopRequest::Politely),
    };
    let (summary, _) = bench.run("ignores_term.sh", stop).await;
    assert_eq!(summary.left, 1);
    assert_eq!(bench.outcome().await, Outcome::Stopped);
}

#[tokio::test]
async fn a_worker_past_its_deadline_is_stopped_then_killed() {
    let mut bench = Bench::new().await;
    bench.plan.meta.resources.time_limit = Some(Duration::from_millis(1));
    bench.options.grace = Millis(1);
    let (summary, _) = bench.run("ignores_term.sh", never).await;
    assert_eq!(summary.failed, 1);
    assert_eq!(failed(&bench.outcome().await).0, FailureReason::NoProgress);
}

#[tokio::test]
async fn a_worker_that_stands_still_is_killed_past_its_deadline() {
    let mut bench = Bench::new().await;
    bench.plan.meta.resources.time_limit = Some(Duration::from_millis(300));
    bench.options.grace = Millis(1);
    let (summary, events) = bench.run("stands_still.sh", never).await;
    assert_eq!(summary.failed, 1);
    assert_eq!(failed(&bench.outcome().await).0, FailureReason::NoProgress);
    assert!(events.iter().any(|event| when_ready(event, StopRequest::Politely).is_some()));
    let row = bench.attempts().await.remove(0);
    let handle: JobHandle = serde_json::from_str(row.handle_json.as_deref().unwrap()).unwrap();
    wait_until_gone(handle.pid);
    wait_until_gone(grandchild(&row));
}

#[tokio::test]
async fn a_worker_that_tells_nothing_is_stopped_and_tried_again() {
    let mut bench = Bench::new().await;
    bench.plan.meta.resources.stall_limit = Some(Duration::from_millis(300));
    let (summary, _) = bench.run("obeys.sh", never).await;
    assert_eq!(summary.failed, 1);
    let attempts = bench.attempts().await;
    assert_eq!(attempts.len(), 2, "it is worth a retry");
    for row in attempts {
        assert_eq!(failed(row.outcome.as_ref().unwrap()).0, FailureReason::Stalled);
    }
}

#[tokio::test]
async fn a_hard_stop_reaches_grandchildren() {
    let bench = Bench::new().await;
    let stop = |event: &RunEvent| when_ready(event, StopRequest::ByForce);
    bench.run("forks.sh", stop).await;
    wait_until_gone(grandchild(&bench.attempts().await[0]));
}

#[tokio::test]
async fn a_hard_stop_reaches_a_worker_that_was_only_just_started() {
    let bench = Bench::new().await;
    let stop = |event: &RunEvent| {
        matches!(event, RunEvent::AttemptStarted { .. }).then_some(StopRequest::ByForce)
    };
    let (summary, _) = bench.run("ignores_term.sh", stop).await;
    assert_eq!(summary, RunSummary { left: 1, interrupted: true, ..RunSummary::default() });
    assert_eq!(bench.outcome().await, Outcome::Stopped);
}

#[tokio::test]
async fn what_a_worker_leaves_behind_ends_with_it() {
    let bench = Bench::new().await;
    assert_eq!(bench.run("forks_and_leaves.sh", never).await.0.done, 1);
    wait_until_gone(grandchild(&bench.attempts().await[0]));
}

#[tokio::test]
async fn a_worker_that_talks_nonsense_is_killed() {
    let bench = Bench::new().await;
    assert_eq!(bench.run("talks_nonsense.sh", never).await.0.failed, 1);
    let outcome = bench.outcome().await;
    let (reason, detail) = failed(&outcome);
    assert_eq!(reason, FailureReason::ProtocolBroken);
    assert!(detail.contains("Segmentation fault"), "{detail}");
}

#[tokio::test]
async fn a_worker_that_hangs_after_its_last_word_is_killed_and_has_finished() {
    let mut bench = Bench::new().await;
    bench.options.grace = Millis(1);
    assert_eq!(bench.run("hangs_after_its_last_word.sh", never).await.0.done, 1);
}

#[tokio::test]
async fn a_later_controller_adopts_what_it_finds_alive() {
    let bench = Bench::new().await;
    let detach = |event: &RunEvent| when_ready(event, StopRequest::Detach);
    bench.run("obeys.sh", detach).await;
    let row = bench.attempts().await.remove(0);
    assert_eq!(row.outcome, None);
    let handle: JobHandle = serde_json::from_str(row.handle_json.as_deref().unwrap()).unwrap();
    assert!(runs(handle.pid));
    let stop = |event: &RunEvent| match event {
        RunEvent::AttemptStarted { adopted: true, .. } => Some(StopRequest::Politely),
        _ => None,
    };
    let (summary, _) = bench.run("obeys.sh", stop).await;
    assert_eq!(summary.left, 1);
    assert_eq!(bench.outcome().await, Outcome::Stopped);
    assert!(!runs(handle.pid));
}

#[tokio::test]
async fn an_attempt_that_ended_while_nobody_watched_is_judged_by_its_last_word() {
    let bench = Bench::new().await;
    let detach = |event: &RunEvent| when_ready(event, StopRequest::Detach);
    bench.run("obeys.sh", detach).await;
    let row = bench.attempts().await.remove(0);
    let handle: JobHandle = serde_json::from_str(row.handle_json.as_deref().unwrap()).unwrap();
    let pid = nix::unistd::Pid::from_raw(handle.pid.cast_signed());
    nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
    wait_until_gone(handle.pid);
    assert_eq!(bench.run("finishes.sh", never).await.0.done, 1);
    let attempts = bench.attempts().await;
    assert_eq!(attempts[0].outcome, Some(Outcome::Stopped));
    assert_eq!(attempts.len(), 2);
}

#[tokio::test]
async fn signals_count_and_a_hangup_detaches() {
    let mut stops = SignalStops::listen().unwrap();
    let cases = [
        (Signal::SIGINT, StopRequest::Politely),
        (Signal::SIGTERM, StopRequest::ByForce),
        (Signal::SIGINT, StopRequest::Detach),
        (Signal::SIGHUP, StopRequest::Detach),
    ];
    for (signal, expected) in cases {
        raise(signal).unwrap();
        let request = tokio::time::timeout(BOUND, stops.next()).await.expect("arrives");
        assert_eq!(request, expected, "{signal}");
    }
}

/// Returns what the worker says that it was told of its binary.
async fn told(executor: &LocalExecutor) -> String {
    let folder = tempfile::tempdir().unwrap();
    let order = LaunchOrder { folder: folder.path().to_owned(), device: DeviceId::Cpu, threads: 1 };
    let handle = executor.launch(&order).await.unwrap();
    let ended = async {
        while executor.look(std::slice::from_ref(&handle)).await.unwrap()[0] == JobStatus::Alive {
            executor.changed().await;
        }
    };
    tokio::time::timeout(BOUND, ended).await.expect("ends in time");
    executor.clear(folder.path(), Some(&handle)).await.unwrap();
    std::fs::read_to_string(AttemptFolder::at(folder.path()).stdout()).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_worker_is_told_which_binary_it_is_where_that_is_known() {
    let executor = || LocalExecutor::new(worker("tells_its_binary.sh")).unwrap();
    assert_eq!(told(&executor()).await, "nobody told");
    assert_eq!(told(&executor().digested("c0ffee".into())).await, "c0ffee");
}
