//! Colour operators on planes of values in [0, 1], with the arithmetic of BYOL's code: unlike
//! torchvision's, which is in [`blend`], brightness adds and contrast turns about each channel's
//! own mean. Every result is clipped to [0, 1]. Loops have no branch and no call, so that they
//! compile to vectors.

use super::blend;
use super::draw::Adjustment;

/// R, G and B of one view, equally long.
pub(super) type Planes<'a> = [&'a mut [f32]; 3];

/// Keeps divisions finite where the divisor may be 0, and then the dividend is too.
const TINY: f32 = 1e-30;

/// Applies one change of colour.
pub(super) fn adjust(planes: &mut Planes<'_>, adjustment: Adjustment) {
    match adjustment {
        Adjustment::Brightness(delta) => {
            planes.iter_mut().for_each(|plane| brightness(plane, delta as f32));
        }
        Adjustment::Contrast(factor) => {
            planes.iter_mut().for_each(|plane| contrast(plane, factor as f32));
        }
        Adjustment::Saturation(factor) => saturation(planes, factor as f32),
        Adjustment::Hue(shift) => hue(planes, shift),
        Adjustment::Scale(factor) => blend::with_black(planes, factor as f32),
        Adjustment::AboutMeanLuma(factor) => blend::with_mean_luma(planes, factor as f32),
        Adjustment::AboutLuma(factor) => blend::with_luma(planes, factor as f32),
    }
}

fn brightness(plane: &mut [f32], delta: f32) {
    for value in plane {
        *value = clip(*value + delta);
    }
}

fn contrast(plane: &mut [f32], factor: f32) {
    let mean = mean(plane);
    for value in plane {
        *value = clip((*value - mean) * factor + mean);
    }
}

/// Multiplies the HSV saturation S = 1 - min / max, clipped at 1. Hue and value stay, so every
/// channel keeps its place between min and max: its distance from max grows by the same ratio.
fn saturation([r, g, b]: &mut Planes<'_>, factor: f32) {
    for ((r, g), b) in r.iter_mut().zip(g.iter_mut()).zip(b.iter_mut()) {
        let (max, min) = (larger(larger(*r, *g), *b), smaller(smaller(*r, *g), *b));
        let ratio = smaller(factor, max / larger(max - min, TINY));
        *r = clip(max - (max - *r) * ratio);
        *g = clip(max - (max - *g) * ratio);
        *b = clip(max - (max - *b) * ratio);
    }
}

/// Adds to the HSV hue, modulo 1. Value and saturation stay, hence min and max.
fn hue([r, g, b]: &mut Planes<'_>, shift: f64) {
    // Hue is counted in sixths of the circle.
    let shift = (shift.rem_euclid(1.0) * 6.0) as f32;
    for ((r, g), b) in r.iter_mut().zip(g.iter_mut()).zip(b.iter_mut()) {
        let (max, min) = (larger(larger(*r, *g), *b), smaller(smaller(*r, *g), *b));
        let chroma = max - min;
        let per_chroma = 1.0 / larger(chroma, TINY);
        let at_green =
            if max == *g { (*b - *r) * per_chroma + 2.0 } else { (*r - *g) * per_chroma + 4.0 };
        let hue = if max == *r { (*g - *b) * per_chroma } else { at_green } + shift;
        // From -1 (magenta reds) to below 11.
        let hue = if hue < 0.0 { hue + 6.0 } else { hue };
        let hue = if hue >= 6.0 { hue - 6.0 } else { hue };
        *r = clip(min + chroma * clip((hue - 3.0).abs() - 1.0));
        *g = clip(min + chroma * clip(2.0 - (hue - 2.0).abs()));
        *b = clip(min + chroma * clip(2.0 - (hue - 4.0).abs()));
    }
}

