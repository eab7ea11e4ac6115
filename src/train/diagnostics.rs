//! What an embedding looks like, and when it has collapsed: pure functions on tensors `[n, d]`, a
//! row an image. Knows nothing of networks, of training or of labels. `docs/diagnostics.md` is the
//! same for people.

use tch::{Device, Kind, TchError, Tensor};

use crate::outcome::Verdict;

/// Below this [`Embedding::std_relative`] an embedding has collapsed. A constant embedding has 0,
/// one spread evenly over the sphere 1 (SimSiam, arXiv 2011.10566, section 4.1 and figure 2); a
/// tenth says that the images' directions differ by a tenth of what the sphere has room for.
pub const COLLAPSED_STD: f64 = 0.1;

/// Below this [`Embedding::effective_rank`] an embedding has collapsed. A constant embedding has
/// rank 1, one that tells images apart by a single direction of equal weight has 2: 1.5 lies
/// between.
pub const COLLAPSED_RANK: f64 = 1.5;

/// An embedding of fewer rows or dimensions is not judged: a healthy one has a rank close to 1.5
/// too.
pub const LEAST_JUDGED: i64 = 8;

/// Added to every share of the singular values (`RankMe`, arXiv 2210.02885, equation 1).
const RANK_EPSILON: f64 = 1e-7;

/// Rows of which pairs are looked at.
const PAIR_ROWS: i64 = 1024;

/// What the verdict on an embedding goes by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Embedding {
    /// See [`std_relative`].
    pub std_relative: f64,
    /// See [`effective_rank`].
    pub effective_rank: f64,
}

impl Embedding {
    /// Measures projections `[n, d]`.
    ///
    /// # Errors
    ///
    /// libtorch's own.
    pub fn of(projections: &Tensor) -> Result<Self, TchError> {
        Ok(Self {
            std_relative: std_relative(projections)?,
            effective_rank: effective_rank(projections)?,
        })
    }

    /// Returns itself where it may be judged: not for too few rows or dimensions, see
    /// [`LEAST_JUDGED`], and not for numbers that are not finite, which are a matter of divergence.
    pub fn judged(self, rows: i64, dimensions: i64) -> Option<Self> {
        (rows.min(dimensions) >= LEAST_JUDGED && self.is_finite()).then_some(self)
    }

    fn is_finite(&self) -> bool {
        self.std_relative.is_finite() && self.effective_rank.is_finite()
    }
}

/// Judges a run by its embedding at the end, and by nothing else: an accuracy would need labels.
pub fn judge_embedding(embedding: Embedding) -> Verdict {
    let Embedding { std_relative, effective_rank } = embedding;
    if std_relative < COLLAPSED_STD || effective_rank < COLLAPSED_RANK {
        Verdict::Collapsed
    } else {
        Verdict::Healthy
    }
}

/// Returns the standard deviation over rows of each dimension of z / |z|, its mean over dimensions,
/// times sqrt(d): from 0, all rows point one way, to 1, rows spread evenly over the sphere (SimSiam,
/// section 4.1, where it is compared with 1 / sqrt(d)). Divides by n, so that 1 is never exceeded.
///
/// # Errors
///
/// libtorch's own.
pub fn std_relative(z: &Tensor) -> Result<f64, TchError> {
    let deviations = directions(z)?.f_std_dim(&[0i64][..], false, false)?;
    Ok(value(&deviations.f_mean(Kind::Double)?)? * (z.size()[1] as f64).sqrt())
}

/// Returns exp of the entropy of the singular values of z, each as its share of their sum
/// (`RankMe`, arXiv 2210.02885, equation 1): from 1 to min(n, d). NaN where z is not finite.
///
/// The squares of the singular values are the eigenvalues of the smaller of z's two Gram matrices,
/// taken in double precision on the CPU.
///
/// # Errors
///
/// libtorch's own.
pub fn effective_rank(z: &Tensor) -> Result<f64, TchError> {
    let (rows, dimensions) = z.size2()?;
    let z = z.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?;
    let gram = if rows < dimensions { z.f_mm(&z.f_tr()?)? } else { z.f_tr()?.f_mm(&z)? };
    if gram.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
        return Ok(f64::NAN);
    }
    let singular = gram.f_linalg_eigvalsh("L")?.f_clamp_min(0.0)?.f_sqrt()?;
    let sum = singular.f_sum(Kind::Double)?.f_clamp_min(f64::MIN_POSITIVE)?;
    let shares = singular.f_div(&sum)?.f_add_scalar(RANK_EPSILON)?;
    let entropy = shares.f_mul(&shares.f_log()?)?.f_sum(Kind::Double)?;
    Ok((-value(&entropy)?).exp())
}

