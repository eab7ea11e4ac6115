//! Mean and spread of a few values, one a seed. Knows nothing of trials.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::bootstrap;
use crate::spec::sweep::SpreadKind;

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
    /// Ends of the 95 % BCa bootstrap interval of the mean, where it was asked for and there are
    /// five values.
    pub bca95: Option<(f64, f64)>,
}

impl Estimate {
    /// Estimates from the finite ones of `values`, without a bootstrap; `None` when there is none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        Self::from_finite(&finite(values))
    }

    /// Estimates with a bootstrap interval too, which costs about ten thousand means.
    pub fn bootstrapped(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let values = finite(values);
        let mut estimate = Self::from_finite(&values)?;
        if let Some(spread) = &mut estimate.spread {
            spread.bca95 = bootstrap::bca95(&values);
        }
        Some(estimate)
    }

    fn from_finite(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Some(Self { n: values.len(), mean, spread: Spread::about(mean, values) })
    }

    /// Returns the 95 % Student-t interval of the mean.
    pub fn interval(&self) -> Option<(f64, f64)> {
        self.spread.map(|spread| (self.mean - spread.half_width, self.mean + spread.half_width))
    }

    /// Returns the 95 % BCa bootstrap interval of the mean.
    pub fn bca95(&self) -> Option<(f64, f64)> {
        self.spread?.bca95
    }

    /// Returns the standard deviation.
    pub fn sd(&self) -> Option<f64> {
        self.spread.map(|spread| spread.sd)
    }

    /// Returns the ends of what is shown as a spread; where the bootstrap has too few values,
    /// Student's interval.
    pub fn range(&self, kind: SpreadKind) -> Option<(f64, f64)> {
        match kind {
            SpreadKind::Sd => self.sd().map(|sd| (self.mean - sd, self.mean + sd)),
            SpreadKind::T95 => self.interval(),
            SpreadKind::Bca95 => self.bca95().or_else(|| self.interval()),
        }
    }
}

fn finite(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    values.into_iter().filter(|value| value.is_finite()).collect()
}

impl Spread {
    fn about(mean: f64, values: &[f64]) -> Option<Self> {
        let freedom = values.len().checked_sub(1).filter(|freedom| *freedom > 0)? as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let sd = (squares / freedom).sqrt();
        let t = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(0.975);
        Some(Self { sd, half_width: t * sd / (freedom + 1.0).sqrt(), bca95: None })
    }
}

#[cfg(test)]
mod tests {
    use super::super::scipy;
    use super::*;

    #[test]
    fn samples_as_scipy_sees_them() {
        for (name, sample) in &scipy::vectors().samples {
            let estimate = Estimate::bootstrapped(sample.values.iter().copied()).unwrap();
            assert!((estimate.mean - sample.mean).abs() < 1e-12, "{name}");
            assert!((estimate.sd().unwrap() - sample.sd).abs() < 1e-12, "{name}");
            scipy::assert_close(estimate.interval().unwrap(), sample.t95, 1e-9, name);
            assert_eq!(estimate.bca95().is_some(), sample.values.len() >= 5, "{name}");
        }
    }

    #[test]
    fn a_range_is_of_the_kind_asked_for() {
        let five = Estimate::bootstrapped([0.431, 0.442, 0.437, 0.297, 0.445]).unwrap();
        let sd = five.sd().unwrap();
        assert_eq!(five.range(SpreadKind::Sd), Some((five.mean - sd, five.mean + sd)));
        assert_eq!(five.range(SpreadKind::T95), five.interval());
        assert_eq!(five.range(SpreadKind::Bca95), five.bca95());
        let three = Estimate::bootstrapped([0.4, 0.5, 0.6]).unwrap();
        assert_eq!(three.range(SpreadKind::Bca95), three.interval());
        for kind in [SpreadKind::Sd, SpreadKind::T95, SpreadKind::Bca95] {
            assert_eq!(Estimate::bootstrapped([0.4]).unwrap().range(kind), None);
        }
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
