//! Exports as their readers see them. A store is filled as workers would fill it; then the program is
//! typed, and what it wrote is opened.
//!
//! Tests with other programs' readers are left out of a plain run: `scripts/readers.sh` makes their
//! environment, and
//! `BYOL_SWEEP_READERS=$(scripts/readers.sh) cargo test --test it -- --ignored exports::` runs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use byol_sweep::ids::DeviceId;
use byol_sweep::outcome::{FailureReason, Outcome, Verdict};
use byol_sweep::plan::{Limit, Plan, Request, expand};
use byol_sweep::protocol::{EventLine, WorkerEvent};
use byol_sweep::spec;
use byol_sweep::store::rows::AttemptKind;
use byol_sweep::store::{NewAttempt, Store};
use serde_json::{Value, json};

use crate::terminal::{Terminal, assert_code, stderr, stdout};

/// Four cells of two seeds; an axis of numbers, an axis of lists.
pub(crate) const SWEEP: &str = r#"
schema = 1
name = "tiny"
description = "Batch size, \"and\" blur"
[base]
data.name = "cifar10"
encoder.name = "resnet18"
encoder.stem = "imagenet"
epochs = 2
update_batch_size = 64
[grid]
batch_size = [64, 32]
augment.remove = [[], ["blur", "solarize"]]
[replicates]
seeds = [0, 1]
"#;

/// Updates of a trial.
const UPDATES: u64 = 5;
/// Number of the trial that failed; those after it were never started.
const FAILED: u32 = 7;

/// A value that only comes back with all of its digits.
fn loss(trial: u32, update: u64) -> f64 {
    f64::from(trial) + 1.0 / (update as f64 + 2.0)
}

pub(crate) fn plan(text: &str) -> Plan {
    let sweep = spec::parse("sweep.toml", text).unwrap();
    expand(&sweep, &Request { overrides: &[], digests: &|_| None, limit: Limit::Million }).unwrap()
}

