//! Whether paired differences can be told from none: Student's t over seeds, corrected for how many
//! are asked at once. Knows nothing of cells.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::estimate::Estimate;

/// What may be called a difference.
pub(super) const LEVEL: f64 = 0.05;

/// Of a mean difference: standard deviations below this share of it are rounding.
const ROUNDING: f64 = 1e-9;

/// Returns p of Student's paired two-sided test that the mean of these differences is 0. `None`
/// where they cannot tell: one difference, or several that are equal, which estimate no scatter.
pub(super) fn paired_t(differences: &Estimate) -> Option<f64> {
    let sd = differences.sd().filter(|_| has_scatter(differences))?;
    let t = differences.mean / (sd / (differences.n as f64).sqrt());
    let student = StudentsT::new(0.0, 1.0, (differences.n - 1) as f64).ok()?;
    Some((2.0 * student.cdf(-t.abs())).min(1.0))
}

/// Returns whether values differ by more than rounding. Where they do not, their interval has no
/// width, which nobody should believe.
pub(super) fn has_scatter(estimate: &Estimate) -> bool {
    estimate.sd().is_some_and(|sd| sd > ROUNDING * estimate.mean.abs())
}

/// Returns whether the 95 % Student-t interval of the mean difference is away from 0.
pub(super) fn is_away_from_zero(differences: &Estimate) -> bool {
    paired_t(differences).is_some_and(|p| p < LEVEL)
}

/// Corrects the p of a family of tests so that, whichever hypotheses are true, the chance of any
/// false rejection stays below the level (Holm, "A simple sequentially rejective multiple test
/// procedure", Scand. J. Statist. 6, 1979).
pub(super) fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut adjusted = vec![1.0; p.len()];
    let mut highest: f64 = 0.0;
    for (rank, at) in order.into_iter().enumerate() {
        highest = highest.max((p[at] * (p.len() - rank) as f64).min(1.0));
        adjusted[at] = highest;
    }
    adjusted
}

/// Returns how many standard deviations of the differences their mean must be from 0 for the
/// smallest p among `family` to pass Holm's correction.
pub(super) fn least_effect(n: usize, family: usize) -> Option<f64> {
    let freedom = n.checked_sub(1).filter(|freedom| *freedom > 0)? as f64;
    let student = StudentsT::new(0.0, 1.0, freedom).ok()?;
    let tail = LEVEL / (2 * family.max(1)) as f64;
    Some(-student.inverse_cdf(tail) / (n as f64).sqrt())
}

/// Returns the smallest two-sided p that flipping the signs of `n` differences can give (Fisher's
/// randomisation test), which takes no distribution for granted: one of 2^n patterns each side.
pub(super) fn least_p_by_signs(n: usize) -> f64 {
    0.5f64.powi(i32::try_from(n).unwrap_or(i32::MAX) - 1)
}

#[cfg(test)]
mod tests {
    use super::super::scipy;
    use super::*;

    fn estimate(values: impl IntoIterator<Item = f64>) -> Estimate {
        Estimate::of(values).unwrap()
    }

    #[test]
    fn pairs_as_scipy_tests_them() {
        for (name, pair) in &scipy::vectors().pairs {
            let differences = estimate(pair.a.iter().zip(&pair.b).map(|(a, b)| a - b));
            let p = paired_t(&differences).unwrap();
            assert!((p - pair.p).abs() < 1e-9, "{name}: {p}");
            let (low, high) = differences.interval().unwrap();
            scipy::assert_close((low, high), pair.t95, 1e-9, name);
            let excluded = low > 0.0 || high < 0.0;
            assert_eq!(is_away_from_zero(&differences), excluded, "{name}");
        }
    }

    #[test]
    fn corrected_as_holm_defines_it() {
        for (name, family) in &scipy::vectors().holm {
            for (ours, expected) in holm(&family.p).into_iter().zip(&family.adjusted) {
                assert!((ours - expected).abs() < 1e-12, "{name}: {ours}");
            }
        }
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn one_difference_and_equal_ones_are_no_test() {
        assert_eq!(paired_t(&estimate([0.3])), None);
        assert_eq!(paired_t(&estimate([0.0, 0.0])), None);
        // Equal but for rounding.
        assert_eq!(paired_t(&estimate([0.3 - 0.2, 0.4 - 0.3, 0.6 - 0.5])), None);
        assert!(!is_away_from_zero(&estimate([0.1, 0.1, 0.1])));
    }

    #[test]
    fn no_difference_has_p_one() {
        assert_eq!(paired_t(&estimate([-0.1, 0.1])), Some(1.0));
    }

    /// t(0.975, 2) = 4.303 and t(1 - 0.05/26, 2) = 16.08, over the root of 3.
    #[test]
    fn what_three_seeds_can_reach() {
        assert!((least_effect(3, 1).unwrap() - 2.484).abs() < 0.001);
        let of_many = least_effect(3, 13).unwrap();
        let at_the_edge =
            Estimate { n: 3, mean: of_many, spread: estimate([-1.0, 0.0, 1.0]).spread };
        assert!((13.0 * paired_t(&at_the_edge).unwrap() - LEVEL).abs() < 1e-9);
        assert_eq!(least_effect(1, 3), None);
        assert_eq!(least_p_by_signs(3), 0.25);
        assert_eq!(least_p_by_signs(6), 0.03125);
    }
}
