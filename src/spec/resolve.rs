//! From a cell's settings to the spec of its run, with the checks that need more than one of
//! them. Pure; the same settings give the same spec.

use std::path::PathBuf;
use std::sync::Arc;

use super::cell::Cell;
use super::error::Fault;
use super::family::{Family, family};
use super::keys::{Key, Plain};
use super::run::{
    DataSpec, EncoderSpec, LastScale, OptimizerSpec, Precision, RunSpec, SEMANTICS, Stem,
};
use super::source::{Digests, data, train_images};
use super::views::views;

/// What a cell trains.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The spec, with seed 0.
    pub run: RunSpec,
    /// Where its images lie.
    pub data_path: Option<PathBuf>,
}

/// Returns what a cell trains.
///
/// # Errors
/// Fails on settings that do not go together.
pub fn resolve(cell: &Cell<'_>, digests: &Digests) -> Result<Resolved, Fault> {
    let (data, data_path) = data(cell, digests)?;
    let (batch_size, update_batch_size) = batches(cell, &data)?;
    let Family { projector, predictor, target, loss } = family(cell)?;
    let (epochs, warmup_epochs) = epochs(cell)?;
    let run = RunSpec {
        semantics: SEMANTICS,
        seed: 0,
        data: Arc::new(data),
        views: Arc::new(views(cell)?),
        encoder: encoder(cell)?,
        projector,
        predictor,
        target,
        loss,
        optimizer: optimizer(cell),
        epochs,
        warmup_epochs,
        update_batch_size,
        batch_size,
        precision: match cell.word(Plain::Precision) {
            "tf32" => Precision::Tf32,
            "bf16" => Precision::Bf16,
            _ => Precision::Fp32,
        },
    };
    Ok(Resolved { run, data_path })
}

fn epochs(cell: &Cell<'_>) -> Result<(u32, f64), Fault> {
    let (epochs, warmup) = (cell.int(Plain::Epochs), cell.float(Plain::WarmupEpochs));
    if warmup > f64::from(epochs) {
        let keys = [Plain::WarmupEpochs, Plain::Epochs].map(Key::Plain);
        let message = format!("`warmup_epochs` is {warmup}, more than the {epochs} epochs");
        return Err(cell.fault(message, &keys, "longer than the training"));
    }
    Ok((epochs, warmup))
}

/// Returns images per forward pass and per update.
fn batches(cell: &Cell<'_>, data: &DataSpec) -> Result<(u32, u32), Fault> {
    let batch = cell.int(Plain::BatchSize);
    let update = match cell.word(Plain::UpdateBatchSize) {
        "same" => batch,
        _ => cell.int(Plain::UpdateBatchSize),
    };
    let keys = [Plain::BatchSize, Plain::UpdateBatchSize].map(Key::Plain);
    if !update.is_multiple_of(batch) {
        let message = format!("`batch_size` {batch} does not divide `update_batch_size` {update}");
        return Err(cell.fault(message, &keys, "leaves a remainder").help(
            "an update averages over whole batches; `update_batch_size = \"same\"` makes every batch an update",
        ));
    }
    let images = data.subset.map(|subset| subset.images).or_else(|| train_images(&data.source));
    if let Some(images) = images.filter(|images| *images < update) {
        let message =
            format!("an update of {update} images is more than the {images} training images");
        let keys =
            [Plain::UpdateBatchSize, Plain::BatchSize, Plain::DataTrainLimit, Plain::ShapesTrain];
        let fault = cell.fault(message, &keys.map(Key::Plain), "not one whole update");
        return Err(
            fault.help("lower `batch_size` and `update_batch_size`, or train on more images")
        );
    }
    Ok((batch, update))
}

fn encoder(cell: &Cell<'_>) -> Result<EncoderSpec, Fault> {
    let width = cell.float(Plain::EncoderWidth);
    let depth = match cell.word(Plain::EncoderName) {
        "resnet18" => 18,
        "resnet34" => 34,
        "resnet50" => 50,
        "resnet101" => 101,
        "resnet152" => 152,
        "resnet200" => 200,
        _ => return Ok(EncoderSpec::Convnet { width }),
    };
    // At most 16 by the table of settings.
    let Some(width) = (1..=16).find(|whole| f64::from(*whole) == width) else {
        let keys = [Plain::EncoderWidth, Plain::EncoderName].map(Key::Plain);
        let message = format!("`encoder.width` of a ResNet is a whole number, not {width}");
        return Err(cell.fault(message, &keys, "not whole"));
    };
    let stem = match cell.word(Plain::EncoderStem) {
        "small" => Stem::Small,
        _ => Stem::Imagenet,
    };
    let last_scale = match cell.word(Plain::EncoderLastScale) {
        "zero" => LastScale::Zero,
        _ => LastScale::One,
    };
    Ok(EncoderSpec::Resnet { depth, width, stem, last_scale })
}

fn optimizer(cell: &Cell<'_>) -> OptimizerSpec {
    let base_lr = cell.float(Plain::BaseLr);
    let momentum = cell.float(Plain::Momentum);
    let weight_decay = cell.float(Plain::WeightDecay);
    match cell.word(Plain::OptimizerName) {
        "sgd" => OptimizerSpec::Sgd { base_lr, momentum, weight_decay },
        _ => OptimizerSpec::Lars {
            base_lr,
            momentum,
            weight_decay,
            trust_coefficient: cell.float(Plain::TrustCoefficient),
        },
    }
}
