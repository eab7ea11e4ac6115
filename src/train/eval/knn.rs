//! Weighted k nearest neighbours: no training, so it tells how features are arranged as they are.

use tch::{Kind, Tensor};

use crate::spec::eval::KnnSpec;

use super::hits::{Hits, Topk};
use super::labelled::{EvalError, Labelled};

/// Cosines held at once: 64 MiB in f32.
const COSINES: i64 = 1 << 24;

/// Classifies `queries` by the `k` features of `bank` with the largest cosine s, each voting for
/// its class with exp(s / temperature); k is cut to the size of the bank. A class without a vote
/// is never a hit, and between equal votes the lower class wins. Among neighbours equally near
/// at the k-th place, which ones vote is not defined.
///
/// # Errors
///
/// [`EvalError::Mismatch`] if the sets have features of different sizes or other classes.
pub fn knn_top(bank: &Labelled, queries: &Labelled, spec: KnnSpec) -> Result<Topk, EvalError> {
    bank.check_same_kind(queries)?;
    tch::no_grad(|| {
        let directions = unit(bank.features())?.f_tr()?;
        let k = i64::from(spec.k).clamp(1, bank.images());
        let mut hits = Hits::default();
        queries.in_chunks(COSINES / bank.images(), |features, labels| {
            let cosines = unit(features)?.f_mm(&directions)?;
            let (nearest, places) = cosines.f_topk(k, 1, true, false)?;
            let classes = bank.labels().f_take(&places)?;
            let votes = votes(&nearest, &classes, bank.classes(), spec.temperature)?;
            // The logarithm keeps the order and takes classes without a vote to -infinity.
            hits.add(&votes.f_log()?, labels)
        })?;
        Ok(hits.topk(bank.classes()))
    })
}

/// Sums the votes [queries, classes] of neighbours [queries, k].
fn votes(
    cosines: &Tensor,
    neighbours: &Tensor,
    classes: i64,
    temperature: f64,
) -> Result<Tensor, EvalError> {
    // A factor common to a query's votes changes nothing; this one keeps exp from overflowing.
    // f64, because at temperature 0.01 votes span more than the exponents of f32.
    let cosines = cosines.f_to_kind(Kind::Double)?;
    let behind = cosines.f_sub(&cosines.f_amax(&[1i64][..], true)?)?;
    let weights = behind.f_div_scalar(temperature)?.f_exp()?;
    let none = Tensor::f_zeros([cosines.size()[0], classes], (Kind::Double, cosines.device()))?;
    Ok(none.f_scatter_add(1, neighbours, &weights)?)
}

/// Scales rows to length 1; a row of zeros stays.
fn unit(rows: &Tensor) -> Result<Tensor, EvalError> {
    let lengths = rows.f_norm_scalaropt_dim(2, &[1i64][..], true)?;
    Ok(rows.f_div(&lengths.f_clamp_min(1e-12)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(rows: &[[f32; 2]], labels: &[i64], classes: i64) -> Labelled {
        let features = Tensor::from_slice(&rows.concat()).view([-1, 2]);
        Labelled::new(&features, &Tensor::from_slice(labels), classes).unwrap()
    }

    fn spec(k: u32, temperature: f64) -> KnnSpec {
        KnnSpec { k, temperature }
    }

    #[test]
    fn votes_are_sums_of_exponentials() {
        let cosines = Tensor::from_slice(&[1.0f32, 0.5, 0.5]).view([1, 3]);
        let neighbours = Tensor::from_slice(&[0i64, 1, 1]).view([1, 3]);
        let votes = votes(&cosines, &neighbours, 3, 0.5).unwrap();
        // Over exp(1 / 0.5): 1 and twice exp(-1) = 0.735759.
        let votes: Vec<f64> = votes.view(-1).try_into().unwrap();
        assert!((votes[0] - 1.0).abs() < 1e-9 && (votes[1] - 0.735759).abs() < 1e-6);
        assert_eq!(votes[2], 0.0);
    }

    /// One neighbour at cosine 1, two at 0.6: exp(1/T) against 2 exp(0.6/T), equal at T = 0.577.
    #[test]
    fn temperature_decides_between_near_and_many() {
        let bank = labelled(&[[3.0, 0.0], [0.6, 0.8], [6.0, -8.0]], &[0, 1, 1], 2);
        let queries = labelled(&[[0.5, 0.0]], &[0], 2);
        let top1 = |k, temperature| knn_top(&bank, &queries, spec(k, temperature)).unwrap().top1;
        assert_eq!(top1(3, 0.5), 1.0);
        assert_eq!(top1(3, 0.7), 0.0);
        assert_eq!(top1(1, 0.7), 1.0);
        assert_eq!(top1(200, 0.001), 1.0);
    }

    #[test]
    fn equal_votes_go_to_the_lower_class() {
        let bank = labelled(&[[0.0, 1.0], [0.0, -1.0]], &[1, 0], 2);
        let top1 = |label| {
            let queries = labelled(&[[1.0, 0.0]], &[label], 2);
            knn_top(&bank, &queries, spec(2, 0.1)).unwrap().top1
        };
        assert_eq!((top1(0), top1(1)), (1.0, 0.0));
    }

    #[test]
    fn a_class_without_a_vote_is_not_among_five() {
        let bank = labelled(&[[1.0, 0.0], [0.0, 1.0]], &[7, 8], 10);
        let queries = labelled(&[[1.0, 0.1], [1.0, 0.1], [1.0, 0.1]], &[7, 8, 0], 10);
        let topk = knn_top(&bank, &queries, spec(2, 0.1)).unwrap();
        assert_eq!(topk, Topk { top1: 1.0 / 3.0, top5: Some(2.0 / 3.0) });
    }

    #[test]
    fn broken_features_are_wrong_and_zeros_are_not_broken() {
        let bank = labelled(&[[1.0, 0.0], [0.0, 0.0]], &[0, 1], 2);
        let queries = labelled(&[[f32::NAN, 0.0], [0.0, 0.0], [1.0, 0.0]], &[0, 0, 0], 2);
        assert_eq!(knn_top(&bank, &queries, spec(2, 0.1)).unwrap().top1, 2.0 / 3.0);
    }

    #[test]
    fn sets_of_other_features_are_refused() {
        let bank = labelled(&[[1.0, 0.0]], &[0], 2);
        let queries = labelled(&[[1.0, 0.0]], &[0], 3);
        let error = knn_top(&bank, &queries, spec(1, 0.1)).unwrap_err();
        assert!(matches!(error, EvalError::Mismatch { .. }));
    }
}
