//! The few layers all networks here are made of, and their forward pass.
//!
//! Layers own no tensors: they name slots of a [`ParamSet`].

use tch::Tensor;

use super::declare::Slot;
use super::params::ParamSet;

/// BatchNorm's epsilon (the authors' configuration).
const EPSILON: f64 = 1e-5;

/// What follows a BatchNorm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// Nothing.
    Identity,
}

/// Where BatchNorm takes its statistics from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Statistics {
    /// From the batch; `share` of it enters the running ones.
    OfBatch {
        /// In (0, 1].
        share: f64,
    },
    /// The running ones.
    Running,
}

/// One layer.
#[derive(Debug)]
pub enum Layer {
    /// Convolution without bias, on `[n, c, h, w]`.
    Conv {
        /// `[out, in, side, side]`.
        weight: Slot,
        /// In both directions.
        stride: i64,
        /// Zeros on each side.
        padding: i64,
    },
    /// Matrix product on `[n, in]`.
    Linear {
        /// `[out, in]`.
        weight: Slot,
        /// `[out]`.
        bias: Option<Slot>,
    },
    /// Normalisation of each channel, on `[n, c]` or `[n, c, h, w]`.
    BatchNorm {
        /// `[c]`.
        scale: Slot,
        /// `[c]`.
        offset: Option<Slot>,
        /// Running mean, `[c]`.
        mean: Slot,
        /// Running variance, `[c]`.
        variance: Slot,
        /// What follows.
        then: Activation,
    },
    /// Maximum over squares.
    MaxPool {
        /// Side of a square.
        side: i64,
        /// In both directions.
        stride: i64,
        /// On each side.
        padding: i64,
    },
    /// Mean over height and width: `[n, c, h, w]` to `[n, c]`.
    GlobalMean,
    /// A residual block.
    Residual(Residual),
}

/// relu(main(x) + shortcut(x)).
#[derive(Debug)]
pub struct Residual {
    /// Ends in a BatchNorm.
    pub main: Sequential,
    /// Empty where the input is added as it is.
    pub shortcut: Sequential,
}

/// Layers one after the other.
#[derive(Debug)]
pub struct Sequential {
    layers: Vec<Layer>,
    pub(super) out: i64,
}

impl Sequential {
    /// Builds a sequence whose output has `out` channels.
    pub fn new(layers: Vec<Layer>, out: i64) -> Self {
        Sequential { layers, out }
    }

    pub(super) fn forward(&self, params: &ParamSet, input: Tensor, from: Statistics) -> Tensor {
        self.layers.iter().fold(input, |x, layer| layer.forward(params, &x, from))
    }
}

impl Layer {
    fn forward(&self, params: &ParamSet, x: &Tensor, from: Statistics) -> Tensor {
        match self {
            Layer::Conv { weight, stride, padding } => {
                let (stride, padding) = ([*stride; 2], [*padding; 2]);
                x.conv2d(params.get(*weight), None::<Tensor>, stride, padding, [1, 1], 1)
            }
            Layer::Linear { weight, bias } => {
                x.linear(params.get(*weight), bias.map(|slot| params.get(slot)))
            }
            Layer::BatchNorm { scale, offset, mean, variance, then } => {
                let (is_batch, share) = match from {
                    Statistics::OfBatch { share } => (true, share),
                    Statistics::Running => (false, 0.0),
                };
                let mut normal = x.batch_norm(
                    Some(params.get(*scale)),
                    offset.map(|slot| params.get(slot)),
                    Some(params.get(*mean)),
                    Some(params.get(*variance)),
                    is_batch,
                    share,
                    EPSILON,
                    true,
                );
                match then {
                    // In place: BatchNorm's gradient needs its input, not its output.
                    Activation::Relu => normal.relu_(),
                    Activation::Identity => normal,
                }
            }
            Layer::MaxPool { side, stride, padding } => {
                x.max_pool2d([*side; 2], [*stride; 2], [*padding; 2], [1, 1], false)
            }
            Layer::GlobalMean => x.mean_dim([2i64, 3].as_slice(), false, None),
            Layer::Residual(block) => block.forward(params, x, from),
        }
    }
}

impl Residual {
    fn forward(&self, params: &ParamSet, x: &Tensor, from: Statistics) -> Tensor {
        let mut main = self.main.forward(params, x.shallow_clone(), from);
        let shortcut = self.shortcut.forward(params, x.shallow_clone(), from);
        // In place for the same reason.
        main.g_add_(&shortcut).relu_()
    }
}
