//! Networks as plain descriptions that compute with separately held parameters.
//!
//! An architecture ([`Network`]) knows slots, not tensors, so the online and the target network
//! are one description with two [`ParamSet`]s. Knows nothing of losses, of optimizers or of who
//! moves the parameters.
//!
//! Choices where the sources leave room:
//!
//! * Padding is symmetric. The authors' SAME padding is shifted by one pixel where the stride is 2.
//! * The running variance is libtorch's, with n - 1; the authors' code divides by n, the number of
//!   values of a channel in a batch. Training uses n in both.
//! * The running averages are bias-corrected as in the authors' code, so that a network trained
//!   for a few steps evaluates with sensible statistics.

mod convnet;
mod declare;
mod head;
mod init;
mod layer;
mod params;
mod resnet;

use tch::Tensor;
use thiserror::Error;

pub use declare::{Declarations, Declared, Fill, Role, Scope, Slot};
pub use head::head;
pub use layer::{Activation, Layer, Residual, Sequential};
pub(crate) use params::restore;
pub use params::{ParamSet, StateError, Trainable};

use crate::spec::run::EncoderSpec;

/// Share of the newest batch in BatchNorm's running statistics (the authors' decay of 0.9).
const NEWEST_SHARE: f64 = 0.1;

/// Why a network cannot be built.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NetError {
    /// No ResNet of this depth is published.
    #[error("encoder.depth = {depth}: no such ResNet; choose 18, 34, 50, 101, 152 or 200")]
    UnknownDepth {
        /// As given.
        depth: u32,
    },
    /// Pooling would leave no pixel.
    #[error(
        "data.image_size = {side}: too small for this encoder; it needs at least {smallest} pixels"
    )]
    ImageTooSmall {
        /// Side of a view in pixels.
        side: u32,
        /// Smallest side that works.
        smallest: u32,
    },
    /// Predictions and projections could not be compared.
    #[error(
        "predictor.out = {predictor}, but projector.out = {projector}: predictions are compared \
         with projections, so both must have one size"
    )]
    PredictorSize {
        /// Size of a prediction.
        predictor: u32,
        /// Size of a projection.
        projector: u32,
    },
}

/// How BatchNorm behaves in a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Statistics of the batch; running statistics follow with decay 0.9, bias-corrected.
    Train,
    /// Statistics of the batch; running statistics become the mean over all batches since
    /// [`ParamSet::forget_statistics`]. For encoders that never trained.
    Calibrate,
    /// Running statistics, left as they are.
    Eval,
}

/// Layers in order, with a count of the batches their BatchNorms have seen.
#[derive(Debug)]
pub struct Network {
    layers: Sequential,
    batches: Slot,
}

impl Network {
    /// Builds a network from layers declared in `scope`.
    pub fn new(mut scope: Scope<'_>, build: impl FnOnce(&mut Scope<'_>) -> Sequential) -> Self {
        let layers = build(&mut scope);
        let batches = scope.count("num_batches_tracked");
        Network { layers, batches }
    }

    /// Builds the encoder f: images `[n, 3, h, w]` to representations `[n, size]`.
    ///
    /// # Errors
    ///
    /// Fails when no ResNet of this depth exists.
    pub fn encoder(spec: &EncoderSpec, mut scope: Scope<'_>) -> Result<Self, NetError> {
        let layers = match spec {
            EncoderSpec::Convnet { width } => convnet::convnet(*width, &mut scope),
            EncoderSpec::Resnet { depth, width, stem, last_scale } => {
                resnet::resnet(*depth, *width, *stem, *last_scale, &mut scope)?
            }
        };
        Ok(Network::new(scope, |_| layers))
    }

    /// Returns the output for a batch, and in the training modes counts it and updates running
    /// statistics in `params`. A channels-last input stays channels-last.
    pub fn forward(&self, params: &ParamSet, input: &Tensor, mode: Mode) -> Tensor {
        let statistics = match mode {
            Mode::Train => {
                let seen = params.count_batch(self.batches);
                // The incremental form of Adam's correction: the initial value has weight 0.
                let share = NEWEST_SHARE / (1.0 - (1.0 - NEWEST_SHARE).powf(seen));
                layer::Statistics::OfBatch { share }
            }
            Mode::Calibrate => {
                let seen = params.count_batch(self.batches);
                layer::Statistics::OfBatch { share: 1.0 / seen }
            }
            Mode::Eval => layer::Statistics::Running,
        };
        self.layers.forward(params, input.shallow_clone(), statistics)
    }

    /// Returns the size of an output vector.
    pub fn out(&self) -> i64 {
        self.layers.out
    }
}

