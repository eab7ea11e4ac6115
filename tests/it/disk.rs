//! Disks that are full, small or read-only, and folders that somebody deletes: what is stored stays
//! whole, nothing new starts, and the same command finishes once there is room.

#![expect(clippy::print_stderr, reason = "a test that cannot be made here says so")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use crate::terminal::{Terminal, assert_code, stderr};

/// Far more than anything here takes, on a machine that is busy with other things.
const BOUND: Duration = Duration::from_secs(60);

/// Nobody's user and group.
const NOBODY: u32 = 65_534;

/// Says why a test was not made, in the file of that name too where one is asked for: what passes is
/// not heard.
fn skip(why: &str) {
    eprintln!("skipped, {why}");
    if let Some(told) = std::env::var_os("BYOL_SWEEP_SKIPPED") {
        let file = fs::File::options().create(true).append(true).open(told);
        file.unwrap().write_all(format!("{why}\n").as_bytes()).unwrap();
    }
}

fn worker(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/workers");
    folder.join(name).display().to_string()
}

/// A terminal with a sweep of that many trials.
fn terminal(trials: usize) -> Terminal {
    let terminal = Terminal::new();
    let seeds: Vec<usize> = (0..trials).collect();
    terminal.write(
        "sweep.toml",
        format!(
            r#"
            schema = 1
            name = "disks"
            [base]
            data.name = "shapes"
            data.shapes.train = 64
            data.shapes.test = 40
            encoder.width = 0.125
            epochs = 1
            update_batch_size = 32
            batch_size = 32
            [replicates]
            seeds = {seeds:?}
            [retry]
            max = 1
            "#
        ),
    );
    terminal
}

fn run(worker_name: &str) -> String {
    format!("run sweep.toml --devices cpu -j 1 --worker {}", worker(worker_name))
}

/// Returns how many trials are in each state, as `ls` says.
fn states(terminal: &Terminal, state: &str) -> Vec<String> {
    let output = terminal.type_in(&format!("ls disks --json --state-dir {state}"));
    assert_code(&output, 0);
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let trials = listed["trials"].as_array().unwrap();
    trials.iter().map(|trial| trial["state"].as_str().unwrap().to_owned()).collect()
}

/// Asserts that SQLite finds nothing wrong with a database.
fn assert_whole(state: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let found: Vec<String> = runtime.block_on(async {
        let file = state.join(byol_sweep::store::DATABASE);
        let options = SqliteConnectOptions::new().filename(file);
        let mut db = SqliteConnection::connect_with(&options).await.unwrap();
        let mut found: Vec<String> =
            sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut db).await.unwrap();
        let foreign: Vec<String> =
            sqlx::query_scalar("SELECT \"table\" FROM pragma_foreign_key_check")
                .fetch_all(&mut db)
                .await
                .unwrap();
        found.extend(foreign);
        found
    });
    assert_eq!(found, ["ok"]);
}

/// A disk of its own in memory, gone when dropped.
struct Disk(PathBuf);

