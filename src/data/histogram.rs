//! The colours of an image without its shapes: what a baseline that sees colour alone may use.

use super::Image;

/// Bins of [`color_histogram`]: four a channel, joint.
pub const COLOR_BINS: usize = 64;

/// Returns the share of pixels in each of 4 x 4 x 4 bins of (R, G, B), R slowest; they sum to 1.
pub fn color_histogram(image: &Image<'_>) -> Vec<f32> {
    let mut counts = [0u32; COLOR_BINS];
    let (pixels, _) = image.rgb.as_chunks::<3>();
    for [r, g, b] in pixels {
        counts[usize::from((r >> 6) << 4 | (g >> 6) << 2 | b >> 6)] += 1;
    }
    let all = pixels.len().max(1) as f32;
    counts.iter().map(|&count| count as f32 / all).collect()
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn shares_sum_to_one_and_lie_in_the_bin_of_their_colour() {
        let rgb = Cow::Owned(vec![255, 0, 64, 255, 63, 127, 0, 0, 0, 0, 0, 0]);
        let histogram = color_histogram(&Image { width: 2, height: 2, rgb });
        assert_eq!(histogram.len(), COLOR_BINS);
        assert_eq!(histogram[3 * 16 + 1], 0.5);
        assert_eq!(histogram[0], 0.5);
        assert_eq!(histogram.iter().sum::<f32>(), 1.0);
    }
}
