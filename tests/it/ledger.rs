//! What a state folder tells long after a run: what made its results, what may go, whether it is
//! sound. Shell scripts stand in for the worker; the damage is real.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Output;

use byol_sweep::exec::JobHandle;
use byol_sweep::ids::DeviceId;
use byol_sweep::store::rows::AttemptKind;
use byol_sweep::store::{DATABASE, Edit, NewAttempt, Store};
use serde_json::Value;

use crate::terminal::{Terminal, assert_code, stderr, stdout};

const SWEEP: &str = r#"
schema = 1
name = "tiny"
[base]
data.name = "shapes"
data.shapes.train = 64
data.shapes.test = 40
encoder.name = "convnet"
encoder.width = 0.125
epochs = 2
update_batch_size = 32
batch_size = 32
[replicates]
seeds = [0, 1]
"#;

fn fixture(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/workers").join(file)
}

/// A folder with a sweep file and a worker that finishes at once.
fn bench() -> Terminal {
    let terminal = Terminal::new();
    terminal.write("sweep.toml", SWEEP);
    terminal.write("finished.jsonl", fs::read(fixture("finished.jsonl")).unwrap());
    worker(&terminal, "");
    terminal
}

/// Makes the worker another one, which does the same.
fn worker(terminal: &Terminal, remark: &str) {
    let script = fs::read_to_string(fixture("finishes.sh")).unwrap();
    let path = terminal.write("worker.sh", format!("{script}# {remark}\n"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn run(terminal: &Terminal, rest: &str) -> Output {
    let output =
        terminal.type_in(&format!("run sweep.toml --devices cpu -j 1 --worker worker.sh {rest}"));
    assert_code(&output, 0);
    output
}

fn json(terminal: &Terminal, line: &str, code: i32) -> Value {
    let output = terminal.type_in(line);
    assert_code(&output, code);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], 1, "{line}");
    document
}

fn state(terminal: &Terminal) -> PathBuf {
    terminal.path().join(".byol-sweep")
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn edit(terminal: &Terminal, edit: &Edit) {
    wait(async {
        let store = Store::open(&state(terminal)).await.unwrap();
        store.edit(edit, 1).await.unwrap();
        store.close().await;
    });
}

#[test]
fn an_attempt_tells_what_it_was_made_with_and_a_changed_worker_is_said() {
    let terminal = bench();
    let first = run(&terminal, "--limit 1");
    assert!(!stderr(&first).contains("worker is another"), "{}", stderr(&first));
    let digest = |number: u32| {
        let document = json(&terminal, &format!("show {number} --json"), 0);
        let made = document["attempts"][0]["invocation"]["provenance"].clone();
        assert_eq!(made["controller"]["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(made["worker"]["about"], Value::Null, "the script knows no such question");
        assert_eq!(made["devices"][0]["id"], "cpu");
        assert_eq!(made["data"][0]["train"], 64);
        assert_eq!(made["slots"], 1);
        assert!(made["argv"].as_array().unwrap().contains(&"sweep.toml".into()));
        made["worker"]["digest"].as_str().unwrap().to_owned()
    };
    let before = digest(1);
    assert_eq!(
        before,
        blake3::hash(&fs::read(terminal.path().join("worker.sh")).unwrap()).to_hex().as_str()
    );

    worker(&terminal, "other");
    let second = stderr(&run(&terminal, ""));
    let after = digest(2);
    assert_ne!(before, after);
    assert!(second.contains(&before[..8]) && second.contains(&after[..8]), "{second}");
    let status = stdout(&terminal.type_in("status"));
    assert!(status.contains("2 worker binaries"), "{status}");
    let report = stdout(&terminal.type_in("report --out report --format md"));
    assert!(!report.is_empty());
    let page = fs::read_to_string(terminal.path().join("report/report.md")).unwrap();
    assert!(page.contains("2 binaries") && page.contains(&before[..8]), "{page}");
}

#[test]
fn a_worker_is_asked_once_what_it_is_and_its_answer_is_kept() {
    let terminal = bench();
    let script = "#!/bin/sh\nif [ \"$1\" = --about ]; then\n  echo asked >> \"ASKED\"\n  \
                  echo '{\"version\":\"9.9\",\"commit\":\"abc\",\"libtorch\":\"2.0+cu130\",\"cuda\":\"13.0\"}'\n  exit\nfi\n\
                  cat \"HERE/finished.jsonl\" > \"$1/events.jsonl\"\n";
    let here = terminal.path().display().to_string();
    let asked = terminal.path().join("asked");
    let script = script.replace("HERE", &here).replace("ASKED", &asked.display().to_string());
    terminal.write("worker.sh", script);
    run(&terminal, "--limit 1");
    run(&terminal, "");
    assert_eq!(fs::read_to_string(asked).unwrap(), "asked\n");
    let about = |number: u32| {
        let document = json(&terminal, &format!("show {number} --json"), 0);
        document["attempts"][0]["invocation"]["provenance"]["worker"]["about"].clone()
    };
    assert_eq!(about(1)["version"], "9.9");
    assert_eq!(about(1), about(2));
    let shown = stdout(&terminal.type_in("show 1"));
    assert!(shown.contains("9.9 (abc)") && shown.contains("CUDA 13.0"), "{shown}");
}

#[test]
fn differences_end_with_3_and_equality_with_0() {
    let terminal = bench();
    run(&terminal, "");
    assert_eq!(json(&terminal, "diff 1 1 --json", 0)["equal"], true);
    let document = json(&terminal, "diff 1 2 --json", 3);
    assert_eq!(document["settings"][0]["name"], "seed");
    assert_eq!(document["settings"][0]["sides"], serde_json::json!(["0", "1"]));
    terminal.write("other.toml", SWEEP.replace("tiny", "long").replace("epochs = 2", "epochs = 3"));
    let other = "run other.toml --devices cpu -j 1 --worker worker.sh";
    assert_code(&terminal.type_in(other), 0);
    let document = json(&terminal, "diff tiny long --json", 3);
    assert_eq!(document["settings"][0]["name"], "epochs");
    assert_code(&terminal.type_in("diff tiny 1"), 2);
    assert_code(&terminal.type_in("diff tiny tiny"), 0);
    assert_code(&terminal.type_in("diff abcdef012345 1"), 4);
    let mistyped = terminal.type_in("diff tiny lnog");
    assert_code(&mistyped, 4);
    let said = stderr(&mistyped);
    assert!(said.contains("no sweep `lnog`") && said.contains("long"), "{said}");
}

#[test]
fn a_trial_is_explained_from_what_the_store_knows() {
    let terminal = bench();
    run(&terminal, "--limit 1");
    assert_eq!(json(&terminal, "explain 1 --json", 0)["next"], "nothing");
    let waiting = json(&terminal, "explain 2 --json", 0);
    assert_eq!(waiting["next"], "train");
    let key = waiting["key"].as_str().unwrap().parse().unwrap();
    edit(&terminal, &Edit::Hold { trials: vec![key] });
    assert_eq!(json(&terminal, "explain 2 --json", 0)["next"], "held");
    terminal.write("other.toml", SWEEP.replace("tiny", "copy"));
    assert_code(&terminal.type_in("run other.toml --devices cpu -j 1 --worker worker.sh"), 0);
    let shared = stdout(&terminal.type_in("explain 1 --sweep copy"));
    assert!(shared.contains("begun by a run of the sweep tiny"), "{shared}");
}

#[test]
fn what_no_sweep_asks_for_goes_only_when_told_to_and_is_not_promised_any_more() {
    let terminal = bench();
    run(&terminal, "");
    let key = json(&terminal, "show 1 --json", 0)["key"].as_str().unwrap().to_owned();
    let trial = state(&terminal).join("trials").join(&key);
    let litter = [trial.join("0009/events.jsonl"), trial.join("0001/.tmpAbCdEf")];
    for file in &litter {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "12345").unwrap();
    }
    let told = json(&terminal, "gc --json", 0);
    assert_eq!((told["bytes"].as_u64(), told["deleted"].as_bool()), (Some(10), Some(false)));
    assert!(litter.iter().all(|file| file.exists()), "a dry run deleted");
    assert_eq!(json(&terminal, "gc --yes --json", 0)["litter"].as_array().unwrap().len(), 2);
    assert!(litter.iter().all(|file| !file.exists()));
    assert!(trial.join("0001/events.jsonl").exists(), "what is asked for stays");

    edit(&terminal, &Edit::Remove { sweep: "tiny".into() });
    // A worker that outlived its controller.
    let held = fs::File::options().create(true).append(true).open(trial.join("lock")).unwrap();
    held.lock().unwrap();
    let document = json(&terminal, "gc --yes --json", 0);
    assert_eq!(document["alive"], serde_json::json!([key]));
    assert!(trial.exists());
    drop(held);
    assert_code(&terminal.type_in("gc --yes"), 0);
    assert!(!trial.exists());

    edit(&terminal, &Edit::Restore { sweep: "tiny".into() });
    let document = json(&terminal, "show 1 --json", 0);
    assert_eq!(document["state"], "done", "results are kept for good");
    let files = document["files"].as_array().unwrap();
    assert!(files.iter().all(|file| file["here"] == false), "{files:?}");
}

#[test]
fn cleaning_away_waits_for_no_other_controller_and_beside_none() {
    let terminal = bench();
    run(&terminal, "");
    let _lock = byol_sweep::drive::lock::StateLock::take(&state(&terminal)).unwrap();
    assert_code(&terminal.type_in("gc"), 0);
    let refused = terminal.type_in("gc --yes");
    assert_code(&refused, 1);
    assert!(stderr(&refused).contains("works on"), "{}", stderr(&refused));
    assert_code(&terminal.type_in("db vacuum"), 1);
}

#[test]
fn a_backup_is_whole_beside_a_writer_and_brings_everything_back() {
    let terminal = bench();
    run(&terminal, "");
    let before = stdout(&terminal.type_in("ls --json"));
    wait(async {
        let writer = Store::open(&state(&terminal)).await.unwrap();
        assert_code(&terminal.type_in("db backup copy.db"), 0);
        writer.close().await;
    });
    let refused = terminal.type_in("db backup copy.db");
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("copy.db` exists"), "{}", stderr(&refused));
    assert_code(&terminal.type_in("db backup nowhere/copy.db"), 1);

    let file = state(&terminal).join(DATABASE);
    fs::write(&file, vec![0; 100_000]).unwrap();
    assert_code(&terminal.type_in("ls"), 1);
    fs::copy(terminal.path().join("copy.db"), &file).unwrap();
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(state(&terminal).join(format!("{DATABASE}{end}")));
    }
    assert_eq!(stdout(&terminal.type_in("ls --json")), before);
    assert_code(&terminal.type_in("db check"), 0);
    assert_code(&terminal.type_in("db vacuum"), 0);
    assert_eq!(stdout(&terminal.type_in("ls --json")), before);
}

/// Attempts that came after the backup have left claims and results, which are those of no attempt
/// that the database knows.
#[test]
fn after_a_restore_no_attempt_takes_what_another_left() {
    let terminal = bench();
    run(&terminal, "--limit 1");
    assert_code(&terminal.type_in("db backup copy.db"), 0);
    run(&terminal, "");
    let file = state(&terminal).join(DATABASE);
    fs::copy(terminal.path().join("copy.db"), &file).unwrap();
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(state(&terminal).join(format!("{DATABASE}{end}")));
    }
    let before = fs::read_to_string(fixture("finished.jsonl")).unwrap();
    let other = before.replace("\"linear_top1\":", "\"linear_top1\":0.0625,\"before\":");
    assert_ne!(before, other);
    terminal.write("finished.jsonl", other);
    run(&terminal, "");
    let shown = json(&terminal, "show 2 --json", 0);
    assert_eq!(shown["results"]["linear_top1"], 0.0625, "{shown}");
    let numbers: Vec<_> =
        shown["attempts"].as_array().unwrap().iter().map(|a| &a["number"]).collect();
    assert_eq!(numbers, [2]);
    assert!(stdout(&terminal.type_in("gc")).contains("0001"), "what nobody knows may go");
}

