//! How often, how soon and how long: numbers only. Knows nothing of phases.

use std::num::NonZeroU32;

use super::{JobNo, Millis};

/// The rules of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Attempts after the first that a retryable failure may have.
    pub max_retries: u32,
    /// Time between a failure and the next attempt.
    pub backoff: Backoff,
    /// Longest time of one attempt.
    pub time_limit: Option<Millis>,
    /// Time between a soft stop and the hard one.
    pub grace: Millis,
    /// Start nothing more once this many trials failed for good.
    pub max_failed: Option<NonZeroU32>,
    /// Longest time that an attempt may tell nothing.
    pub stall_limit: Option<Millis>,
    /// Device time that attempts of this run may take up in all; what is alive goes on beyond it.
    pub budget: Option<Millis>,
    /// When a device is suspected.
    pub suspicion: Suspicion,
}

/// When a device, and not the trials that die there, is suspected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// An attempt that dies within this time died at once.
    pub at_once: Millis,
    /// After this many different trials that did so in a row.
    pub trials: usize,
}

impl Default for Suspicion {
    fn default() -> Self {
        Self { at_once: Millis(30_000), trials: 3 }
    }
}

/// Exponential back-off: doubles from `base` up to `most`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// After the first failure, at most.
    pub base: Millis,
    /// Never more.
    pub most: Millis,
}

impl Backoff {
    /// Returns the pause after a trial's `failures`-th failure: between half and all of
    /// `base * 2^(failures - 1)`, so that trials which failed together do not return together.
    pub fn pause(&self, job: JobNo, failures: u32) -> Millis {
        let doublings = failures.saturating_sub(1).min(32);
        let full = self.base.0.saturating_mul(1 << doublings).min(self.most.0);
        let half = full / 2;
        Millis(half + spread(job, failures) % (full - half + 1))
    }
}

/// Returns a number that looks random and is the same every time (the finaliser of SplitMix64).
fn spread(job: JobNo, failures: u32) -> u64 {
    let seed = (job.0 as u64) << 32 | u64::from(failures);
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff { base: Millis(1000), most: Millis(60_000) };

    #[test]
    fn pauses_double_up_to_the_most() {
        for job in (0..50).map(JobNo) {
            let cases = [(1, 1000), (2, 2000), (3, 4000), (6, 32_000), (7, 60_000), (99, 60_000)];
            for (failures, full) in cases {
                let pause = BACKOFF.pause(job, failures).0;
                assert!((full / 2..=full).contains(&pause), "{failures}: {pause}");
            }
        }
    }

    #[test]
    fn trials_that_failed_together_return_apart() {
        let pauses: std::collections::BTreeSet<_> =
            (0..10).map(|job| BACKOFF.pause(JobNo(job), 1)).collect();
        assert!(pauses.len() > 5, "{pauses:?}");
    }

    #[test]
    fn no_back_off_is_no_pause() {
        let none = Backoff { base: Millis(0), most: Millis(0) };
        assert_eq!(none.pause(JobNo(3), 5), Millis(0));
    }
}
