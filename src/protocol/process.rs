//! Which process is which. A pid alone is used again, so start time, boot and pid namespace go with
//! it: containers of one machine share the boot and not the numbers. Knows nothing of workers.

use std::{fs, io};

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use crate::failpoint;

/// A process of this machine, for as long as it does not reboot.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks since boot: field 22 of `/proc/<pid>/stat`.
    pub start_ticks: u64,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// Number of the namespace that the pid counts in; `None` where an earlier version wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid_namespace: Option<u64>,
}

impl ProcessId {
    /// Reads the identity of a living (or not yet reaped) process.
    ///
    /// # Errors
    /// Fails when there is no such process.
    pub fn of(pid: u32) -> io::Result<Self> {
        Here::look()?.identify(pid)
    }
}

/// Where this process lives: pids mean something within one boot and one namespace only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Here {
    boot_id: String,
    pid_namespace: Option<u64>,
}

/// The namespace that a machine boots with; pids that drivers report count in it.
const FIRST_NAMESPACE: u64 = 0xEFFF_FFFC;

impl Here {
    /// Asks the kernel.
    ///
    /// # Errors
    /// Fails without `/proc`.
    pub fn look() -> io::Result<Self> {
        let boot_id = match failpoint::pretended("BYOL_SWEEP_BOOT_ID") {
            Some(pretended) => pretended,
            None => fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned(),
        };
        let link = fs::read_link("/proc/self/ns/pid").ok();
        let pid_namespace = link.and_then(|link| namespace(&link.to_string_lossy()));
        Ok(Self { boot_id, pid_namespace })
    }

    /// Reads the identity of a living (or not yet reaped) process.
    ///
    /// # Errors
    /// Fails when there is no such process.
    pub fn identify(&self, pid: u32) -> io::Result<ProcessId> {
        let stat = stat(pid)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(ProcessId {
            pid,
            start_ticks: stat.start_ticks,
            boot_id: self.boot_id.clone(),
            pid_namespace: self.pid_namespace,
        })
    }

    /// Returns whether a process could be seen from here if it lived: not after a reboot, and not
    /// from another container.
    pub fn can_see(&self, process: &ProcessId) -> bool {
        let same = |namespace| self.pid_namespace.is_none_or(|here| here == namespace);
        process.boot_id == self.boot_id && process.pid_namespace.is_none_or(same)
    }

    /// Returns whether this very process is here and not dead.
    ///
    /// # Errors
    /// Fails when the kernel does not tell.
    pub fn has(&self, process: &ProcessId) -> io::Result<bool> {
        if !self.can_see(process) {
            return Ok(false);
        }
        let stat = stat(process.pid)?;
        Ok(stat.is_some_and(|stat| stat.start_ticks == process.start_ticks && !stat.is_dead()))
    }

    /// Returns whether pids here are those that a driver reports.
    pub fn counts_like_the_kernel(&self) -> bool {
        self.pid_namespace == Some(FIRST_NAMESPACE)
    }
}

/// Parses `pid:[4026531836]`.
fn namespace(link: &str) -> Option<u64> {
    link.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok()
}

/// What `/proc/<pid>/stat` tells, as far as it is asked here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    state: char,
    /// Start time in clock ticks since boot.
    pub start_ticks: u64,
}

impl Stat {
    /// A zombie has ended already; a parent that never asks must not keep it alive for us.
    pub fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// Parses `pid (name) state ... starttime ...`; the name may hold spaces and brackets (proc(5)).
    pub fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(')')?;
        let mut fields = rest.split_ascii_whitespace();
        // Fields 3 and 22.
        let state = fields.next()?.chars().next()?;
        let start_ticks = fields.nth(18)?.parse().ok()?;
        Some(Self { state, start_ticks })
    }
}

/// Returns what the kernel tells of a process, dead but not reaped ones included; `None` where
/// there is none.
///
/// # Errors
/// Fails when the kernel does not tell.
pub fn stat(pid: u32) -> io::Result<Option<Stat>> {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(text) => Stat::parse(&text).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into()),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns whether a file of `/proc` could not be read because its process is gone, be it between
/// opening and reading.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(Errno::ESRCH as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_full_of_brackets_does_not_confuse() {
        let text = "42 (a) R (b c) S 1 43 44 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 987654 5 6\n";
        let expected = Stat { state: 'S', start_ticks: 987_654 };
        assert_eq!(Stat::parse(text), Some(expected));
        assert_eq!(Stat::parse("42 (sh"), None);
        assert_eq!(Stat::parse("42 (sh) S 1"), None);
    }

    #[test]
    fn this_process_is_here_and_its_namesakes_are_not() {
        let here = Here::look().unwrap();
        let me = here.identify(std::process::id()).unwrap();
        assert!(here.has(&me).unwrap());
        let others = [
            ProcessId { start_ticks: me.start_ticks + 1, ..me.clone() },
            ProcessId { boot_id: "another boot".into(), ..me.clone() },
            ProcessId { pid_namespace: Some(1), ..me.clone() },
        ];
        for other in others {
            assert!(!here.has(&other).unwrap(), "{other:?}");
        }
    }

    #[test]
    fn what_an_earlier_version_wrote_is_still_found() {
        let here = Here::look().unwrap();
        let me = here.identify(std::process::id()).unwrap();
        let (pid, ticks, boot) = (me.pid, me.start_ticks, &me.boot_id);
        let text = format!(r#"{{"pid":{pid},"start_ticks":{ticks},"boot_id":"{boot}"}}"#);
        let old: ProcessId = serde_json::from_str(&text).unwrap();
        assert_eq!(old.pid_namespace, None);
        assert!(here.has(&old).unwrap());
    }

    #[test]
    fn the_namespace_is_the_number_in_its_link() {
        assert_eq!(namespace("pid:[4026531836]"), Some(FIRST_NAMESPACE));
        assert_eq!(namespace("pid:4026531836"), None);
    }
}
