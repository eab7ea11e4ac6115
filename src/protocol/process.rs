//! Which process is which: a pid alone is used again, so boot and start time go with it.

use std::fs;
use std::io;

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
}

impl ProcessId {
    /// Reads the identity of a living (or not yet reaped) process.
    ///
    /// # Errors
    /// Fails when there is no such process.
    pub fn of(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let start_ticks = start_ticks(&stat).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("cannot read /proc/{pid}/stat"))
        })?;
        Ok(Self { pid, start_ticks, boot_id: boot_id()? })
    }

    /// Returns whether this very process still runs; a zombie does not.
    pub fn is_alive(&self) -> bool {
        let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", self.pid)) else {
            return false;
        };
        let zombie = after_name(&stat).is_some_and(|rest| rest.starts_with('Z'));
        !zombie
            && start_ticks(&stat) == Some(self.start_ticks)
            && boot_id().is_ok_and(|id| id == self.boot_id)
    }
}

/// Returns the id that the kernel draws at each boot.
fn boot_id() -> io::Result<String> {
    if let Some(pretended) = failpoint::pretended("BYOL_SWEEP_BOOT_ID") {
        return Ok(pretended);
    }
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Returns the fields after the name, which stands in parentheses and may hold anything.
fn after_name(stat: &str) -> Option<&str> {
    stat.rsplit_once(')').map(|(_, rest)| rest.trim_start())
}

fn start_ticks(stat: &str) -> Option<u64> {
    // The state is field 3 and the first one here.
    after_name(stat)?.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 4711 5 6";
        assert_eq!(start_ticks(stat), Some(4711));
    }

    #[test]
    fn this_process_is_alive_and_another_start_time_is_not_it() {
        let mut me = ProcessId::of(std::process::id()).unwrap();
        assert!(me.is_alive());
        me.start_ticks += 1;
        assert!(!me.is_alive());
    }
}