#[test]
fn damage_is_told_at_the_first_touch_or_by_a_check_and_never_by_a_panic() {
    let terminal = bench();
    run(&terminal, "");
    // All of it into the file itself, without a log.
    assert_code(&terminal.type_in("db vacuum"), 0);
    let file = state(&terminal).join(DATABASE);
    let whole = fs::read(&file).unwrap();
    let sound = json(&terminal, "db check --json", 0);
    assert_eq!((sound["sound"].as_bool(), sound["rows"]["trials"].as_u64()), (Some(true), Some(2)));

    let broken = |what: &str, bytes: &[u8]| {
        for end in ["-wal", "-shm"] {
            let _ = fs::remove_file(state(&terminal).join(format!("{DATABASE}{end}")));
        }
        fs::write(&file, bytes).unwrap();
        let output = terminal.type_in("db check");
        assert_code(&output, 1);
        let said = stdout(&output) + &stderr(&output);
        assert!(said.contains(DATABASE) && said.contains("db backup"), "{what}: {said}");
        for line in ["ls", "status", "show 1", "run sweep.toml --devices cpu --worker worker.sh"] {
            let output = terminal.type_in(line);
            let code = output.status.code();
            assert_code(&output, code.unwrap_or(-1));
            assert!(matches!(code, Some(0 | 1)), "{what}: {line}: {output:?}");
        }
    };
    broken("half", &whole[..whole.len() / 2]);
    let mut headless = whole.clone();
    headless[..100].fill(0);
    broken("no header", &headless);
    let mut turned = whole.clone();
    let page = 4096;
    for start in (page..turned.len()).step_by(page) {
        turned[start..start + 16].fill(0xff);
    }
    broken("turned pages", &turned);
}

