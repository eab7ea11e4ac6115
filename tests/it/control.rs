//! Verbs that act on a sweep, with a live run and without one: real processes, real signals, and
//! shell scripts that stand in for the worker.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::terminal::{Terminal, assert_code, stderr, stdout};

/// Far more than anything here takes, on a machine that is busy with other things.
const BOUND: Duration = Duration::from_secs(60);

const SWEEP: &str = r#"
schema = 1
name = "tiny"
[base]
method = "byol"
data.name = "shapes"
encoder.name = "convnet"
epochs = 1
update_batch_size = 64
[grid]
batch_size = [64, 32]
[replicates]
seeds = [0, 1]
[retry]
max = 0
"#;

/// A folder with a sweep of four trials.
struct Bench {
    terminal: Terminal,
}

/// A run in the foreground, ended with the test whatever happens.
struct Run(Child);

impl Drop for Run {
    fn drop(&mut self) {
        let _over = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Run {
    fn code(mut self) -> Option<i32> {
        eventually("the run ends", || self.0.try_wait().unwrap()).code()
    }

    fn kill_9(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Bench {
    /// No attempt outlives its test.
    fn drop(&mut self) {
        let _gone = self.terminal.type_in("kill tiny");
    }
}

impl Bench {
    fn new() -> Self {
        let terminal = Terminal::new();
        terminal.write("tiny.toml", SWEEP);
        Self { terminal }
    }

    fn type_in(&self, line: &str) -> Output {
        self.terminal.type_in(line)
    }

    /// Types a line that must end with this code, and returns what it printed.
    #[track_caller]
    fn says(&self, line: &str, code: i32) -> String {
        let output = self.type_in(line);
        assert_code(&output, code);
        stdout(&output) + &stderr(&output)
    }

    fn run_line(worker: &Path) -> String {
        format!("run tiny.toml --devices cpu -j 1 --worker {}", worker.display())
    }

    /// Writes a worker that ends as a fixture, which its text calls so.
    fn script(&self, text: &str, called: &str, worker: &str) -> std::path::PathBuf {
        let script = text.replace(called, fixture(worker).to_str().unwrap());
        let path = self.terminal.write("worker.sh", script);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Starts a run and waits until an attempt is up.
    fn started(&self, worker: &str) -> Run {
        self.started_with(&fixture(worker))
    }

    /// The same, with a worker that is no fixture.
    fn started_with(&self, worker: &Path) -> Run {
        let mut command = self.terminal.command(&Self::run_line(worker));
        command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
        let mut run = Run(command.spawn().unwrap());
        self.until_running(1);
        assert!(run.0.try_wait().unwrap().is_none(), "it is still on");
        run
    }

    fn finish(&self, worker: &str, code: i32) {
        let output = self.type_in(&Self::run_line(&fixture(worker)));
        assert_code(&output, code);
    }

    fn json(&self, line: &str) -> Option<Value> {
        let output = self.type_in(&format!("{line} --json"));
        serde_json::from_slice(&output.stdout).ok()
    }

    /// Returns the states of the trials, by their numbers.
    fn states(&self) -> Vec<String> {
        let Some(document) = self.json("ls tiny") else { return Vec::new() };
        let trials = document["trials"].as_array().unwrap();
        trials.iter().map(|trial| trial["state"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until this trial runs and its worker hears signals.
    fn until_running(&self, number: usize) {
        eventually(&format!("trial {number} is ready"), || {
            let is_running = self.states().get(number - 1).is_some_and(|state| state == "running");
            let told = self.json(&format!("show {number} --sweep tiny"))?;
            let folder = told["attempts"].as_array()?.last()?["folder"].as_str()?.to_owned();
            let events = fs::read_to_string(Path::new(&folder).join("events.jsonl")).ok()?;
            (is_running && events.contains("ready")).then_some(())
        });
    }

    fn until(&self, number: usize, state: &str) {
        eventually(&format!("trial {number} is {state}"), || {
            self.states().get(number - 1).is_some_and(|is| is == state).then_some(())
        });
    }

    fn socket(&self) -> std::path::PathBuf {
        self.terminal.path().join(".byol-sweep/control.sock")
    }
}

fn fixture(worker: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/workers").join(worker)
}

/// Looks until there is something, or fails.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(begun.elapsed() < BOUND, "not in time: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_live_run_is_paused_resumed_and_stopped_piece_by_piece() {
    let bench = Bench::new();
    let run = bench.started("obeys.sh");
    assert!(bench.says("pause tiny", 0).contains("nothing more starts, 1 trial that runs goes on"));
    assert!(bench.says("pause 1", 0).contains("its attempt goes on"));
    assert!(bench.says("explain 1", 0).contains("its attempt goes on"));
    assert_eq!(bench.states()[0], "running");
    assert!(bench.says("stop 1", 0).contains("trial 1 of tiny held back"));
    bench.until(1, "stopped");
    assert!(bench.says("resume 3", 0).contains("the run at work is paused"));
    assert_eq!(bench.states(), ["stopped", "pending", "pending", "pending"], "it is paused");
    bench.says("resume", 0);
    bench.until_running(2);
    assert!(bench.says("kill 2 --json", 0).contains("\"asked\": 1"));
    bench.until_running(3);
    assert_eq!(bench.states()[..2], ["stopped", "stopped"], "what was named is held");
    assert!(bench.says("ls -E held", 0).lines().count() == 3);
    assert!(bench.says("stop", 0).contains("the run of tiny"));
    assert_eq!(run.code(), Some(130));
    assert!(!bench.socket().exists());
    assert_eq!(bench.states(), ["stopped", "stopped", "stopped", "pending"]);
}

#[test]
fn held_trials_wait_for_their_release_whoever_runs() {
    let bench = Bench::new();
    bench.finish("exits_1.sh", 100);
    assert!(bench.says("pause -E seed==1", 0).contains("2 trials of tiny held back"));
    bench.says("retry -E seed==0", 0);
    bench.finish("finishes.sh", 100);
    assert_eq!(bench.states().iter().filter(|state| *state == "done").count(), 2);
    bench.says("retry", 0);
    bench.finish("finishes.sh", 0);
    assert_eq!(bench.states(), ["done"; 4]);
    assert!(bench.says("retry", 4).contains("nothing to retry"));
    assert!(bench.says("pause 1", 4).contains("is done"));
}

#[test]
fn what_nobody_watches_is_stopped_by_the_verb_itself() {
    let bench = Bench::new();
    bench.started("obeys.sh").kill_9();
    assert!(bench.says("pause", 4).contains("no run of tiny is at work"));
    assert!(bench.says("stop", 0).contains("1 attempt stopped"));
    assert_eq!(bench.states()[0], "stopped");
    assert!(bench.says("stop", 4).contains("nothing of tiny is running"));
    assert!(bench.says("kill 1 2", 2).contains("unexpected argument"));
    bench.finish("finishes.sh", 0);
}

/// A worker that says who it is, and then does as it is asked.
const NAMED: &str = "#!/bin/sh\necho $$ > \"$(dirname \"$0\")/pid\"\nexec OBEYS \"$1\"\n";

#[test]
fn what_nobody_is_at_is_interrupted_in_every_verb_until_a_run_goes_on() {
    let bench = Bench::new();
    let worker = bench.script(NAMED, "OBEYS", "obeys.sh");
    let run = bench.started_with(&worker);
    let pid = fs::read_to_string(bench.terminal.path().join("pid")).unwrap();
    run.kill_9();
    assert!(bench.says("ls", 0).contains("running"), "its worker lives on");
    kill(Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
    eventually("it is gone", || bench.says("ls", 0).contains("interrupted").then_some(()));
    assert_eq!(bench.says("ls -E state==\"interrupted\"", 0).lines().count(), 2);
    bench.says("ls -E state==\"running\"", 4);
    for line in ["status", "show 1", "explain 1"] {
        let told = bench.says(line, 0);
        assert!(told.contains("interrupted") && !told.contains("running"), "{line}: {told}");
    }
    let listed = bench.json("ls").unwrap();
    let trial = &listed["trials"][0];
    assert_eq!((&trial["state"], &trial["interrupted"]), (&"running".into(), &true.into()));
    assert_eq!(bench.json("explain 1").unwrap()["next"], "recover");
    assert!(bench.says("wait -E state==\"interrupted\"", 1).contains("1 trial not done"));
    bench.finish("finishes.sh", 0);
    assert_eq!(bench.states(), ["done"; 4]);
}

#[test]
fn a_worker_that_does_not_listen_is_told_of_and_then_killed() {
    let bench = Bench::new();
    bench.started("ignores_term.sh").kill_9();
    assert!(bench.says("stop 1 --wait 0s", 0).contains("1 still at it"));
    assert_eq!(bench.states()[0], "running");
    assert!(bench.says("kill 1", 0).contains("1 attempt killed"));
    assert_eq!(bench.states()[0], "stopped", "who asked for it is charged nothing");
}

#[test]
fn many_ask_at_once_and_garbage_hurts_nobody() {
    let bench = Bench::new();
    let run = bench.started("obeys.sh");
    let socket = bench.socket();
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let garbage: [&[u8]; 5] =
        [b"", b"\n", b"\xff\xfe\0", b"{\"schema\":1}\n", b"{\"schema\":99,\"message\":[]}\n"];
    for bytes in garbage {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut back = String::new();
        stream.read_to_string(&mut back).unwrap();
        assert!(back.is_empty() || back.contains("\"refused\""), "{back}");
    }
    std::thread::scope(|scope| {
        for number in 1..=4 {
            let bench = &bench;
            scope.spawn(move || bench.says(&format!("tag {number} --add t{number}"), 0));
        }
    });
    assert!(bench.says("tag", 0).contains("t4"));
    assert_eq!(bench.says("ls -E \"t3\"in(tags)", 0).lines().count(), 2);
    bench.says("kill", 0);
    assert_eq!(run.code(), Some(130));
}

#[test]
fn a_removed_sweep_is_out_of_sight_until_it_is_restored_or_run() {
    let bench = Bench::new();
    bench.finish("finishes.sh", 0);
    assert!(bench.says("rm tiny", 0).contains("4 trials and their results stay"));
    assert!(bench.says("ls @", 4).contains("`byol-sweep restore tiny` shows it again"));
    assert!(bench.says("status", 4).contains("`byol-sweep restore tiny` shows it again"));
    assert!(bench.says("restore nine", 4).contains("there is tiny"));
    bench.says("restore tiny", 0);
    assert_eq!(bench.states(), ["done"; 4]);
    bench.says("rm @", 0);
    let line = Bench::run_line(&fixture("finishes.sh"));
    assert!(bench.says(&line, 0).contains("tiny was removed; this run brings it into sight again"));
    assert!(!bench.says(&line, 0).contains("was removed"));
    assert_eq!(bench.states(), ["done"; 4]);
    assert!(bench.says("restore @", 4).contains("no sweep is removed"));
}

#[test]
fn a_sweep_at_work_is_not_removed() {
    let bench = Bench::new();
    let run = bench.started("obeys.sh");
    assert!(bench.says("rm tiny", 1).contains("stop it first"));
    bench.says("stop", 0);
    assert_eq!(run.code(), Some(130));
}

#[test]
fn attempts_that_outlived_their_run_are_not_put_out_of_sight() {
    let bench = Bench::new();
    bench.started("obeys.sh").kill_9();
    let refused = bench.says("rm tiny", 1);
    assert!(refused.contains("1 attempt of tiny still alive: stop it first"), "{refused}");
    bench.says("stop tiny", 0);

    // Whoever sees them can stop them.
    let other = SWEEP.replace("\"tiny\"", "\"other\"").replace("[0, 1]", "[7, 0, 1]");
    bench.terminal.write("other.toml", other);
    let worker = fixture("finishes.sh");
    bench.says(&format!("run other.toml --limit 1 --devices cpu --worker {}", worker.display()), 0);
    bench.started("obeys.sh").kill_9();
    bench.says("rm tiny", 0);
    assert!(bench.says("stop other", 0).contains("1 attempt stopped"));
}

#[test]
fn waiting_ends_with_the_work_with_the_time_or_for_want_of_a_worker() {
    let bench = Bench::new();
    let run = bench.started("obeys.sh");
    assert!(bench.says("wait tiny --timeout 0s", 5).contains("4 trials not done"));
    // Nor does it wait for a run that hangs.
    kill(Pid::from_raw(run.0.id().cast_signed()), Signal::SIGSTOP).unwrap();
    assert!(bench.says("wait tiny --timeout 0s", 5).contains("4 trials not done"));
    run.kill_9();
    assert_eq!(bench.type_in("wait --timeout 0s").status.code(), Some(5), "an attempt is alive");
    bench.says("stop", 0);
    assert!(bench.says("wait", 1).contains("no run of tiny is at work"));
    // A run that begins holds the lock before it listens.
    let state = bench.terminal.path().join(".byol-sweep");
    let lock = byol_sweep::drive::lock::StateLock::take(&state).unwrap();
    assert!(bench.says("wait --timeout 0s", 5).contains("4 trials not done"));
    drop(lock);
    bench.says("pause -E seed==1", 0);
    bench.finish("finishes.sh", 0);
    let held = bench.says("wait", 4);
    assert!(held.contains("2 trials held back") && held.contains("resume tiny -E held"), "{held}");
    bench.says("wait -E seed==0", 0);
    bench.says("resume -E held", 0);
    bench.finish("finishes.sh", 0);
    assert!(bench.says("wait", 0).contains("4 trials of tiny done"));
    assert!(bench.says("wait 3 --json", 0).contains("\"schema\": 1"));
}

/// A terminal that closes hangs up on all processes of the group in its foreground.
#[test]
fn a_terminal_that_closes_ends_the_run_and_no_attempt() {
    let bench = Bench::new();
    let mut command = bench.terminal.command(&Bench::run_line(&fixture("obeys.sh")));
    command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null()).process_group(0);
    let run = Run(command.spawn().unwrap());
    bench.until_running(1);
    kill(Pid::from_raw(-run.0.id().cast_signed()), Signal::SIGHUP).unwrap();
    assert_eq!(run.code(), Some(130));
    assert_eq!(bench.states()[0], "running", "nobody recorded an end");
    assert!(bench.says("stop", 0).contains("1 attempt stopped"), "it was alive until now");
}

/// A worker that finishes once there is a file `go` beside it.
const PATIENT: &str = "#!/bin/sh\n\
    while [ ! -e \"$(dirname \"$0\")/go\" ]; do sleep 0.02; done\n\
    exec FINISHES \"$1\"\n";

#[test]
fn a_detached_run_leaves_its_terminal_and_is_waited_for() {
    let bench = Bench::new();
    let worker = bench.script(PATIENT, "FINISHES", "finishes.sh");
    let line = Bench::run_line(&worker);
    let said = bench.says(&format!("{line} --detach"), 0);
    let pid: i32 = said.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(said.contains("controller.log") && said.contains("byol-sweep stop"), "{said}");
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(3).unwrap();
    assert_eq!(session, pid.to_string(), "it leads a session of its own");
    let second = bench.says(&format!("{line} --detach"), 1);
    assert!(second.contains(&format!("process {pid}")), "{second}");
    fs::write(bench.terminal.path().join("go"), "").unwrap();
    assert!(bench.says("wait", 0).contains("done"));
    // Where nobody reaps orphans it stays a zombie, which has ended too.
    eventually("the run ends", || match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit_once(')').unwrap().1.starts_with(" Z").then_some(()),
        Err(_) => Some(()),
    });
    let log = fs::read_to_string(bench.terminal.path().join(".byol-sweep/controller.log")).unwrap();
    assert!(log.contains("another byol-sweep") && log.lines().count() > 2, "{log}");
}

#[test]
fn a_detached_run_that_cannot_start_tells_why() {
    let bench = Bench::new();
    let worker = fixture("finishes.sh");
    let said = bench.says(&format!("run nowhere.toml --detach --worker {}", worker.display()), 2);
    assert!(said.contains("nowhere"), "{said}");
    assert!(!bench.terminal.path().join(".byol-sweep").exists(), "it leaves nothing behind");
    bench.terminal.write(".byol-sweep/kept", "");
    bench.says(&format!("run nowhere.toml --detach --worker {}", worker.display()), 2);
    assert!(bench.terminal.path().join(".byol-sweep/kept").exists());
}

#[test]
fn trials_are_chosen_ordered_and_written_for_spreadsheets() {
    let bench = Bench::new();
    bench.finish("finishes.sh", 0);
    let csv = bench.says("ls --csv --sort=-batch_size -E batch_size>=32&&seed==1", 0);
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let column = rows[0].iter().position(|name| *name == "batch_size").unwrap();
    assert_eq!(rows[1..].iter().map(|row| row[column]).collect::<Vec<_>>(), ["64", "32"]);
    assert!(bench.says("ls -E batch_siz==1", 2).contains("did you mean `batch_size`?"));
    assert!(bench.says("ls -E state==", 2).contains("cannot be read"));
    assert!(bench.says("ls -E batch_size==7", 4).contains("no trial of tiny matches"));
    assert!(bench.says("ls --sort nothing", 2).contains("no trial has `nothing`"));
}

#[test]
fn help_tells_the_guarantees_and_still_helps_otherwise() {
    let bench = Bench::new();
    let told = bench.says("help guarantees", 0);
    assert!(told.starts_with("What byol-sweep promises"), "{told}");
    assert!(told.contains("a_killed_controller_costs_nothing"));
    assert_eq!(bench.says("guarantees", 0), told);
    assert!(bench.says("help pause", 0).contains("Usage: byol-sweep pause"));
    assert!(bench.says("help", 0).contains("5 timed out"));
}

#[test]
fn the_examples_of_the_reference_are_filters() {
    let bench = Bench::new();
    let axis = "augment.remove = [[], [\"color_jitter\"]]\n[replicates]";
    let sweep = SWEEP.replace("[replicates]", axis);
    bench.terminal.write("tiny.toml", sweep);
    bench.finish("finishes.sh", 0);
    let page = include_str!("../../docs/filters.md");
    let block = page.split("```cel\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(block.lines().count() >= 10);
    for example in block.lines() {
        let output = bench.terminal.command("ls tiny").args(["-E", example]).output().unwrap();
        let code = output.status.code();
        assert!(code == Some(0) || code == Some(4), "{example}: {}", stderr(&output));
    }
}
