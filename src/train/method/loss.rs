//! The losses, as functions of vectors `[n, d]`. Knows no networks.

use tch::{Kind, Tensor};

use crate::spec::run::{Normalization, NtXentScale};

/// Squared norms below this count as this (BYOL's code, `helpers.py`).
const SMALLEST_SQUARED_NORM: f64 = 1e-12;

/// Added to variances, as the layers of that name do by default.
const SMALLEST_VARIANCE: f64 = 1e-5;

/// Singular values below this share of the largest count as 0.
const RANK_TOLERANCE: f64 = 1e-7;

/// One `[n, d]` tensor for each of the two views.
#[derive(Debug)]
pub struct Pair {
    /// Of the first view.
    pub first: Tensor,
    /// Of the second view.
    pub second: Tensor,
}

/// Returns BYOL's loss (equation 2, both directions): the mean over images of the SUM of
/// `|n(p1) - n(z2)|^2` and `|n(p2) - n(z1)|^2`. With the l2 normalisation that is
/// `4 - 2 cos(p1, z2) - 2 cos(p2, z1)`, from 0 to 8. Whether targets carry a gradient is the
/// caller's choice.
pub fn regression(predictions: &Pair, targets: &Pair, normalization: Normalization) -> Tensor {
    let directions = [(&predictions.first, &targets.second), (&predictions.second, &targets.first)];
    match normalization {
        Normalization::L2 => {
            let [one, two] = directions.map(|(prediction, target)| cosine(prediction, target));
            4.0 - (one + two).mean(None) * 2.0
        }
        Normalization::Layer | Normalization::Batch | Normalization::None => {
            let [one, two] = directions.map(|(prediction, target)| {
                let apart = spread(prediction, normalization) - spread(target, normalization);
                apart.square().sum_dim_intlist([-1i64].as_slice(), false, None)
            });
            (one + two).mean(None)
        }
    }
}

/// n of Table 20: `(x - mean) / std / sqrt(d)`, over the dimensions of each vector or over the
/// batch, so that a vector has a length near 1.
fn spread(x: &Tensor, normalization: Normalization) -> Tensor {
    let over = match normalization {
        Normalization::L2 => return normalised(x),
        Normalization::None => return x.shallow_clone(),
        Normalization::Layer => 1,
        Normalization::Batch => 0,
    };
    let dimensions = x.size()[1] as f64;
    let centred = x - x.mean_dim(over, true, None);
    let variance = centred.square().mean_dim(over, true, None);
    centred * (variance + SMALLEST_VARIANCE).rsqrt() / dimensions.sqrt()
}

/// Returns the cross-entropy of finding an image's other view among all other views of the
/// batch, the mean over 2N views times `scale`.
///
/// With the same projections on both sides and no stopped gradient this is NT-Xent (SimCLR,
/// equation 1).
pub fn nt_xent(predictions: &Pair, targets: &Pair, temperature: f64, scale: NtXentScale) -> Tensor {
    let logits = Logits::of(predictions, targets, temperature);
    // Not tch's `cross_entropy_for_logits`, which goes through single precision.
    logits.others.log_softmax(-1, None).nll_loss(&logits.other_view) * constant(scale, temperature)
}

/// Returns what BYOL's InfoNCE (equation 8) leaves to minimise, both orders of the views summed:
///
/// `-2/B sum_i S(v_i, v'_i) + beta 2 alpha/B sum_i ln(sum_{j != i} exp(S(v_i, v_j)/alpha) +
/// sum_j exp(S(v_i, v'_j)/alpha))`, and the same with v and v' exchanged,
///
/// where S is the cosine of a prediction with a target. beta multiplies the logarithm alone. At
/// beta = 1 it is 4 alpha times [`nt_xent`]'s mean over views.
pub fn info_nce(predictions: &Pair, targets: &Pair, beta: f64, temperature: f64) -> Tensor {
    let logits = Logits::of(predictions, targets, temperature);
    let negatives = logits.others.logsumexp([-1i64].as_slice(), false);
    let positives = logits.others.gather(1, &logits.other_view.unsqueeze(1), false).squeeze_dim(1);
    (negatives * beta - positives).mean(None) * (4.0 * temperature)
}

/// Similarities of all 2N predictions with all 2N targets over the temperature.
struct Logits {
    /// `[2N, 2N]`; minus infinity where a view would meet itself.
    others: Tensor,
    /// Where each view finds the other of its image.
    other_view: Tensor,
}

