//! Linear classifier on frozen features, which are used as they are: neither centred nor scaled.
//!
//! SGD with Nesterov momentum 0.9, a cosine to zero without warm-up, no weight decay (BYOL,
//! appendix C.1). The learning rate is chosen on held-out training images, the classifier then
//! fitted to all of them, and the test images are looked at once. All candidates train at once as
//! one wide layer, on the same batches, with the gradient written out: softmax minus one-hot.

use std::f64::consts::PI;

use tch::{Device, Kind, Tensor};

use crate::spec::eval::LinearSpec;
use crate::train::poll::Poll;

use super::hits::{Hits, Topk};
use super::labelled::{EvalError, Labelled};
use super::split::{Purpose, hold_out, reorder};

const MOMENTUM: f64 = 0.9;

/// Images judged at once.
const ROWS: i64 = 8192;

/// What a linear classifier makes of the features.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinearResult {
    /// Shares of the test images.
    pub test: Topk,
    /// The chosen candidate, at 256 images a step.
    pub learning_rate: f64,
    /// Share of the held-out training images that it got right, in [0, 1].
    pub holdout_top1: f64,
}

/// Judges the features of `test` by a classifier learned on `train`; `seed` chooses the held-out
/// images and the order of batches.
///
/// # Errors
///
/// [`EvalError::Mismatch`] if the sets do not belong together, [`EvalError::NoHoldout`] if no
/// class has two training images, [`EvalError::NoFiniteCandidate`] if all candidates diverge,
/// which takes features that are not finite or nearly so, and [`EvalError::Interrupted`] when
/// somebody asks to stop.
pub fn linear(
    train: &Labelled,
    test: &Labelled,
    spec: &LinearSpec,
    seed: u64,
    poll: Poll<'_>,
) -> Result<LinearResult, EvalError> {
    train.check_same_kind(test)?;
    tch::no_grad(|| {
        let labels = Vec::<i64>::try_from(train.labels().f_to_device(Device::Cpu)?)?;
        let split = hold_out(&labels, spec.holdout, seed);
        if split.held_out.is_empty() {
            return Err(EvalError::NoHoldout);
        }
        let order = Order { images: split.kept, seed, purpose: Purpose::Compare };
        let candidates = Heads::fit(train, order, &spec.learning_rates, spec, poll)?;
        let scores = candidates.scores(&held_out(train, &split.held_out)?)?;
        let best = choose(&scores).ok_or(EvalError::NoFiniteCandidate)?;
        let learning_rate = spec.learning_rates[best];

        let images = (0..train.images()).collect();
        let order = Order { images, seed, purpose: Purpose::Refit };
        let chosen = Heads::fit(train, order, &[learning_rate], spec, poll)?;
        let test = chosen.scores(test)?[0].topk;
        Ok(LinearResult { test, learning_rate, holdout_top1: scores[best].topk.top1 })
    })
}

fn held_out(train: &Labelled, images: &[i64]) -> Result<Labelled, EvalError> {
    let images = Tensor::f_from_slice(images)?.f_to_device(train.features().device())?;
    let features = train.features().f_index_select(0, &images)?;
    Labelled::new(&features, &train.labels().f_index_select(0, &images)?, train.classes())
}

/// How one candidate did on images it has not seen.
#[derive(Clone, Copy, Debug)]
struct Score {
    topk: Topk,
    /// Mean cross-entropy.
    loss: f64,
}

/// Returns the candidate with the highest top-1 among those with a finite loss; of equals the one
/// with the smaller loss, then the first.
fn choose(scores: &[Score]) -> Option<usize> {
    let finite = scores.iter().enumerate().filter(|(_, score)| score.loss.is_finite());
    let best = finite.min_by(|(_, a), (_, b)| {
        b.topk.top1.total_cmp(&a.topk.top1).then(a.loss.total_cmp(&b.loss))
    });
    best.map(|(place, _)| place)
}

/// Training images and what orders them.
struct Order {
    images: Vec<i64>,
    seed: u64,
    purpose: Purpose,
}

/// Linear classifiers side by side: the columns of candidate c start at `c * classes`.
struct Heads {
    weight: Parameter,
    bias: Parameter,
    count: i64,
    classes: i64,
}

impl Heads {
    /// Trains one classifier from zero for each learning rate. A batch larger than the set is cut
    /// to it; images that do not fill the last batch of an epoch are left to the next.
    fn fit(
        data: &Labelled,
        mut order: Order,
        learning_rates: &[f64],
        spec: &LinearSpec,
        poll: Poll<'_>,
    ) -> Result<Self, EvalError> {
        let device = data.features().device();
        let images = order.images.len() as i64;
        let batch = i64::from(spec.batch_size).clamp(1, images);
        let mut heads = Self::zeros(data, learning_rates.len() as i64)?;
        let rates = heads.rates(learning_rates, batch, device)?;
        let one_hot = Tensor::f_eye(heads.classes, (Kind::Float, device))?;

        let per_epoch = images / batch;
        let steps = per_epoch * i64::from(spec.epochs);
        for epoch in 0..spec.epochs {
            reorder(&mut order.images, order.seed, order.purpose, epoch);
            let images = Tensor::f_from_slice(&order.images)?.f_to_device(device)?;
            for place in 0..per_epoch {
                poll.check()?;
                let images = images.f_narrow(0, place * batch, batch)?;
                let features = data.features().f_index_select(0, &images)?;
                let labels = data.labels().f_index_select(0, &images)?;
                let truth = one_hot.f_index_select(0, &labels)?;
                let step = i64::from(epoch) * per_epoch + place;
                let decay = f64::midpoint(1.0, (PI * step as f64 / steps as f64).cos());
                heads.step(&features, &truth, &rates.f_mul_scalar(decay)?)?;
            }
        }
        Ok(heads)
    }

