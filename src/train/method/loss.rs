//! The losses, as functions of vectors `[n, d]`. Knows no networks.

use tch::{Kind, Tensor};

use crate::spec::run::NtXentScale;

/// Squared norms below this count as this (BYOL's code, `helpers.py`).
const SMALLEST_SQUARED_NORM: f64 = 1e-12;

/// One `[n, d]` tensor for each of the two views.
#[derive(Debug)]
pub struct Pair {
    /// Of the first view.
    pub first: Tensor,
    /// Of the second view.
    pub second: Tensor,
}

/// Returns BYOL's loss (equation 2, both directions): the mean over images of the SUM of
/// `2 - 2 cos(p1, z2)` and `2 - 2 cos(p2, z1)`; from 0 to 8. Whether targets carry a gradient is
/// the caller's choice.
pub fn regression(predictions: &Pair, targets: &Pair) -> Tensor {
    let alike =
        cosine(&predictions.first, &targets.second) + cosine(&predictions.second, &targets.first);
    4.0 - alike.mean(None) * 2.0
}

/// Returns the cross-entropy of finding an image's other view among all other views of the
/// batch, the mean over 2N views times `scale`.
///
/// With the same projections on both sides and no stopped gradient this is NT-Xent (SimCLR,
/// equation 1). With predictions on one side and targets on the other it is BYOL's InfoNCE at
/// beta = 1 (equation 8), whose denominator has the same 2N - 1 terms.
pub fn nt_xent(predictions: &Pair, targets: &Pair, temperature: f64, scale: NtXentScale) -> Tensor {
    let queries = normalised(&Tensor::cat(&[&predictions.first, &predictions.second], 0));
    let keys = normalised(&Tensor::cat(&[&targets.first, &targets.second], 0));
    let views = queries.size()[0];
    let logits = queries.matmul(&keys.tr()) / temperature;
    let itself = Tensor::eye(views, (Kind::Bool, logits.device()));
    let logits = logits.masked_fill(&itself, f64::NEG_INFINITY);
    let other_view = Tensor::arange(views, (Kind::Int64, logits.device())).roll(views / 2, 0);
    // Not tch's `cross_entropy_for_logits`, which goes through single precision.
    logits.log_softmax(-1, None).nll_loss(&other_view) * constant(scale, temperature)
}

/// Returns the number in front of NT-Xent's mean over 2N views.
pub fn constant(scale: NtXentScale, temperature: f64) -> f64 {
    match scale {
        NtXentScale::MeanOverViews => 1.0,
        NtXentScale::SumOfDirections => 2.0,
        NtXentScale::InfoNce => 4.0 * temperature,
    }
}

/// Cosine of each row with its like, `[n]`.
fn cosine(a: &Tensor, b: &Tensor) -> Tensor {
    (normalised(a) * normalised(b)).sum_dim_intlist([-1i64].as_slice(), false, None)
}

/// `x rsqrt(max(sum x^2, 1e-12))`, row by row.
fn normalised(x: &Tensor) -> Tensor {
    let squared = x.square().sum_dim_intlist([-1i64].as_slice(), true, None);
    x * squared.clamp_min(SMALLEST_SQUARED_NORM).rsqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(first: [f64; 4], second: [f64; 4]) -> Pair {
        Pair {
            first: Tensor::from_slice(&first).view([2, 2]),
            second: Tensor::from_slice(&second).view([2, 2]),
        }
    }

    #[test]
    fn regression_goes_from_0_to_8_whatever_the_lengths() {
        let p = pair([1.0, 0.0, 0.0, 5.0], [0.0, 1.0, 1.0, 1.0]);
        let agree = pair([0.0, 3.0, 7.0, 7.0], [2.0, 0.0, 0.0, 0.1]);
        let oppose = pair([0.0, -3.0, -7.0, -7.0], [-2.0, 0.0, 0.0, -0.1]);
        assert!(regression(&p, &agree).double_value(&[]).abs() < 1e-12);
        assert!((regression(&p, &oppose).double_value(&[]) - 8.0).abs() < 1e-12);
    }

    #[test]
    fn a_zero_vector_gives_a_number() {
        let zero = pair([0.0; 4], [0.0; 4]);
        assert_eq!(regression(&zero, &zero).double_value(&[]), 4.0);
    }

    #[test]
    fn constants_are_the_sources() {
        assert_eq!(constant(NtXentScale::MeanOverViews, 0.1), 1.0);
        assert_eq!(constant(NtXentScale::SumOfDirections, 0.1), 2.0);
        assert_eq!(constant(NtXentScale::InfoNce, 0.1), 0.4);
    }

    /// BYOL's equation 8 at beta = 1, written out for a batch of two.
    #[test]
    fn with_separate_targets_it_is_the_paper_s_info_nce() {
        let (alpha, n) = (0.3, 2usize);
        let phi = [[[1.0, 0.2], [0.3, -1.0]], [[0.5, 0.5], [-0.2, 0.9]]];
        let psi = [[[0.7, -0.1], [1.0, 1.0]], [[-0.4, 0.6], [0.1, 0.8]]];
        let s = |a: [f64; 2], b: [f64; 2]| {
            (a[0] * b[0] + a[1] * b[1])
                / ((a[0] * a[0] + a[1] * a[1]) * (b[0] * b[0] + b[1] * b[1])).sqrt()
        };
        let mut to_maximise = 0.0;
        for (v, w) in [(0, 1), (1, 0)] {
            for i in 0..n {
                let same: f64 = (0..n)
                    .filter(|&j| j != i)
                    .map(|j| (s(phi[v][i], psi[v][j]) / alpha).exp())
                    .sum();
                let cross: f64 = (0..n).map(|j| (s(phi[v][i], psi[w][j]) / alpha).exp()).sum();
                to_maximise +=
                    2.0 / n as f64 * (s(phi[v][i], psi[w][i]) - alpha * (same + cross).ln());
            }
        }
        let flat = |x: [[f64; 2]; 2]| [x[0][0], x[0][1], x[1][0], x[1][1]];
        let found = nt_xent(
            &pair(flat(phi[0]), flat(phi[1])),
            &pair(flat(psi[0]), flat(psi[1])),
            alpha,
            NtXentScale::InfoNce,
        );
        assert!((found.double_value(&[]) + to_maximise).abs() < 1e-12);
    }
}
