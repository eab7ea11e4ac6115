//! The loop with scripted workers: inputs reach the scheduler, actions reach the seams, the store
//! knows before observers do, and a later controller goes on where an earlier one stopped.

mod care;
mod gpus;
mod obey;
mod orphans;

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedSender};

use super::command::Commands;
use super::disk::Watermarks;
use super::event::{RunEvent, RunSummary};
use super::order::Images;
use super::signals::ChannelStops;
use super::{DriveError, Observer, Options, RetryFailed, RunRequest, lock, run};
use crate::exec::scripted::{Part, ScriptedExecutor, write_events};
use crate::exec::{Executor, JobHandle, LaunchOrder};
use crate::ids::{DeviceId, Slot};
use crate::outcome::{EXIT_DISK_FULL, Exit, FailureReason, Outcome, Verdict};
use crate::plan::{Label, Plan, PlannedTrial};
use crate::protocol::folder::{AttemptFolder, TrialFolder};
use crate::protocol::tail::Tail;
use crate::protocol::{End, EventLine, Progress, Stage, Started, Work, WorkOrder, WorkerEvent};
use crate::schedule::policy::Backoff;
use crate::schedule::{Millis, StopRequest};
use crate::spec::eval::{EVAL_SEMANTICS, EvalSpec, KnnSpec, LinearSpec};
use crate::spec::run::RunSpec;
use crate::spec::sweep::{Kernels, Resources, SweepMeta};
use crate::store::rows::{AttemptKind, AttemptRow, TrialState};
use crate::store::{NewAttempt, Store};