    fn zeros(data: &Labelled, count: i64) -> Result<Self, EvalError> {
        let (classes, device) = (data.classes(), data.features().device());
        let weight = Parameter::zeros(&[data.size(), count * classes], device)?;
        let bias = Parameter::zeros(&[count * classes], device)?;
        Ok(Self { weight, bias, count, classes })
    }

    /// Learning rates of all columns, scaled to the batch.
    fn rates(&self, base: &[f64], batch: i64, device: Device) -> Result<Tensor, EvalError> {
        let scaled = base.iter().map(|rate| (rate * batch as f64 / 256.0) as f32);
        let columns: Vec<f32> =
            scaled.flat_map(|rate| std::iter::repeat_n(rate, self.classes as usize)).collect();
        Ok(Tensor::f_from_slice(&columns)?.f_to_device(device)?)
    }

    /// One update on features [batch, size] and one-hot classes [batch, classes].
    fn step(&mut self, features: &Tensor, truth: &Tensor, rates: &Tensor) -> Result<(), EvalError> {
        let batch = features.size()[0];
        let logits = self.logits(features)?.f_view([batch, self.count, self.classes])?;
        let mut error = logits.f_softmax(-1, Kind::Float)?;
        let error = error.f_sub_(&truth.f_unsqueeze(1)?)?.f_div_scalar_(batch)?;
        let error = error.f_view([batch, self.count * self.classes])?;
        self.weight.step(&features.f_tr()?.f_mm(&error)?, rates)?;
        self.bias.step(&error.f_sum_dim_intlist(&[0i64][..], false, Kind::Float)?, rates)
    }

    fn logits(&self, features: &Tensor) -> Result<Tensor, EvalError> {
        Ok(self.bias.value.f_addmm(features, &self.weight.value)?)
    }

    /// Returns the score of every candidate.
    fn scores(&self, data: &Labelled) -> Result<Vec<Score>, EvalError> {
        let mut sums = vec![(Hits::default(), 0.0); self.count as usize];
        data.in_chunks(ROWS, |features, labels| {
            let logits = self.logits(features)?;
            for (place, (hits, loss)) in (0i64..).zip(&mut sums) {
                let logits = logits.f_narrow(1, place * self.classes, self.classes)?;
                hits.add(&logits, labels)?;
                let likelihoods = logits.f_log_softmax(1, Kind::Double)?;
                let own = likelihoods.f_gather(1, &labels.f_unsqueeze(1)?, false)?;
                *loss -= own.f_sum(Kind::Double)?.f_double_value(&[])?;
            }
            Ok(())
        })?;
        let images = data.images() as f64;
        let score = |(hits, loss): (Hits, f64)| Score {
            topk: hits.topk(self.classes),
            loss: loss / images,
        };
        Ok(sums.into_iter().map(score).collect())
    }
}

/// A tensor that SGD moves; its last dimension runs over the columns of all candidates.
struct Parameter {
    value: Tensor,
    velocity: Tensor,
}

impl Parameter {
    fn zeros(shape: &[i64], device: Device) -> Result<Self, EvalError> {
        let zeros = || Tensor::f_zeros(shape, (Kind::Float, device));
        Ok(Self { value: zeros()?, velocity: zeros()? })
    }

