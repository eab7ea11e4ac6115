//! What /proc tells of processes that name a folder in their command line.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A worker that is there and not dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Worker {
    pub(crate) pid: i32,
    /// Its attempt's folder.
    pub(crate) attempt: PathBuf,
}

impl Worker {
    pub(crate) fn trial(&self) -> &Path {
        self.attempt.parent().expect("an attempt lies in a trial")
    }

    pub(crate) fn parent(&self) -> Option<i32> {
        field(self.pid, 1)?.parse().ok()
    }

    /// Returns whether it is this very process that has claimed the attempt.
    pub(crate) fn has_claimed(&self) -> bool {
        fs::read_to_string(self.attempt.join("claim"))
            .is_ok_and(|text| text == format!("worker {}", self.pid))
    }
}

/// Returns the workers below a state folder: their last argument is an attempt's folder.
pub(crate) fn workers(state: &Path) -> Vec<Worker> {
    let trials = state.join("trials");
    let all = named(state).into_iter().filter_map(|(pid, arguments)| {
        let attempt = PathBuf::from(arguments.last()?);
        attempt.starts_with(&trials).then_some(Worker { pid, attempt })
    });
    all.collect()
}

/// Returns all living processes that were started in a folder: those too that a controller was about to
/// start when it died, and that name nothing yet.
pub(crate) fn started_in(folder: &Path) -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let here = entries.filter(|entry| {
        fs::read_link(entry.path().join("cwd")).is_ok_and(|current| current == folder)
    });
    let pids = here.filter_map(|entry| entry.file_name().to_string_lossy().parse::<i32>().ok());
    pids.filter(|pid| is_alive(*pid)).collect()
}

/// Returns all living processes that name the folder, with their arguments.
pub(crate) fn named(folder: &Path) -> Vec<(i32, Vec<String>)> {
    let folder = folder.to_string_lossy();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        let Ok(bytes) = fs::read(entry.path().join("cmdline")) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        if text.contains(&*folder) && is_alive(pid) {
            let arguments = text.trim_end_matches('\0').split('\0').map(str::to_owned);
            found.push((pid, arguments.collect()));
        }
    }
    found
}

/// Returns the state letter of a process, as in `ps`.
pub(crate) fn state(pid: i32) -> Option<char> {
    field(pid, 0)?.chars().next()
}

/// Returns a field of `/proc/PID/stat`, counted from the state.
fn field(pid: i32, number: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(number).map(str::to_owned)
}

pub(crate) fn is_alive(pid: i32) -> bool {
    !matches!(state(pid), None | Some('Z' | 'X'))
}

/// Sends a signal; returns whether there was somebody to get it.
pub(crate) fn send(pid: i32, signal: Signal) -> bool {
    is_alive(pid) && kill(Pid::from_raw(pid), signal).is_ok()
}