/// Luma in all three channels.
pub(super) fn grayscale([r, g, b]: &mut Planes<'_>) {
    for ((r, g), b) in r.iter_mut().zip(g.iter_mut()).zip(b.iter_mut()) {
        let luma = luma(*r, *g, *b);
        (*r, *g, *b) = (luma, luma, luma);
    }
}

/// The gray of a colour, the same in BYOL's code and in torchvision.
pub(super) fn luma(r: f32, g: f32, b: f32) -> f32 {
    0.2989 * r + 0.5870 * g + 0.1140 * b
}

/// Inverts values from the threshold up.
pub(super) fn solarize(plane: &mut [f32], threshold: f64) {
    let threshold = threshold as f32;
    for value in plane {
        *value = if *value < threshold { *value } else { 1.0 - *value };
    }
}

/// Mean in eight running sums a block, which vectors can hold; blocks are short enough for f32.
pub(super) fn mean(plane: &[f32]) -> f32 {
    let sum: f64 = plane.chunks(4096).map(|block| f64::from(block_sum(block))).sum();
    (sum / plane.len() as f64) as f32
}

fn block_sum(block: &[f32]) -> f32 {
    let (eights, rest) = block.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for eight in eights {
        for (sum, value) in sums.iter_mut().zip(eight) {
            *sum += value;
        }
    }
    sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

pub(super) fn clip(value: f32) -> f32 {
    value.clamp(0.0, 1.0)
}

/// `f32::max` without its care for NaN, which costs as much as the rest of a loop.
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Textbook HSV of one pixel: hue in [0, 1), saturation, value.
    fn hsv([r, g, b]: [f64; 3]) -> [f64; 3] {
        let (max, min) = (r.max(g).max(b), r.min(g).min(b));
        let sixths = match max - min {
            0.0 => 0.0,
            chroma if max == r => ((g - b) / chroma).rem_euclid(6.0),
            chroma if max == g => (b - r) / chroma + 2.0,
            chroma => (r - g) / chroma + 4.0,
        };
        [sixths / 6.0, if max == 0.0 { 0.0 } else { (max - min) / max }, max]
    }

    fn rgb([h, s, v]: [f64; 3]) -> [f64; 3] {
        let sector = (h * 6.0).floor();
        let rest = h * 6.0 - sector;
        let (p, q, t) = (v * (1.0 - s), v * (1.0 - s * rest), v * (1.0 - s * (1.0 - rest)));
        match sector as i32 {
            0 => [v, t, p],
            1 => [q, v, p],
            2 => [p, v, t],
            3 => [p, q, v],
            4 => [t, p, v],
            _ => [v, p, q],
        }
    }

    fn apply(pixel: [f64; 3], change: impl Fn(&mut Planes<'_>)) -> [f64; 3] {
        let mut values = pixel.map(|value| [value as f32]);
        let [r, g, b] = &mut values;
        change(&mut [r, g, b]);
        values.map(|value| f64::from(value[0]))
    }

    fn adjusted(pixel: [f64; 3], adjustment: Adjustment) -> [f64; 3] {
        apply(pixel, |planes| adjust(planes, adjustment))
    }

    fn close(a: [f64; 3], b: [f64; 3], tolerance: f64) -> bool {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance)
    }

    #[track_caller]
    fn assert_close(a: [f64; 3], b: [f64; 3]) {
        assert!(close(a, b, 1e-5), "{a:?} is not {b:?}");
    }

    #[test]
    fn brightness_adds_and_clips() {
        let pixel = [0.1, 0.5, 0.9];
        assert_close(adjusted(pixel, Adjustment::Brightness(0.25)), [0.35, 0.75, 1.0]);
        assert_close(adjusted(pixel, Adjustment::Brightness(-0.25)), [0.0, 0.25, 0.65]);
    }

    #[test]
    fn contrast_turns_about_the_mean_of_the_channel() {
        let (mut r, mut g, mut b) = ([0.0, 0.5, 1.0], [0.25, 0.35, 0.45], [0.2; 3]);
        adjust(&mut [&mut r, &mut g, &mut b], Adjustment::Contrast(1.4));
        assert_eq!(r, [0.0, 0.5, 1.0]);
        assert_close(g.map(f64::from), [0.21, 0.35, 0.49]);
        assert_close(b.map(f64::from), [0.2; 3]);
    }

    #[test]
    fn the_mean_counts_every_value_once() {
        let plane: Vec<f32> = (0..10_003).map(|i| (i % 7) as f32 / 6.0).collect();
        let exact = plane.iter().map(|v| f64::from(*v)).sum::<f64>() / 10_003.0;
        assert!((f64::from(mean(&plane)) - exact).abs() < 1e-6);
    }

    #[test]
    fn primary_colours_turn_to_each_other() {
        let third = Adjustment::Hue(1.0 / 3.0);
        assert_close(adjusted([1.0, 0.0, 0.0], third), [0.0, 1.0, 0.0]);
        assert_close(adjusted([0.0, 1.0, 0.0], third), [0.0, 0.0, 1.0]);
        assert_close(adjusted([0.0, 0.0, 1.0], third), [1.0, 0.0, 0.0]);
        assert_close(adjusted([0.5; 3], third), [0.5; 3]);
        assert_close(adjusted([0.8, 0.2, 0.2], Adjustment::Hue(-1.0 / 6.0)), [0.8, 0.2, 0.8]);
    }

    #[test]
    fn saturation_is_clipped_at_one() {
        assert_close(adjusted([0.8, 0.4, 0.6], Adjustment::Saturation(1.5)), [0.8, 0.2, 0.5]);
        assert_close(adjusted([0.8, 0.4, 0.6], Adjustment::Saturation(9.0)), [0.8, 0.0, 0.4]);
        assert_close(adjusted([0.8, 0.4, 0.6], Adjustment::Saturation(0.0)), [0.8; 3]);
        assert_close(adjusted([0.0; 3], Adjustment::Saturation(1.2)), [0.0; 3]);
    }

    #[test]
    fn gray_is_the_luma() {
        assert_close(apply([1.0, 0.0, 0.0], grayscale), [0.2989; 3]);
        assert_close(apply([0.0, 1.0, 0.0], grayscale), [0.5870; 3]);
        assert_close(apply([0.0, 0.0, 1.0], grayscale), [0.1140; 3]);
    }

    #[test]
    fn solarize_inverts_from_the_threshold_up() {
        let mut plane = [0.0, 0.49, 0.5, 0.75, 1.0];
        solarize(&mut plane, 0.5);
        assert_eq!(plane, [0.0, 0.49, 0.5, 0.25, 0.0]);
        let mut plane = [0.1, 0.2, 0.3];
        solarize(&mut plane, 0.2);
        assert_eq!(plane, [0.1, 0.8, 0.7]);
    }

    fn pixel() -> impl Strategy<Value = [f64; 3]> {
        // Levels of 8 bits, so that grays, ties and extremes come up.
        prop::array::uniform3((0..=15u8).prop_map(|level| f64::from(level * 17) / 255.0))
    }

    proptest! {
        #[test]
        fn saturation_is_the_one_of_hsv(pixel in pixel(), factor in 0.0..3.0f64) {
            let [h, s, v] = hsv(pixel);
            let expected = rgb([h, (s * factor).min(1.0), v]);
            let actual = adjusted(pixel, Adjustment::Saturation(factor));
            prop_assert!(close(actual, expected, 1e-5), "{:?} {:?}", actual, expected);
        }

        #[test]
        fn hue_is_the_one_of_hsv(pixel in pixel(), shift in -1.5..1.5f64) {
            let [h, s, v] = hsv(pixel);
            let expected = rgb([(h + shift).rem_euclid(1.0), s, v]);
            let actual = adjusted(pixel, Adjustment::Hue(shift));
            prop_assert!(close(actual, expected, 1e-5), "{:?} {:?}", actual, expected);
        }
    }
}
