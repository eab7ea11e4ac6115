//! Signals to the processes of an attempt, however they hide. Knows nothing of why.
//!
//! Nothing is signalled by its number: a pidfd is opened first, and then the process behind the
//! number is looked at. Should it end and the number be used again meanwhile, the pidfd is dead.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use nix::unistd::getsid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::JobHandle;
use super::kin::Kin;
use super::mark::Mark;
use crate::protocol::process::stat;

/// Looks at all processes, at most: those that fork while they are killed are found by the next.
const LOOKS: u32 = 10;

/// How long one look waits for the killed to be gone. A driver may take longer to free a device.
const PATIENCE: Duration = Duration::from_millis(20);

/// Bytes of an environment that are read; the kernel starts no program with more.
const MOST: u64 = 6 << 20;

/// Asks this very process to stop, if it is there.
pub(super) fn ask(process: &JobHandle) -> io::Result<()> {
    let is_it = || {
        stat(process.pid)
            .is_ok_and(|stat| stat.is_some_and(|stat| stat.start_ticks == process.start_ticks))
    };
    let Some(pid) = pid(process.pid) else { return Ok(()) };
    send(pid, Signal::TERM, is_it).map(drop)
}

/// Returns whether a process is of the attempt.
pub(super) fn is_kin(number: u32, kin: &Kin) -> bool {
    pid(number).is_some_and(|pid| belongs(pid, kin, &mut Vec::new()))
}

/// Kills all processes of an attempt and waits a moment for their end.
pub(super) fn kill_all(kin: &Kin) -> io::Result<()> {
    let mut environ = Vec::new();
    for _ in 0..LOOKS {
        let mut dying = Vec::new();
        for process in std::fs::read_dir("/proc")? {
            let name = process?.file_name();
            let number = name.to_str().and_then(|name| name.parse().ok());
            let Some(pid) = number.and_then(pid) else { continue };
            if belongs(pid, kin, &mut environ) {
                dying.extend(send(pid, Signal::KILL, || belongs(pid, kin, &mut environ))?);
            }
        }
        if dying.is_empty() {
            return Ok(());
        }
        wait(&dying);
    }
    Ok(())
}

fn pid(number: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(number).ok()?)
}

/// Returns whether a process is of the attempt; `environ` is room to read into.
fn belongs(pid: Pid, kin: &Kin, environ: &mut Vec<u8>) -> bool {
    let number = pid.as_raw_pid().cast_unsigned();
    // What cannot be looked at is gone or another user's.
    let Ok(session) = getsid(Some(nix::unistd::Pid::from_raw(pid.as_raw_pid()))) else {
        return false;
    };
    let mut carries = |mark: &Mark| {
        environ.clear();
        let file = File::open(format!("/proc/{number}/environ"));
        file.and_then(|file| file.take(MOST).read_to_end(environ)).is_ok() && mark.is_in(environ)
    };
    let session = session.as_raw().cast_unsigned();
    number != std::process::id()
        && kin.includes(session, &mut carries, || stat(number).ok().flatten())
}

/// Signals a process if it is the one that is meant; `None` where it is not, or gone, or not ours
/// to signal.
fn send(pid: Pid, signal: Signal, is_it: impl FnOnce() -> bool) -> io::Result<Option<OwnedFd>> {
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => process,
        Err(Errno::SRCH) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    if !is_it() {
        return Ok(None);
    }
    match pidfd_send_signal(&process, signal) {
        Ok(()) => Ok(Some(process)),
        Err(Errno::SRCH | Errno::PERM) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Waits until all are gone, or not much longer.
fn wait(processes: &[OwnedFd]) {
    let deadline = Instant::now() + PATIENCE;
    for process in processes {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(left) = Timespec::try_from(left) else { return };
        // Only a hint: the next look tells.
        let _ = poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&left));
    }
}