impl Logits {
    fn of(predictions: &Pair, targets: &Pair, temperature: f64) -> Self {
        let queries = normalised(&Tensor::cat(&[&predictions.first, &predictions.second], 0));
        let keys = normalised(&Tensor::cat(&[&targets.first, &targets.second], 0));
        let views = queries.size()[0];
        let logits = queries.matmul(&keys.tr()) / temperature;
        let itself = Tensor::eye(views, (Kind::Bool, logits.device()));
        let other_view = Tensor::arange(views, (Kind::Int64, logits.device())).roll(views / 2, 0);
        Logits { others: logits.masked_fill(&itself, f64::NEG_INFINITY), other_view }
    }
}

/// Returns the number in front of NT-Xent's mean over 2N views.
pub fn constant(scale: NtXentScale, temperature: f64) -> f64 {
    match scale {
        NtXentScale::MeanOverViews => 1.0,
        NtXentScale::SumOfDirections => 2.0,
        NtXentScale::InfoNce => 4.0 * temperature,
    }
}

/// Returns `z Q` with the matrix Q that maps `z` `[n, d]` best to `target` `[n, d]` on this batch:
/// `Q = (Z^T Z)^-1 Z^T Z'` (BYOL, appendix I.2), found before the error goes back through the
/// network (section 5), so constant for the gradient. The pseudo-inverse gives the same Q, and the
/// shortest one where a collapse leaves `Z^T Z` without inverse.
pub fn optimal_prediction(z: &Tensor, target: &Tensor) -> Tensor {
    let best = tch::no_grad(|| {
        let z = z.to_kind(Kind::Double);
        // Fails on infinite and NaN entries only: the loss is NaN then, and the run has diverged.
        let inverse = z.f_linalg_pinv(RANK_TOLERANCE, false);
        inverse.map(|inverse| inverse.matmul(&target.to_kind(Kind::Double)))
    });
    match best {
        Ok(best) => z.matmul(&best.to_kind(z.kind())),
        Err(_) => z * f64::NAN,
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
        assert!(regression(&p, &agree, Normalization::L2).double_value(&[]).abs() < 1e-12);
        assert!((regression(&p, &oppose, Normalization::L2).double_value(&[]) - 8.0).abs() < 1e-12);
    }

    #[test]
    fn a_zero_vector_gives_a_number() {
        let zero = pair([0.0; 4], [0.0; 4]);
        assert_eq!(regression(&zero, &zero, Normalization::L2).double_value(&[]), 4.0);
    }

    #[test]
    fn constants_are_the_sources() {
        assert_eq!(constant(NtXentScale::MeanOverViews, 0.1), 1.0);
        assert_eq!(constant(NtXentScale::SumOfDirections, 0.1), 2.0);
        assert_eq!(constant(NtXentScale::InfoNce, 0.1), 0.4);
    }

    const PHI: [[[f64; 2]; 2]; 2] = [[[1.0, 0.2], [0.3, -1.0]], [[0.5, 0.5], [-0.2, 0.9]]];
    const PSI: [[[f64; 2]; 2]; 2] = [[[0.7, -0.1], [1.0, 1.0]], [[-0.4, 0.6], [0.1, 0.8]]];

    fn pairs() -> (Pair, Pair) {
        let flat = |x: [[f64; 2]; 2]| [x[0][0], x[0][1], x[1][0], x[1][1]];
        let of = |x: [[[f64; 2]; 2]; 2]| pair(flat(x[0]), flat(x[1]));
        (of(PHI), of(PSI))
    }

    /// BYOL's equation 8, written out for a batch of two, both orders.
    fn to_maximise(alpha: f64, beta: f64) -> f64 {
        let n = 2usize;
        let s = |a: [f64; 2], b: [f64; 2]| {
            (a[0] * b[0] + a[1] * b[1])
                / ((a[0] * a[0] + a[1] * a[1]) * (b[0] * b[0] + b[1] * b[1])).sqrt()
        };
        let mut sum = 0.0;
        for (v, w) in [(0, 1), (1, 0)] {
            for i in 0..n {
                let same: f64 = (0..n)
                    .filter(|&j| j != i)
                    .map(|j| (s(PHI[v][i], PSI[v][j]) / alpha).exp())
                    .sum();
                let cross: f64 = (0..n).map(|j| (s(PHI[v][i], PSI[w][j]) / alpha).exp()).sum();
                let negatives = beta * alpha * (same + cross).ln();
                sum += 2.0 / n as f64 * (s(PHI[v][i], PSI[w][i]) - negatives);
            }
        }
        sum
    }

    #[test]
    fn info_nce_is_the_paper_s_at_any_beta_and_temperature() {
        let (predictions, targets) = pairs();
        for (alpha, beta) in [(0.3, 1.0), (0.3, 0.5), (0.01, 0.1), (10.0, 2.0)] {
            let found = info_nce(&predictions, &targets, beta, alpha).double_value(&[]);
            assert!((found + to_maximise(alpha, beta)).abs() < 1e-12, "{alpha} {beta}");
        }
    }

    #[test]
    fn the_corners_of_info_nce_are_the_other_losses() {
        let (predictions, targets) = pairs();
        let nt_xent = nt_xent(&predictions, &targets, 0.2, NtXentScale::InfoNce);
        let one = info_nce(&predictions, &targets, 1.0, 0.2);
        assert!((one.double_value(&[]) - nt_xent.double_value(&[])).abs() < 1e-12);
        let regression = regression(&predictions, &targets, Normalization::L2);
        let zero = info_nce(&predictions, &targets, 0.0, 0.2);
        assert!((zero.double_value(&[]) + 4.0 - regression.double_value(&[])).abs() < 1e-12);
    }

    /// Table 20's formulas, written out for a batch of two in two dimensions.
    #[test]
    fn normalisations_are_over_the_vector_over_the_batch_or_nowhere() {
        let (predictions, targets) = pairs();
        let layer = |x: [[f64; 2]; 2]| {
            x.map(|v| {
                let (mean, half) = ((v[0] + v[1]) / 2.0, (v[0] - v[1]) / 2.0);
                let std = (half * half + SMALLEST_VARIANCE).sqrt();
                v.map(|value| (value - mean) / std / 2.0f64.sqrt())
            })
        };
        let transposed = |x: [[f64; 2]; 2]| [[x[0][0], x[1][0]], [x[0][1], x[1][1]]];
        let batch = |x| transposed(layer(transposed(x)));
        let expected = |n: &dyn Fn([[f64; 2]; 2]) -> [[f64; 2]; 2]| {
            let mut sum = 0.0;
            for (v, w) in [(0, 1), (1, 0)] {
                let (p, z) = (n(PHI[v]), n(PSI[w]));
                for i in 0..2 {
                    sum += (0..2).map(|d| (p[i][d] - z[i][d]).powi(2)).sum::<f64>() / 2.0;
                }
            }
            sum
        };
        let check = |normalization, expected: f64| {
            let found = regression(&predictions, &targets, normalization).double_value(&[]);
            assert!((found - expected).abs() < 1e-12, "{normalization:?}: {found} {expected}");
        };
        check(Normalization::Layer, expected(&layer));
        check(Normalization::Batch, expected(&batch));
        check(Normalization::None, expected(&|x| x));
    }

    #[test]
    fn the_optimal_predictor_undoes_a_matrix_and_is_constant_for_the_gradient() {
        let z = Tensor::from_slice(&[1.0, 2.0, 0.5, -1.0, 0.0, 3.0]).view([3, 2]);
        let z = z.set_requires_grad(true);
        let matrix = Tensor::from_slice(&[2.0, -1.0, 0.5, 4.0]).view([2, 2]);
        let target = z.detach().matmul(&matrix);
        let prediction = optimal_prediction(&z, &target);
        assert!(prediction.allclose(&target, 1e-9, 1e-9, false));
        prediction.sum(Kind::Double).backward();
        // d(sum of z Q)/dz is the row sums of Q for every row.
        let expected = matrix.sum_dim_intlist([1i64].as_slice(), false, None).expand([3, 2], false);
        assert!(z.grad().allclose(&expected, 1e-9, 1e-9, false));
    }

    #[test]
    fn the_optimal_predictor_is_least_squares_and_survives_a_collapse() {
        let z = Tensor::from_slice(&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0]).view([3, 2]);
        let target = Tensor::from_slice(&[1.0, 0.0, 2.0, 0.0, 6.0, 3.0]).view([3, 2]);
        let mean = Tensor::from_slice(&[3.0, 1.0]).expand([3, 2], false);
        assert!(optimal_prediction(&z, &target).allclose(&mean, 1e-9, 1e-9, false));
        let nan = optimal_prediction(&(z * f64::NAN), &target);
        assert!(nan.isnan().all().int64_value(&[]) == 1);
    }
}