impl Disk {
    /// Mounts one of so many bytes; `None`, with the reason on standard error, where that is not
    /// permitted.
    fn mount(terminal: &Terminal, bytes: u64) -> Option<Self> {
        let path = terminal.path().join("disk");
        fs::create_dir(&path).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(&path)
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(path)),
            Ok(output) => {
                skip(&format!("no disk can be mounted: {}", stderr(&output).trim()));
                None
            }
            Err(error) => {
                skip(&format!("no disk can be mounted: {error}"));
                None
            }
        }
    }

    /// Writes a file that leaves so many bytes free.
    fn fill(&self, leave: u64) -> PathBuf {
        let stat = nix::sys::statvfs::statvfs(&self.0).unwrap();
        let free = stat.blocks_available() * stat.fragment_size();
        let ballast = self.0.join("ballast");
        fs::write(&ballast, vec![1; free.saturating_sub(leave) as usize]).unwrap();
        ballast
    }

    fn state(&self) -> PathBuf {
        self.0.join("state")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A process may have it open for a moment longer.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A controller whose words are listened to; killed when dropped.
struct Controller(Child);

impl Controller {
    fn start(mut command: Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Waits for a line on standard error that holds a text, and returns it.
    fn wait_for(&mut self, text: &str) -> String {
        let said = BufReader::new(self.0.stderr.as_mut().unwrap());
        let mut heard = String::new();
        for line in said.lines() {
            let line = line.unwrap();
            if line.contains(text) {
                return line;
            }
            heard += &(line + "\n");
        }
        panic!("it never said `{text}`: {heard}");
    }

    fn exit_code(mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(begun.elapsed() < BOUND, "it goes on for ever");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _reaped = self.0.wait();
        let mut rest = Vec::new();
        let _ = self.0.stderr.as_mut().map(|said| said.read_to_end(&mut rest));
    }
}

#[test]
fn on_a_disk_with_little_room_nothing_starts_and_the_same_run_goes_on_when_there_is_more() {
    let terminal = terminal(2);
    let Some(disk) = Disk::mount(&terminal, 20 << 20) else { return };
    let state = disk.state().display().to_string();
    let line = format!("{} --state-dir {state}", run("finishes.sh"));
    assert_code(&terminal.type_in(&format!("{line} --limit 1")), 0);

    // Less than a twentieth, more than a hundredth.
    let ballast = disk.fill(500 << 10);
    let mut controller = Controller::start(terminal.command(&line));
    let said = controller.wait_for("free");
    assert!(said.contains(&state) && said.contains("nothing new starts"), "{said}");
    assert!(said.contains("until"), "it does not say how much is missing: {said}");
    assert_eq!(states(&terminal, &state), ["done", "pending"]);

    fs::remove_file(ballast).unwrap();
    assert_eq!(controller.exit_code(), Some(0));
    assert_eq!(states(&terminal, &state), ["done", "done"]);
    assert_whole(&disk.state());
}

#[test]
fn a_disk_without_any_room_is_named_and_the_database_stays_whole() {
    let terminal = terminal(2);
    let Some(disk) = Disk::mount(&terminal, 4 << 20) else { return };
    let state = disk.state().display().to_string();
    let line = format!("{} --state-dir {state}", run("finishes.sh"));
    assert_code(&terminal.type_in(&format!("{line} --limit 1")), 0);

    let ballast = disk.fill(0);
    let refused = terminal.type_in(&line);
    assert_code(&refused, 1);
    let said = stderr(&refused);
    assert!(said.contains(&state) && said.contains("full"), "{said}");
    assert_eq!(states(&terminal, &state), ["done", "pending"]);

    fs::remove_file(ballast).unwrap();
    assert_code(&terminal.type_in(&line), 0);
    assert_eq!(states(&terminal, &state), ["done", "done"]);
    assert_whole(&disk.state());
}

#[test]
fn a_worker_that_meets_a_full_disk_costs_no_retry_and_nothing_starts_after_it() {
    let terminal = terminal(2);
    let Some(disk) = Disk::mount(&terminal, 20 << 20) else { return };
    let state = disk.state().display().to_string();
    let full = terminal.type_in(&format!("{} --state-dir {state}", run("fills_the_disk.sh")));
    assert_code(&full, 1);
    let said = stderr(&full);
    assert!(said.contains(&state) && said.contains("full"), "{said}");
    let states_now = states(&terminal, &state);
    assert!(!states_now.contains(&"done".to_owned()), "{states_now:?}");
    assert_whole(&disk.state());

    for trial in fs::read_dir(disk.state().join("trials")).unwrap() {
        let _not_in_every_trial = fs::remove_file(trial.unwrap().path().join("0001/ballast"));
    }
    assert_code(&terminal.type_in(&format!("{} --state-dir {state}", run("finishes.sh"))), 0);
    assert_eq!(states(&terminal, &state), ["done", "done"]);
}

/// Returns the command of a line under a limit on the size of files, as `ulimit -f` takes it;
/// `sh` may ignore the signal that the kernel sends with the refusal.
fn limited(terminal: &Terminal, line: &str, blocks: u32, prelude: &str) -> Command {
    let inner = terminal.command(line);
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("{prelude} ulimit -f {blocks}; exec \"$@\""))
        .arg("sh")
        .arg(inner.get_program())
        .args(inner.get_args())
        .current_dir(terminal.path())
        .env_remove("BYOL_SWEEP_STATE");
    command
}

#[test]
fn a_controller_that_may_not_write_more_leaves_a_database_that_the_next_one_goes_on_with() {
    for prelude in ["", "trap '' XFSZ;"] {
        let terminal = terminal(3);
        let line = run("finishes.sh");
        assert_code(&terminal.type_in(&format!("{line} --limit 1")), 0);
        let state = terminal.path().join(".byol-sweep");
        // Below what the database has already: the log beside it cannot grow that far.
        let output = limited(&terminal, &line, 16, prelude).output().unwrap();
        let killed = output.status.signal() == Some(Signal::SIGXFSZ as i32);
        assert!(killed || output.status.code() == Some(1), "{}", stderr(&output));
        assert!(!stderr(&output).contains("panicked"), "{}", stderr(&output));
        assert_whole(&state);
        assert_code(&terminal.type_in(&line), 0);
        assert_eq!(states(&terminal, ".byol-sweep"), ["done"; 3]);
    }
}

#[test]
fn a_state_folder_that_may_only_be_read_is_said_before_anything_starts() {
    let terminal = terminal(1);
    let state = terminal.path().join("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o555)).unwrap();
    let line = format!("{} --state-dir {}", run("finishes.sh"), state.display());
    let inner = terminal.command(&line);
    let mut command = Command::new(inner.get_program());
    if geteuid().is_root() {
        // Root may write anywhere.
        fs::set_permissions(terminal.path(), fs::Permissions::from_mode(0o755)).unwrap();
        command = Command::new("setpriv");
        command
            .args(["--reuid", &NOBODY.to_string(), "--regid", &NOBODY.to_string()])
            .args(["--clear-groups", "--inh-caps=-all"])
            .arg(inner.get_program());
    }
    let output = command.args(inner.get_args()).current_dir(terminal.path()).output().unwrap();
    let said = stderr(&output);
    if said.contains("Permission denied") && said.contains(env!("CARGO_BIN_EXE_byol-sweep")) {
        skip(&format!("nobody may not run what root has built: {said}"));
        return;
    }
    assert_code(&output, 1);
    assert!(said.contains("state") && said.contains("--state-dir"), "{said}");
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0);
}

#[test]
fn a_database_that_may_only_be_read_is_said_before_anything_starts() {
    if !geteuid().is_root() {
        skip("only root can give files away");
        return;
    }
    let terminal = terminal(2);
    let line = run("finishes.sh");
    assert_code(&terminal.type_in(&format!("{line} --limit 1")), 0);
    // The lock and the socket may be made, the database not be written.
    let state = terminal.path().join(".byol-sweep");
    fs::set_permissions(terminal.path(), fs::Permissions::from_mode(0o755)).unwrap();
    chown(&state, Some(NOBODY), Some(NOBODY)).unwrap();
    chown(state.join("lock"), Some(NOBODY), Some(NOBODY)).unwrap();
    let inner = terminal.command(&line);
    let output = Command::new("setpriv")
        .args(["--reuid", &NOBODY.to_string(), "--regid", &NOBODY.to_string()])
        .args(["--clear-groups", "--inh-caps=-all"])
        .arg(inner.get_program())
        .args(inner.get_args())
        .current_dir(terminal.path())
        .output()
        .unwrap();
    let said = stderr(&output);
    if said.contains("failed to execute") {
        skip(&format!("nobody may not run what root has built: {said}"));
        return;
    }
    assert_code(&output, 1);
    assert!(said.contains("byol-sweep.db") && said.contains("read-only"), "{said}");
    assert_eq!(states(&terminal, ".byol-sweep"), ["done", "pending"]);
}

#[test]
fn folders_that_were_deleted_between_runs_are_made_again() {
    let terminal = terminal(2);
    // It dies twice, and leaves folders.
    assert_code(&terminal.type_in(&format!("{} --limit 1", run("dies_silently.sh"))), 100);
    let trials = terminal.path().join(".byol-sweep/trials");
    assert!(trials.is_dir());
    fs::remove_dir_all(&trials).unwrap();
    assert_code(&terminal.type_in(&format!("{} --retry-failed", run("finishes.sh"))), 0);
    assert_eq!(states(&terminal, ".byol-sweep"), ["done", "done"]);

    // What is done is done, whatever became of its files.
    fs::remove_dir_all(&trials).unwrap();
    assert_code(&terminal.type_in(&run("exits_1.sh")), 0);
    assert_eq!(states(&terminal, ".byol-sweep"), ["done", "done"]);
}

#[test]
fn a_folder_that_is_deleted_under_its_worker_costs_one_attempt() {
    // The second one would train to its end before anybody knew.
    for worker in ["loses_its_folder.sh", "stays_without_its_folder.sh"] {
        let terminal = terminal(2);
        let output = terminal.type_in(&run(worker));
        assert_code(&output, 0);
        let said = stderr(&output);
        assert!(said.contains("lost: somebody deleted") && said.contains("0001"), "{said}");
        assert_eq!(states(&terminal, ".byol-sweep"), ["done", "done"]);
        assert_whole(&terminal.path().join(".byol-sweep"));
    }
}

/// What it went on to train would be nowhere, and another run could begin in its place.
#[test]
fn a_run_whose_database_is_deleted_kills_its_trials_and_says_so() {
    let terminal = terminal(2);
    let mut controller = Controller::start(terminal.command(&run("obeys.sh")));
    controller.wait_for("start");
    fs::remove_file(terminal.path().join(".byol-sweep/byol-sweep.db")).unwrap();
    let said = controller.wait_for("error: ");
    assert!(said.contains("byol-sweep.db") && said.contains("was removed"), "{said}");
    assert_eq!(controller.exit_code(), Some(1));
}
