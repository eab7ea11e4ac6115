//! Early stopping as people use it, with real training: what falls behind is stopped and marked, is
//! no result, and is merely interrupted for whoever asks for it without the policy.
#![cfg(feature = "torch")]

use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use byol_sweep::protocol::{EventLine, WorkerEvent};
use byol_sweep::spec::early::METRIC;
use byol_sweep::store::Store;
use serde_json::Value;

use crate::e2e;
use crate::terminal::{Terminal, assert_code, stderr, stdout};

/// Far more than anything here takes.
const BOUND: Duration = Duration::from_secs(300);
const RUN: &str = "run sweep.toml --devices cpu -j 1";
/// After the first epoch the better half of two settings goes on.
const ASHA: &str = "[early_stop]\npolicy = \"asha\"\nmin_epochs = 1\nreduction = 2\n";

fn sweep([one, other]: [&str; 2], early_stop: &str) -> String {
    let grid = format!("[grid]\noptimizer.base_lr = [{one}, {other}]");
    format!("{}{early_stop}", e2e::sweep(25, &grid))
}

fn trials(terminal: &Terminal) -> Vec<Value> {
    let output = terminal.type_in("ls --json");
    assert_code(&output, 0);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    document["trials"].as_array().unwrap().clone()
}

/// How the two settings fare where nothing is stopped.
struct Undisturbed {
    /// The better one after the first epoch comes first.
    rates: [&'static str; 2],
    /// Results of the worse one.
    worse: Value,
}

static UNDISTURBED: LazyLock<Undisturbed> = LazyLock::new(|| {
    let rates = ["0.2", "1000.0"];
    let terminal = Terminal::new();
    terminal.write("sweep.toml", sweep(rates, ""));
    assert_code(&terminal.type_in(RUN), 0);
    let trials = trials(&terminal);
    let keys: Vec<_> =
        trials.iter().map(|trial| trial["key"].as_str().unwrap().parse().unwrap()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let series = runtime.block_on(async {
        let state = terminal.path().join(".byol-sweep");
        let store = Store::open_read_only(&state).await.unwrap().unwrap();
        store.series(METRIC, &keys).await.unwrap()
    });
    let first = |place: usize| series[place].points[0].1;
    let (rates, worse) = if first(1) > first(0) { ([rates[1], rates[0]], 0) } else { (rates, 1) };
    Undisturbed { rates, worse: trials[worse]["results"].clone() }
});

fn states(trials: &[Value]) -> Vec<(&str, u64)> {
    let of = |trial: &'_ Value| trial["attempts"].as_u64().unwrap();
    trials.iter().map(|trial| (trial["state"].as_str().unwrap(), of(trial))).collect()
}

#[test]
fn what_falls_behind_is_stopped_and_goes_on_only_without_the_policy() {
    let Undisturbed { rates, worse } = &*UNDISTURBED;
    let terminal = Terminal::new();
    terminal.write("sweep.toml", sweep(*rates, ASHA));
    let run = terminal.type_in(RUN);
    assert_code(&run, 0);
    assert!(!stderr(&run).contains("run the sweep again to go on"), "{}", stderr(&run));
    assert!(
        stderr(&run).contains("after epoch 1 its setting had knn_probe_top1"),
        "{}",
        stderr(&run)
    );
    let stopped = trials(&terminal);
    assert_eq!(states(&stopped), [("done", 1), ("pruned", 1)]);
    assert_eq!(stopped[1]["early_stop"]["epoch"], 1);
    assert!(stopped[1]["results"].is_null());

    let ls = terminal.type_in("ls");
    assert_eq!(stdout(&ls).matches("stopped early").count(), 1, "{}", stdout(&ls));
    assert_code(&terminal.type_in("report --out charts"), 0);
    let page = std::fs::read_to_string(terminal.path().join("charts/report.md")).unwrap();
    assert!(page.contains("0 of 1 ¶, 1 stopped early §"), "{page}");
    assert!(page.contains("no mean or figure counts them"), "{page}");

    // Again: nothing to do.
    assert_code(&terminal.type_in(RUN), 0);
    assert_eq!(trials(&terminal), stopped);

    // Without the policy it was interrupted, and ends with the numbers of a run that never was.
    assert_code(&terminal.type_in(&format!("{RUN} --set early_stop.policy=none")), 0);
    let finished = trials(&terminal);
    assert_eq!(states(&finished), [("done", 1), ("done", 2)]);
    assert_eq!(finished[1]["results"], *worse);

    // What is trained is a result for everybody; checkpoints have served.
    assert_code(&terminal.type_in(RUN), 0);
    assert_eq!(states(&trials(&terminal)), [("done", 1), ("done", 2)]);
    let (checkpoints, weights) = (files(&terminal, "checkpoint"), files(&terminal, "weights"));
    assert_eq!((checkpoints, weights), (0, 2));
}

/// Counts files of that name in all attempts.
fn files(terminal: &Terminal, name: &str) -> usize {
    let below = |path: std::path::PathBuf| -> Vec<std::path::PathBuf> {
        std::fs::read_dir(path)
            .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
            .unwrap_or_default()
    };
    let attempts = below(terminal.path().join(".byol-sweep/trials")).into_iter().flat_map(below);
    attempts.filter(|attempt| attempt.join(format!("{name}.safetensors")).exists()).count()
}

/// Whether some attempt other than `not_in` has told of an epoch.
fn has_an_epoch(terminal: &Terminal, key: &str) -> bool {
    let file = terminal.path().join(format!(".byol-sweep/trials/{key}/0001/events.jsonl"));
    let text = std::fs::read_to_string(file).unwrap_or_default();
    // The last line may be half written.
    let events = text.lines().filter_map(|line| serde_json::from_str::<EventLine>(line).ok());
    events.into_iter().any(|line| matches!(line.event, WorkerEvent::Metrics { .. }))
}

#[test]
fn a_killed_controller_changes_no_decision() {
    let Undisturbed { rates, .. } = &*UNDISTURBED;
    let terminal = Terminal::new();
    terminal.write("sweep.toml", sweep(*rates, ASHA));
    let plan = terminal.type_in("plan sweep.toml --json");
    let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
    let key = plan["trials"][1]["key"].as_str().unwrap().to_owned();
    let mut command = terminal.command(RUN);
    command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
    let mut controller = command.spawn().unwrap();
    let begun = Instant::now();
    while !has_an_epoch(&terminal, &key) {
        assert!(begun.elapsed() < BOUND);
        std::thread::sleep(Duration::from_millis(2));
    }
    controller.kill().unwrap();
    controller.wait().unwrap();

    assert_code(&terminal.type_in(RUN), 0);
    let trials = trials(&terminal);
    assert_eq!(states(&trials), [("done", 1), ("pruned", 1)]);
    assert_eq!(trials[1]["early_stop"]["epoch"], 1);
}
