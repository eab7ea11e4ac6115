//! Decides what happens to an image in a view; touches no pixel and does not know the image's
//! size. Every operator draws from a generator of its own, keyed by where the view is asked for,
//! so draws do not depend on threads, on resuming, or on which other operators a recipe has.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::spec::run::{
    Blur, ColorJitter, Crop, Flip, Grayscale, JitterArithmetic, Solarize, ViewRecipe,
};

use super::crop::CropDraw;

/// One of the two views of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum View {
    /// v, of the distribution T.
    First,
    /// v', of the distribution T'.
    Second,
}

/// Where a view is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Coordinates {
    /// Seed of the run.
    pub seed: u64,
    /// Pass over the images, from 0.
    pub epoch: u64,
    /// Number of the image in its data set.
    pub image: u64,
    /// Which of its views.
    pub view: View,
}

/// What was drawn for one view; an operator that is `None` or `false` is not applied.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Drawn {
    /// Part of the image that is shown; without it, all of it.
    pub crop: Option<CropDraw>,
    /// Left and right exchanged.
    pub flip: bool,
    /// Colour changes, in the order in which they are applied.
    pub color_jitter: Option<[Adjustment; 4]>,
    /// Luma in all channels.
    pub grayscale: bool,
    /// Sigma of the Gaussian blur, in pixels.
    pub blur: Option<f64>,
    /// Values from this threshold up are inverted.
    pub solarize: Option<f64>,
}

/// One change of colour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Adjustment {
    /// Added to every value (BYOL's code).
    Brightness(f64),
    /// Factor about the mean of each channel (BYOL's code).
    Contrast(f64),
    /// Factor on the HSV saturation (BYOL's code).
    Saturation(f64),
    /// Added to the HSV hue, as a fraction of the circle (BYOL's code and torchvision).
    Hue(f64),
    /// Factor on every value (torchvision's brightness).
    Scale(f64),
    /// Factor about the mean luma of the image (torchvision's contrast).
    AboutMeanLuma(f64),
    /// Factor about the luma of each pixel (torchvision's saturation).
    AboutLuma(f64),
}

/// Draws a view. Order and arithmetic: BYOL, appendix B and table 6.
pub fn draw(recipe: &ViewRecipe, at: Coordinates) -> Drawn {
    let ViewRecipe { crop, flip, color_jitter, grayscale, blur, solarize } = recipe;
    Drawn {
        crop: crop.map(|crop| draw_crop(crop, Stream::new(at, Operator::Crop))),
        flip: flip.is_some_and(|Flip { p }| Stream::new(at, Operator::Flip).happens(p)),
        color_jitter: color_jitter
            .and_then(|jitter| draw_jitter(jitter, Stream::new(at, Operator::ColorJitter))),
        grayscale: grayscale
            .is_some_and(|Grayscale { p }| Stream::new(at, Operator::Grayscale).happens(p)),
        blur: blur.and_then(|blur| draw_blur(blur, Stream::new(at, Operator::Blur))),
        solarize: solarize.and_then(|Solarize { p, threshold }| {
            Stream::new(at, Operator::Solarize).happens(p).then_some(threshold)
        }),
    }
}

fn draw_crop(crop: Crop, mut stream: Stream) -> CropDraw {
    CropDraw {
        share: stream.between(crop.min_area, crop.max_area),
        aspect: stream
            .between(crop.min_aspect.ln(), crop.max_aspect.ln())
            .exp()
            .max(crop.min_aspect)
            .min(crop.max_aspect),
        x: stream.unit(),
        y: stream.unit(),
    }
}

fn draw_jitter(jitter: ColorJitter, mut stream: Stream) -> Option<[Adjustment; 4]> {
    let ColorJitter { p, brightness, contrast, saturation, hue, arithmetic } = jitter;
    if !stream.happens(p) {
        return None;
    }
    // Both arithmetics take the same numbers of the stream, in the same places.
    let mut adjustments = match arithmetic {
        JitterArithmetic::Paper => [
            Adjustment::Brightness(stream.between(-brightness, brightness)),
            Adjustment::Contrast(stream.between(1.0 - contrast, 1.0 + contrast)),
            Adjustment::Saturation(stream.between(1.0 - saturation, 1.0 + saturation)),
            Adjustment::Hue(stream.between(-hue, hue)),
        ],
        JitterArithmetic::Torchvision => [
            Adjustment::Scale(stream.factor(brightness)),
            Adjustment::AboutMeanLuma(stream.factor(contrast)),
            Adjustment::AboutLuma(stream.factor(saturation)),
            Adjustment::Hue(stream.between(-hue, hue)),
        ],
    };
    for last in (1..adjustments.len()).rev() {
        adjustments.swap(last, stream.below(last + 1));
    }
    Some(adjustments)
}

