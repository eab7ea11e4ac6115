//! How alike two orders are. Knows nothing of what is ordered.

/// Returns Spearman's rank correlation; equal values share the mean of their ranks. `None` below
/// three pairs, where it is 1 or -1 whatever they are, and where one side is all equal.
pub(super) fn spearman(pairs: &[(f64, f64)]) -> Option<f64> {
    if pairs.len() < 3 {
        return None;
    }
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    pearson(&ranks(&a), &ranks(&b))
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count();
        let equal = values.iter().filter(|other| *other == value).count();
        below as f64 + (equal as f64 + 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
        a.iter().zip(b).map(|(a, b)| of(a - mean_a, b - mean_b)).sum()
    };
    let scale = sum(&|a, _| a * a).sqrt() * sum(&|_, b| b * b).sqrt();
    (scale > 0.0).then(|| (sum(&|a, b| a * b) / scale).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::super::scipy;
    use super::*;

    #[test]
    fn as_scipy_correlates() {
        for (name, both) in &scipy::vectors().spearman {
            let pairs: Vec<(f64, f64)> =
                both.a.iter().copied().zip(both.b.iter().copied()).collect();
            let rho = spearman(&pairs).unwrap();
            assert!((rho - both.rho).abs() < 1e-12, "{name}: {rho}");
        }
    }

    #[test]
    fn two_pairs_and_equal_values_have_none() {
        assert_eq!(spearman(&[(1.0, 2.0), (2.0, 3.0)]), None);
        assert_eq!(spearman(&[(1.0, 2.0), (2.0, 2.0), (3.0, 2.0)]), None);
    }
}