/// A state folder with its store.
struct Bench {
    folder: tempfile::TempDir,
    store: Store,
    options: Options,
    threads: u32,
    cpu_slots: u32,
    /// Instead of those on the CPU.
    gpu_slots: u32,
    /// Of each trial.
    expected: Option<Millis>,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::in_memory_for(folder.path()).await.unwrap();
        let options = Options {
            backoff: Backoff { base: Millis(0), most: Millis(0) },
            tick: Duration::from_millis(5),
            disk: Some(Watermarks { low: 0, critical: 0 }),
            ..Options::default()
        };
        Self { folder, store, options, threads: 1, cpu_slots: 1, gpu_slots: 0, expected: None }
    }

    async fn run(&self, plan: &Plan, executor: &ScriptedExecutor) -> (RunSummary, Vec<RunEvent>) {
        let (summary, events) = self.try_run(plan, executor, |_| None).await;
        (summary.unwrap(), events)
    }

    /// Runs and, after an event, asks to stop as `stop` says.
    async fn try_run(
        &self,
        plan: &Plan,
        executor: &ScriptedExecutor,
        stop: fn(&RunEvent) -> Option<StopRequest>,
    ) -> (Result<RunSummary, DriveError>, Vec<RunEvent>) {
        let (sender, stops) = ChannelStops::new();
        let mut recorder = Recorder { events: Vec::new(), sender, stop };
        let commands = mpsc::channel(1).1;
        let summary = self.run_with(plan, executor, &mut recorder, stops, commands).await;
        (summary, recorder.events)
    }

    async fn run_with(
        &self,
        plan: &Plan,
        executor: &ScriptedExecutor,
        observer: &mut dyn Observer,
        stops: ChannelStops,
        commands: Commands,
    ) -> Result<RunSummary, DriveError> {
        let request = RunRequest {
            plan,
            store: &self.store,
            executor,
            slots: self.slots(),
            images: Images { train: &|trial| trial.data_path.clone(), eval: None },
            options: self.options,
            commands,
            expected: &|_| self.expected,
        };
        let run = run(request, observer, stops);
        tokio::time::timeout(Duration::from_secs(30), run).await.expect("ends")
    }

    fn slots(&self) -> Vec<Slot> {
        let gpu = DeviceId::Cuda { index: 0, uuid: "GPU-0".into() };
        let slot = |device, ordinal| Slot { device, ordinal, threads: self.threads };
        match self.gpu_slots {
            0 => (0..self.cpu_slots).map(|ordinal| slot(DeviceId::Cpu, ordinal)).collect(),
            count => (0..count).map(|ordinal| slot(gpu.clone(), ordinal)).collect(),
        }
    }

    async fn attempts(&self, plan: &Plan) -> Vec<AttemptRow> {
        self.store.attempts(&plan.trials[0].train_key).await.unwrap()
    }

    async fn state(&self, plan: &Plan) -> TrialState {
        let key = plan.trials[0].train_key.clone();
        self.store.known(&plan.eval_key, std::slice::from_ref(&key)).await.unwrap()[&key].state
    }

    /// Leaves an attempt of the first trial as a controller does that dies right after its row.
    async fn leave_a_row(&self, plan: &Plan) -> AttemptRow {
        self.store.sync_plan(plan, 0).await.unwrap();
        let new = NewAttempt {
            train_key: plan.trials[0].train_key.clone(),
            kind: AttemptKind::Train,
            eval_key: plan.eval_key.clone(),
            device: DeviceId::Cpu,
            threads: 1,
            started_ms: 0,
        };
        self.store.begin_attempt(new).await.unwrap()
    }

    /// The same, with an order and a worker whose handle was not noted.
    async fn leave_a_worker(
        &self,
        plan: &Plan,
        executor: &ScriptedExecutor,
    ) -> (AttemptRow, JobHandle) {
        let row = self.leave_a_row(plan).await;
        std::fs::create_dir_all(&row.folder).unwrap();
        std::fs::write(AttemptFolder::at(&row.folder).spec(), "{}").unwrap();
        let order = LaunchOrder { folder: row.folder.clone(), device: DeviceId::Cpu, threads: 1 };
        let handle = executor.launch(&order).await.unwrap();
        (row, handle)
    }

    /// Leaves an attempt whose worker lives where this process cannot see it, as long as the lock.
    async fn leave_a_far_worker(&self, plan: &Plan) -> (AttemptRow, std::fs::File) {
        let row = self.leave_a_row(plan).await;
        let boot_id = "another host".into();
        let far = JobHandle { pid: 77, start_ticks: 1, boot_id, pid_namespace: None };
        self.note(&row, &far).await;
        std::fs::create_dir_all(&row.folder).unwrap();
        let lock = self.hold(&row);
        (row, lock)
    }

    /// Holds a trial's lock, as its worker does.
    fn hold(&self, row: &AttemptRow) -> std::fs::File {
        let path = TrialFolder::new(self.folder.path(), &row.train_key).lock();
        let lock = std::fs::File::create(path).unwrap();
        lock.lock().unwrap();
        lock
    }

    async fn note(&self, row: &AttemptRow, handle: &JobHandle) {
        let json = serde_json::to_string(handle).unwrap();
        self.store.note_handle(row.id, &json).await.unwrap();
    }
}

/// Watches by a closure.
struct Watch<F>(F);