#[test]
fn a_vacuum_counts_the_log_among_what_was_there() {
    let terminal = bench();
    run(&terminal, "");
    let (before, after, file) = wait(async {
        let store = Store::open(&state(&terminal)).await.unwrap();
        let keys: Vec<_> = json(&terminal, "ls --json", 0)["trials"]
            .as_array()
            .unwrap()
            .iter()
            .map(|trial| trial["key"].as_str().unwrap().parse().unwrap())
            .collect();
        let add = (0..2000).map(|number| format!("tag-{number}")).collect();
        store.edit(&Edit::Tag { trials: keys, add, remove: Vec::new() }, 1).await.unwrap();
        let length = |end: &str| {
            state(&terminal)
                .join(format!("{DATABASE}{end}"))
                .metadata()
                .map_or(0, |file| file.len())
        };
        let (file, log) = (length(""), length("-wal"));
        assert!(log > 0, "nothing is in the log");
        let (before, after) = store.vacuum().await.unwrap();
        store.close().await;
        (before, after, file + log)
    });
    assert_eq!(before, file);
    assert!(after > 0 && after < before, "{after} of {before}");
}

/// One bit of a setting, which SQLite's own check cannot see.
#[test]
fn a_setting_that_changed_by_itself_is_seen() {
    let terminal = bench();
    run(&terminal, "");
    assert_code(&terminal.type_in("db vacuum"), 0);
    let file = state(&terminal).join(DATABASE);
    let whole = fs::read(&file).unwrap();
    let needle = b"\"epochs\":2";
    let at = whole.windows(needle.len()).position(|window| window == needle).unwrap();
    let open = fs::File::options().write(true).open(&file).unwrap();
    open.write_all_at(b"3", (at + needle.len() - 1) as u64).unwrap();
    let document = json(&terminal, "db check --json", 1);
    let text = document["findings"][0]["text"].as_str().unwrap();
    assert!(text.contains("not those that its key was made from"), "{text}");
}

