//! Initial weights: one stream of random numbers per parameter, keyed by seed and name.
//!
//! Adding a layer leaves the others' weights as they were, and neither libtorch's generator, nor
//! the number of threads, nor the device plays a part.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::declare::{Declared, Fill};

const STREAM: &str = "byol-sweep 2026-01 initial weights";

/// Where the normal is cut, in standard deviations (dm-haiku's initializer; the cut narrows the
/// spread to 0.88 of the nominal, which is not corrected there).
const CUT: f64 = 2.0;

/// Returns initial values in the order of the shape, last dimension fastest.
pub(super) fn values(declared: &Declared, seed: u64) -> Vec<f32> {
    let count = usize::try_from(declared.numbers()).unwrap_or(0);
    match declared.fill {
        Fill::Zeros => vec![0.0; count],
        Fill::Ones => vec![1.0; count],
        Fill::TruncatedNormal => {
            let fan_in: i64 = declared.shape.iter().skip(1).product();
            let std = 1.0 / (fan_in.max(1) as f64).sqrt();
            let mut normal = TruncatedNormal::new(seed, &declared.name);
            (0..count).map(|_| (std * normal.draw()) as f32).collect()
        }
    }
}

struct TruncatedNormal {
    source: ChaCha8Rng,
    spare: Option<f64>,
}

impl TruncatedNormal {
    fn new(seed: u64, name: &str) -> Self {
        let mut key = blake3::Hasher::new_derive_key(STREAM);
        key.update(&seed.to_le_bytes()).update(name.as_bytes());
        let source = ChaCha8Rng::from_seed(*key.finalize().as_bytes());
        TruncatedNormal { source, spare: None }
    }

    fn draw(&mut self) -> f64 {
        loop {
            let x = self.normal();
            if x.abs() <= CUT {
                return x;
            }
        }
    }

    /// Marsaglia's polar method: two normals from a point in the unit disc.
    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        loop {
            let (u, v) = (self.symmetric(), self.symmetric());
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                let factor = (-2.0 * s.ln() / s).sqrt();
                self.spare = Some(v * factor);
                return u * factor;
            }
        }
    }

    /// Uniform in [-1, 1), 53 bits.
    fn symmetric(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1u64 << 52) as f64;
        (self.source.next_u64() >> 11) as f64 * STEP - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::net::Role;

    fn weight(name: &str) -> Declared {
        Declared {
            name: name.to_owned(),
            shape: vec![100, 10, 3, 3],
            role: Role::Weight,
            fill: Fill::TruncatedNormal,
        }
    }

    #[test]
    fn seed_and_name_decide_the_values() {
        let first = values(&weight("a"), 7);
        assert_eq!(first, values(&weight("a"), 7));
        assert_ne!(first, values(&weight("b"), 7));
        assert_ne!(first, values(&weight("a"), 8));
    }

    #[test]
    fn the_spread_is_that_of_a_normal_cut_at_two() {
        let std = 1.0 / 90f64.sqrt();
        let drawn = values(&weight("a"), 7);
        let n = drawn.len() as f64;
        let mean = drawn.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let spread = (drawn.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / n).sqrt();
        assert!(mean.abs() < 0.05 * std);
        // Variance of a normal cut at 2: 1 - 4 pdf(2) / (cdf(2) - cdf(-2)) = 0.7737.
        assert!((spread / std - 0.7737f64.sqrt()).abs() < 0.02, "{spread}");
        assert!(drawn.iter().all(|&x| f64::from(x).abs() <= 2.0 * std + 1e-6));
    }
}
