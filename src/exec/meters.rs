//! How busy this machine is: its cores and memory from `/proc`, its GPUs from the driver. Knows
//! nothing of attempts.

use std::fs;

use super::devices::cores;
use super::nvml::{Driver, GpuMeter};

/// What the meters show.
#[derive(Clone, Debug, PartialEq)]
pub struct Meters {
    /// The host's cores and memory.
    pub host: Host,
    /// None without a driver.
    pub gpus: Vec<GpuMeter>,
}

/// The host's cores and memory; what the system does not tell is `None`.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// Cores that this process may use.
    pub cores: u32,
    /// Share of the time since the last reading in which the cores were busy, in [0, 1].
    pub busy: Option<f64>,
    /// Processes that want to run, averaged over a minute.
    pub load: Option<f64>,
    /// Memory in bytes.
    pub memory: Option<Memory>,
}

/// Memory in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// All there is.
    pub total: u64,
    /// What programs could still have.
    pub available: u64,
}

/// Reads meters again and again.
#[derive(Debug)]
pub struct Reader {
    driver: Option<Driver>,
    before: Option<Ticks>,
}

/// Time of all cores since the start of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    all: u64,
    idle: u64,
}

impl Reader {
    /// Opens the driver, where there is one.
    pub fn open() -> Self {
        Self { driver: Driver::open(), before: ticks() }
    }

    /// Reads all of them.
    pub fn read(&mut self) -> Meters {
        let now = ticks();
        let busy = self.before.zip(now).and_then(|(before, now)| busy(before, now));
        self.before = now;
        let load = fs::read_to_string("/proc/loadavg").ok();
        let host = Host {
            cores: cores().get(),
            busy,
            load: load.and_then(|text| text.split_whitespace().next()?.parse().ok()),
            memory: fs::read_to_string("/proc/meminfo").ok().and_then(|text| memory_of(&text)),
        };
        let gpus = self.driver.as_ref().map(Driver::meters).unwrap_or_default();
        Meters { host, gpus }
    }
}

fn ticks() -> Option<Ticks> {
    ticks_of(&fs::read_to_string("/proc/stat").ok()?)
}

/// Reads the first line of `/proc/stat`; idle is the fourth number, waiting for disks the fifth.
fn ticks_of(text: &str) -> Option<Ticks> {
    let numbers = text.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let numbers: Vec<u64> = numbers.map(|number| number.parse().ok()).collect::<Option<_>>()?;
    // Guests are counted among users already.
    let all = numbers.iter().take(8).sum();
    Some(Ticks { all, idle: numbers.get(3)? + numbers.get(4)? })
}

/// Returns the share of busy time between two readings; none where no time passed.
fn busy(before: Ticks, now: Ticks) -> Option<f64> {
    let all = now.all.checked_sub(before.all).filter(|all| *all > 0)?;
    let idle = now.idle.saturating_sub(before.idle).min(all);
    Some((all - idle) as f64 / all as f64)
}

fn memory_of(text: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim_start_matches(':').split_whitespace().next()?.parse().ok()?;
        kib.checked_mul(1024)
    };
    Some(Memory { total: bytes("MemTotal")?, available: bytes("MemAvailable")? })
}

/// Returns the memory of this machine in bytes, where the kernel tells.
pub fn memory_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    Some(memory_of(&text)?.total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_is_what_was_not_idle_since_the_last_reading() {
        let before = ticks_of("cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 1 1 1\n").unwrap();
        assert_eq!(before, Ticks { all: 1000, idle: 800 });
        let now = Ticks { all: 1200, idle: 850 };
        assert_eq!(busy(before, now), Some(0.75));
        assert_eq!(busy(before, before), None);
        assert_eq!(ticks_of("cpu  1 2"), None);
        assert_eq!(ticks_of(""), None);
    }

    #[test]
    fn memory_is_told_in_bytes() {
        let text = "MemTotal:       16000 kB\nMemFree: 1 kB\nMemAvailable:    4000 kB\n";
        let memory = memory_of(text).unwrap();
        assert_eq!(memory, Memory { total: 16_384_000, available: 4_096_000 });
        assert_eq!(memory_of("MemTotal: x kB"), None);
    }

    #[test]
    fn this_machine_is_read() {
        let meters = Reader::open().read();
        assert!(meters.host.cores >= 1 && meters.host.memory.unwrap().total > 0);
    }
}
