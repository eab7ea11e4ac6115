//! LARS and SGD with momentum. Knows parameters by role; knows nothing of losses or targets.
//!
//! One step for a weight w with gradient g (BYOL's code, `optimizers.py`):
//!
//! 1. `g <- g + weight_decay w`
//! 2. LARS: `g <- g trust |w| / |g|`, with factor 1 where either norm is 0
//! 3. `m <- momentum m + g`, `w <- w - lr m`
//!
//! Biases and normalisation parameters skip 1 and 2. In projector and predictor the learning rate
//! is that of the head (BYOL, Tables 21 and 22). Nothing waits for the device.

use tch::{Kind, Tensor};

use crate::spec::run::{OptimizerSpec, Predictor, RunSpec};
use crate::train::net::{ParamSet, Role, StateError, restore};

/// One parameter and its momentum.
#[derive(Debug)]
struct Moved {
    parameter: Tensor,
    momentum: Tensor,
}

/// What multiplies the learning rate in the heads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeadRates {
    /// mu.
    pub projector: f64,
    /// lambda.
    pub predictor: f64,
}

impl HeadRates {
    /// The same everywhere.
    pub const EQUAL: Self = Self { projector: 1.0, predictor: 1.0 };

    /// Returns the rates of a run.
    pub fn of(spec: &RunSpec) -> Self {
        let predictor = match &spec.predictor {
            Some(Predictor::Head(head)) => head.lr_multiplier,
            Some(Predictor::Optimal(_)) | None => 1.0,
        };
        Self { projector: spec.projector.lr_multiplier, predictor }
    }

    fn at(self, parameter: &str) -> f64 {
        match parameter.split_once('.').map(|(network, _)| network) {
            Some("projector") => self.projector,
            Some("predictor") => self.predictor,
            Some(_) | None => 1.0,
        }
    }
}

/// Neighbouring parameters with one learning rate, and their momentum.
#[derive(Debug)]
struct Stretch {
    rate: f64,
    parameters: Tensor,
    momentum: Tensor,
}

/// Moves the parameters of one set by their gradients.
#[derive(Debug)]
pub struct Optimizer {
    momentum: f64,
    /// A number on the device.
    weight_decay: Tensor,
    /// LARS's eta; none in SGD.
    trust: Option<f64>,
    weights: Vec<Moved>,
    excluded: Vec<Moved>,
    names: Vec<(String, Tensor)>,
    flat_momentum: Tensor,
    stretches: Vec<Stretch>,
}

impl Optimizer {
    /// Builds an optimizer with zero momentum for all trained tensors of `params`.
    pub fn new(spec: &OptimizerSpec, params: &ParamSet, rates: HeadRates) -> Self {
        let (momentum, weight_decay, trust) = match *spec {
            OptimizerSpec::Lars { momentum, weight_decay, trust_coefficient, .. } => {
                (momentum, weight_decay, Some(trust_coefficient))
            }
            OptimizerSpec::Sgd { momentum, weight_decay, .. } => (momentum, weight_decay, None),
        };
        let (flat_momentum, momenta) = params.zeros_alike();
        let (mut weights, mut excluded, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (trainable, momentum) in params.trainable().into_iter().zip(momenta) {
            names.push((trainable.name, momentum.shallow_clone()));
            let moved = Moved { parameter: trainable.tensor, momentum };
            match trainable.role {
                Role::Weight => weights.push(moved),
                Role::Bias | Role::Norm => excluded.push(moved),
                Role::Buffer | Role::Count => {}
            }
        }
        let stretch = |(rate, begin, length): (f64, i64, i64)| Stretch {
            rate,
            parameters: params.flat().narrow(0, begin, length),
            momentum: flat_momentum.narrow(0, begin, length),
        };
        Optimizer {
            momentum,
            weight_decay: number(weight_decay, params.flat()),
            trust,
            weights,
            excluded,
            names,
            stretches: params.stretches(|name| rates.at(name)).into_iter().map(stretch).collect(),
            flat_momentum,
        }
    }

    /// Makes one step. Parameters that no loss has reached yet have no gradient and only follow
    /// their momentum. Weight decay is added to the gradients in place: clear them before the
    /// next backward pass.
    pub fn step(&mut self, lr: f64) {
        tch::no_grad(|| {
            let _ = self.flat_momentum.g_mul_scalar_(self.momentum);
            self.push_weights();
            for Moved { parameter, momentum } in &mut self.excluded {
                let gradient = parameter.grad();
                if gradient.defined() {
                    let _ = momentum.g_add_(&gradient);
                }
            }
            for Stretch { rate, parameters, momentum } in &mut self.stretches {
                let lr = number(-lr * *rate, parameters);
                let _ = parameters.addcmul_(momentum, &lr);
            }
        });
    }

    /// Adds the decayed and adapted gradients of the weights to their momentum.
    fn push_weights(&mut self) {
        let mut reached: Vec<(&mut Moved, Tensor)> = self
            .weights
            .iter_mut()
            .filter_map(|moved| {
                let mut gradient = moved.parameter.grad();
                gradient.defined().then(|| {
                    let decayed = gradient.addcmul_(&moved.parameter, &self.weight_decay);
                    (moved, decayed)
                })
            })
            .collect();
        match self.trust {
            Some(_) if reached.is_empty() => {}
            Some(trust) => {
                let factors = trust_ratios(trust, &reached);
                for ((moved, gradient), factor) in reached.iter_mut().zip(factors) {
                    let _ = moved.momentum.addcmul_(gradient, &factor);
                }
            }
            None => {
                for (moved, gradient) in &mut reached {
                    let _ = moved.momentum.g_add_(gradient);
                }
            }
        }
    }

    /// Sets all gradients to 0.
    pub fn zero_grad(&mut self) {
        for moved in self.weights.iter_mut().chain(&mut self.excluded) {
            moved.parameter.zero_grad();
        }
    }

    /// Returns the momenta by the names of their parameters.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.names.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone())).collect()
    }