/// Returns the mean squared distance of an image's two directions: from 0, both views look the same,
/// to 4 (Wang and Isola, arXiv 2005.10242, section 4.1 at alpha = 2). Of the first 1024 rows.
///
/// # Errors
///
/// libtorch's own.
pub fn alignment(first: &Tensor, second: &Tensor) -> Result<f64, TchError> {
    let apart = directions(&of_pairs(first)?)?.f_sub(&directions(&of_pairs(second)?)?)?;
    let squared = apart.f_square()?.f_sum_dim_intlist(&[1i64][..], false, Kind::Double)?;
    value(&squared.f_mean(Kind::Double)?)
}

/// Returns the logarithm of the mean over pairs of rows of exp(-2 |a - b|^2), a and b their
/// directions: from 0, all rows point one way, down to -8 (Wang and Isola, section 4.1 at t = 2).
/// Of the first 1024 rows; NaN for one row.
///
/// # Errors
///
/// libtorch's own.
pub fn uniformity(z: &Tensor) -> Result<f64, TchError> {
    let apart = directions(&of_pairs(z)?)?.f_pdist(2.0)?;
    let potential = apart.f_square()?.f_mul_scalar(-2.0)?.f_exp()?.f_mean(Kind::Double)?;
    value(&potential.f_log()?)
}

/// Returns the mean length of the rows, from 0.
///
/// # Errors
///
/// libtorch's own.
pub fn mean_norm(z: &Tensor) -> Result<f64, TchError> {
    value(&z.f_norm_scalaropt_dim(2, &[1i64][..], false)?.f_mean(Kind::Double)?)
}

/// Returns the Euclidean length of all numbers of these tensors as one vector, from 0.
///
/// # Errors
///
/// libtorch's own.
pub fn norm<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> Result<f64, TchError> {
    let lengths: Vec<Tensor> = tensors.into_iter().map(Tensor::f_norm).collect::<Result<_, _>>()?;
    if lengths.is_empty() {
        return Ok(0.0);
    }
    value(&Tensor::f_stack(&lengths, 0)?.f_norm()?)
}

/// Scales rows to length 1; a row of zeros stays.
fn directions(z: &Tensor) -> Result<Tensor, TchError> {
    let lengths = z.f_norm_scalaropt_dim(2, &[1i64][..], true)?;
    z.f_div(&lengths.f_clamp_min(1e-12)?)
}

fn of_pairs(z: &Tensor) -> Result<Tensor, TchError> {
    z.f_narrow(0, 0, z.size()[0].min(PAIR_ROWS))
}

