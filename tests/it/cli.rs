//! The controller as people type it: results on standard output, notes on standard error, exit
//! codes as documented.

use std::fs;
use std::process::{Output, Stdio};

use crate::terminal::{Terminal, stderr, stdout};

#[test]
fn a_wrong_flag_ends_with_2_and_names_the_right_one() {
    let output = Terminal::new().type_in("run x.toml --devicse cpu");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--devices"), "{}", stderr(&output));
}

#[test]
fn a_file_that_is_nowhere_ends_with_2_and_the_nearest_name() {
    let output = Terminal::new().type_in("plan quikstart.toml");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean `quickstart`?"), "{}", stderr(&output));
    assert!(stdout(&output).is_empty());
}

#[test]
fn a_typo_in_a_sweep_file_is_shown_in_its_line() {
    let terminal = Terminal::new();
    let text = "schema = 1\nname = \"x\"\n[base]\ndata.name = \"shapes\"\ntau_bsae = 0.9\n";
    fs::write(terminal.path().join("x.toml"), text).unwrap();
    let output = terminal.type_in("plan x.toml");
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    for part in ["x.toml:5:1", "tau_bsae = 0.9", "`tau_base`"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn plan_counts_and_changes_nothing() {
    let terminal = Terminal::new();
    let output = terminal.type_in("plan quickstart --json --set epochs=5");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("ships"), "{}", stderr(&output));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], 1);
    assert_eq!(document["trials"].as_array().unwrap().len(), 8);
    assert_eq!(document["trials"][0]["run"]["epochs"], 5);
    assert_eq!(fs::read_dir(terminal.path()).unwrap().count(), 0);
}

#[test]
fn a_smoke_run_is_a_small_sweep_beside_the_real_one() {
    let terminal = Terminal::new();
    let output = terminal.type_in("plan shapes/predictor_lr --smoke --json");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["sweep"], "shapes-predictor-lr-smoke");
    assert_eq!(document["reproduces"], serde_json::Value::Null);
    assert!(document["description"].as_str().unwrap().starts_with("Smoke run: Learning rate"));
    let trials = document["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 6, "every cell once");
    for trial in trials {
        let run = &trial["run"];
        assert_eq!((&run["epochs"], &run["warmup_epochs"]), (&2.into(), &0.0.into()));
        assert_eq!((&run["seed"], &run["update_batch_size"]), (&0.into(), &64.into()));
    }
    let refused = terminal.type_in("plan shapes/predictor_lr --smoke --set epochs=5");
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--smoke sets `epochs` itself"), "{}", stderr(&refused));
}

#[test]
fn init_writes_once_and_never_over_something() {
    let terminal = Terminal::new();
    let first = terminal.type_in("init");
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    let written = fs::read_to_string(terminal.path().join("sweep.toml")).unwrap();
    assert!(written.contains("[grid]"));
    fs::write(terminal.path().join("sweep.toml"), "mine").unwrap();
    let second = terminal.type_in("init arms");
    assert_eq!(second.status.code(), Some(2));
    assert_eq!(fs::read_to_string(terminal.path().join("sweep.toml")).unwrap(), "mine");
    let forced = terminal.type_in("init arms --force");
    assert_eq!(forced.status.code(), Some(0));
    assert!(fs::read_to_string(terminal.path().join("sweep.toml")).unwrap().contains("[[arm]]"));
}

#[test]
fn init_gives_a_shipped_sweep_as_it_is() {
    let output = Terminal::new().type_in("init tau_ablation --out -");
    assert_eq!(stdout(&output), byol_sweep::cli::shipped::find("tau_ablation").unwrap().text);
}

#[test]
fn doctor_finds_a_worker_that_does_not_start() {
    let terminal = Terminal::new();
    let worker = terminal.path().join("worker");
    fs::write(&worker, "not a program").unwrap();
    let line = format!("doctor --json --worker {}", worker.display());
    let output = terminal.type_in(&line);
    assert_eq!(output.status.code(), Some(1));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], 1);
    let checks = document["checks"].as_array().unwrap();
    let worker = checks.iter().find(|check| check["check"] == "worker").unwrap();
    assert_eq!(worker["health"], "bad");
    assert!(!terminal.path().join(".byol-sweep").exists(), "doctor made the state folder");
}

#[test]
fn data_list_says_what_is_here() {
    let terminal = Terminal::new();
    let here = |output: &Output| -> serde_json::Value {
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let sets = document["sets"].as_array().unwrap();
        sets.iter().find(|set| set["name"] == "cifar10").unwrap()["here"].clone()
    };
    assert_eq!(here(&terminal.type_in("data list --json --data-dir d")), false);
    fs::create_dir_all(terminal.path().join("d/cifar-10-batches-bin")).unwrap();
    assert_eq!(here(&terminal.type_in("data list --json --data-dir d")), true);
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let terminal = Terminal::new();
    let mut child = terminal
        .command("completions bash")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).is_empty(), "{}", stderr(&output));
}

#[test]
fn colours_come_only_when_asked_for_or_on_a_terminal() {
    let terminal = Terminal::new();
    let plain = terminal.type_in("doctor");
    assert!(!stdout(&plain).contains('\u{1b}'));
    let coloured = terminal.type_in("doctor --color always");
    assert!(stdout(&coloured).contains('\u{1b}'));
}

#[test]
fn the_manual_and_completions_know_every_verb() {
    let terminal = Terminal::new();
    let completions = stdout(&terminal.type_in("completions zsh"));
    let made = terminal.type_in("man --out pages");
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    for verb in ["init", "plan", "run", "status", "ls", "show", "logs", "report", "data", "doctor"]
    {
        assert!(completions.contains(verb), "{verb}");
        let page = terminal.path().join(format!("pages/byol-sweep-{verb}.1"));
        assert!(page.is_file(), "{}", page.display());
    }
}
