//! A database of 10,000 trials with 300 metric points each: its size, and what people wait for.
//! Before it, the report of 1,000 trials that every kind of figure is drawn of.
//!
//! ```text
//! cargo bench --bench store
//! cargo bench --bench store -- 1000       # so many trials
//! BYOL_SWEEP_BENCH_KEEP=FOLDER cargo bench --bench store    # only makes it, as a state folder
//! ```
#![expect(clippy::print_stdout, reason = "the numbers are what it is for")]

mod drawn;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;
use byol_sweep::ids::DeviceId;
use byol_sweep::outcome::{Outcome, Verdict};
use byol_sweep::plan::{Limit, Plan, PlannedTrial, Request, expand};
use byol_sweep::protocol::process::ProcessId;
use byol_sweep::protocol::{EventLine, Progress, Stage, Started, WorkerEvent};
use byol_sweep::provenance::{Device, Provenance, WorkerBinary};
use byol_sweep::spec;
use byol_sweep::spec::sweep::Kernels;
use byol_sweep::store::rows::AttemptKind;
use byol_sweep::store::{DATABASE, NewAttempt, Store};
use nix::sys::resource::{UsageWho, getrusage};
use tokio::runtime::Runtime;

use drawn::Shelf;

/// Metrics of a line, and lines of a trial.
const METRICS: [&str; 10] = [
    "loss",
    "lr",
    "tau",
    "images_per_s",
    "alignment",
    "uniformity",
    "effective_rank",
    "gradient_norm",
    "weight_norm",
    "knn_probe_top1",
];
const LINES: u64 = 30;

/// Model of the device that all of them ran on.
const MODEL: &str = "a processor of the benchmark";

/// Trials that were alive when the controller was killed.
const ALIVE: usize = 2;

fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench`.
    let trials = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(10_000);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let Some(keep) = std::env::var_os("BYOL_SWEEP_BENCH_KEEP") {
        return runtime.block_on(fill(Path::new(&keep), &sweep(trials), None));
    }
    let place = Some(PathBuf::from("/dev/shm")).filter(|folder| folder.is_dir());
    let folder = match place {
        Some(place) => tempfile::tempdir_in(place)?,
        None => tempfile::tempdir()?,
    };
    // Comes first: memory is told as the most that any program took so far.
    draw(&folder.path().join("drawn"), &runtime)?;
    let begun = Instant::now();
    runtime.block_on(fill(&folder.path().join("state"), &sweep(trials), None))?;
    println!("filling it: {:.0} s", begun.elapsed().as_secs_f64());
    report(folder.path(), trials)
}

/// Returns a sweep of so many trials, ten seeds a cell.
fn sweep(trials: usize) -> String {
    format!(
        r#"schema = 1
name = "large"
[base]
data.name = "shapes"
update_batch_size = 64
batch_size = 64
[grid]
tau_base = {{ linspace = [0.9, 0.999, {}] }}
[replicates]
seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
"#,
        trials / 10
    )
}

/// Times the report of a sweep with all kinds of figures.
fn draw(folder: &Path, runtime: &Runtime) -> anyhow::Result<()> {
    let shelf = Shelf::fill(&folder.join("exhibits"))?;
    runtime.block_on(fill(&folder.join("state"), drawn::SWEEP, Some(&shelf)))?;
    let told = measure(folder, &["report", "drawn", "--out", "report"], 3)?;
    println!("1000 trials, each with an exhibit: {told}");
    println!("figures drawn: {}", drawn::figures(&folder.join("report"))?);
    Ok(())
}

/// Fills a state folder with a sweep whose trials are done, but for those that were alive.
async fn fill(state: &Path, text: &str, shelf: Option<&Shelf>) -> anyhow::Result<()> {
    let request = Request { overrides: &[], digests: &|_| None, limit: Limit::Million };
    let plan = expand(&spec::parse("sweep.toml", text)?, &request)?;
    let store = Store::open(state).await?.on_behalf_of(made_with());
    store.sync_plan(&plan, 1).await?;
    let (alive, done) = plan.trials.split_at(ALIVE);
    for trial in done {
        finish(&store, &plan, trial, shelf).await?;
    }
    for trial in alive {
        store.begin_attempt(attempt(&plan, trial)).await?;
    }
    store.close().await;
    Ok(())
}

fn attempt(plan: &Plan, trial: &PlannedTrial) -> NewAttempt {
    NewAttempt {
        train_key: trial.train_key.clone(),
        kind: AttemptKind::Train,
        eval_key: plan.eval_key.clone(),
        device: DeviceId::Cpu,
        threads: 1,
        started_ms: 1_000 * i64::from(trial.ordinal),
    }
}

/// What a run of the sweep would be made with.
fn made_with() -> Provenance {
    Provenance {
        worker: WorkerBinary { digest: "0123456789abcdef".repeat(4), about: None },
        devices: vec![Device { id: DeviceId::Cpu, model: MODEL.into(), driver: None }],
        slots: 2,
        threads: 1,
        ..Provenance::default()
    }
}

/// What each worker says first.
fn started(pid: u32) -> Started {
    Started {
        host: "bench".into(),
        pid,
        start_ticks: 1_000 + u64::from(pid),
        boot_id: "5a3e2ac1-0f4d-4f1c-9d3e-7f5f1c7a9b10".into(),
        pid_namespace: Some(0xEFFF_FFFC),
        binary: None,
        version: env!("CARGO_PKG_VERSION").into(),
        libtorch: "2.11.0".into(),
        device: MODEL.into(),
        threads: 1,
        kernels: Kernels::default(),
        resumed: false,
    }
}

async fn finish(
    store: &Store,
    plan: &Plan,
    trial: &PlannedTrial,
    shelf: Option<&Shelf>,
) -> anyhow::Result<()> {
    let row = store.begin_attempt(attempt(plan, trial)).await?;
    let started = started(trial.ordinal);
    let handle = ProcessId {
        pid: started.pid,
        start_ticks: started.start_ticks,
        boot_id: started.boot_id.clone(),
        pid_namespace: started.pid_namespace,
    };
    store.note_handle(row.id, &serde_json::to_string(&handle)?).await?;
    // Numbers that do not repeat, as real ones do not.
    let value = |place: u64| f64::from(trial.ordinal).mul_add(0.618_033_988_75, place as f64).sin();
    let metrics = (0..LINES).map(|line| WorkerEvent::Metrics {
        update: 10 * (line + 1),
        values: METRICS
            .iter()
            .zip(0..)
            .map(|(name, place)| ((*name).to_owned(), value(100 * line + place)))
            .collect(),
    });
    let results = [("linear_top1", 1), ("knn_top1", 2), ("floor_linear_top1", 3)];
    let evaluated = WorkerEvent::Evaluated {
        values: results.iter().map(|(name, place)| ((*name).into(), value(*place).abs())).collect(),
    };
    let evaluates = WorkerEvent::Progress(Progress {
        stage: Stage::Evaluate,
        update: 10 * LINES,
        updates: 10 * LINES,
        epoch: 1,
        epochs: 1,
        loss: None,
        images_per_s: 1_000.0,
    });
    let left = shelf.map(|shelf| shelf.leave(trial.ordinal, &row.folder)).transpose()?;
    let lines: Vec<EventLine> = std::iter::once(WorkerEvent::Started(started))
        .chain(metrics)
        .chain([evaluates, evaluated])
        .chain(left)
        .zip(1..)
        .map(|(event, seq)| EventLine { seq, at_ms: row.started_ms, event })
        .collect();
    store.append(row.id, &lines, 100 * LINES, lines.len() as u64).await?;
    let outcome = Outcome::Finished { verdict: Verdict::Healthy };
    store.end_attempt(row.id, &outcome, row.started_ms + 900).await?;
    Ok(())
}

fn report(folder: &Path, trials: usize) -> anyhow::Result<()> {
    std::fs::write(folder.join("sweep.toml"), sweep(trials))?;
    let size = std::fs::metadata(folder.join("state").join(DATABASE))?.len();
    let points = (trials - ALIVE) as u64 * LINES * METRICS.len() as u64;
    println!("{trials} trials, {points} metric points: {:.1} MB", size as f64 / 1e6);
    for (verb, runs) in [
        (vec!["status"], 11),
        (vec!["ls", "large"], 11),
        (vec!["ls", "large", "--json"], 11),
        (vec!["ls", "large", "--filter", "tau_base > 0.95"], 11),
        (vec!["show", "7"], 11),
        (vec!["report", "large", "--out", "report"], 3),
    ] {
        println!("{}", measure(folder, &verb, runs)?);
    }
    // The two that were alive have no process: they are given up, and tried again.
    let worker = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/workers/finishes.sh");
    let worker = worker.display().to_string();
    let run = ["--quiet", "--worker", &worker, "run", "sweep.toml", "--devices", "cpu", "-j", "2"];
    let took = time(folder, &run)?;
    println!("recovery, and two trials     {:.0} ms", took.as_secs_f64() * 1000.0);
    let took = time(folder, &run)?;
    println!("run, with nothing to do      {:.0} ms", took.as_secs_f64() * 1000.0);
    Ok(())
}

/// Returns the median time of so many runs, and the memory.
fn measure(folder: &Path, verb: &[&str], runs: usize) -> anyhow::Result<String> {
    let mut times =
        (0..runs).map(|_| time(folder, verb)).collect::<anyhow::Result<Vec<Duration>>>()?;
    times.sort();
    let (median, memory) = (times[runs / 2].as_secs_f64() * 1000.0, largest_memory()?);
    Ok(format!("{:<28} {median:.0} ms, {memory} MB", verb.join(" ")))
}

/// Returns the largest memory of any program so far, in MB: the verbs that need more come later.
fn largest_memory() -> anyhow::Result<i64> {
    Ok(getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss() / 1024)
}

fn time(folder: &Path, verb: &[&str]) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_byol-sweep"))
        .args(verb)
        .current_dir(folder)
        .env("BYOL_SWEEP_STATE", folder.join("state"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    ensure!(status.success(), "{verb:?} ended with {status}");
    Ok(begun.elapsed())
}
