//! How long a run will still take, from what it did so far.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Trials' worth of work below which an estimate would be noise.
const ENOUGH: f64 = 0.2;

/// Counts work in trials: finished ones, and the share done of those that run.
#[derive(Debug)]
pub(super) struct Pace {
    started: Instant,
    left: usize,
    finished: usize,
    running: BTreeMap<u32, Share>,
}

/// Done of one attempt, in [0, 1].
#[derive(Clone, Copy, Debug)]
struct Share {
    /// Done when this run first heard of it: an adopted or resumed attempt starts above 0.
    first: f64,
    now: f64,
}

impl Pace {
    /// Starts the watch with `left` trials to do.
    pub(super) fn start(left: usize, now: Instant) -> Self {
        Self { started: now, left, finished: 0, running: BTreeMap::new() }
    }

    /// Notes how much of a running trial is done, in [0, 1].
    pub(super) fn progressed(&mut self, trial: u32, done: f64) {
        let share = self.running.entry(trial).or_insert(Share { first: done, now: done });
        share.now = done;
    }

    /// Notes that a trial needs no more work.
    pub(super) fn finished(&mut self, trial: u32) {
        self.running.remove(&trial);
        self.finished += 1;
        self.left = self.left.saturating_sub(1);
    }

    /// Notes that a trial's attempt ended and another will do its work again.
    pub(super) fn ended_early(&mut self, trial: u32) {
        self.running.remove(&trial);
    }

    /// Returns the time since the start.
    pub(super) fn elapsed(&self, now: Instant) -> Duration {
        now.duration_since(self.started)
    }

    /// Returns the time that the rest takes at the pace so far.
    pub(super) fn remaining(&self, now: Instant) -> Option<Duration> {
        let under_way: f64 = self.running.values().map(|share| share.now - share.first).sum();
        let behind: f64 = self.running.values().map(|share| share.now).sum();
        let worked = self.finished as f64 + under_way;
        let ahead = (self.left as f64 - behind).max(0.0);
        (worked >= ENOUGH).then(|| self.elapsed(now).mul_f64(ahead / worked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_rest_takes_as_long_per_trial_as_the_first_ones() {
        let start = Instant::now();
        let mut pace = Pace::start(4, start);
        assert_eq!(pace.remaining(start + MINUTE), None);
        pace.finished(1);
        assert_eq!(pace.remaining(start + MINUTE), Some(3 * MINUTE));
        pace.progressed(2, 0.0);
        pace.progressed(2, 0.5);
        assert_eq!(pace.remaining(start + MINUTE), Some(MINUTE.mul_f64(2.5 / 1.5)));
    }

    #[test]
    fn work_of_an_earlier_run_does_not_count_as_speed() {
        let start = Instant::now();
        let mut pace = Pace::start(1, start);
        pace.progressed(1, 0.5);
        assert_eq!(pace.remaining(start + MINUTE), None);
        pace.progressed(1, 0.75);
        assert_eq!(pace.remaining(start + MINUTE), Some(MINUTE));
    }

    #[test]
    fn an_attempt_that_failed_leaves_its_trial_to_do() {
        let start = Instant::now();
        let mut pace = Pace::start(2, start);
        pace.progressed(1, 0.0);
        pace.progressed(1, 0.9);
        pace.ended_early(1);
        pace.finished(2);
        assert_eq!(pace.remaining(start + MINUTE), Some(MINUTE));
    }
}