    /// Restores what [`Optimizer::state`] returned.
    ///
    /// # Errors
    ///
    /// Fails, and changes nothing, when names or shapes are not those of the parameters.
    pub fn load_state(&mut self, saved: &[(String, Tensor)]) -> Result<(), StateError> {
        restore(&self.names, saved)
    }
}

/// Returns `trust |w| / |g|` for each weight, 1 where either norm is 0; norms are over whole
/// tensors, without epsilon.
fn trust_ratios(trust: f64, reached: &[(&mut Moved, Tensor)]) -> Vec<Tensor> {
    let norms = |tensors: Vec<Tensor>| Tensor::stack(&tensors, 0);
    let of_weights = norms(reached.iter().map(|(moved, _)| moved.parameter.norm()).collect());
    let of_gradients = norms(reached.iter().map(|(_, gradient)| gradient.norm()).collect());
    let both = of_weights.gt(0.0).logical_and(&of_gradients.gt(0.0));
    let ratios = of_weights * trust / of_gradients;
    ratios.where_self(&both, &ratios.ones_like()).unbind(0)
}

/// Returns one number where `like` is, written there by the device itself.
fn number(value: f64, like: &Tensor) -> Tensor {
    let kind: Kind = like.kind();
    Tensor::full([0i64; 0].as_slice(), value, (kind, like.device()))
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::train::net::{Declarations, Fill};

    const SGD: OptimizerSpec =
        OptimizerSpec::Sgd { base_lr: 1.0, momentum: 0.5, weight_decay: 0.1 };

    /// A weight of 2 and a bias of 2, whose gradients are 1.
    fn params() -> ParamSet {
        let mut declarations = Declarations::default();
        let mut scope = declarations.scope("p");
        scope.tensor("weight", &[1, 1], Role::Weight, Fill::Ones);
        scope.tensor("bias", &[1], Role::Bias, Fill::Ones);
        let params = ParamSet::drawn(&declarations, 0, Device::Cpu, Kind::Double);
        for mut p in params.trainable() {
            let _ = tch::no_grad(|| p.tensor.fill_(2.0));
        }
        params
    }

    fn backward(params: &ParamSet) {
        for p in params.trainable() {
            p.tensor.sum(Kind::Double).backward();
        }
    }

    fn values(params: &ParamSet) -> Vec<f64> {
        params.trainable().iter().map(|p| p.tensor.sum(Kind::Double).double_value(&[])).collect()
    }

    fn close(found: &[f64], expected: [f64; 2]) {
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() < 1e-12, "{found:?} against {expected:?}");
        }
    }

    #[test]
    fn sgd_decays_weights_only_and_keeps_momentum() {
        let params = params();
        let mut sgd = Optimizer::new(&SGD, &params, HeadRates::EQUAL);
        backward(&params);
        sgd.step(1.0);
        close(&values(&params), [2.0 - 1.2, 2.0 - 1.0]);
        sgd.zero_grad();
        backward(&params);
        sgd.step(1.0);
        close(&values(&params), [0.8 - (0.5 * 1.2 + 1.08), 1.0 - 1.5]);
    }

    #[test]
    fn a_reloaded_optimizer_goes_on_as_the_first_would() {
        let (first, second) = (params(), params());
        let mut one = Optimizer::new(&SGD, &first, HeadRates::EQUAL);
        backward(&first);
        one.step(0.0);
        let mut other = Optimizer::new(&SGD, &second, HeadRates::EQUAL);
        other.load_state(&one.state()).unwrap();
        one.zero_grad();
        one.step(1.0);
        backward(&second);
        other.zero_grad();
        other.step(1.0);
        close(&values(&second), [values(&first)[0], values(&first)[1]]);
        close(&values(&second), [2.0 - (0.6 + 0.2), 2.0 - 0.5]);
    }

    #[test]
    fn heads_move_at_their_own_rates() {
        let mut declarations = Declarations::default();
        for network in ["encoder", "projector", "predictor"] {
            let mut scope = declarations.scope(network);
            scope.tensor("weight", &[1, 1], Role::Weight, Fill::Ones);
            scope.tensor("bias", &[1], Role::Bias, Fill::Ones);
        }
        let params = ParamSet::drawn(&declarations, 0, Device::Cpu, Kind::Double);
        let rates = HeadRates { projector: 3.0, predictor: 0.0 };
        let spec = OptimizerSpec::Sgd { base_lr: 1.0, momentum: 0.5, weight_decay: 0.0 };
        let before = values(&params);
        let mut sgd = Optimizer::new(&spec, &params, rates);
        backward(&params);
        sgd.step(0.1);
        let moved: Vec<f64> =
            before.iter().zip(values(&params)).map(|(before, after)| before - after).collect();
        for (found, expected) in moved.iter().zip([0.1, 0.1, 0.3, 0.3, 0.0, 0.0]) {
            assert!((found - expected).abs() < 1e-12, "{moved:?}");
        }
    }

    #[test]
    fn parameters_without_gradient_stay() {
        let params = params();
        let spec = OptimizerSpec::Lars {
            base_lr: 1.0,
            momentum: 0.9,
            weight_decay: 0.1,
            trust_coefficient: 1e-3,
        };
        Optimizer::new(&spec, &params, HeadRates::EQUAL).step(1.0);
        close(&values(&params), [2.0, 2.0]);
    }
}