impl<F: FnMut(&RunEvent)> Observer for Watch<F> {
    fn on(&mut self, event: &RunEvent) {
        (self.0)(event);
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

fn plan_with_eval(seeds: u64, knn: u32) -> Plan {
    let sample: RunSpec =
        serde_json::from_str(include_str!("../../../tests/fixtures/run.json")).unwrap();
    let trials = (0..seeds).zip(1..).map(|(seed, ordinal)| {
        let run = RunSpec { seed, ..sample.clone() };
        PlannedTrial {
            ordinal,
            train_key: run.train_key(),
            group_key: run.group_key(),
            run,
            data_path: Some("images".into()),
            labels: [Label {
                arm: Some("baseline".into()),
                published: None,
                axes: [("method".to_owned(), "byol".into()), ("tau_base".to_owned(), 0.9.into())]
                    .into(),
            }]
            .into(),
        }
    });
    let eval = EvalSpec {
        semantics: EVAL_SEMANTICS,
        data: None,
        knn: KnnSpec { k: knn, temperature: 0.1 },
        linear: LinearSpec { epochs: 1, batch_size: 8, learning_rates: vec![0.1], holdout: 0.1 },
    };
    Plan {
        meta: SweepMeta {
            resources: Resources { stall_limit: None, ..Resources::default() },
            checkpoint_every: Duration::from_secs(60),
            ..SweepMeta::named("sweep")
        },
        eval_key: eval.eval_key(),
        eval,
        trials: trials.collect(),
        axes: vec!["method".into()],
        steps: Vec::new(),
        source_toml: String::new(),
    }
}

fn plan(seeds: u64) -> Plan {
    plan_with_eval(seeds, 5)
}

fn evaluated() -> WorkerEvent {
    WorkerEvent::Evaluated { values: [("linear_top1".to_owned(), 0.75)].into() }
}

fn started(handle: &JobHandle) -> Started {
    Started {
        host: "here".into(),
        pid: handle.pid,
        start_ticks: handle.start_ticks,
        boot_id: handle.boot_id.clone(),
        pid_namespace: handle.pid_namespace,
        binary: None,
        version: String::new(),
        libtorch: String::new(),
        device: String::new(),
        threads: 1,
        kernels: Kernels::Fastest,
        resumed: false,
    }
}

fn ended(end: End) -> WorkerEvent {
    WorkerEvent::Ended { end }
}

fn last_words() -> Vec<WorkerEvent> {
    vec![evaluated(), ended(End::Finished { verdict: Verdict::Healthy })]
}

fn checkpoint() -> WorkerEvent {
    WorkerEvent::Checkpointed { update: 7, file: "checkpoint.safetensors".into() }
}

fn keeps_weights() -> WorkerEvent {
    WorkerEvent::Artifact {
        artifact: "weights".into(),
        file: "weights.safetensors".into(),
        digest: String::new(),
    }
}

fn finishes() -> Part {
    Part::Ends([vec![keeps_weights()], last_words()].concat(), Exit::Code(0))
}

fn fails(reason: FailureReason) -> Part {
    Part::Ends(vec![ended(End::Failed { reason, detail: "why".into() })], Exit::Code(1))
}

fn waits_then(last_words: Vec<WorkerEvent>) -> Part {
    Part::Waits(vec![checkpoint()], last_words, Exit::Code(75))
}

fn order(row: &AttemptRow) -> WorkOrder {
    let json = std::fs::read(AttemptFolder::at(&row.folder).spec()).unwrap();
    serde_json::from_slice(&json).unwrap()
}

fn reason(row: &AttemptRow) -> Option<FailureReason> {
    match row.outcome.as_ref().unwrap() {
        Outcome::Failed { reason, .. } => Some(*reason),
        Outcome::Finished { .. } | Outcome::Stopped => None,
    }
}

fn once_started(event: &RunEvent, request: StopRequest) -> Option<StopRequest> {
    matches!(event, RunEvent::AttemptStarted { .. }).then_some(request)
}

#[tokio::test]
async fn a_plan_is_brought_to_its_end_and_a_second_run_has_nothing_to_do() {
    let bench = Bench::new().await;
    let executor = ScriptedExecutor::new([finishes(), finishes()]);
    let (summary, events) = bench.run(&plan(2), &executor).await;
    let done = RunSummary { done: 2, ..RunSummary::default() };
    assert_eq!(summary, done);
    let ends: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            RunEvent::AttemptEnded { trial, metric, .. } => Some((trial.label.as_str(), *metric)),
            _ => None,
        })
        .collect();
    let label = |seed| format!("baseline method=byol tau_base=0.9 seed={seed}");
    let (first, second) = (label(0), label(1));
    // The metric comes out of the store: it was there before observers heard of it.
    assert_eq!(ends, [(first.as_str(), Some(0.75)), (second.as_str(), Some(0.75))]);
    let (summary, events) = bench.run(&plan(2), &ScriptedExecutor::new([])).await;
    assert_eq!(summary, done);
    assert!(matches!(events[0], RunEvent::Started { done: 2, trials: 2, .. }), "{:?}", events[0]);
}

