//! `run --detach`: the same run in a process of its own, which has left the terminal. This one
//! waits until that one is at work, or tells why it is not.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;

use super::exit::ExitCode;
use super::places::Places;
use crate::control;
use crate::drive::command::{Answer, Request};
use crate::ui::Ui;

/// What the run says is appended to this file in the state folder.
const LOG: &str = "controller.log";

/// Where an earlier log goes when it is large.
const OLD_LOG: &str = "controller.log.1";
const LARGE: u64 = 10_000_000;

/// Time between two looks at the process.
const LOOK: Duration = Duration::from_millis(50);

/// Longest error that is repeated from the log.
const TOLD: u64 = 16_384;

pub(super) fn run(places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let path = places.state.join(LOG);
    let was_there = places.state.exists();
    let (log, before) =
        open_log(&places.state).with_context(|| format!("cannot write {}", path.display()))?;
    let mut child = start(&log).context("cannot start this program again")?;
    let pid = child.id();
    loop {
        if let Some(status) = child.try_wait()? {
            ui.note(said_since(&path, before)?.trim_end());
            if !was_there {
                leave_nothing(&places.state)?;
            }
            return Ok(code_of(status));
        }
        if is_at_work(places, pid)? {
            break;
        }
        std::thread::sleep(LOOK);
    }
    ui.print(&format!(
        "process {pid} is at work, and says so in {}; `byol-sweep status -w` watches it, `byol-sweep stop` stops it",
        path.display()
    ))?;
    Ok(ExitCode::Success)
}

fn is_at_work(places: &Places, process: u32) -> anyhow::Result<bool> {
    Ok(match control::ask(&places.state, &Request::Who)? {
        Some(Answer::Here { pid, .. }) => pid == process,
        Some(Answer::Granted { .. } | Answer::Stopping { .. } | Answer::Refused { .. }) | None => {
            false
        }
    })
}

/// Opens the log to append, and returns its length.
fn open_log(state: &Path) -> io::Result<(File, u64)> {
    std::fs::create_dir_all(state)?;
    let path = state.join(LOG);
    if path.metadata().is_ok_and(|log| log.len() > LARGE) {
        std::fs::rename(&path, state.join(OLD_LOG))?;
    }
    let log = File::options().create(true).append(true).open(&path)?;
    let length = log.metadata()?.len();
    Ok((log, length))
}

/// Takes away the state folder of a run that came to nothing, if the log is all that is in it.
fn leave_nothing(state: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(state)? {
        if entry?.file_name() != LOG {
            return Ok(());
        }
    }
    std::fs::remove_file(state.join(LOG))?;
    std::fs::remove_dir(state)
}

fn start(log: &File) -> io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(arguments(std::env::args_os().skip(1)))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        .spawn()
}

/// Returns the same arguments for the process that is started.
fn arguments(typed: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut typed: Vec<OsString> = typed.collect();
    let end = typed.iter().position(|word| word == "--").unwrap_or(typed.len());
    for word in &mut typed[..end] {
        if word == "--detach" {
            *word = "--own-session".into();
        }
    }
    typed
}

fn said_since(path: &Path, before: u64) -> io::Result<String> {
    let mut log = File::open(path)?;
    let length = log.metadata()?.len();
    log.seek(SeekFrom::Start(before.max(length.saturating_sub(TOLD))))?;
    let mut bytes = Vec::new();
    log.take(TOLD).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the code that the run ended with, as its own.
fn code_of(status: ExitStatus) -> ExitCode {
    let codes = [
        ExitCode::Success,
        ExitCode::Internal,
        ExitCode::Usage,
        ExitCode::NothingMatched,
        ExitCode::TrialsFailed,
        ExitCode::Interrupted,
    ];
    let same = |code: &ExitCode| status.code() == Some(*code as i32);
    codes.into_iter().find(same).unwrap_or(ExitCode::Internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_process_gets_the_same_words() {
        let typed = ["run", "--detach", "x.toml", "--", "--detach"].map(OsString::from);
        let passed = arguments(typed.into_iter());
        assert_eq!(passed, ["run", "--own-session", "x.toml", "--", "--detach"]);
    }

    #[test]
    fn a_large_log_makes_room_for_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let (log, before) = open_log(folder.path()).unwrap();
        assert_eq!(before, 0);
        log.set_len(LARGE + 1).unwrap();
        assert_eq!(open_log(folder.path()).unwrap().1, 0);
        assert_eq!(folder.path().join(OLD_LOG).metadata().unwrap().len(), LARGE + 1);
    }
}
