//! The evaluation protocol on one encoder: kNN and linear accuracy of its frozen features, and
//! the same for the untrained encoder, which is the floor. Leaves no trace on training.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::error::TrainError;
use super::eval::Labelled;
use super::eval::knn::knn_top;
use super::eval::linear::linear;
use super::features;
use super::method::Model;
use super::poll::Poll;
use crate::augment::Frame;
use crate::data::{Dataset, Split};
use crate::spec::eval::EvalSpec;
use crate::spec::run::{DataSpec, RunSpec};

/// LabelledImages images to evaluate on.
pub struct LabelledImages<'a> {
    train: &'a Split,
    test: &'a Split,
    frame: Frame,
    classes: i64,
    train_labels: Tensor,
    test_labels: Tensor,
}

impl<'a> LabelledImages<'a> {
    /// Checks that a data set can be evaluated on; its images are seen as `data` says.
    ///
    /// # Errors
    /// Fails when labels or test images are missing, or when there is only one class.
    pub fn new(set: &'a Dataset, data: &DataSpec) -> Result<Self, TrainError> {
        let test = set.test.as_ref().ok_or_else(|| {
            TrainError::Rejected(format!(
                "{} has no test images to evaluate on: name a labelled set as eval.data",
                data.source.name()
            ))
        })?;
        let labels = |split: &Split| -> Result<Tensor, TrainError> {
            let labels = split.labels_to_judge()?;
            Ok(Tensor::from_slice(
                &labels.iter().map(|&label| i64::from(label)).collect::<Vec<_>>(),
            ))
        };
        Ok(Self {
            train_labels: labels(&set.train)?,
            test_labels: labels(test)?,
            train: &set.train,
            test,
            frame: Frame::of(data),
            classes: set.train.classes.len() as i64,
        })
    }
}

/// Returns what the protocol finds for the online encoder of a model, each name behind `prefix`:
/// `knn_top1`, `linear_top1`, ... as fractions, and the learning rate that was chosen.
///
/// # Errors
/// Fails when an image cannot be read, or somebody asks to stop.
pub fn encoder(
    model: &Model,
    on: &LabelledImages<'_>,
    spec: &EvalSpec,
    seed: u64,
    device: Device,
    prefix: &str,
    poll: Poll<'_>,
) -> Result<BTreeMap<String, f64>, TrainError> {
    let train = features::of_split(model, on.train, &on.frame, device, poll)?;
    let test = features::of_split(model, on.test, &on.frame, device, poll)?;
    let train = Labelled::new(&train, &on.train_labels, on.classes)?;
    let test = Labelled::new(&test, &on.test_labels, on.classes)?;
    let knn = knn_top(&train, &test, spec.knn)?;
    let linear = linear(&train, &test, &spec.linear, seed, poll)?;
    let named = [
        ("knn_top1", Some(knn.top1)),
        ("knn_top5", knn.top5),
        ("linear_top1", Some(linear.test.top1)),
        ("linear_top5", linear.test.top5),
        ("linear_lr", Some(linear.learning_rate)),
        ("linear_holdout_top1", Some(linear.holdout_top1)),
    ];
    let named =
        named.into_iter().filter_map(|(name, value)| Some((format!("{prefix}{name}"), value?)));
    Ok(named.collect())
}

/// Returns the floor: the untrained encoder of this seed, plain (`floor_`) and with BatchNorm
/// statistics calibrated on the training images (`floor_calibrated_`).
///
/// # Errors
/// Fails when an image cannot be read, or somebody asks to stop.
pub fn floor(
    run: &RunSpec,
    on: &LabelledImages<'_>,
    spec: &EvalSpec,
    device: Device,
    poll: Poll<'_>,
) -> Result<BTreeMap<String, f64>, TrainError> {
    let untrained = Model::new(run, device, Kind::Float)?;
    let mut values = encoder(&untrained, on, spec, run.seed, device, "floor_", poll)?;
    features::calibrate(&untrained, on.train, &on.frame, device, poll)?;
    values.extend(encoder(&untrained, on, spec, run.seed, device, "floor_calibrated_", poll)?);
    Ok(values)
}