#[tokio::test]
async fn progress_and_notes_reach_observers() {
    let bench = Bench::new().await;
    let progress = Progress {
        stage: Stage::Train,
        update: 1,
        updates: 2,
        epoch: 1,
        epochs: 1,
        loss: None,
        images_per_s: 9.0,
    };
    let note = WorkerEvent::Note { text: "hello".into() };
    let told = [vec![WorkerEvent::Progress(progress.clone()), note], last_words()].concat();
    let executor = ScriptedExecutor::new([Part::Ends(told, Exit::Code(0))]);
    let (_, events) = bench.run(&plan(1), &executor).await;
    assert!(events.iter().any(
        |event| matches!(event, RunEvent::Progressed { progress: found, .. } if *found == progress)
    ));
    assert!(
        events.iter().any(|event| matches!(event, RunEvent::Noted { text, .. } if text == "hello"))
    );
}

#[tokio::test]
async fn a_lost_attempt_goes_on_from_its_checkpoint() {
    let bench = Bench::new().await;
    let lost = Part::Ends(vec![checkpoint()], Exit::Unseen);
    let executor = ScriptedExecutor::new([lost, finishes()]);
    let (summary, events) = bench.run(&plan(1), &executor).await;
    assert_eq!(summary.done, 1);
    assert!(
        events.iter().any(|event| matches!(event, RunEvent::AttemptEnded { retried: true, .. }))
    );
    let attempts = bench.attempts(&plan(1)).await;
    assert_eq!(reason(&attempts[0]), Some(FailureReason::Lost));
    let checkpoint = AttemptFolder::at(&attempts[0].folder).checkpoint();
    assert_eq!(order(&attempts[1]).work, Work::Train { resume: Some(checkpoint) });
    assert_eq!(order(&attempts[1]).data_path, Some(PathBuf::from("images")));
}

#[tokio::test]
async fn a_hopeless_failure_stays_until_asked_for() {
    let mut bench = Bench::new().await;
    let executor = ScriptedExecutor::new([fails(FailureReason::OutOfMemory)]);
    let failed = RunSummary { failed: 1, ..RunSummary::default() };
    assert_eq!(bench.run(&plan(1), &executor).await.0, failed);
    assert_eq!(bench.run(&plan(1), &ScriptedExecutor::new([])).await.0, failed);
    bench.options.retry_failed = RetryFailed::Yes;
    assert_eq!(bench.run(&plan(1), &ScriptedExecutor::new([finishes()])).await.0.done, 1);
}

#[tokio::test]
async fn a_full_disk_is_told_starts_nothing_more_and_costs_no_retry() {
    let bench = Bench::new().await;
    let mut plan = plan(2);
    plan.meta.max_retries = 0;
    let full = Part::Ends(Vec::new(), Exit::Code(EXIT_DISK_FULL));
    let (summary, events) = bench.run(&plan, &ScriptedExecutor::new([full])).await;
    assert_eq!(summary, RunSummary { left: 2, ..RunSummary::default() });
    let told = events.iter().find_map(|event| match event {
        RunEvent::DiskFull { folder, free_bytes } => Some((folder.as_path(), *free_bytes)),
        _ => None,
    });
    assert!(matches!(told, Some((folder, Some(_))) if folder == bench.folder.path()), "{told:?}");
    let attempts = bench.attempts(&plan).await;
    assert!(
        matches!(
            &attempts[0].outcome,
            Some(Outcome::Failed { reason: FailureReason::DiskFull, detail })
                if detail.contains(&attempts[0].folder.display().to_string())
        ),
        "{:?}",
        attempts[0].outcome
    );
    let executor = ScriptedExecutor::new([finishes(), finishes()]);
    assert_eq!(bench.run(&plan, &executor).await.0.done, 2);
}

