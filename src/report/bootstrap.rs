//! Bootstrap intervals of a mean: bias-corrected and accelerated (BCa; Efron, "Better bootstrap
//! confidence intervals", JASA 82, 1987; DiCiccio and Efron, Statistical Science 11, 1996). Equal
//! values give equal intervals on every machine: the draws are a counter-based stream whose key is
//! a digest of the values. Knows nothing of trials.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use statrs::distribution::{ContinuousCDF, Normal};

/// Fewer values have so few different resamples that the ends of an interval are among the values.
pub(super) const LEAST: usize = 5;

/// Resamples: odd ends of their distribution fall on one of them.
const RESAMPLES: usize = 9_999;

/// Says what the stream is for, so that no other use of the same values shares it.
const PURPOSE: &str = "byol-sweep bootstrap of a mean, version 1";

/// Returns the 95 % interval of the mean of finite values; `None` below [`LEAST`] of them. It does
/// not depend on their order.
pub(super) fn bca95(values: &[f64]) -> Option<(f64, f64)> {
    if values.len() < LEAST {
        return None;
    }
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let resampled = resampled_means(&values);
    interval(&values, resampled)
}

/// The interval, given the means of resamples.
fn interval(values: &[f64], mut resampled: Vec<f64>) -> Option<(f64, f64)> {
    let mean = weighted_mean(values, &vec![1; values.len()]);
    if values.iter().all(|value| *value == values[0]) {
        return Some((mean, mean));
    }
    let normal = Normal::new(0.0, 1.0).ok()?;
    let below = resampled.iter().filter(|other| **other < mean).count();
    let up_to = resampled.iter().filter(|other| **other <= mean).count();
    // Half of the ties are below: Efron's share, made symmetric.
    let bias = normal.inverse_cdf((below + up_to) as f64 / (2 * resampled.len()) as f64);
    let acceleration = acceleration(values, mean);
    let mut end = |share: f64| {
        let shifted = bias + normal.inverse_cdf(share);
        let share = normal.cdf(bias + shifted / (1.0 - acceleration * shifted));
        share.is_finite().then(|| quantile(&mut resampled, share))
    };
    Some((end(0.025)?, end(0.975)?))
}

/// A sixth of the skewness of the jackknife (DiCiccio and Efron, equation 6.6); the means without
/// one value lie as far apart as the values themselves, so its factors cancel.
fn acceleration(values: &[f64], mean: f64) -> f64 {
    let power = |exponent: i32| -> f64 { values.iter().map(|v| (v - mean).powi(exponent)).sum() };
    power(3) / (6.0 * power(2).powf(1.5))
}

fn resampled_means(values: &[f64]) -> Vec<f64> {
    let mut digest = blake3::Hasher::new_derive_key(PURPOSE);
    for value in values {
        digest.update(&value.to_le_bytes());
    }
    let mut stream = ChaCha8Rng::from_seed(*digest.finalize().as_bytes());
    let mut drawn = vec![0u32; values.len()];
    let mean = |_| {
        drawn.fill(0);
        for _ in 0..values.len() {
            let at = (u64::from(stream.next_u32()) * values.len() as u64) >> 32;
            drawn[at as usize] += 1;
        }
        weighted_mean(values, &drawn)
    };
    (0..RESAMPLES).map(mean).collect()
}

/// Sums in the order of the values, so that equal resamples have equal means to the last bit.
fn weighted_mean(values: &[f64], times: &[u32]) -> f64 {
    let sum: f64 = values.iter().zip(times).map(|(value, times)| value * f64::from(*times)).sum();
    sum / values.len() as f64
}

/// Between the two nearest of the values, linearly (type 7 of Hyndman and Fan). Changes their order:
/// to sort them all takes several times as long.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let (_, low, above) = values.select_nth_unstable_by(place.floor() as usize, f64::total_cmp);
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(*low);
    *low + (high - *low) * (place - place.floor())
}

#[cfg(test)]
mod tests {
    use super::super::scipy;
    use super::*;

    /// Every resample once: the distribution that drawn ones approach.
    fn all_means(values: &[f64]) -> Vec<f64> {
        let n = values.len();
        let mean = |mut code: usize| {
            let mut times = vec![0; n];
            for _ in 0..n {
                times[code % n] += 1;
                code /= n;
            }
            weighted_mean(values, &times)
        };
        (0..n.pow(n as u32)).map(mean).collect()
    }

    #[test]
    fn as_scipy_has_it_on_the_same_resamples() {
        let mut compared = 0;
        for (name, sample) in &scipy::vectors().samples {
            let Some(expected) = sample.bca95_of_all_resamples else { continue };
            let found = interval(&sample.values, all_means(&sample.values)).unwrap();
            scipy::assert_close(found, expected, 1e-9, name);
            compared += 1;
        }
        assert_eq!(compared, 4);
    }

    #[test]
    fn its_own_resamples_come_near_a_million_of_scipys() {
        for (name, sample) in &scipy::vectors().samples {
            let Some(expected) = sample.bca95_of_a_million else {
                assert_eq!(bca95(&sample.values), None, "{name}");
                continue;
            };
            // Few values have few different means: an end may fall on the next one.
            let found = bca95(&sample.values).unwrap();
            scipy::assert_close(found, expected, 0.12 * sample.sd, name);
        }
    }

    #[test]
    fn the_same_values_in_any_order_give_the_same_interval() {
        let values = [0.712, 0.705, 0.731, 0.698, 0.744];
        let reversed: Vec<f64> = values.iter().rev().copied().collect();
        assert_eq!(bca95(&values), bca95(&reversed));
        let (low, high) = bca95(&values).unwrap();
        let mirrored = bca95(&values.map(|value| -value)).unwrap();
        assert!((mirrored.0 + high).abs() < 0.001 && (mirrored.1 + low).abs() < 0.001);
    }

    #[test]
    fn equal_values_have_no_width_and_few_have_no_interval() {
        assert_eq!(bca95(&[0.5; 6]), Some((0.5, 0.5)));
        assert_eq!(bca95(&[0.5, 0.6, 0.7, 0.8]), None);
    }

    /// Reports say that 84 of 100 intervals of five normal values hold the true mean: measured on
    /// 20,000 samples, here on fewer.
    #[test]
    fn intervals_of_five_values_are_too_narrow_as_told() {
        let normal = Normal::new(0.0, 1.0).unwrap();
        let mut stream = ChaCha8Rng::from_seed([7; 32]);
        let mut draw =
            || normal.inverse_cdf((f64::from(stream.next_u32()) + 0.5) / 4_294_967_296.0);
        let samples = 250;
        let held = (0..samples).filter(|_| {
            let (low, high) = bca95(&std::array::from_fn::<f64, 5, _>(|_| draw())).unwrap();
            low <= 0.0 && high >= 0.0
        });
        let share = held.count() as f64 / f64::from(samples);
        assert!((0.77..0.91).contains(&share), "{share}");
    }

    #[test]
    fn a_lone_outlier_bends_the_interval_towards_it() {
        let (low, high) = bca95(&[0.431, 0.442, 0.437, 0.297, 0.445]).unwrap();
        let mean = 0.4104;
        assert!(mean - low > 2.0 * (high - mean), "{low} {high}");
    }
}