/// Returns the smallest side in pixels that an encoder accepts.
pub fn smallest_side(spec: &EncoderSpec) -> u32 {
    match spec {
        EncoderSpec::Convnet { .. } => convnet::SMALLEST_SIDE,
        // Strided convolutions are padded: one pixel stays one pixel.
        EncoderSpec::Resnet { .. } => 1,
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::spec::run::{LastScale, Stem};

    const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

    fn declared(spec: &EncoderSpec) -> (Declarations, Network) {
        let mut declarations = Declarations::default();
        let network = Network::encoder(spec, declarations.scope("encoder")).unwrap();
        (declarations, network)
    }

    fn resnet(depth: u32, width: u32, stem: Stem) -> EncoderSpec {
        EncoderSpec::Resnet { depth, width, stem, last_scale: LastScale::One }
    }

    #[test]
    fn parameter_counts_are_the_published_ones() {
        // torchvision's counts without the classifier; 18 and 34 plus the projection that the
        // authors' code has in the first group.
        let projection = 64 * 64 + 128;
        for (depth, expected) in [
            (18, 11_176_512 + projection),
            (34, 21_284_672 + projection),
            (50, 23_508_032),
            (101, 42_500_160),
            (152, 58_143_808),
        ] {
            let (declarations, network) = declared(&resnet(depth, 1, Stem::Imagenet));
            assert_eq!(declarations.trainable_numbers(), expected, "ResNet-{depth}");
            assert_eq!(network.out(), if depth < 50 { 512 } else { 2048 });
        }
        // BYOL, table 1b: 250 million for ResNet-200 2x, 94 million for ResNet-50 2x.
        let (declarations, network) = declared(&resnet(200, 2, Stem::Imagenet));
        assert_eq!(declarations.trainable_numbers() / 10_000_000, 25);
        assert_eq!(network.out(), 4096);
    }

    #[test]
    fn blocks_whose_last_scale_is_zero_start_as_their_shortcut() {
        let spec = EncoderSpec::Resnet {
            depth: 50,
            width: 1,
            stem: Stem::Small,
            last_scale: LastScale::Zero,
        };
        let (declarations, _) = declared(&spec);
        let params = ParamSet::drawn(&declarations, 1, Device::Cpu, Kind::Float);
        let scale = |name: &str| params.named(name).unwrap().sum(Kind::Double).double_value(&[]);
        assert_eq!(scale("encoder.layer1.0.bn3.weight"), 0.0);
        assert_eq!(scale("encoder.layer4.2.bn3.weight"), 0.0);
        assert_eq!(scale("encoder.layer1.0.bn2.weight"), 64.0);
        assert_eq!(scale("encoder.layer1.0.downsample.1.weight"), 256.0);
    }

    #[test]
    fn an_unknown_depth_is_refused() {
        let mut declarations = Declarations::default();
        let error =
            Network::encoder(&resnet(77, 1, Stem::Small), declarations.scope("e")).unwrap_err();
        assert_eq!(error, NetError::UnknownDepth { depth: 77 });
    }

    #[test]
    fn convnet_widths_scale_and_stop_at_eight() {
        for (width, expected) in [(1.0, 256), (0.25, 64), (2.0, 512), (0.001, 8)] {
            let (_, network) = declared(&EncoderSpec::Convnet { width });
            assert_eq!(network.out(), expected);
        }
    }

    #[test]
    fn encoders_keep_channels_last_and_return_one_vector_an_image() {
        for spec in [
            EncoderSpec::Convnet { width: 0.25 },
            resnet(18, 1, Stem::Small),
            resnet(50, 1, Stem::Imagenet),
        ] {
            let (declarations, network) = declared(&spec);
            let params = ParamSet::drawn(&declarations, 1, Device::Cpu, Kind::Float);
            let images = Tensor::randn([2, 16, 16, 3], CPU).permute([0, 3, 1, 2]);
            let y = network.forward(&params, &images, Mode::Train);
            assert_eq!(y.size(), [2, network.out()]);
            assert!(y.isfinite().all().int64_value(&[]) == 1);
            assert_eq!(network.forward(&params, &images, Mode::Eval).size(), y.size());
        }
    }

    /// One BatchNorm on three channels, and batches whose statistics differ.
    fn batch_norm() -> (Network, ParamSet, Vec<Tensor>) {
        let mut declarations = Declarations::default();
        let network = Network::new(declarations.scope("n"), |scope| {
            Sequential::new(vec![scope.batch_norm("0", 3, Activation::Identity)], 3)
        });
        let params = ParamSet::drawn(&declarations, 1, Device::Cpu, Kind::Double);
        let batches = (1..=4)
            .map(|i| {
                Tensor::randn([16, 3], (Kind::Double, Device::Cpu)) * f64::from(i) + f64::from(i)
            })
            .collect();
        (network, params, batches)
    }

    fn running_mean(params: &ParamSet) -> Tensor {
        params.named("n.0.running_mean").unwrap().copy()
    }

    #[test]
    fn training_normalises_by_the_batch_and_averages_without_the_initial_value() {
        let (network, params, batches) = batch_norm();
        let y = network.forward(&params, &batches[3], Mode::Train);
        assert!(y.mean(Kind::Double).double_value(&[]).abs() < 1e-9);
        let after_one = running_mean(&params);
        assert!(after_one.allclose(&batches[3].mean_dim(0, false, None), 1e-9, 1e-9, false));

        let _ = network.forward(&params, &batches[0], Mode::Train);
        // Adam's form: sum of 0.9^(n-i) 0.1 x_i over 1 - 0.9^n.
        let expected = (batches[3].mean_dim(0, false, None) * 0.09
            + batches[0].mean_dim(0, false, None) * 0.1)
            / 0.19;
        assert!(running_mean(&params).allclose(&expected, 1e-9, 1e-9, false));
    }

    #[test]
    fn calibration_is_the_mean_of_all_batches_since_it_began() {
        let (network, params, batches) = batch_norm();
        let _ = network.forward(&params, &batches[3], Mode::Train);
        params.forget_statistics();
        for batch in &batches[..3] {
            let _ = network.forward(&params, batch, Mode::Calibrate);
        }
        let expected = Tensor::cat(&batches[..3], 0).mean_dim(0, false, None);
        assert!(running_mean(&params).allclose(&expected, 1e-9, 1e-9, false));
    }

    #[test]
    fn evaluation_uses_and_keeps_the_running_statistics() {
        let (network, params, batches) = batch_norm();
        let fresh = network.forward(&params, &batches[3], Mode::Eval);
        assert!(fresh.allclose(&batches[3], 1e-4, 1e-4, false), "mean 0 and variance 1 at first");
        let _ = network.forward(&params, &batches[0], Mode::Train);
        let before = running_mean(&params);
        let whole = network.forward(&params, &batches[1], Mode::Eval);
        let part = network.forward(&params, &batches[1].narrow(0, 0, 2), Mode::Eval);
        assert!(whole.narrow(0, 0, 2).allclose(&part, 1e-9, 1e-9, false));
        assert!(running_mean(&params).equal(&before));
    }
}