#[test]
fn a_budget_is_told_by_plan_and_kept_by_run() {
    let terminal = bench();
    run(&terminal, "--limit 1");
    // Another seed tells how long one takes; here that is more than a microsecond.
    let little = json(&terminal, "plan sweep.toml --budget 1us --json", 0);
    assert_eq!(
        (little["budget"]["fits"].as_u64(), little["budget"]["left"].as_u64()),
        (Some(0), Some(1))
    );
    assert_eq!(little["cost"]["left"]["bases"]["same_group"], 1);
    let much = stdout(&terminal.type_in("plan sweep.toml --budget 40h"));
    assert!(much.contains("40h") || much.contains("1d 16h"), "{much}");
    assert!(much.contains("enough for 1 of 1 trial"), "{much}");

    let kept = run(&terminal, "--budget 1ms");
    assert_eq!(json(&terminal, "ls --json", 0)["trials"][1]["state"], "pending", "{kept:?}");
    run(&terminal, "--budget 1h");
    assert_eq!(json(&terminal, "ls --json", 0)["trials"][1]["state"], "done");
    let status = json(&terminal, "status --json", 0);
    assert_eq!(status["sweeps"][0]["cost"]["spent"][0]["kind"], "cpu");
    assert_code(&terminal.type_in("plan sweep.toml --budget soon"), 2);
}

#[test]
fn a_watch_shows_what_changed_and_ends_when_nothing_moves() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let terminal = bench();
    run(&terminal, "");
    let once = terminal.type_in("status -w");
    assert_code(&once, 0);
    assert_eq!(stdout(&once).matches("tiny:").count(), 1);

    let lock = byol_sweep::drive::lock::StateLock::take(&state(&terminal)).unwrap();
    let mut child = terminal.command("status -w").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut until = |wanted: &str| {
        lines.by_ref().map(|line| line.unwrap()).find(|line| line.contains(wanted)).is_some()
    };
    assert!(until("at work"), "the first screen");
    drop(lock);
    assert!(until("tiny:"), "a second one, since nobody is at work any more");
    assert!(!until("tiny:"));
    assert!(child.wait().unwrap().success());
}