#[tokio::test]
async fn who_was_stopped_by_somebody_else_goes_on_uncharged() {
    let bench = Bench::new().await;
    let mut plan = plan(1);
    plan.meta.max_retries = 0;
    let stopped = || Part::Ends(vec![checkpoint(), ended(End::Stopped)], Exit::Code(75));
    let executor = ScriptedExecutor::new([stopped(), stopped(), finishes()]);
    let (summary, events) = bench.run(&plan, &executor).await;
    assert_eq!(summary.done, 1);
    let again = events.iter().filter(|event| {
        matches!(event, RunEvent::AttemptEnded { outcome: Outcome::Stopped, retried: true, .. })
    });
    assert_eq!(again.count(), 2);
}

#[tokio::test]
async fn only_a_checkpoint_beyond_the_earlier_ones_is_progress() {
    let bench = Bench::new().await;
    let lost = Part::Ends(vec![checkpoint()], Exit::Unseen);
    bench.run(&plan(1), &ScriptedExecutor::new([lost, finishes()])).await;
    let attempts = bench.attempts(&plan(1)).await;
    assert_eq!(bench.store.checkpoint_before(&attempts[0]).await.unwrap(), None);
    assert_eq!(bench.store.checkpoint_before(&attempts[1]).await.unwrap(), Some(7));
}

#[tokio::test]
async fn a_worker_that_does_not_start_is_tried_again_then_failed() {
    let bench = Bench::new().await;
    let executor = ScriptedExecutor::new([Part::Refuses, Part::Refuses, Part::Refuses]);
    let (summary, _) = bench.run(&plan(1), &executor).await;
    assert_eq!(summary.failed, 1);
    let attempts = bench.attempts(&plan(1)).await;
    assert_eq!(attempts.len(), 3);
    assert_eq!(reason(&attempts[2]), Some(FailureReason::LaunchFailed));
}

#[tokio::test]
async fn a_polite_stop_leaves_a_trial_that_the_next_run_resumes() {
    let bench = Bench::new().await;
    let executor = ScriptedExecutor::new([waits_then(vec![ended(End::Stopped)])]);
    let (summary, events) = bench
        .try_run(&plan(2), &executor, |event| once_started(event, StopRequest::Politely))
        .await;
    assert_eq!(
        summary.unwrap(),
        RunSummary { left: 2, interrupted: true, ..RunSummary::default() }
    );
    assert!(events.iter().any(|event| matches!(event, RunEvent::Stopping { times: 1 })));
    assert_eq!(executor.calls(), ["launch", "soft"]);
    assert_eq!(bench.state(&plan(2)).await, TrialState::Stopped);
    let (summary, _) = bench.run(&plan(2), &ScriptedExecutor::new([finishes(), finishes()])).await;
    assert_eq!(summary.done, 2);
    let resumed = order(&bench.attempts(&plan(2)).await[1]).work;
    assert!(matches!(resumed, Work::Train { resume: Some(_) }), "{resumed:?}");
}

#[tokio::test]
async fn a_stop_by_force_kills() {
    let bench = Bench::new().await;
    let executor = ScriptedExecutor::new([waits_then(vec![])]);
    let (summary, _) =
        bench.try_run(&plan(1), &executor, |event| once_started(event, StopRequest::ByForce)).await;
    assert_eq!(summary.unwrap().left, 1);
    assert_eq!(executor.calls(), ["launch", "hard"]);
    assert_eq!(bench.state(&plan(1)).await, TrialState::Stopped);
}