fn draw_blur(blur: Blur, mut stream: Stream) -> Option<f64> {
    let Blur { p, min_sigma, max_sigma } = blur;
    stream.happens(p).then(|| stream.between(min_sigma, max_sigma))
}

/// Numbers of the operators in a stream's key: never reuse or change one, that changes every view.
#[derive(Clone, Copy)]
enum Operator {
    Crop = 0,
    Flip = 1,
    ColorJitter = 2,
    Grayscale = 3,
    Blur = 4,
    Solarize = 5,
}

/// The random numbers of one operator in one view.
struct Stream(ChaCha8Rng);

impl Stream {
    fn new(at: Coordinates, operator: Operator) -> Self {
        let view: u32 = match at.view {
            View::First => 0,
            View::Second => 1,
        };
        let mut key = [0; 32];
        key[..8].copy_from_slice(&at.seed.to_le_bytes());
        key[8..16].copy_from_slice(&at.epoch.to_le_bytes());
        key[16..24].copy_from_slice(&at.image.to_le_bytes());
        key[24..28].copy_from_slice(&view.to_le_bytes());
        key[28..].copy_from_slice(&(operator as u32).to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in [0, 1), a multiple of 2^-53.
    fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn happens(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Uniform between the ends, which rounding does not pass.
    fn between(&mut self, low: f64, high: f64) -> f64 {
        (low + self.unit() * (high - low)).min(high)
    }

    /// Uniform around 1 by up to `strength`, never negative.
    fn factor(&mut self, strength: f64) -> f64 {
        self.between((1.0 - strength).max(0.0), 1.0 + strength)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::distribution::{T_PRIME, drawn};
    use super::*;

    #[test]
    fn certain_and_impossible_are_exact() {
        let mut recipe = T_PRIME.clone();
        recipe.flip = Some(Flip { p: 1.0 });
        recipe.grayscale = Some(Grayscale { p: 0.0 });
        assert!(drawn(&recipe, View::Second).iter().all(|d| d.flip && !d.grayscale));
        assert!(drawn(&ViewRecipe::default(), View::Second).iter().all(|d| *d == Drawn::default()));
    }

    #[test]
    fn every_coordinate_changes_the_draw() {
        let at = Coordinates { seed: 1, epoch: 2, image: 3, view: View::First };
        let others = [
            Coordinates { seed: 2, ..at },
            Coordinates { epoch: 3, ..at },
            Coordinates { image: 4, ..at },
            Coordinates { view: View::Second, ..at },
            Coordinates { epoch: 3, image: 2, ..at },
        ];
        for other in others {
            assert_ne!(draw(&T_PRIME, at).crop, draw(&T_PRIME, other).crop, "{other:?}");
        }
    }

    /// A change here changes every view: raise `SEMANTICS.augment` with it.
    #[test]
    fn draws_are_the_ones_of_semantics_1() {
        let at = Coordinates { seed: 1, epoch: 2, image: 3, view: View::Second };
        let expected = Drawn {
            crop: Some(CropDraw {
                share: 0.6027336993066978,
                aspect: 1.0803451919434905,
                x: 0.09049394646172071,
                y: 0.15690983985476925,
            }),
            color_jitter: Some([
                Adjustment::Hue(-0.0023164213791486282),
                Adjustment::Saturation(1.129582468960636),
                Adjustment::Contrast(1.3400757759520734),
                Adjustment::Brightness(0.17426894833836304),
            ]),
            ..Drawn::default()
        };
        assert_eq!(draw(&T_PRIME, at), expected);
    }

    proptest! {
        #[test]
        fn removing_an_operator_shifts_no_other_draw(
            seed: u64, epoch: u64, image: u64, second: bool, without in 0..6
        ) {
            let view = if second { View::Second } else { View::First };
            let at = Coordinates { seed, epoch, image, view };
            let (mut recipe, mut expected) = (T_PRIME.clone(), draw(&T_PRIME, at));
            match without {
                0 => (recipe.crop, expected.crop) = (None, None),
                1 => (recipe.flip, expected.flip) = (None, false),
                2 => (recipe.color_jitter, expected.color_jitter) = (None, None),
                3 => (recipe.grayscale, expected.grayscale) = (None, false),
                4 => (recipe.blur, expected.blur) = (None, None),
                _ => (recipe.solarize, expected.solarize) = (None, None),
            }
            prop_assert_eq!(draw(&recipe, at), expected);
        }
    }
}
