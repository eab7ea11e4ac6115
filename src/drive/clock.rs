//! The clocks: one for decisions, which never goes back, and one for people.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::failpoint;
use crate::schedule::Millis;

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
}
