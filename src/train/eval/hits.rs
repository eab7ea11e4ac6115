//! Counts how often the true class is among the best. One rule for all protocols.

use tch::{Kind, Tensor};

use super::labelled::EvalError;

/// Shares of images whose class is the first, or among the first five, in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Topk {
    /// The class scores highest.
    pub top1: f64,
    /// The class is among the five that score highest; only with ten classes or more.
    pub top5: Option<f64>,
}

/// Running counts over chunks of images.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hits {
    images: i64,
    top1: i64,
    top5: i64,
}

impl Hits {
    /// Adds images by the `scores` [images, classes] and `labels` [images]. Between equal scores
    /// the lower class comes first. A class whose own score is not finite is never a hit, so
    /// broken features count as wrong, not as tied.
    pub(super) fn add(&mut self, scores: &Tensor, labels: &Tensor) -> Result<(), EvalError> {
        let classes = scores.size()[1];
        let column = labels.f_unsqueeze(1)?;
        let own = scores.f_gather(1, &column, false)?;
        let order = Tensor::f_arange(classes, (Kind::Int64, scores.device()))?.f_unsqueeze(0)?;
        let tied_before = scores.f_eq_tensor(&own)?.f_logical_and(&order.f_lt_tensor(&column)?)?;
        let before = scores.f_gt_tensor(&own)?.f_logical_or(&tied_before)?;
        let rank = before.f_sum_dim_intlist(&[1i64][..], false, Kind::Int64)?;
        let known = own.f_isfinite()?.f_squeeze_dim(1)?;
        let within = |k: i64| -> Result<i64, EvalError> {
            let hits = rank.f_lt(k)?.f_logical_and(&known)?;
            Ok(hits.f_sum(Kind::Int64)?.f_int64_value(&[])?)
        };
        self.top1 += within(1)?;
        self.top5 += within(5)?;
        self.images += labels.size()[0];
        Ok(())
    }

    /// Returns the shares; 0 of no images.
    pub(super) fn topk(self, classes: i64) -> Topk {
        let share = |hits: i64| hits as f64 / self.images.max(1) as f64;
        Topk { top1: share(self.top1), top5: (classes >= 10).then(|| share(self.top5)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topk(rows: &[[f32; 10]], labels: &[i64]) -> Topk {
        let mut hits = Hits::default();
        for (row, label) in rows.iter().zip(labels) {
            let scores = Tensor::from_slice(row).view([1, 10]);
            hits.add(&scores, &Tensor::from_slice(&[*label])).unwrap();
        }
        hits.topk(10)
    }

    #[test]
    fn classes_are_ranked_by_score_then_by_number() {
        let falling = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0];
        let equal = [1.0; 10];
        let rows = [falling, falling, falling, equal, equal];
        let expected = Topk { top1: 2.0 / 5.0, top5: Some(3.0 / 5.0) };
        assert_eq!(topk(&rows, &[0, 4, 5, 0, 5]), expected);
    }

    #[test]
    fn a_broken_score_is_never_a_hit() {
        let broken = [[f32::NAN; 10], [f32::NEG_INFINITY; 10], [f32::INFINITY; 10]];
        assert_eq!(topk(&broken, &[0, 0, 0]), Topk { top1: 0.0, top5: Some(0.0) });
    }

    #[test]
    fn five_of_fewer_than_ten_classes_say_nothing() {
        assert_eq!(Hits::default().topk(9).top5, None);
    }
}