    /// v = m v + g, then w = w - rate (g + m v).
    fn step(&mut self, gradient: &Tensor, rates: &Tensor) -> Result<(), EvalError> {
        let _ = self.velocity.f_mul_scalar_(MOMENTUM)?.f_add_(gradient)?;
        let mut ahead = self.velocity.f_mul_scalar(MOMENTUM)?;
        let ahead = ahead.f_add_(gradient)?.f_mul_(rates)?;
        let _ = self.value.f_sub_(&ahead)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

    fn spec(epochs: u32, batch_size: u32, learning_rates: &[f64]) -> LinearSpec {
        LinearSpec { epochs, batch_size, learning_rates: learning_rates.to_vec(), holdout: 0.2 }
    }

    /// Images around the corners of a triangle, too close for a wrong answer only near the edges.
    fn blobs(images: i64, spread: f64) -> Labelled {
        let corners = Tensor::from_slice(&[2.0f32, 0.0, -1.0, 1.7, -1.0, -1.7]).view([3, 2]);
        let labels = Tensor::arange(images, (Kind::Int64, Device::Cpu)).remainder(3);
        let angle = Tensor::arange(images, CPU) * 2.399;
        let around = Tensor::stack(&[angle.cos(), angle.sin()], 1) * spread;
        Labelled::new(&(corners.index_select(0, &labels) + around), &labels, 3).unwrap()
    }

    #[test]
    fn separable_blobs_are_separated() {
        let rates = [0.4, 0.1];
        let result =
            linear(&blobs(300, 0.9), &blobs(90, 0.9), &spec(20, 32, &rates), 1, Poll::NEVER)
                .unwrap();
        assert_eq!(result.test, Topk { top1: 1.0, top5: None });
        assert_eq!(result.holdout_top1, 1.0);
        // Both get everything right; the faster one with the smaller loss.
        assert_eq!(result.learning_rate, 0.4);
    }

    #[test]
    fn a_request_to_stop_is_heard_between_two_steps() {
        let asked = std::cell::Cell::new(0);
        let stop = || {
            asked.set(asked.get() + 1);
            asked.get() > 3
        };
        let (data, spec) = (blobs(90, 0.9), spec(1000, 16, &[0.3]));
        let error = linear(&data, &data, &spec, 1, Poll::until(&stop)).unwrap_err();
        assert!(matches!(error, EvalError::Interrupted(_)));
        assert_eq!(asked.get(), 4);
    }

    #[test]
    fn a_seed_fixes_the_result() {
        let (train, test) = (blobs(90, 2.5), blobs(60, 2.4));
        let run =
            |seed| linear(&train, &test, &spec(3, 16, &[0.3, 0.03]), seed, Poll::NEVER).unwrap();
        assert_eq!(run(4), run(4));
    }

    /// The wide layer is nothing but its candidates side by side.
    #[test]
    fn candidates_do_not_touch_each_other() {
        let data = blobs(60, 2.0);
        let spec = spec(4, 16, &[]);
        let order = || Order { images: (0..60).collect(), seed: 1, purpose: Purpose::Compare };
        let fit = |rates: &[f64]| Heads::fit(&data, order(), rates, &spec, Poll::NEVER).unwrap();
        let both = fit(&[0.5, 0.02]);
        for (place, rate) in (0..).zip([0.5, 0.02]) {
            let alone = fit(&[rate]);
            let columns = both.weight.value.narrow(1, place * 3, 3);
            assert!(columns.allclose(&alone.weight.value, 1e-5, 1e-7, false));
            assert!(alone.bias.value.abs().max().double_value(&[]) > 0.0);
        }
    }

    /// By hand: two images with the features 1 and -1, two classes, one batch, rate
    /// 12.8 * 2 / 256 = 0.1. At zero all errors are 1/2, so g = v = -1/2 for the first class, and
    /// w = 0.1 * 1.9 / 2 = 0.095.
    #[test]
    fn steps_are_nesterovs() {
        let features = Tensor::from_slice(&[1.0f32, -1.0]).view([2, 1]);
        let data = Labelled::new(&features, &Tensor::from_slice(&[0i64, 1]), 2).unwrap();
        let order = || Order { images: vec![0, 1], seed: 1, purpose: Purpose::Refit };
        let weight = |epochs| {
            let heads =
                Heads::fit(&data, order(), &[12.8], &spec(epochs, 2, &[]), Poll::NEVER).unwrap();
            heads.weight.value.double_value(&[0, 0])
        };
        assert!((weight(1) - 0.095).abs() < 1e-6);
        // Half of the cosine is left at step 1 of 2. Error at w: 1 / (1 + exp(2 * 0.095)).
        let gradient = -1.0 / (1.0 + 0.19f64.exp());
        let velocity = 0.9 * -0.5 + gradient;
        let second = 0.095 - 0.05 * (gradient + 0.9 * velocity);
        assert!((weight(2) - second).abs() < 1e-6);
    }

    #[test]
    fn the_best_finite_candidate_is_chosen() {
        let score = |top1, loss| Score { topk: Topk { top1, top5: None }, loss };
        assert_eq!(choose(&[score(0.5, 1.0), score(0.6, 9.0), score(0.6, 2.0)]), Some(2));
        assert_eq!(choose(&[score(0.5, 1.0), score(0.5, 1.0)]), Some(0));
        assert_eq!(choose(&[score(0.9, f64::NAN), score(0.1, 1.0)]), Some(1));
        assert_eq!(choose(&[score(0.9, f64::INFINITY)]), None);
        assert_eq!(choose(&[]), None);
    }

    #[test]
    fn what_cannot_be_judged_is_an_error() {
        let broken = Tensor::full([30, 2], f64::NAN, CPU);
        let labels = Tensor::arange(30, (Kind::Int64, Device::Cpu)).remainder(3);
        let broken = Labelled::new(&broken, &labels, 3).unwrap();
        let error = linear(&broken, &broken, &spec(1, 8, &[0.1]), 1, Poll::NEVER).unwrap_err();
        assert!(matches!(error, EvalError::NoFiniteCandidate));
        let one_each = blobs(3, 0.1);
        let error = linear(&one_each, &one_each, &spec(1, 8, &[0.1]), 1, Poll::NEVER).unwrap_err();
        assert!(matches!(error, EvalError::NoHoldout));
    }
}
