//! A small encoder for CPUs: four 3x3 convolutions and a global mean.
//!
//! Not from the paper; it makes ablations of the method affordable on a laptop.

use super::declare::Scope;
use super::layer::{Activation, Layer, Sequential};

/// Three halvings leave one pixel of eight.
pub(super) const SMALLEST_SIDE: u32 = 8;

const CHANNELS: [f64; 4] = [64.0, 128.0, 256.0, 256.0];
const FEWEST_CHANNELS: f64 = 8.0;

pub(super) fn convnet(width: f64, scope: &mut Scope<'_>) -> Sequential {
    let mut layers = Vec::new();
    let mut from = 3;
    for (n, channels) in (1..).zip(CHANNELS) {
        if n > 1 {
            layers.push(Layer::MaxPool { side: 2, stride: 2, padding: 0 });
        }
        let to = (channels * width).round().max(FEWEST_CHANNELS) as i64;
        layers.push(scope.conv(&format!("conv{n}"), from, to, 3, 1));
        layers.push(scope.batch_norm(&format!("bn{n}"), to, Activation::Relu));
        from = to;
    }
    layers.push(Layer::GlobalMean);
    Sequential::new(layers, from)
}
