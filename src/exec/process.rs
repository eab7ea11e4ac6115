//! What the kernel tells of a process. Knows nothing of workers.

use std::path::PathBuf;
use std::{fs, io};

use super::{ExecError, JobHandle};
use crate::failpoint;

/// Returns the identity of this boot.
pub(super) fn boot_id() -> Result<String, ExecError> {
    if let Some(pretended) = failpoint::pretended("BYOL_SWEEP_BOOT_ID") {
        return Ok(pretended);
    }
    let path = PathBuf::from("/proc/sys/kernel/random/boot_id");
    let text = fs::read_to_string(&path).map_err(|source| ExecError::Proc { path, source })?;
    Ok(text.trim().to_owned())
}

/// Returns the start time of a process that exists, dead but not reaped ones included.
pub(super) fn start_ticks(pid: u32) -> Result<u64, ExecError> {
    let path = stat_path(pid);
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let stat = stat(pid).and_then(|stat| stat.ok_or_else(missing));
    Ok(stat.map_err(|source| ExecError::Proc { path, source })?.start_ticks)
}

/// Returns whether the very process of the handle is there and not dead.
pub(super) fn is_alive(handle: &JobHandle, boot_id: &str) -> Result<bool, ExecError> {
    if handle.boot_id != boot_id {
        return Ok(false);
    }
    let path = stat_path(handle.pid);
    let stat = stat(handle.pid).map_err(|source| ExecError::Proc { path, source })?;
    Ok(stat.is_some_and(|stat| stat.start_ticks == handle.start_ticks && !stat.is_dead()))
}

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    state: char,
    start_ticks: u64,
}

impl Stat {
    /// A zombie has ended already; a parent that never asks must not keep it alive for us.
    fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }
}

fn stat_path(pid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/stat"))
}

fn stat(pid: u32) -> io::Result<Option<Stat>> {
    match fs::read_to_string(stat_path(pid)) {
        Ok(text) => parse(&text).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // The process went away between opening and reading.
        Err(error) if error.raw_os_error() == Some(nix::errno::Errno::ESRCH as i32) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Parses `pid (name) state ... starttime ...`; the name may hold spaces and brackets (proc(5)).
fn parse(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    // `state` is field 3 and `starttime` field 22.
    let start_ticks = fields.nth(18)?.parse().ok()?;
    Some(Stat { state, start_ticks })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_full_of_brackets_does_not_confuse() {
        let text = "42 (a) R (b c) S 1 42 42 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 987654 5 6\n";
        assert_eq!(parse(text), Some(Stat { state: 'S', start_ticks: 987_654 }));
        assert_eq!(parse("42 (sh"), None);
        assert_eq!(parse("42 (sh) S 1"), None);
    }

    #[test]
    fn this_process_is_alive_and_its_namesakes_are_not() {
        let pid = std::process::id();
        let boot = boot_id().unwrap();
        let me = JobHandle { pid, start_ticks: start_ticks(pid).unwrap(), boot_id: boot.clone() };
        assert!(is_alive(&me, &boot).unwrap());
        let later = JobHandle { start_ticks: me.start_ticks + 1, ..me.clone() };
        assert!(!is_alive(&later, &boot).unwrap());
        assert!(!is_alive(&me, "another boot").unwrap());
    }
}
