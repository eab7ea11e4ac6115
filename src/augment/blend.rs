//! Colour operators with the arithmetic of torchvision's `ColorJitter`: every one blends the image
//! with another, `factor * image + (1 - factor) * other`, and clips to [0, 1]. Its hue is the one
//! of BYOL's code.

use super::color::{Planes, clip, luma, mean};

/// Brightness: the other image is black.
pub(super) fn with_black(planes: &mut Planes<'_>, factor: f32) {
    for plane in planes {
        for value in plane.iter_mut() {
            *value = clip(factor * *value);
        }
    }
}

/// Contrast: the other image has the mean luma everywhere, one number for all channels.
pub(super) fn with_mean_luma(planes: &mut Planes<'_>, factor: f32) {
    let [r, g, b] = planes.each_ref().map(|plane| mean(plane));
    // Luma is linear: the mean of it is that of the means.
    let other = (1.0 - factor) * luma(r, g, b);
    for plane in planes {
        for value in plane.iter_mut() {
            *value = clip(factor * *value + other);
        }
    }
}

/// Saturation: the other image is the luma of each pixel.
pub(super) fn with_luma([r, g, b]: &mut Planes<'_>, factor: f32) {
    for ((r, g), b) in r.iter_mut().zip(g.iter_mut()).zip(b.iter_mut()) {
        let other = (1.0 - factor) * luma(*r, *g, *b);
        *r = clip(factor * *r + other);
        *g = clip(factor * *g + other);
        *b = clip(factor * *b + other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pure red and green: lumas 0.2989 and 0.5870, mean 0.44295.
    fn red_and_green(change: impl Fn(&mut Planes<'_>)) -> [[f32; 2]; 3] {
        let [mut r, mut g, mut b] = [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]];
        change(&mut [&mut r, &mut g, &mut b]);
        [r, g, b]
    }

    #[track_caller]
    fn assert_close(actual: [[f32; 2]; 3], expected: [[f32; 2]; 3]) {
        let pairs = actual.as_flattened().iter().zip(expected.as_flattened());
        assert!(pairs.clone().all(|(a, b)| (a - b).abs() < 1e-6), "{actual:?}");
    }

    #[test]
    fn brightness_multiplies() {
        let half = red_and_green(|planes| with_black(planes, 0.5));
        assert_close(half, [[0.5, 0.0], [0.0, 0.5], [0.0, 0.0]]);
        let clipped = red_and_green(|planes| with_black(planes, 1.5));
        assert_close(clipped, [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]);
    }

    #[test]
    fn contrast_turns_all_channels_about_one_number() {
        let gray = red_and_green(|planes| with_mean_luma(planes, 0.0));
        assert_close(gray, [[0.44295; 2]; 3]);
        let half = red_and_green(|planes| with_mean_luma(planes, 0.5));
        assert_close(half, [[0.721_475, 0.221_475], [0.221_475, 0.721_475], [0.221_475; 2]]);
    }

    #[test]
    fn saturation_turns_a_pixel_about_its_luma() {
        let gray = red_and_green(|planes| with_luma(planes, 0.0));
        assert_close(gray, [[0.2989, 0.5870]; 3]);
        let half = red_and_green(|planes| with_luma(planes, 0.5));
        assert_close(half, [[0.64945, 0.2935], [0.14945, 0.7935], [0.14945, 0.2935]]);
    }
}
