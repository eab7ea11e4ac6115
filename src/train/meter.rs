//! How fast training goes, by the clock on the wall. Knows nothing of what is trained.

use std::time::{Duration, Instant};

/// Least time between two progress lines.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// Counts images against the clock on the wall.
pub(super) struct Meter {
    since: Instant,
    images: u64,
    reported: Instant,
    images_reported: u64,
}

impl Meter {
    pub(super) fn start() -> Self {
        let now = Instant::now();
        Self { since: now, images: 0, reported: now, images_reported: 0 }
    }

    pub(super) fn count(&mut self, images: u32) {
        self.images += u64::from(images);
    }

    pub(super) fn is_due(&self) -> bool {
        self.reported.elapsed() >= PROGRESS_EVERY
    }

    /// Returns images a second since the last call.
    pub(super) fn rate(&mut self) -> f64 {
        let rate =
            (self.images - self.images_reported) as f64 / self.reported.elapsed().as_secs_f64();
        self.reported = Instant::now();
        self.images_reported = self.images;
        rate
    }

    /// Returns images a second since the start.
    pub(super) fn total_rate(&self) -> f64 {
        self.images as f64 / self.since.elapsed().as_secs_f64()
    }
}
