//! BYOL, SimCLR and the family between them: which networks there are, what a pair of views
//! costs, and how the target follows. Knows nothing of data, learning rates or files.
//!
//! Each view is a forward pass of its own, so that BatchNorm's statistics are those of one view
//! (the authors' code). The target network runs in training mode with running statistics of its
//! own. It starts equal to the online network, as in the paper's appendix J; the authors' code
//! draws it from another seed and reports no difference.

pub mod loss;
mod notes;

use tch::{Device, Kind, Tensor};

use self::loss::Pair;
pub use self::notes::describe;
use crate::spec::run::{
    Loss, OptimalPredictor, Precision, Predictor, RunSpec, Target, TauSchedule,
};
use crate::train::native;
use crate::train::net::{
    Declarations, Mode, NetError, Network, ParamSet, StateError, head, restore, smallest_side,
};

/// What makes a prediction of an online projection.
#[derive(Debug)]
pub enum Prediction {
    /// The projection is the prediction.
    Itself,
    /// A head.
    Head(Network),
    /// The best matrix on the batch.
    OptimalLinear,
}

/// The networks of a method, without values.
#[derive(Debug)]
pub struct Architecture {
    /// What [`ParamSet::drawn`] makes the online parameters from.
    pub declarations: Declarations,
    /// f.
    pub encoder: Network,
    /// g.
    pub projector: Network,
    /// q.
    pub predictor: Prediction,
    /// How many tensors, from the first, belong to encoder and projector.
    pub shared_with_target: usize,
}

impl Architecture {
    /// Lays out the networks of a run.
    ///
    /// # Errors
    ///
    /// Fails when the encoder does not exist, the views are too small for it, or predictions and
    /// projections differ in size.
    pub fn of(spec: &RunSpec) -> Result<Self, NetError> {
        let (side, smallest) = (spec.data.image_size, smallest_side(&spec.encoder));
        if side < smallest {
            return Err(NetError::ImageTooSmall { side, smallest });
        }
        if let Some(Predictor::Head(predictor)) = &spec.predictor
            && predictor.out != spec.projector.out
        {
            let (predictor, projector) = (predictor.out, spec.projector.out);
            return Err(NetError::PredictorSize { predictor, projector });
        }
        let mut declarations = Declarations::default();
        let encoder = Network::encoder(&spec.encoder, declarations.scope("encoder"))?;
        let projector = head(&spec.projector, encoder.out(), declarations.scope("projector"));
        let shared_with_target = declarations.all().len();
        let predictor = match &spec.predictor {
            Some(Predictor::Head(spec)) => {
                Prediction::Head(head(spec, projector.out(), declarations.scope("predictor")))
            }
            Some(Predictor::Optimal(OptimalPredictor::OptimalLinear)) => Prediction::OptimalLinear,
            None => Prediction::Itself,
        };
        Ok(Architecture { declarations, encoder, projector, predictor, shared_with_target })
    }
}

/// What the online output is compared with.
#[derive(Debug)]
enum Branch {
    /// The projection of a network of its own.
    Average(ParamSet),
    /// The online projection without gradient: tau = 0 throughout.
    StopGradient,
    /// The online projection with gradient.
    Online,
}

/// What one forward pass of both views gives.
#[derive(Debug)]
pub struct Forward {
    /// What to minimise: one number.
    pub loss: Tensor,
    /// Online representations `[n, size]` of both views, without gradient.
    pub representations: Pair,
    /// Online projections `[n, out]` of both views, without gradient.
    pub projections: Pair,
}

/// A method with its networks and their parameters.
#[derive(Debug)]
pub struct Model {
    architecture: Architecture,
    online: ParamSet,
    branch: Branch,
    loss: Loss,
    precision: Precision,
}

/// What the networks make of both views.
struct Outputs {
    predictions: Pair,
    targets: Pair,
    representations: Pair,
    projections: Pair,
}

/// Online outputs of one view.
struct Online {
    representation: Tensor,
    projection: Tensor,
}