fn value(number: &Tensor) -> Result<f64, TchError> {
    number.f_double_value(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(z: &Tensor) -> Option<Embedding> {
        let (rows, dimensions) = z.size2().unwrap();
        Embedding::of(z).unwrap().judged(rows, dimensions)
    }

    fn rows(values: &[f64], width: i64) -> Tensor {
        Tensor::from_slice(values).view([-1, width])
    }

    #[track_caller]
    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{found} {expected}");
    }

    /// Plus and minus each axis: every dimension is 0 but twice, so its variance is 2 / (2 d).
    fn axes(d: i64) -> Tensor {
        let eye = Tensor::eye(d, (Kind::Float, Device::Cpu));
        Tensor::cat(&[&eye * 3.0, &eye * -0.5], 0)
    }

    #[test]
    fn rows_all_over_the_sphere_have_a_std_of_1_and_equal_ones_of_0() {
        close(std_relative(&axes(16)).unwrap(), 1.0);
        close(std_relative(&rows(&[3.0, 4.0, 6.0, 8.0, 0.3, 0.4], 2)).unwrap(), 0.0);
        // (0.6, 0.8) and (0.6, -0.8): deviations 0 and 0.8, mean 0.4, times sqrt(2).
        close(std_relative(&rows(&[3.0, 4.0, 6.0, -8.0], 2)).unwrap(), 0.4 * 2f64.sqrt());
        close(std_relative(&rows(&[0.0; 4], 2)).unwrap(), 0.0);
    }

    #[test]
    fn rank_counts_directions_by_their_weight() {
        let rank = |z: &Tensor| effective_rank(z).unwrap();
        let eye = Tensor::eye(5, (Kind::Double, Device::Cpu));
        close(rank(&(&eye * 7.0)), 5.0);
        assert!((rank(&rows(&[1.0, 2.0, 1.0, 2.0, 1.0, 2.0], 2)) - 1.0).abs() < 1e-5);
        // Shares 3/4 and 1/4: exp(3/4 ln 4/3 + 1/4 ln 4).
        let expected = (0.75 * (4.0f64 / 3.0).ln() + 0.25 * 4.0f64.ln()).exp();
        let both = rows(&[3.0, 0.0, 0.0, 1.0, 0.0, 0.0], 2);
        close(rank(&both), expected);
        // The other Gram matrix has the same eigenvalues.
        close(rank(&both.tr()), expected);
        assert!((rank(&rows(&[0.0; 8], 2)) - 1.0).abs() < 1e-4);
        assert!(rank(&rows(&[1.0, f64::NAN], 2)).is_nan());
    }

    #[test]
    fn alignment_is_the_squared_distance_of_directions() {
        let first = rows(&[2.0, 0.0, 0.0, 5.0], 2);
        // At a right angle, squared distance 2; the same way, 0.
        close(alignment(&first, &rows(&[0.0, 9.0, 0.0, 1.0], 2)).unwrap(), 1.0);
        close(alignment(&first, &(&first * -1.0)).unwrap(), 4.0);
    }

    #[test]
    fn uniformity_is_the_logarithm_of_a_mean_over_pairs() {
        // Squared distances 2, 2 and 4.
        let three = rows(&[1.0, 0.0, 0.0, 2.0, -3.0, 0.0], 2);
        let expected = ((2.0 * (-4.0f64).exp() + (-8.0f64).exp()) / 3.0).ln();
        close(uniformity(&three).unwrap(), expected);
        close(uniformity(&rows(&[1.0, 1.0, 2.0, 2.0], 2)).unwrap(), 0.0);
        assert!(uniformity(&rows(&[1.0, 1.0], 2)).unwrap().is_nan());
    }

    #[test]
    fn pairs_are_those_of_the_first_rows() {
        let even = Tensor::ones([PAIR_ROWS, 2], (Kind::Float, Device::Cpu));
        let more = Tensor::cat(&[&even, &(&even * -1.0)], 0);
        close(uniformity(&more).unwrap(), 0.0);
        close(alignment(&more, &more.abs()).unwrap(), 0.0);
    }

    #[test]
    fn lengths_are_euclidean() {
        close(mean_norm(&rows(&[3.0, 4.0, 0.0, 1.0], 2)).unwrap(), 3.0);
        let (a, b) = (rows(&[1.0, 2.0, 2.0], 3), rows(&[4.0], 1));
        close(norm([&a, &b]).unwrap(), 5.0);
        close(norm([]).unwrap(), 0.0);
    }

    #[test]
    fn either_statistic_tells_a_collapse() {
        let verdict = |std_relative, effective_rank| {
            judge_embedding(Embedding { std_relative, effective_rank })
        };
        assert_eq!(verdict(0.1, 1.5), Verdict::Healthy);
        assert_eq!(verdict(0.09, 100.0), Verdict::Collapsed);
        assert_eq!(verdict(0.9, 1.49), Verdict::Collapsed);
    }

    #[test]
    fn a_constant_embedding_is_collapsed_and_a_spread_one_is_not() {
        let verdict = |z: &Tensor| judged(z).map(judge_embedding);
        let constant = Tensor::ones([32, 16], (Kind::Float, Device::Cpu));
        assert_eq!(verdict(&constant), Some(Verdict::Collapsed));
        // What is left of a collapse in practice: a constant and a little noise.
        let noise = axes(16) * 1e-3;
        assert_eq!(verdict(&(constant + noise)), Some(Verdict::Collapsed));
        assert_eq!(verdict(&axes(16)), Some(Verdict::Healthy));
    }

    #[test]
    fn too_little_to_judge_is_not_judged() {
        let of = |rows: i64, d: i64| judged(&Tensor::ones([rows, d], (Kind::Float, Device::Cpu)));
        assert!(of(LEAST_JUDGED, LEAST_JUDGED).is_some());
        assert_eq!(of(LEAST_JUDGED - 1, 64), None);
        assert_eq!(of(64, LEAST_JUDGED - 1), None);
        let broken = Tensor::full([32, 16], f64::NAN, (Kind::Float, Device::Cpu));
        assert_eq!(judged(&broken), None);
    }
}
