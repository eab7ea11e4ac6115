//! How much memory a training step takes: an estimate from the spec alone, so that cells which no
//! device at hand can hold are seen before they run. Counts floats that backward needs; allocator
//! slack, workspaces and libtorch itself come on top as a constant.

use crate::spec::run::{EncoderSpec, HeadSpec, Predictor, RunSpec, Stem, Target, TauSchedule};

/// What a process takes before the first tensor (libtorch loaded, measured on a CPU: 120 MB).
const BASE: u64 = 120 << 20;
const FLOAT: u64 = 4;

/// Returns the estimated peak of one trial in bytes.
///
/// Kept for backward: of both online views, every convolution's output and the activation behind
/// it. Kept throughout: weights, gradients and momentum of the online network, weights of the
/// target.
pub fn estimate(run: &RunSpec) -> u64 {
    let size = encoder(&run.encoder, u64::from(run.data.image_size));
    let projector = head(&run.projector, size.representation);
    let predictor = match &run.predictor {
        Some(Predictor::Head(spec)) => Some(head(spec, u64::from(run.projector.out))),
        Some(Predictor::Optimal(_)) | None => None,
    };
    let predictor_parameters = predictor.as_ref().map_or(0, |h| h.parameters);
    let online = size.parameters + projector.parameters + predictor_parameters;
    let target = match run.target {
        // A copy of the online network is no second one.
        Target::Average { tau_base: 0.0, schedule: TauSchedule::Constant } => 0,
        Target::Average { .. } => size.parameters + projector.parameters,
        Target::Online => 0,
    };
    let per_image = size.activations
        + projector.activations
        + predictor.map_or(0, |h| h.activations)
        + 3 * u64::from(run.data.image_size).pow(2);
    let activations = 2 * u64::from(run.batch_size) * per_image;
    BASE + FLOAT * (3 * online + target + activations)
}

/// Multiplications of one image through each part, forward.
pub(super) struct Work {
    pub(super) encoder: u64,
    pub(super) projector: u64,
    pub(super) predictor: u64,
}

/// Counts the multiplications of one image.
pub(super) fn work(run: &RunSpec) -> Work {
    let encoder = encoder(&run.encoder, u64::from(run.data.image_size));
    let projector = head(&run.projector, encoder.representation);
    let predictor = match &run.predictor {
        Some(Predictor::Head(spec)) => head(spec, u64::from(run.projector.out)).multiplications,
        Some(Predictor::Optimal(_)) | None => 0,
    };
    let (encoder, projector) = (encoder.multiplications, projector.multiplications);
    Work { encoder, projector, predictor }
}

/// Sizes of a network, in floats; activations and multiplications are per image.
#[derive(Default)]
struct Size {
    parameters: u64,
    activations: u64,
    multiplications: u64,
    representation: u64,
}

fn head(spec: &HeadSpec, input: u64) -> Size {
    let mut size = Size { representation: input, ..Size::default() };
    for &hidden in &spec.hidden {
        let hidden = u64::from(hidden);
        // Weight, bias, and BatchNorm's scale and offset; its input and output are kept.
        size.parameters += size.representation * hidden + 3 * hidden;
        size.multiplications += size.representation * hidden;
        size.activations += 2 * hidden;
        size.representation = hidden;
    }
    let out = u64::from(spec.out);
    size.parameters += (size.representation + 1) * out;
    size.multiplications += size.representation * out;
    size.activations += out;
    size.representation = out;
    size
}

/// Adds layers one by one, keeping track of channels and side.
struct Builder {
    size: Size,
    channels: u64,
    side: u64,
}

impl Builder {
    fn image(side: u64) -> Self {
        Self { size: Size::default(), channels: 3, side }
    }

    /// A convolution from `input` channels with BatchNorm and ReLU behind it.
    fn conv_from(&mut self, input: u64, channels: u64, kernel: u64, stride: u64) {
        self.side = self.side.div_ceil(stride);
        self.size.parameters += input * channels * kernel * kernel + 2 * channels;
        self.size.activations += 2 * channels * self.side * self.side;
        self.size.multiplications += input * channels * kernel * kernel * self.side * self.side;
        self.channels = channels;
    }

    fn conv(&mut self, channels: u64, kernel: u64, stride: u64) {
        self.conv_from(self.channels, channels, kernel, stride);
    }

    fn max_pool(&mut self) {
        self.side = self.side.div_ceil(2);
        // Backward needs the place of each maximum as a 64-bit index beside the value.
        self.size.activations += 3 * self.channels * self.side * self.side;
    }

    fn finish(mut self) -> Size {
        self.size.representation = self.channels;
        self.size
    }
}

fn encoder(spec: &EncoderSpec, side: u64) -> Size {
    let mut net = Builder::image(side);
    match spec {
        EncoderSpec::Convnet { width } => {
            for (layer, channels) in [64.0, 128.0, 256.0, 256.0].into_iter().enumerate() {
                if layer > 0 {
                    net.max_pool();
                }
                net.conv(((channels * width).round() as u64).max(8), 3, 1);
            }
        }
        EncoderSpec::Resnet { depth, width, stem, last_scale: _ } => {
            let width = u64::from(*width);
            match stem {
                Stem::Small => net.conv(64 * width, 3, 1),
                Stem::Imagenet => {
                    net.conv(64 * width, 7, 2);
                    net.max_pool();
                }
            }
            for (group, blocks) in blocks(*depth).into_iter().enumerate() {
                for block in 0..blocks {
                    let stride = if group > 0 && block == 0 { 2 } else { 1 };
                    residual(&mut net, *depth, (64 << group) * width, stride, block == 0);
                }
            }
        }
    }
    net.finish()
}

fn residual(net: &mut Builder, depth: u32, inner: u64, stride: u64, first: bool) {
    let (input, side) = (net.channels, net.side);
    let out = if depth < 50 {
        net.conv(inner, 3, stride);
        net.conv(inner, 3, 1);
        inner
    } else {
        net.conv(inner, 1, 1);
        net.conv(inner, 3, stride);
        net.conv(4 * inner, 1, 1);
        4 * inner
    };
    if first {
        net.side = side;
        net.conv_from(input, out, 1, stride);
    }
}

/// Residual blocks of each group.
fn blocks(depth: u32) -> [u64; 4] {
    match depth {
        18 => [2, 2, 2, 2],
        101 => [3, 4, 23, 3],
        152 => [3, 8, 36, 3],
        200 => [3, 24, 36, 3],
        _ => [3, 4, 6, 3],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::run::LastScale;

    #[test]
    fn parameters_are_those_of_the_known_networks() {
        // torchvision without the classifier, plus the projection of group 1 in ResNet-18.
        let resnet = |depth| {
            let (stem, last_scale) = (Stem::Imagenet, LastScale::One);
            encoder(&EncoderSpec::Resnet { depth, width: 1, stem, last_scale }, 224)
        };
        assert_eq!(resnet(18).parameters, 11_176_512 + 64 * 64 + 2 * 64);
        assert_eq!(resnet(50).parameters, 23_508_032);
        assert_eq!(resnet(50).representation, 2048);
        // As papers count them: 1.8 and 4.1 thousand million.
        for (depth, known) in [(18, 1.81e9), (50, 4.09e9)] {
            let counted = resnet(depth).multiplications as f64;
            assert!((counted / known - 1.0).abs() < 0.02, "{depth}: {counted}");
        }
        assert_eq!(encoder(&EncoderSpec::Convnet { width: 0.25 }, 32).representation, 64);
    }
}
