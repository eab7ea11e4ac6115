//! Which images the linear classifier holds out and the order in which it sees the rest. Decided
//! by a seed alone, without libtorch's generators, whose state others share.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What random numbers are for; each purpose has its own.
#[derive(Clone, Copy)]
pub(in crate::train) enum Purpose {
    /// Choosing the held-out images.
    Holdout = 0,
    /// Order of images while candidates are compared.
    Compare = 1,
    /// Order of images in the final fit.
    Refit = 2,
    /// Choosing the images of the probe during training.
    Probe = 3,
    /// Choosing training images whose views are shown.
    ExhibitViews = 4,
    /// Choosing test images whose features are shown.
    ExhibitPoints = 5,
    /// Choosing training images that neighbours are searched among.
    ExhibitBank = 6,
}

/// Two sets of image numbers that together are all, each in ascending order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) kept: Vec<i64>,
    pub(super) held_out: Vec<i64>,
}

/// Holds out the share of each class, rounded, at least one image and never the last one.
pub(super) fn hold_out(labels: &[i64], share: f64, seed: u64) -> Split {
    let mut classes = std::collections::BTreeMap::<i64, Vec<i64>>::new();
    for (image, label) in (0i64..).zip(labels) {
        classes.entry(*label).or_default().push(image);
    }
    let mut random = generator(seed, Purpose::Holdout, 0);
    let mut split = Split { kept: Vec::new(), held_out: Vec::new() };
    for mut images in classes.into_values() {
        let spare = images.len() - 1;
        let held_out = ((images.len() as f64 * share).round() as usize).max(1).min(spare);
        shuffle(&mut images, &mut random);
        split.kept.extend(images.drain(held_out..));
        split.held_out.extend(images);
    }
    split.kept.sort_unstable();
    split.held_out.sort_unstable();
    split
}

/// Puts images in the order of one epoch.
pub(in crate::train) fn reorder(images: &mut [i64], seed: u64, purpose: Purpose, epoch: u32) {
    shuffle(images, &mut generator(seed, purpose, epoch));
}

fn generator(seed: u64, purpose: Purpose, epoch: u32) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..12].copy_from_slice(&(purpose as u32).to_le_bytes());
    key[12..16].copy_from_slice(&epoch.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// Fisher and Yates.
fn shuffle(images: &mut [i64], random: &mut ChaCha8Rng) {
    for last in (1..images.len()).rev() {
        // The upper half of a 128-bit product is uniform in 0..=last.
        let place = (u128::from(random.next_u64()) * (last as u128 + 1)) >> 64;
        images.swap(last, place as usize);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_split_is_balanced_and_complete(
            labels in prop::collection::vec(0..4i64, 0..60), share in 0.0..1.0, seed: u64
        ) {
            let Split { kept, held_out } = hold_out(&labels, share, seed);
            let mut all = [kept, held_out.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len() as i64).collect::<Vec<_>>());
            for class in 0..4 {
                let size = labels.iter().filter(|label| **label == class).count();
                let held = held_out.iter().filter(|i| labels[**i as usize] == class).count();
                let wanted = (size as f64 * share).round() as usize;
                prop_assert_eq!(held, wanted.max(1).min(size.saturating_sub(1)));
            }
        }
    }

    #[test]
    fn a_seed_fixes_the_split_and_the_order() {
        let labels: Vec<i64> = (0..100).map(|i| i % 2).collect();
        assert_eq!(hold_out(&labels, 0.2, 1), hold_out(&labels, 0.2, 1));
        assert_ne!(hold_out(&labels, 0.2, 1), hold_out(&labels, 0.2, 2));
        let order = |seed, purpose, epoch| {
            let mut images: Vec<i64> = (0..100).collect();
            reorder(&mut images, seed, purpose, epoch);
            images
        };
        let one = order(1, Purpose::Compare, 0);
        assert_eq!(one, order(1, Purpose::Compare, 0));
        for other in [(2, Purpose::Compare, 0), (1, Purpose::Refit, 0), (1, Purpose::Compare, 1)] {
            assert_ne!(one, order(other.0, other.1, other.2));
        }
        let mut sorted = one;
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..100));
    }
}