#[tokio::test]
async fn who_detaches_leaves_attempts_that_the_next_run_adopts() {
    let bench = Bench::new().await;
    let executor = ScriptedExecutor::new([waits_then(last_words())]);
    let (summary, _) =
        bench.try_run(&plan(1), &executor, |event| once_started(event, StopRequest::Detach)).await;
    assert_eq!(summary.unwrap(), RunSummary { left: 1, interrupted: true, ..Default::default() });
    assert_eq!(bench.state(&plan(1)).await, TrialState::Running);
    // The scripted worker finishes when it is asked to stop.
    let (summary, events) = bench
        .try_run(&plan(1), &executor, |event| once_started(event, StopRequest::Politely))
        .await;
    assert_eq!(summary.unwrap().done, 1);
    assert!(
        events.iter().any(|event| matches!(event, RunEvent::AttemptStarted { adopted: true, .. }))
    );
    assert_eq!(executor.calls(), ["launch", "soft"]);
}

#[tokio::test]
async fn an_end_that_was_stored_in_half_counts() {
    // The controller dies between storing the last line and the outcome.
    let bench = Bench::new().await;
    let executor = ScriptedExecutor::new([finishes()]);
    let (row, handle) = bench.leave_a_worker(&plan(1), &executor).await;
    bench.note(&row, &handle).await;
    let batch = Tail::new(AttemptFolder::at(&row.folder).events(), 0, 0).read().unwrap();
    bench.store.append(row.id, &batch.lines, batch.offset, batch.last_seq).await.unwrap();
    let (summary, events) = bench.run(&plan(1), &executor).await;
    assert_eq!(summary.done, 1);
    assert_eq!(executor.calls(), ["launch"]);
    assert!(events.iter().any(|event| matches!(
        event,
        RunEvent::AttemptEnded { metric: Some(_), retried: false, .. }
    )));
}

#[tokio::test]
async fn a_row_without_a_worker_is_lost_and_charged_to_nobody() {
    let bench = Bench::new().await;
    let mut plan = plan(1);
    plan.meta.max_retries = 0;
    bench.leave_a_row(&plan).await;
    let (summary, _) = bench.run(&plan, &ScriptedExecutor::new([finishes()])).await;
    assert_eq!(summary.done, 1);
    let lost = bench.attempts(&plan).await.swap_remove(0);
    assert_eq!(reason(&lost), Some(FailureReason::Lost));
    assert_eq!(lost.ended_ms, Some(lost.started_ms), "it took nothing that anybody knows of");
}

#[tokio::test]
async fn what_was_left_without_a_controller_ends_with_its_last_line() {
    let bench = Bench::new().await;
    let row = bench.leave_a_row(&plan(1)).await;
    std::fs::create_dir_all(&row.folder).unwrap();
    let note = |text: &str| WorkerEvent::Note { text: text.to_owned() };
    write_events(&AttemptFolder::at(&row.folder).events(), &[note("one"), note("two")]);
    let (summary, _) = bench.run(&plan(1), &ScriptedExecutor::new([finishes()])).await;
    assert_eq!(summary.done, 1);
    let [lost, watched] = <[AttemptRow; 2]>::try_from(bench.attempts(&plan(1)).await).unwrap();
    assert_eq!((lost.heard_ms, lost.ended_ms), (Some(2), Some(2)));
    let watched_ms = (watched.heard_ms.unwrap(), watched.ended_ms.unwrap());
    assert!(watched_ms.1 > 1_000_000 && watched_ms.1 > watched_ms.0, "{watched_ms:?}");
}

#[tokio::test]
async fn a_worker_that_comes_late_finds_its_attempt_claimed() {
    let bench = Bench::new().await;
    let row = bench.leave_a_row(&plan(1)).await;
    std::fs::create_dir_all(&row.folder).unwrap();
    bench.run(&plan(1), &ScriptedExecutor::new([finishes()])).await;
    assert!(!AttemptFolder::at(&row.folder).take_claim("the worker").unwrap());
}

