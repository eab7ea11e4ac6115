//! What a run's log says of the variants it uses. Knows no tensors.

use crate::spec::run::{
    Loss, Normalization, NtXentScale, OptimalPredictor, OptimizerSpec, Precision, Predictor,
    RunSpec, Target, TauSchedule,
};
use crate::train::optim::HeadRates;

/// Returns what a reader of a run's log should know about the variants it uses, a line each.
pub fn describe(spec: &RunSpec) -> Vec<String> {
    let of_every_run =
        [optimizer_note(&spec.optimizer), loss_note(&spec.loss), target_note(&spec.target)];
    of_every_run
        .into_iter()
        .chain(predictor_note(spec))
        .chain(rates_note(spec))
        .chain(precision_note(spec))
        .collect()
}

fn precision_note(spec: &RunSpec) -> Option<String> {
    match spec.precision {
        Precision::Fp32 => None,
        Precision::Tf32 => Some("precision: float32, with TF32 products on CUDA".to_owned()),
        Precision::Bf16 => Some(
            "precision: bfloat16 in convolutions and matrix products; weights, loss, optimizer and \
             evaluation in float32"
                .to_owned(),
        ),
    }
}

fn predictor_note(spec: &RunSpec) -> Option<String> {
    match spec.predictor {
        Some(Predictor::Head(_)) | None => None,
        Some(Predictor::Optimal(OptimalPredictor::OptimalLinear)) => Some(
            "predictor: the matrix (Z^T Z)^-1 Z^T Z' of each batch and direction, constant for the \
             gradient (BYOL, appendix I.2)"
                .to_owned(),
        ),
    }
}

fn rates_note(spec: &RunSpec) -> Option<String> {
    let HeadRates { projector, predictor } = HeadRates::of(spec);
    (projector != 1.0 || predictor != 1.0).then(|| {
        format!("learning rate: times {projector} in the projector, {predictor} in the predictor")
    })
}

fn optimizer_note(optimizer: &OptimizerSpec) -> String {
    match optimizer {
        OptimizerSpec::Lars { trust_coefficient, .. } => format!(
            "LARS: official variant (weight decay enters the norm; no clipping, no epsilon; \
             trust coefficient {trust_coefficient}); biases and BatchNorm excluded from decay \
             and adaptation; learning rate outside the momentum buffer"
        ),
        OptimizerSpec::Sgd { .. } => "SGD with momentum, no Nesterov; biases and BatchNorm \
                                      excluded from decay"
            .to_owned(),
    }
}

fn loss_note(loss: &Loss) -> String {
    match *loss {
        Loss::Regression { normalization } => {
            let distance = match normalization {
                Normalization::L2 => "2 - 2 cos",
                Normalization::Layer => "|n(p) - n(z)|^2, n over the dimensions, over sqrt(d)",
                Normalization::Batch => "|n(p) - n(z)|^2, n over the batch, over sqrt(d)",
                Normalization::None => "|p - z|^2, not normalised",
            };
            format!("loss: mean over images of the sum of both directions of {distance}")
        }
        Loss::NtXent { temperature, scale } => {
            let name = match scale {
                NtXentScale::MeanOverViews => "mean over 2N views (SimCLR, equation 1)",
                NtXentScale::SumOfDirections => {
                    "sum of the two directional means (SimCLR's code): 2 x the mean over views"
                }
                NtXentScale::InfoNce => {
                    "InfoNCE of BYOL's equation 8 at beta 1, both orders of the views summed: 4 x \
                     temperature x the mean over views"
                }
            };
            format!("loss: NT-Xent at temperature {temperature}, {name}")
        }
        Loss::InfoNce { beta, temperature } => format!(
            "loss: InfoNCE of BYOL's equation 8 at beta {beta}, temperature {temperature}, both \
             orders of the views summed"
        ),
    }
}

fn target_note(target: &Target) -> String {
    match *target {
        Target::Average { tau_base: 0.0, schedule: TauSchedule::Constant } => {
            "target: the online network without gradient (tau = 0 throughout)".to_owned()
        }
        Target::Average { tau_base, schedule: TauSchedule::Constant } => format!(
            "target: starts equal to the online network; moving average with constant tau \
             {tau_base}; BatchNorm in training mode"
        ),
        Target::Average { tau_base, schedule: TauSchedule::Cosine } => format!(
            "target: starts equal to the online network; moving average with tau from {tau_base} \
             to 1 on a cosine; BatchNorm in training mode"
        ),
        Target::Online => "target: the online network itself, with gradient".to_owned(),
    }
}