/// A folder with a store of [`SWEEP`]: six trials done, one failed, one pending.
pub(crate) fn filled() -> Terminal {
    let terminal = Terminal::new();
    block_on(fill(&terminal.path().join(".byol-sweep"), &plan(SWEEP)));
    terminal
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

pub(crate) async fn fill(state: &Path, plan: &Plan) {
    let store = Store::open(state).await.unwrap();
    store.sync_plan(plan, 1_000).await.unwrap();
    for trial in plan.trials.iter().filter(|trial| trial.ordinal <= FAILED) {
        let new = NewAttempt {
            train_key: trial.train_key.clone(),
            kind: AttemptKind::Train,
            eval_key: plan.eval_key.clone(),
            device: DeviceId::Cpu,
            threads: 1,
            started_ms: 1_700_000_000_000 + i64::from(trial.ordinal),
        };
        let attempt = store.begin_attempt(new).await.unwrap();
        let outcome = if trial.ordinal == FAILED {
            Outcome::Failed { reason: FailureReason::OutOfMemory, detail: "no\nroom".into() }
        } else {
            let lines = events(trial.ordinal);
            store.append(attempt.id, &lines, 1, lines.len() as u64).await.unwrap();
            Outcome::Finished { verdict: Verdict::Healthy }
        };
        store.end_attempt(attempt.id, &outcome, 1_700_000_060_000).await.unwrap();
    }
    store.close().await;
}

fn events(trial: u32) -> Vec<EventLine> {
    let metrics = (1..=UPDATES).map(|update| {
        let values = [("loss".to_owned(), loss(trial, update)), ("lr".to_owned(), 1e-8)];
        WorkerEvent::Metrics { update, values: values.into() }
    });
    let top1 = 0.5 + f64::from(trial) / 64.0;
    let finals = [("linear_top1".to_owned(), top1), ("knn_top1".to_owned(), 0.5)];
    let evaluated = WorkerEvent::Evaluated { values: finals.into() };
    let all = metrics.chain([evaluated]).zip(1..);
    all.map(|(event, seq)| EventLine { seq, at_ms: 1, event }).collect()
}

/// What a reader must find, from what was put in.
fn expected() -> Value {
    let plan = plan(SWEEP);
    let trials: Vec<Value> = plan
        .trials
        .iter()
        .map(|trial| {
            let done = trial.ordinal < FAILED;
            let top1 = 0.5 + f64::from(trial.ordinal) / 64.0;
            json!({
                "trial": trial.ordinal,
                "key": trial.train_key,
                "group": trial.group_key,
                "seed": trial.run.seed,
                "state": match trial.ordinal { 8 => "pending", FAILED => "failed", _ => "done" },
                "batch_size": trial.run.batch_size,
                "augment.remove": if trial.run.views.t.blur.is_some() { "none" } else { "blur+solarize" },
                "linear_top1": done.then_some(top1),
                "spec": trial.run,
                "loss": if done {
                    (1..=UPDATES).map(|update| json!([update, loss(trial.ordinal, update)])).collect()
                } else {
                    Vec::new()
                },
            })
        })
        .collect();
    json!({ "trials": trials, "version": env!("CARGO_PKG_VERSION") })
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_sweep_is_copied_whole_once_and_says_what_it_lacks() {
    let terminal = filled();
    let output = terminal.type_in("export --format csv");
    assert_code(&output, 0);
    assert_eq!(stdout(&output), "exports/tiny-csv\n");
    let said = stderr(&output);
    assert!(said.contains("8 trials and 60 points of tiny"), "{said}");
    assert!(said.contains("2 trials are not done: they have no results yet"), "{said}");
    let folder = terminal.path().join("exports/tiny-csv");
    assert_eq!(names(&folder), ["export.json", "series.csv", "trials.csv"]);
    assert_eq!(names(folder.parent().unwrap()), ["tiny-csv"], "nothing is left aside");

    let again = terminal.type_in("export tiny --format csv");
    assert_code(&again, 2);
    assert!(stderr(&again).contains("exports/tiny-csv exists already: overwrite it with --force"));
    let before = fs::read(folder.join("series.csv")).unwrap();
    assert_code(&terminal.type_in("export tiny --format csv --force"), 0);
    assert_eq!(fs::read(folder.join("series.csv")).unwrap(), before, "equal rows, equal bytes");
}

#[test]
fn json_lines_hold_every_value_that_was_put_in() {
    let terminal = filled();
    assert_code(&terminal.type_in("export --format jsonl --out copy"), 0);
    let lines = |file: &str| -> Vec<Value> {
        let text = fs::read_to_string(terminal.path().join("copy").join(file)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (trials, series) = (lines("trials.jsonl"), lines("series.jsonl"));
    for (found, wanted) in trials.iter().zip(expected()["trials"].as_array().unwrap()) {
        let known = |name: &str| found.get(name).cloned().unwrap_or_default();
        for name in ["trial", "key", "seed", "state", "batch_size", "linear_top1", "spec"] {
            assert_eq!(known(name), wanted[name], "{name}");
        }
        let points: Vec<Value> = series
            .iter()
            .filter(|point| point["key"] == wanted["key"] && point["metric"] == "loss")
            .map(|point| json!([point["update"], point["value"]]))
            .collect();
        assert_eq!(Value::from(points), wanted["loss"]);
    }
    assert_eq!(trials[6]["failure"], "out_of_memory: no\nroom");
}

#[test]
fn what_cannot_be_exported_is_told_and_leaves_nothing() {
    let terminal = filled();
    terminal.write("file", "mine");
    terminal.write("thesis/chapter.tex", "mine");
    let cases: [(&str, i32, &str); 9] = [
        ("export --format xml", 2, "invalid value 'xml'"),
        ("export nowhere --format csv", 4, "there is no sweep `nowhere`: there is tiny"),
        (
            "export --format csv --out file --force",
            2,
            "file is a file, and this export is a folder",
        ),
        ("export --format csv --out thesis --force", 2, "which --force does not delete"),
        ("export --format safetensors", 2, "this format is of one trial"),
        ("export 8 --format safetensors", 4, "trial 8 of tiny is not trained yet"),
        ("export 7 --format safetensors", 4, "trial 7 of tiny failed before it was trained"),
        ("export 99 --format safetensors", 4, "tiny has no trial 99"),
        ("export --format csv --out file/below", 1, "cannot write file"),
    ];
    for (line, code, cause) in cases {
        let output = terminal.type_in(line);
        assert_code(&output, code);
        assert!(stderr(&output).contains(cause), "{line}: {}", stderr(&output));
    }
    assert_eq!(names(terminal.path()), [".byol-sweep", "file", "thesis"]);
    assert_eq!(names(&terminal.path().join("thesis")), ["chapter.tex"]);

    let empty = Terminal::new();
    assert_code(&empty.type_in("export --format csv"), 4);
}

#[test]
fn a_sweep_without_results_is_exported_as_far_as_it_goes() {
    let terminal = Terminal::new();
    let state = terminal.path().join(".byol-sweep");
    block_on(async {
        let store = Store::open(&state).await.unwrap();
        store.sync_plan(&plan(SWEEP), 1_000).await.unwrap();
        store.close().await;
    });
    for format in ["csv", "jsonl", "parquet", "tensorboard"] {
        let output = terminal.type_in(&format!("export --format {format}"));
        assert_code(&output, 0);
        let said = stderr(&output);
        assert!(said.contains("none of the 8 trials is done"), "{said}");
    }
}

/// A model's tensors: name to shape and kind.
#[cfg(feature = "torch")]
type Tensors = std::collections::BTreeMap<String, (Vec<usize>, String)>;

/// torchvision's tensors of a model, without the classifier.
#[cfg(feature = "torch")]
fn torchvision(model: &str) -> Tensors {
    let file = format!("tests/fixtures/torchvision/{model}.tsv");
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let tensor = |line: &str| {
        let mut parts = line.split('\t').map(str::to_owned);
        let (name, shape) = (parts.next().unwrap(), parts.next().unwrap());
        let sizes = shape.split('x').filter_map(|size| size.parse().ok()).collect();
        (name, (sizes, parts.next().unwrap()))
    };
    lines.map(tensor).filter(|(name, _)| !name.starts_with("fc.")).collect()
}

#[cfg(feature = "torch")]
mod encoders {
    use byol_sweep::ids::AttemptNo;
    use byol_sweep::protocol::folder::TrialFolder;
    use byol_sweep::train::checkpoint;
    use byol_sweep::train::method::Model;
    use safetensors::{Dtype, SafeTensors};
    use tch::{Device, Kind};

    use super::*;

    /// A folder whose first trial left the weights of an untrained encoder.
    pub(super) fn with_weights(sweep: &str) -> Terminal {
        let terminal = Terminal::new();
        let (state, plan) = (terminal.path().join(".byol-sweep"), plan(sweep));
        let trial = &plan.trials[0];
        let folder = TrialFolder::new(&state, &trial.train_key).attempt(AttemptNo(1));
        fs::create_dir_all(folder.path()).unwrap();
        let model = Model::new(&trial.run, Device::Cpu, Kind::Float).unwrap();
        checkpoint::write(&folder.weights(), &model.encoder_state()).unwrap();
        let digest = blake3::hash(&fs::read(folder.weights()).unwrap()).to_hex().to_string();
        let file = "weights.safetensors".into();
        let left = WorkerEvent::Artifact { artifact: "weights".into(), file, digest };
        block_on(async {
            let store = Store::open(&state).await.unwrap();
            store.sync_plan(&plan, 1_000).await.unwrap();
            let new = NewAttempt {
                train_key: trial.train_key.clone(),
                kind: AttemptKind::Train,
                eval_key: plan.eval_key.clone(),
                device: DeviceId::Cpu,
                threads: 1,
                started_ms: 1_000,
            };
            let attempt = store.begin_attempt(new).await.unwrap();
            let line = EventLine { seq: 1, at_ms: 1, event: left };
            store.append(attempt.id, &[line], 1, 1).await.unwrap();
            let finished = Outcome::Finished { verdict: Verdict::Healthy };
            store.end_attempt(attempt.id, &finished, 2_000).await.unwrap();
            store.close().await;
        });
        terminal
    }

    fn kind(dtype: Dtype) -> String {
        match dtype {
            Dtype::F32 => "float32".to_owned(),
            Dtype::I64 => "int64".to_owned(),
            other => format!("{other:?}"),
        }
    }

    /// Exports the first trial's encoder and returns its tensors.
    fn exported(sweep: &str) -> (Tensors, Terminal) {
        let terminal = with_weights(sweep);
        assert_code(&terminal.type_in("export 1 --format safetensors --out encoder"), 0);
        let bytes = fs::read(terminal.path().join("encoder")).unwrap();
        let read = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = read
            .iter()
            .map(|(name, view)| (name.to_owned(), (view.shape().to_vec(), kind(view.dtype()))))
            .collect();
        (tensors, terminal)
    }

    #[test]
    fn a_resnet50_has_exactly_torchvisions_tensors() {
        let sweep = SWEEP.replace("resnet18", "resnet50");
        assert_eq!(exported(&sweep).0, torchvision("resnet50"));
    }

    #[test]
    fn a_resnet18_has_torchvisions_tensors_and_the_projection_that_byol_adds() {
        let (mut found, _) = exported(SWEEP);
        let added: Vec<String> =
            found.keys().filter(|name| name.starts_with("layer1.0.downsample.")).cloned().collect();
        assert_eq!(added.len(), 6);
        for name in &added {
            found.remove(name);
        }
        assert_eq!(found, torchvision("resnet18"));
    }

    #[test]
    fn weights_that_are_gone_or_changed_are_not_exported() {
        let terminal = with_weights(SWEEP);
        let trials = terminal.path().join(".byol-sweep/trials");
        let weights = trials.join(&names(&trials)[0]).join("0001/weights.safetensors");
        let whole = fs::read(&weights).unwrap();
        fs::write(&weights, &whole[..whole.len() - 1]).unwrap();
        let output = terminal.type_in("export 1 --format safetensors");
        assert_code(&output, 1);
        assert!(
            stderr(&output).contains("weights.safetensors is damaged: "),
            "{}",
            stderr(&output)
        );
        fs::remove_file(&weights).unwrap();
        let output = terminal.type_in("export 1 --format safetensors");
        assert_code(&output, 1);
        assert!(stderr(&output).contains("the weights of this trial are gone"));
        assert_eq!(names(&terminal.path().join("exports")), [""; 0]);
    }
}

/// The program of `tests/readers` that opens a format with the readers that people use.
fn read_with(program: &str, opened: &Path, wanted: &Value) {
    let python = std::env::var_os("BYOL_SWEEP_READERS").expect("BYOL_SWEEP_READERS is set");
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("wanted.json");
    fs::write(&file, wanted.to_string()).unwrap();
    let program: PathBuf =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/readers").join(program);
    let output = Command::new(python).arg(&program).arg(opened).arg(&file).output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn opened_by(program: &str, format: &str) {
    let terminal = filled();
    assert_code(&terminal.type_in(&format!("export --format {format} --out copy")), 0);
    read_with(program, &terminal.path().join("copy"), &expected());
}

#[test]
#[ignore = "needs pandas"]
fn pandas_reads_the_csv() {
    opened_by("read_csv.py", "csv");
}

#[test]
#[ignore = "needs pyarrow"]
fn pyarrow_and_pandas_read_the_parquet() {
    opened_by("read_parquet.py", "parquet");
}

#[test]
#[ignore = "needs pandas"]
fn pandas_reads_the_json_lines() {
    opened_by("read_jsonl.py", "jsonl");
}

#[test]
#[ignore = "needs tensorboard"]
fn tensorboard_reads_the_event_files() {
    opened_by("read_tensorboard.py", "tensorboard");
}

#[cfg(feature = "torch")]
#[test]
#[ignore = "needs safetensors"]
fn safetensors_reads_the_encoder() {
    let terminal = encoders::with_weights(&SWEEP.replace("resnet18", "resnet50"));
    assert_code(&terminal.type_in("export 1 --format safetensors --out encoder"), 0);
    let wanted =
        json!({ "tensors": torchvision("resnet50"), "version": env!("CARGO_PKG_VERSION") });
    read_with("read_safetensors.py", &terminal.path().join("encoder"), &wanted);
}

#[test]
fn other_peoples_results_are_taken_checked_and_matched() {
    let terminal = filled();
    let table = "batch_size,augment.remove,metric,value,source\n\
                 64,none,linear_top1,0.75,them\n\
                 32,blur+solarize,linear_top1,0.5,them\n\
                 999,none,linear_top1,0.25,them\n";
    terminal.write("theirs.csv", table);
    let output = terminal.type_in("import theirs.csv");
    assert_code(&output, 0);
    let said = stderr(&output);
    assert!(said.contains("3 rows as theirs"), "{said}");
    assert!(said.contains("2 of them are of cells of tiny"), "{said}");
    let kept = fs::read_to_string(terminal.path().join(".byol-sweep/imports/theirs.csv")).unwrap();
    assert_eq!(kept, table);

    terminal.write("theirs.csv", table.replace("0.25", "25"));
    let output = terminal.type_in("import theirs.csv --force");
    assert_code(&output, 2);
    assert!(stderr(&output).contains("theirs.csv line 4: linear_top1 is 25, and accuracies are"));
    assert_code(&terminal.type_in("import nowhere.csv"), 2);
    let still = fs::read_to_string(terminal.path().join(".byol-sweep/imports/theirs.csv")).unwrap();
    assert_eq!(still, table);
}

#[cfg(feature = "torch")]
#[test]
#[ignore = "needs numpy"]
fn numpy_reads_the_features_that_evaluation_saw() {
    let terminal = Terminal::new();
    terminal.write(
        "sweep.toml",
        r#"
        schema = 1
        name = "tiny"
        [base]
        data.name = "shapes"
        data.shapes.train = 64
        data.shapes.test = 40
        encoder.width = 0.125
        projector.hidden = 16
        projector.out = 8
        epochs = 2
        batch_size = 32
        update_batch_size = 32
        augment.preset = "byol_small"
        [eval]
        linear = { epochs = 2, batch_size = 32, learning_rates = [0.1] }
        knn = { k = 5, temperature = 0.1 }
        "#,
    );
    assert_code(&terminal.type_in("run sweep.toml --devices cpu -j 1"), 0);
    let output = terminal.type_in("export 1 --format npy --out features");
    assert_code(&output, 0);
    assert!(stderr(&output).contains("features of 104 images"), "{}", stderr(&output));
    let shown: Value = serde_json::from_slice(&terminal.type_in("show 1 --json").stdout).unwrap();
    read_with("read_npy.py", &terminal.path().join("features"), &shown["results"]);
}
