//! Mean and spread of a few values, one a seed. Knows nothing of trials.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Mean over seeds, with its uncertainty where there is more than one.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Estimate {
    /// How many values there are, at least 1.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// `None` for one value: it says nothing about the spread.
    pub spread: Option<Spread>,
}

/// How far values scatter.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Spread {
    /// Standard deviation with n - 1 in the denominator.
    pub sd: f64,
    /// Half the width of the 95 % interval of the mean: t(0.975, n - 1) sd / sqrt(n).
    pub half_width: f64,
}

impl Estimate {
    /// Estimates from the finite ones of `values`; `None` when there is none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        if values.is_empty() {
            return None;
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        Some(Self { n: values.len(), mean, spread: Spread::about(mean, &values) })
    }

    /// Returns the 95 % interval of the mean.
    pub fn interval(&self) -> Option<(f64, f64)> {
        self.spread.map(|spread| (self.mean - spread.half_width, self.mean + spread.half_width))
    }

    /// Returns the standard deviation.
    pub fn sd(&self) -> Option<f64> {
        self.spread.map(|spread| spread.sd)
    }
}

impl Spread {
    fn about(mean: f64, values: &[f64]) -> Option<Self> {
        let freedom = values.len().checked_sub(1).filter(|freedom| *freedom > 0)? as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = (squares / freedom).sqrt();
        let t = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(0.975);
        Some(Self { sd, half_width: t * sd / (freedom + 1.0).sqrt() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(ours: f64, expected: f64) -> bool {
        (ours - expected).abs() < 1e-9
    }

    // Expected values: SciPy 1.17.1, `numpy.std(ddof=1)` and `scipy.stats.t.interval(0.95, ...)`.
    #[test]
    fn three_values_as_scipy_sees_them() {
        let estimate = Estimate::of([0.712, 0.705, 0.731]).unwrap();
        assert!(close(estimate.mean, 0.716));
        assert!(close(estimate.sd().unwrap(), 0.013453624047073722));
        let (low, high) = estimate.interval().unwrap();
        assert!(close(low, 0.6825793451449529), "{low}");
        assert!(close(high, 0.7494206548550468), "{high}");
    }

    #[test]
    fn two_values_as_scipy_sees_them() {
        let (low, high) = Estimate::of([0.5, 0.6]).unwrap().interval().unwrap();
        assert!(close(low, -0.08531023680873451), "{low}");
        assert!(close(high, 1.1853102368087347), "{high}");
    }

    #[test]
    fn one_value_has_no_spread_and_none_has_no_estimate() {
        assert_eq!(Estimate::of([0.5]), Some(Estimate { n: 1, mean: 0.5, spread: None }));
        assert_eq!(Estimate::of([]), None);
        assert_eq!(Estimate::of([f64::NAN, f64::INFINITY]), None);
    }

    #[test]
    fn equal_values_have_an_interval_of_no_width() {
        assert_eq!(Estimate::of([0.5, 0.5, 0.5]).unwrap().interval(), Some((0.5, 0.5)));
    }
}