impl Model {
    /// Builds the networks of a run with initial weights drawn from its seed.
    ///
    /// # Errors
    ///
    /// Fails when the encoder does not exist, the views are too small for it, or predictions and
    /// projections differ in size.
    pub fn new(spec: &RunSpec, device: Device, kind: Kind) -> Result<Self, NetError> {
        let architecture = Architecture::of(spec)?;
        let online = ParamSet::drawn(&architecture.declarations, spec.seed, device, kind);
        let model = Model::assemble(architecture, online, spec.target, spec.loss);
        Ok(Model { precision: spec.precision, ..model })
    }

    /// Builds a model from its parts, which computes in the precision of its weights.
    pub fn assemble(
        architecture: Architecture,
        online: ParamSet,
        target: Target,
        loss: Loss,
    ) -> Self {
        let branch = match target {
            Target::Average { tau_base: 0.0, schedule: TauSchedule::Constant } => {
                Branch::StopGradient
            }
            Target::Average { .. } => {
                Branch::Average(online.frozen_copy(architecture.shared_with_target))
            }
            Target::Online => Branch::Online,
        };
        Model { architecture, online, branch, loss, precision: Precision::Fp32 }
    }

    /// Returns the loss of two views `[n, 3, h, w]` of the same images, with gradient.
    pub fn loss(&self, view1: &Tensor, view2: &Tensor) -> Tensor {
        self.forward(view1, view2).loss
    }

    /// Returns the loss, and what it was made from for probes and diagnostics. Counts as one
    /// batch for each view in every BatchNorm.
    pub fn forward(&self, view1: &Tensor, view2: &Tensor) -> Forward {
        self.forward_in(Mode::Train, view1, view2)
    }

    /// Returns what [`Model::forward`] does with BatchNorm in another mode: in [`Mode::Eval`]
    /// nothing depends on the batch but the negatives.
    pub fn forward_in(&self, mode: Mode, view1: &Tensor, view2: &Tensor) -> Forward {
        let outputs = match self.precision {
            Precision::Fp32 | Precision::Tf32 => self.outputs(mode, view1, view2),
            Precision::Bf16 => native::in_bf16(view1.device(), || self.outputs(mode, view1, view2)),
        };
        Forward {
            loss: self.compare(&outputs.predictions, &outputs.targets),
            representations: outputs.representations,
            projections: outputs.projections,
        }
    }

    fn outputs(&self, mode: Mode, view1: &Tensor, view2: &Tensor) -> Outputs {
        // Before the online passes, whose activations are kept for the gradient.
        let average = match &self.branch {
            Branch::Average(params) => Some(Pair {
                first: self.target_projection(params, view1, mode),
                second: self.target_projection(params, view2, mode),
            }),
            Branch::StopGradient | Branch::Online => None,
        };
        let (one, two) = (self.online_pass(view1, mode), self.online_pass(view2, mode));
        let projections = Pair { first: one.projection.detach(), second: two.projection.detach() };
        let targets = average.unwrap_or_else(|| match &self.branch {
            Branch::Online => Pair {
                first: one.projection.shallow_clone(),
                second: two.projection.shallow_clone(),
            },
            Branch::StopGradient | Branch::Average(_) => Pair {
                first: projections.first.shallow_clone(),
                second: projections.second.shallow_clone(),
            },
        });
        let predictions = Pair {
            first: self.predict(one.projection, &targets.second, mode),
            second: self.predict(two.projection, &targets.first, mode),
        };
        Outputs {
            predictions,
            targets,
            representations: Pair {
                first: one.representation.detach(),
                second: two.representation.detach(),
            },
            projections,
        }
    }

    fn online_pass(&self, view: &Tensor, mode: Mode) -> Online {
        let Architecture { encoder, projector, .. } = &self.architecture;
        let representation = encoder.forward(&self.online, view, mode);
        let projection = projector.forward(&self.online, &representation, mode);
        Online { representation, projection }
    }

    fn predict(&self, projection: Tensor, target: &Tensor, mode: Mode) -> Tensor {
        match &self.architecture.predictor {
            Prediction::Itself => projection,
            Prediction::Head(predictor) => predictor.forward(&self.online, &projection, mode),
            Prediction::OptimalLinear => loss::optimal_prediction(&projection, target),
        }
    }

