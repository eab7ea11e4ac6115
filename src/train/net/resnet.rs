//! ResNet v1 as BYOL's code builds it: stride on the 3x3 convolution, a projection in the first
//! block of all four groups (for 18 and 34 too, unlike torchvision), every BatchNorm scale at 1 unless the run
//! asks for 0 in the last of each block.
//!
//! Names are torchvision's, so that exported weights load there.

use super::NetError;
use super::declare::{Fill, Scope};
use super::layer::{Activation, Layer, Residual, Sequential};
use crate::spec::run::{LastScale, Stem};

#[derive(Clone, Copy)]
enum Block {
    /// Two 3x3.
    Basic,
    /// 1x1, 3x3, 1x1 with a quarter of the channels inside.
    Bottleneck,
}

/// Blocks in each group (BYOL's code, `networks.py`).
fn groups(depth: u32) -> Result<(Block, [u32; 4]), NetError> {
    Ok(match depth {
        18 => (Block::Basic, [2, 2, 2, 2]),
        34 => (Block::Basic, [3, 4, 6, 3]),
        50 => (Block::Bottleneck, [3, 4, 6, 3]),
        101 => (Block::Bottleneck, [3, 4, 23, 3]),
        152 => (Block::Bottleneck, [3, 8, 36, 3]),
        200 => (Block::Bottleneck, [3, 24, 36, 3]),
        _ => return Err(NetError::UnknownDepth { depth }),
    })
}

pub(super) fn resnet(
    depth: u32,
    width: u32,
    stem: Stem,
    last_scale: LastScale,
    scope: &mut Scope<'_>,
) -> Result<Sequential, NetError> {
    let (block, groups) = groups(depth)?;
    let base = 64 * i64::from(width);
    let mut layers = self::stem(stem, base, scope);
    let mut from = base;
    for (group, blocks) in (1..).zip(groups) {
        let to = match block {
            Block::Basic => base << (group - 1),
            Block::Bottleneck => base << (group + 1),
        };
        let mut scope = scope.within(&format!("layer{group}"));
        for n in 0..blocks {
            let stride = if n == 0 && group > 1 { 2 } else { 1 };
            let mut scope = scope.within(&n.to_string());
            let main = block.main(from, to, stride, last_scale, &mut scope);
            let shortcut = match n {
                0 => projection(from, to, stride, &mut scope.within("downsample")),
                _ => Sequential::new(Vec::new(), to),
            };
            layers.push(Layer::Residual(Residual { main, shortcut }));
            from = to;
        }
    }
    layers.push(Layer::GlobalMean);
    Ok(Sequential::new(layers, from))
}

fn stem(stem: Stem, to: i64, scope: &mut Scope<'_>) -> Vec<Layer> {
    let (side, stride) = match stem {
        Stem::Small => (3, 1),
        Stem::Imagenet => (7, 2),
    };
    let mut layers = vec![
        scope.conv("conv1", 3, to, side, stride),
        scope.batch_norm("bn1", to, Activation::Relu),
    ];
    match stem {
        Stem::Small => {}
        Stem::Imagenet => layers.push(Layer::MaxPool { side: 3, stride: 2, padding: 1 }),
    }
    layers
}

fn projection(from: i64, to: i64, stride: i64, scope: &mut Scope<'_>) -> Sequential {
    let layers =
        vec![scope.conv("0", from, to, 1, stride), scope.batch_norm("1", to, Activation::Identity)];
    Sequential::new(layers, to)
}

impl Block {
    fn main(
        self,
        from: i64,
        to: i64,
        stride: i64,
        last_scale: LastScale,
        scope: &mut Scope<'_>,
    ) -> Sequential {
        let scale = match last_scale {
            LastScale::One => Fill::Ones,
            LastScale::Zero => Fill::Zeros,
        };
        let layers = match self {
            Block::Basic => vec![
                scope.conv("conv1", from, to, 3, stride),
                scope.batch_norm("bn1", to, Activation::Relu),
                scope.conv("conv2", to, to, 3, 1),
                scope.batch_norm_scaled("bn2", to, scale, Activation::Identity),
            ],
            Block::Bottleneck => vec![
                scope.conv("conv1", from, to / 4, 1, 1),
                scope.batch_norm("bn1", to / 4, Activation::Relu),
                scope.conv("conv2", to / 4, to / 4, 3, stride),
                scope.batch_norm("bn2", to / 4, Activation::Relu),
                scope.conv("conv3", to / 4, to, 1, 1),
                scope.batch_norm_scaled("bn3", to, scale, Activation::Identity),
            ],
        };
        Sequential::new(layers, to)
    }
}
