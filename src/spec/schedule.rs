//! Learning rate and tau as functions of the update. Pure; knows no tensors.
//!
//! Updates are counted from 0. `updates` is K, their total; from k = K on, both are at their end.

use std::f64::consts::PI;

use super::run::{OptimizerSpec, RunSpec, TauSchedule};

/// Images to which `base_lr` refers.
const REFERENCE_BATCH: f64 = 256.0;

/// Returns the learning rate after warm-up: `base_lr * update_batch_size / 256` (BYOL,
/// section 3.3).
pub fn peak_learning_rate(optimizer: &OptimizerSpec, update_batch_size: u32) -> f64 {
    optimizer.base_lr() * f64::from(update_batch_size) / REFERENCE_BATCH
}

/// Returns the updates of linear warm-up for `images` training images.
pub fn warmup_updates(spec: &RunSpec, images: u64) -> u64 {
    (spec.warmup_epochs * images as f64 / f64::from(spec.update_batch_size)) as u64
}

/// Returns the learning rate of update `k`: `peak k / warmup` before `warmup`, which is 0 for the
/// first update, then `peak (1 + cos(pi (k - warmup) / (updates - warmup))) / 2` (BYOL's code,
/// `schedules.py`).
pub fn learning_rate(k: u64, updates: u64, warmup: u64, peak: f64) -> f64 {
    if k < warmup {
        peak * k as f64 / warmup as f64
    } else if k >= updates {
        0.0
    } else {
        peak * 0.5 * (1.0 + (PI * (k - warmup) as f64 / (updates - warmup) as f64).cos())
    }
}

/// Returns the decay of the target in update `k`: `1 - (1 - tau_base) (cos(pi k / updates) + 1) /
/// 2` (BYOL, section 3.3; the first update uses tau_base exactly), or tau_base throughout.
pub fn tau(k: u64, updates: u64, tau_base: f64, schedule: TauSchedule) -> f64 {
    match schedule {
        TauSchedule::Cosine if k >= updates => 1.0,
        TauSchedule::Cosine => {
            1.0 - (1.0 - tau_base) * ((PI * k as f64 / updates as f64).cos() + 1.0) / 2.0
        }
        TauSchedule::Constant => tau_base,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_divides_by_zero() {
        for (k, updates, warmup) in [(0, 0, 0), (0, 1, 1), (5, 5, 5), (7, 5, 9), (1, 5, 5)] {
            assert!(learning_rate(k, updates, warmup, 1.0).is_finite(), "{k} {updates} {warmup}");
            assert!(tau(k, updates, 0.9, TauSchedule::Cosine).is_finite());
        }
    }

    #[test]
    fn both_end_where_they_should() {
        assert_eq!(learning_rate(100, 100, 10, 3.2), 0.0);
        assert_eq!(learning_rate(10, 100, 10, 3.2), 3.2);
        assert_eq!(tau(100, 100, 0.5, TauSchedule::Cosine), 1.0);
        assert_eq!(tau(101, 100, 0.5, TauSchedule::Cosine), 1.0);
        assert_eq!(tau(100, 100, 0.0, TauSchedule::Constant), 0.0);
    }

    #[test]
    fn the_paper_s_ablations_peak_at_4_8() {
        let lars = OptimizerSpec::Lars {
            base_lr: 0.3,
            momentum: 0.9,
            weight_decay: 1e-6,
            trust_coefficient: 1e-3,
        };
        assert!((peak_learning_rate(&lars, 4096) - 4.8).abs() < 1e-12);
    }
}