    fn target_projection(&self, params: &ParamSet, view: &Tensor, mode: Mode) -> Tensor {
        let Architecture { encoder, projector, .. } = &self.architecture;
        tch::no_grad(|| {
            let representation = encoder.forward(params, view, mode);
            projector.forward(params, &representation, mode)
        })
    }

    /// In single precision even where the networks ran in half.
    fn compare(&self, predictions: &Pair, targets: &Pair) -> Tensor {
        let (predictions, targets) = (widened(predictions), widened(targets));
        match self.loss {
            Loss::Regression { normalization } => {
                loss::regression(&predictions, &targets, normalization)
            }
            Loss::NtXent { temperature, scale } => {
                loss::nt_xent(&predictions, &targets, temperature, scale)
            }
            Loss::InfoNce { beta, temperature } => {
                loss::info_nce(&predictions, &targets, beta, temperature)
            }
        }
    }

    /// Moves the target after an optimizer step: `xi <- tau xi + (1 - tau) theta` with the new
    /// theta (BYOL, equation 1). Parameters only; running statistics stay each network's own.
    pub fn update_target(&mut self, tau: f64) {
        match &self.branch {
            Branch::Average(params) if tau < 1.0 => params.average_with(&self.online, tau),
            Branch::Average(_) | Branch::StopGradient | Branch::Online => {}
        }
    }

    /// Returns the encoder f, whose parameters are among [`Model::online`].
    pub fn encoder(&self) -> &Network {
        &self.architecture.encoder
    }

    /// Returns the online parameters: what the optimizer moves.
    pub fn online(&self) -> &ParamSet {
        &self.online
    }

    /// Returns online representations `[n, size]` of images `[n, 3, h, w]`, without gradient.
    /// Evaluation uses [`Mode::Eval`].
    pub fn represent(&self, images: &Tensor, mode: Mode) -> Tensor {
        tch::no_grad(|| self.architecture.encoder.forward(&self.online, images, mode))
    }

    /// Returns all tensors by name, online and target, parameters and running statistics.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let target = match &self.branch {
            Branch::Average(params) => params.state(),
            Branch::StopGradient | Branch::Online => Vec::new(),
        };
        let online = self.online.state().into_iter().map(|(n, t)| (format!("online.{n}"), t));
        online.chain(target.into_iter().map(|(n, t)| (format!("target.{n}"), t))).collect()
    }

    /// Returns the tensors of the online encoder by name: what is kept after training.
    pub fn encoder_state(&self) -> Vec<(String, Tensor)> {
        let online = self.online.state().into_iter();
        online.filter(|(name, _)| name.starts_with("encoder.")).collect()
    }

    /// Returns whether no weight and no running statistic of the online encoder is infinite or
    /// NaN. Waits for the device.
    pub fn encoder_is_finite(&self) -> bool {
        let finite = |tensor: &Tensor| tensor.isfinite().all().int64_value(&[]) != 0;
        self.encoder_state().iter().all(|(_, tensor)| finite(tensor))
    }

    /// Restores what [`Model::encoder_state`] returned.
    ///
    /// # Errors
    ///
    /// Fails, and changes nothing, when names or shapes are not those of this encoder.
    pub fn load_encoder(&mut self, saved: &[(String, Tensor)]) -> Result<(), StateError> {
        restore(&self.encoder_state(), saved)
    }

    /// Restores what [`Model::state`] returned.
    ///
    /// # Errors
    ///
    /// Fails, and changes nothing, when names or shapes are not this model's.
    pub fn load_state(&mut self, saved: &[(String, Tensor)]) -> Result<(), StateError> {
        restore(&self.state(), saved)
    }
}

fn widened(pair: &Pair) -> Pair {
    let widen = |x: &Tensor| match x.kind() {
        Kind::Half | Kind::BFloat16 => x.to_kind(Kind::Float),
        _ => x.shallow_clone(),
    };
    Pair { first: widen(&pair.first), second: widen(&pair.second) }
}

#[cfg(test)]
mod tests;
