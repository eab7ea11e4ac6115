//! From a cell's settings to its place in the family of methods: heads, target and loss. A method's
//! name only gives the knobs their defaults: `byol` has a predictor, an average for a target and no
//! negatives; `simclr` has none, the online network and all of them (BYOL, section 5 and appendix
//! F.4). Pure.

use super::cell::{Cell, Said};
use super::error::Fault;
use super::keys::{Key, Plain};
use super::run::{
    HeadSpec, Loss, Normalization, NtXentScale, OptimalPredictor, OutputNorm, Predictor, Target,
    TauSchedule,
};

/// The knobs of the family.
pub(super) struct Family {
    pub(super) projector: HeadSpec,
    pub(super) predictor: Option<Predictor>,
    pub(super) target: Target,
    pub(super) loss: Loss,
}

/// Returns a cell's place in the family.
///
/// # Errors
/// Fails on knobs that do not go together.
pub(super) fn family(cell: &Cell<'_>) -> Result<Family, Fault> {
    let projector = HeadSpec {
        hidden: hidden(cell, Plain::ProjectorDepth, Plain::ProjectorHidden)?,
        out: cell.int(Plain::ProjectorOut),
        output_norm: match cell.word(Plain::ProjectorOutputNorm) {
            "batch_norm" => OutputNorm::BatchNorm,
            _ => OutputNorm::None,
        },
        lr_multiplier: cell.float(Plain::ProjectorLr),
    };
    let predictor = predictor(cell, &projector)?;
    Ok(Family { projector, predictor, target: target(cell), loss: loss(cell) })
}

/// Returns the hidden layers of a head from its depth and what is said of their sizes. A size that
/// an earlier rule gave is dropped where a later one leaves no hidden layer.
fn hidden(cell: &Cell<'_>, depth: Plain, hidden: Plain) -> Result<Vec<u32>, Fault> {
    let sizes = cell.sizes(hidden);
    let Some(deep) = cell.said(Key::Plain(depth)) else { return Ok(sizes) };
    let layers = cell.int(depth) as usize - 1;
    let keys = [depth, hidden].map(Key::Plain);
    let [depth_path, hidden_path] = keys.map(Key::path);
    let is_said_with = |said: Said<'_>| said.layer >= deep.layer;
    match (layers, sizes.as_slice()) {
        (0, sizes) => {
            if !sizes.is_empty() && cell.said(keys[1]).is_some_and(is_said_with) {
                let message = format!(
                    "`{depth_path} = 1` is one linear layer: it has no hidden layer for `{hidden_path}`"
                );
                return Err(cell.fault(message, &keys, "nothing to size"));
            }
            Ok(Vec::new())
        }
        (layers, [one]) => Ok(vec![*one; layers]),
        (layers, sizes) if sizes.len() == layers => Ok(sizes.to_vec()),
        (layers, sizes) => {
            let message = format!(
                "`{depth_path}` is {}, which leaves {layers} hidden layers, but `{hidden_path}` sizes {}",
                layers + 1,
                sizes.len()
            );
            Err(cell
                .fault(message, &keys, "another number of layers")
                .help("give one size for all hidden layers, or leave the depth out: it follows"))
        }
    }
}

fn predictor(cell: &Cell<'_>, projector: &HeadSpec) -> Result<Option<Predictor>, Fault> {
    match cell.word(Plain::PredictorKind) {
        "none" => Ok(None),
        "optimal_linear" => {
            refuse_singular(cell, projector.out)?;
            Ok(Some(Predictor::Optimal(OptimalPredictor::OptimalLinear)))
        }
        _ => {
            let out = cell.int(Plain::PredictorOut);
            if out != projector.out {
                let keys = [Plain::PredictorOut, Plain::ProjectorOut].map(Key::Plain);
                let message = format!(
                    "`predictor.out` is {out} and `projector.out` is {}, but one is compared with the other",
                    projector.out,
                );
                let fault = cell.fault(message, &keys, "another size");
                return Err(fault.help("leave `predictor.out` out: it follows"));
            }
            Ok(Some(Predictor::Head(HeadSpec {
                hidden: hidden(cell, Plain::PredictorDepth, Plain::PredictorHidden)?,
                out,
                output_norm: OutputNorm::None,
                lr_multiplier: cell.float(Plain::PredictorLr),
            })))
        }
    }
}

/// The best matrix on a batch is not defined where the batch has no more images than the
/// projection has dimensions.
fn refuse_singular(cell: &Cell<'_>, dimensions: u32) -> Result<(), Fault> {
    let batch = cell.int(Plain::BatchSize);
    if batch > dimensions {
        return Ok(());
    }
    let keys = [Plain::PredictorKind, Plain::BatchSize, Plain::ProjectorOut].map(Key::Plain);
    let message = format!(
        "the optimal linear predictor needs more images in a batch than the projection has dimensions, but `batch_size` is {batch} and `projector.out` is {dimensions}"
    );
    let fault = cell.fault(message, &keys, "not defined");
    Err(fault.help("raise `batch_size`, or lower `projector.out`"))
}

fn target(cell: &Cell<'_>) -> Target {
    let constant = |tau_base| Target::Average { tau_base, schedule: TauSchedule::Constant };
    match cell.word(Plain::Target) {
        "online" => Target::Online,
        // A copy of the online network stays one: tau = 0 throughout (BYOL, Table 5a).
        "stop_gradient" => constant(0.0),
        _ => {
            let tau_base = cell.float(Plain::TauBase);
            match cell.word(Plain::TauSchedule) {
                // At both ends there is nothing to move: a cosine from 1 to 1, and the online
                // network itself.
                "cosine" if tau_base > 0.0 && tau_base < 1.0 => {
                    Target::Average { tau_base, schedule: TauSchedule::Cosine }
                }
                _ => constant(tau_base),
            }
        }
    }
}

fn loss(cell: &Cell<'_>) -> Loss {
    let beta = cell.float(Plain::Beta);
    if beta == 0.0 {
        let normalization = match cell.word(Plain::LossNormalization) {
            "layer" => Normalization::Layer,
            "batch" => Normalization::Batch,
            "none" => Normalization::None,
            _ => Normalization::L2,
        };
        return Loss::Regression { normalization };
    }
    let temperature = cell.float(Plain::Temperature);
    if beta != 1.0 {
        return Loss::InfoNce { beta, temperature };
    }
    let scale = match cell.word(Plain::LossScale) {
        "mean_over_views" => NtXentScale::MeanOverViews,
        "sum_of_directions" => NtXentScale::SumOfDirections,
        _ => NtXentScale::InfoNce,
    };
    Loss::NtXent { temperature, scale }
}
