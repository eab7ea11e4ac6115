//! Random numbers that depend on their coordinates alone: the same on any machine, with any
//! number of threads, in any order. Floats come from exact IEEE operations only.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A stream of its own for each set of coordinates.
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// Opens the stream of `purpose` at `coordinates`.
    pub(crate) fn at(purpose: [u8; 8], coordinates: [u64; 3]) -> Self {
        let mut key = [0; 32];
        let words = [u64::from_le_bytes(purpose), coordinates[0], coordinates[1], coordinates[2]];
        for (place, word) in key.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Draws uniformly from [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1u64 << 53) as f64;
        (self.0.next_u64() >> 11) as f64 * STEP
    }

    /// Draws uniformly from [low, high).
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Draws uniformly from 0..n without bias; 0 for n = 0.
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        // The product's high half is the draw; low halves under 2^32 mod n are those too many.
        let too_many = n.wrapping_neg().checked_rem(n).unwrap_or(0);
        loop {
            let product = u64::from(self.0.next_u32()) * u64::from(n);
            if product as u32 >= too_many {
                return (product >> 32) as u32;
            }
        }
    }

    /// Draws a direction in the plane: a vector of length 1.
    pub(crate) fn direction(&mut self) -> (f64, f64) {
        // Out of the unit disc and by `sqrt`, which is exact everywhere, where `sin` is not.
        loop {
            let (x, y) = (self.between(-1.0, 1.0), self.between(-1.0, 1.0));
            let square = x * x + y * y;
            if (0.01..=1.0).contains(&square) {
                let length = square.sqrt();
                return (x / length, y / length);
            }
        }
    }

    /// Fills with random bytes.
    pub(crate) fn bytes(&mut self, into: &mut [u8]) {
        self.0.fill_bytes(into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_determine_the_stream() {
        let first = |c| Draw::at(*b"test    ", c).unit();
        assert_eq!(first([1, 2, 3]), first([1, 2, 3]));
        assert_ne!(first([1, 2, 3]), first([1, 3, 2]));
        assert_ne!(first([1, 2, 3]), Draw::at(*b"other   ", [1, 2, 3]).unit());
    }

    #[test]
    fn draws_below_n_reach_all_of_it_and_no_more() {
        let mut draw = Draw::at(*b"test    ", [0; 3]);
        let mut counts = [0u32; 7];
        for _ in 0..7000 {
            counts[draw.below(7) as usize] += 1;
        }
        assert!(counts.iter().all(|&c| (850..1150).contains(&c)), "{counts:?}");
        assert_eq!(draw.below(0), 0);
        assert_eq!(draw.below(1), 0);
    }

    #[test]
    fn directions_have_length_one() {
        let mut draw = Draw::at(*b"test    ", [0; 3]);
        for _ in 0..100 {
            let (x, y) = draw.direction();
            assert!((x * x + y * y - 1.0).abs() < 1e-12);
        }
    }
}
