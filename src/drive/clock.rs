//! The clocks: one for decisions, which never goes back and stands still while the machine
//! sleeps, and one for people, which somebody may set. No decision is made by the second.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use crate::exec::JobHandle;
use crate::failpoint;
use crate::schedule::Millis;

/// Length of a clock tick in `/proc` in milliseconds: `USER_HZ` is 100 wherever Linux runs today.
const TICK_MS: u64 = 10;

/// Reads both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Returns the time since the start.
    pub(super) fn now(&self) -> Millis {
        Millis(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Returns the milliseconds since 1970.
    #[expect(clippy::unused_self, reason = "whoever has no clock has no time of either kind")]
    pub(super) fn wall_ms(&self) -> i64 {
        let right = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_millis()).ok())
            .unwrap_or(0);
        right + failpoint::pretended_ms("BYOL_SWEEP_WALL_SHIFT_MS").unwrap_or(0)
    }

    /// Returns how long a process of this boot has been running, at least: time that the machine
    /// slept before its start is taken off, so that no deadline comes early.
    #[expect(clippy::unused_self, reason = "whoever has no clock has no time of either kind")]
    pub(super) fn age(&self, process: &JobHandle) -> Millis {
        let awake = clock_gettime(ClockId::CLOCK_MONOTONIC).ok();
        let awake = awake.map(|time| {
            let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
            let nanos = u64::try_from(time.tv_nsec()).unwrap_or(0);
            Millis(seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000))
        });
        awake.map_or(Millis(0), |awake| age(awake, process.start_ticks))
    }
}

/// Start times count from the boot and include sleep; `awake` does not.
fn age(awake: Millis, start_ticks: u64) -> Millis {
    awake.minus(Millis(start_ticks.saturating_mul(TICK_MS)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::process::ProcessId;

    #[test]
    fn a_process_is_as_old_as_its_start_is_long_ago_and_never_older_after_a_sleep() {
        assert_eq!(age(Millis(10_000), 400), Millis(6_000));
        assert_eq!(age(Millis(10_000), 2_000), Millis(0), "the machine slept before it started");
        assert_eq!(age(Millis(10_000), u64::MAX), Millis(0));
    }

    #[test]
    fn this_process_is_young() {
        let me = ProcessId::of(std::process::id()).unwrap();
        let age = Clock::start().age(&me);
        // Far more than the tests take, far less than the machine may have been up.
        assert!(age < Millis(3_600_000), "{age:?}");
    }
}