#[tokio::test]
async fn a_worker_without_a_handle_is_found_by_what_it_says() {
    let bench = Bench::new().await;
    let executor = ScriptedExecutor::new([waits_then(last_words())]);
    let (row, handle) = bench.leave_a_worker(&plan(1), &executor).await;
    let folder = AttemptFolder::at(&row.folder);
    let _lock = bench.hold(&row);
    folder.take_claim("the worker").unwrap();
    write_events(&folder.events(), &[WorkerEvent::Started(started(&handle))]);
    let (summary, _) = bench
        .try_run(&plan(1), &executor, |event| once_started(event, StopRequest::Politely))
        .await;
    assert_eq!(summary.unwrap().done, 1);
    assert_eq!(executor.calls(), ["launch", "soft"], "no second worker");
}

#[tokio::test]
async fn a_worker_of_the_folder_that_this_one_is_a_copy_of_is_left_alone() {
    let bench = Bench::new().await;
    let executor = ScriptedExecutor::new([waits_then(last_words()), finishes()]);
    let (row, handle) = bench.leave_a_worker(&plan(1), &executor).await;
    bench.note(&row, &handle).await;
    // The copy has the claim; the lock is on the original.
    AttemptFolder::at(&row.folder).take_claim("the worker").unwrap();
    let (summary, _) = bench.run(&plan(1), &executor).await;
    assert_eq!(summary.done, 1);
    assert_eq!(executor.calls(), ["launch", "launch"], "neither watched nor stopped");
}

#[tokio::test]
async fn a_trial_whose_lock_is_held_elsewhere_is_left_alone() {
    let bench = Bench::new().await;
    let (_, lock) = bench.leave_a_far_worker(&plan(1)).await;
    let (summary, events) = bench.run(&plan(1), &ScriptedExecutor::new([])).await;
    assert_eq!(summary.left, 1);
    assert!(events.iter().any(|event| matches!(event, RunEvent::Noted { .. })));
    assert_eq!(bench.state(&plan(1)).await, TrialState::Running);
    drop(lock);
    assert_eq!(bench.run(&plan(1), &ScriptedExecutor::new([finishes()])).await.0.done, 1);
}

#[tokio::test]
async fn an_attempt_of_another_sweep_is_watched_to_its_end() {
    let bench = Bench::new().await;
    let executor = ScriptedExecutor::new([waits_then(last_words())]);
    let (row, handle) = bench.leave_a_worker(&plan(1), &executor).await;
    bench.note(&row, &handle).await;
    let empty = Plan { trials: Vec::new(), ..plan(1) };
    let (summary, _) =
        bench.try_run(&empty, &executor, |event| once_started(event, StopRequest::Politely)).await;
    assert_eq!(summary.unwrap(), RunSummary { interrupted: true, ..RunSummary::default() });
    assert_eq!(bench.state(&plan(1)).await, TrialState::Done);
}

#[tokio::test]
async fn another_protocol_evaluates_and_trains_nothing() {
    let bench = Bench::new().await;
    bench.run(&plan(1), &ScriptedExecutor::new([finishes()])).await;
    let evaluates = Part::Ends(last_words(), Exit::Code(0));
    let other = plan_with_eval(1, 50);
    let (summary, _) = bench.run(&other, &ScriptedExecutor::new([evaluates])).await;
    assert_eq!(summary.done, 1);
    let attempts = bench.attempts(&other).await;
    let weights = AttemptFolder::at(&attempts[0].folder).weights();
    assert_eq!(order(&attempts[1]).work, Work::Evaluate { weights });
    assert_eq!(attempts[1].kind, AttemptKind::Eval);
}

#[tokio::test]
async fn what_diverged_is_done_by_every_protocol() {
    let bench = Bench::new().await;
    let diverged = vec![ended(End::Finished { verdict: Verdict::Diverged })];
    let executor = ScriptedExecutor::new([waits_then(diverged)]);
    let (row, handle) = bench.leave_a_worker(&plan(1), &executor).await;
    bench.note(&row, &handle).await;
    // It ends under the eyes of a sweep with another protocol, which has nothing to add.
    let other = plan_with_eval(1, 50);
    let (summary, _) =
        bench.try_run(&other, &executor, |event| once_started(event, StopRequest::Politely)).await;
    assert_eq!(summary.unwrap().done, 1);
    assert_eq!(bench.run(&plan_with_eval(1, 60), &ScriptedExecutor::new([])).await.0.done, 1);
    assert_eq!(bench.attempts(&other).await.len(), 1);
}