#[test]
fn an_attempt_that_nobody_is_at_is_interrupted_and_ends_the_watch() {
    let terminal = bench();
    run(&terminal, "--limit 1");
    let left = json(&terminal, "show 2 --json", 0)["key"].as_str().unwrap().to_owned();
    // As after a power cut: a row, and no process.
    wait(async {
        let store = Store::open(&state(&terminal)).await.unwrap();
        let sweep = store.sweep("tiny").await.unwrap().unwrap();
        let new = NewAttempt {
            train_key: left.parse().unwrap(),
            kind: AttemptKind::Train,
            eval_key: sweep.eval_key,
            device: DeviceId::Cpu,
            threads: 1,
            started_ms: 1,
        };
        let row = store.begin_attempt(new).await.unwrap();
        let boot_id = String::from("another");
        let far = JobHandle { pid: 77, start_ticks: 1, boot_id, pid_namespace: None };
        store.note_handle(row.id, &serde_json::to_string(&far).unwrap()).await.unwrap();
        store.close().await;
    });
    let watched = terminal.type_in("status -w");
    assert_code(&watched, 0);
    let said = stdout(&watched);
    assert!(said.contains("1 done, 1 interrupted"), "{said}");
    assert!(said.contains("nothing is at work on it; `byol-sweep run` goes on"), "{said}");
    // A worker that outlived its controller holds its trial's lock.
    let trial = state(&terminal).join("trials").join(&left);
    fs::create_dir_all(&trial).unwrap();
    let held = fs::File::create(trial.join("lock")).unwrap();
    held.lock().unwrap();
    let document = json(&terminal, "status --json", 0);
    assert_eq!(document["sweeps"][0]["counts"]["running"], 1);
    assert_eq!(document["sweeps"][0]["interrupted"], 0);
    // It is not of this machine, as far as it can be told: it is no success to leave it alone.
    let stopped = terminal.type_in("stop");
    assert_code(&stopped, 1);
    let said = stdout(&stopped);
    assert!(said.contains("1 attempt alive out of reach") && said.contains("process 77"), "{said}");
    let explained = stdout(&terminal.type_in("explain 2"));
    assert!(
        explained.contains("it runs out of reach") && explained.contains("process 77"),
        "{explained}"
    );
    let document = json(&terminal, "kill 2 --json", 1);
    assert_eq!(document["out_of_reach"][0]["key"], left.as_str());
    drop(held);
    assert_code(&terminal.type_in("stop"), 4);
}

/// A worker that trains no longer than a probe lets it: it would evaluate for ever.
#[test]
fn a_probe_measures_and_leaves_nothing_behind() {
    let terminal = bench();
    let train = r#"{"seq":1,"at_ms":1,"event":{"kind":"metrics","update":8,"values":{"images_per_s":64.0}}}"#;
    let evaluate = r#"{"seq":2,"at_ms":2,"event":{"kind":"progress","stage":"evaluate","update":0,"updates":0,"epoch":0,"epochs":2,"loss":null,"images_per_s":0.0}}"#;
    terminal.write("probed.jsonl", format!("{train}\n{evaluate}\n"));
    let here = terminal.path().display();
    terminal.write(
        "worker.sh",
        format!("#!/bin/sh\ncat '{here}/probed.jsonl' > \"$1/events.jsonl\"\nwhile :; do sleep 0.02; done\n"),
    );
    let document = json(&terminal, "plan sweep.toml --probe --json --worker worker.sh", 0);
    // Two seeds of 64 images and 2 epochs at 64 images a second.
    assert_eq!(document["cost"]["left"]["seconds"], 4.0);
    assert_eq!(document["cost"]["left"]["bases"]["probe"], 2);
    assert!(!state(&terminal).exists(), "a plan changes nothing");
}

#[test]
fn a_result_says_how_many_images_of_which_content_it_was_made_of() {
    let terminal = bench();
    let shapes = "data.name = \"shapes\"\ndata.shapes.train = 64\ndata.shapes.test = 40\n";
    let folder = "data.name = \"image_folder\"\ndata.path = \"photos\"\n";
    terminal.write("sweep.toml", SWEEP.replace(shapes, folder).replace("32", "2"));
    for image in ["train/a/1", "train/a/2", "train/b/1", "val/a/1", "val/b/1"] {
        terminal.write(&format!("photos/{image}.png"), "listed, not read");
    }
    run(&terminal, "");
    let document = json(&terminal, "show 1 --json", 0);
    let set = &document["attempts"][0]["invocation"]["provenance"]["data"][0];
    assert_eq!((&set["train"], &set["test"]), (&3.into(), &2.into()), "{set}");
    assert_eq!(set["digest"].as_str().map(str::len), Some(64));
    let shown = stdout(&terminal.type_in("show 1"));
    assert!(shown.contains("image_folder, 3 to train on, 2 to test on, digest "), "{shown}");
}