#[tokio::test]
async fn what_collapsed_is_evaluated_by_every_protocol() {
    let bench = Bench::new().await;
    let end = End::Finished { verdict: Verdict::Collapsed };
    let collapsed = vec![keeps_weights(), evaluated(), ended(end)];
    let executor = ScriptedExecutor::new([waits_then(collapsed)]);
    let (row, handle) = bench.leave_a_worker(&plan(1), &executor).await;
    bench.note(&row, &handle).await;
    let other = plan_with_eval(1, 50);
    let (summary, _) =
        bench.try_run(&other, &executor, |event| once_started(event, StopRequest::Politely)).await;
    assert!(summary.unwrap().interrupted);
    assert_eq!(bench.state(&plan(1)).await, TrialState::Done);
    assert_eq!(bench.state(&other).await, TrialState::Trained);
    let evaluates = Part::Ends(last_words(), Exit::Code(0));
    assert_eq!(bench.run(&other, &ScriptedExecutor::new([evaluates])).await.0.done, 1);
    let kinds: Vec<_> = bench.attempts(&other).await.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, [AttemptKind::Train, AttemptKind::Eval]);
}

#[tokio::test]
async fn a_hopeless_evaluation_stays_failed_and_trains_nothing_when_asked_for() {
    let mut bench = Bench::new().await;
    bench.run(&plan(1), &ScriptedExecutor::new([finishes()])).await;
    let other = plan_with_eval(1, 50);
    let executor = ScriptedExecutor::new([fails(FailureReason::OutOfMemory)]);
    assert_eq!(bench.run(&other, &executor).await.0.failed, 1);
    assert_eq!(bench.run(&other, &ScriptedExecutor::new([])).await.0.failed, 1);
    bench.options.retry_failed = RetryFailed::Yes;
    let evaluates = Part::Ends(last_words(), Exit::Code(0));
    assert_eq!(bench.run(&other, &ScriptedExecutor::new([evaluates])).await.0.done, 1);
    let kinds: Vec<_> = bench.attempts(&other).await.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, [AttemptKind::Train, AttemptKind::Eval, AttemptKind::Eval]);
}

#[tokio::test]
async fn threads_are_those_of_the_first_attempt() {
    let mut bench = Bench::new().await;
    bench.threads = 3;
    let executor = ScriptedExecutor::new([fails(FailureReason::OutOfMemory)]);
    bench.run(&plan(1), &executor).await;
    bench.threads = 1;
    bench.options.retry_failed = RetryFailed::Yes;
    bench.run(&plan(1), &ScriptedExecutor::new([finishes()])).await;
    let threads: Vec<_> =
        bench.attempts(&plan(1)).await.iter().map(|row| order(row).threads).collect();
    assert_eq!(threads, [3, 3]);
}

#[tokio::test]
async fn a_limit_begins_the_first_trials_only() {
    let mut bench = Bench::new().await;
    bench.options.limit = Some(1);
    let (summary, _) = bench.run(&plan(3), &ScriptedExecutor::new([finishes()])).await;
    assert_eq!(summary, RunSummary { done: 1, left: 2, limited: 2, ..RunSummary::default() });
}

#[tokio::test]
async fn a_second_controller_is_refused() {
    let bench = Bench::new().await;
    let _first = lock::StateLock::take(bench.folder.path()).unwrap();
    let (refused, _) = bench.try_run(&plan(1), &ScriptedExecutor::new([]), |_| None).await;
    assert!(matches!(refused, Err(DriveError::Locked { .. })), "{refused:?}");
}
