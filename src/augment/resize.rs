//! Bicubic resampling of a part of an image into planes of values in [0, 1].
//!
//! Keys' kernel with a = -1/2 and half-pixel centres; taps outside the part are dropped and the
//! rest scaled to sum 1, as TensorFlow's `tf.image.resize` does, which BYOL's code calls. Where
//! the part is larger than the view, the kernel is stretched by the same factor (antialiasing),
//! which that call leaves out: then its result depends on one pixel in several, and aliases.
//! Results are clipped to [0, 1]. Knows nothing of operators but the flip, which costs nothing
//! here.

use super::crop::Area;
use super::pixels::Pixels;
use super::scratch::Scratch;

const PER_LEVEL: f32 = 1.0 / 255.0;

/// Whether columns run from left to right or from right to left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    Kept,
    Mirrored,
}

/// Fills the scratch's planes with `area` of the image at `side` x `side` pixels.
pub(super) fn resample(
    pixels: Pixels<'_>,
    area: Area,
    side: usize,
    columns: Columns,
    scratch: &mut Scratch,
) {
    for plane in &mut scratch.planes {
        plane.resize(side * side, 0.0);
    }
    if area.width == side && area.height == side {
        return copy(pixels, area, columns, scratch);
    }
    scratch.rows.fill(area.height, side);
    scratch.columns.fill(area.width, side);
    if columns == Columns::Mirrored {
        scratch.columns.mirror();
    }
    // One number more than the row has, so that every pixel can be read as four.
    scratch.row.resize(area.width * 3 + 1, 0.0);

    let [r, g, b] = &mut scratch.planes;
    for y in 0..side {
        let (start, weights) = scratch.rows.at(y);
        let source = |tap| pixels.row(area.y + start + tap, area.x, area.width);
        blend_rows(source, weights, &mut scratch.row[..area.width * 3]);
        let row = y * side..(y + 1) * side;
        let planes = [&mut r[row.clone()], &mut g[row.clone()], &mut b[row]];
        blend_columns(&scratch.row, &scratch.columns, planes);
    }
}

/// The same as resampling by a factor of 1.
fn copy(pixels: Pixels<'_>, area: Area, columns: Columns, scratch: &mut Scratch) {
    let side = area.width;
    let [r, g, b] = &mut scratch.planes;
    for y in 0..side {
        let (source, _) = pixels.row(area.y + y, area.x, side).as_chunks::<3>();
        for (x, pixel) in source.iter().enumerate() {
            let x = match columns {
                Columns::Kept => x,
                Columns::Mirrored => side - 1 - x,
            };
            let [red, green, blue] = pixel.map(|level| f32::from(level) * PER_LEVEL);
            (r[y * side + x], g[y * side + x], b[y * side + x]) = (red, green, blue);
        }
    }
}

/// Weighted sum of rows of interleaved bytes.
fn blend_rows<'a>(source: impl Fn(usize) -> &'a [u8], weights: &[f32], out: &mut [f32]) {
    if let [a, b, c, d] = *weights {
        // Enlarging, the usual case for small images: one pass instead of four.
        let rows = source(0).iter().zip(source(1)).zip(source(2)).zip(source(3));
        for (out, (((ra, rb), rc), rd)) in out.iter_mut().zip(rows) {
            *out =
                a * f32::from(*ra) + b * f32::from(*rb) + c * f32::from(*rc) + d * f32::from(*rd);
        }
        return;
    }
    out.fill(0.0);
    for (tap, weight) in weights.iter().enumerate() {
        for (out, level) in out.iter_mut().zip(source(tap)) {
            *out += weight * f32::from(*level);
        }
    }
}

/// Weighted sums of the pixels of one interleaved row to one row of each plane.
fn blend_columns(row: &[f32], columns: &Taps, [r, g, b]: [&mut [f32]; 3]) {
    for (x, ((r, g), b)) in r.iter_mut().zip(&mut *g).zip(&mut *b).enumerate() {
        let (start, weights) = columns.at(x);
        let source = &row[start * 3..];
        // The fourth lane is the next pixel's red; it is there to fill a register.
        let [red, green, blue, _] = match (weights.as_array::<4>(), source.first_chunk::<13>()) {
            (Some(weights), Some(source)) => blend_pixels(source, weights),
            _ => blend_pixels(source, weights),
        };
        (*r, *g, *b) = (red, green, blue);
    }
    // Apart from the loop above, because this one compiles to vectors.
    for plane in [r, g, b] {
        for value in plane {
            *value = (*value * PER_LEVEL).clamp(0.0, 1.0);
        }
    }
}

#[inline(always)]
fn blend_pixels(source: &[f32], weights: &[f32]) -> [f32; 4] {
    let mut sums = [0.0; 4];
    for (tap, weight) in weights.iter().enumerate() {
        let pixel = &source[tap * 3..tap * 3 + 4];
        for (sum, value) in sums.iter_mut().zip(pixel) {
            *sum += weight * value;
        }
    }
    sums
}

/// For each place in the result: the first source place that counts, and the weights from there.
#[derive(Default)]
pub(super) struct Taps {
    /// Weights for each place of the result.
    count: usize,
    starts: Vec<usize>,
    weights: Vec<f32>,
}

impl Taps {
    /// Computes the weights that take `from` places, at least 1, to `to` places.
    fn fill(&mut self, from: usize, to: usize) {
        let scale = from as f64 / to as f64;
        let stretch = scale.max(1.0);
        let support = 2.0 * stretch;
        self.count = ((2.0 * support).ceil() as usize).min(from);
        self.starts.clear();
        self.weights.clear();
        for place in 0..to {
            let center = (place as f64 + 0.5) * scale;
            // The first place whose middle lies inside the support; the cast cuts at 0.
            let first = (center - support + 0.5).floor() as usize;
            let start = first.min(from - self.count);
            self.starts.push(start);
            self.push_weights(start as f64 + 0.5 - center, stretch);
        }
    }

    fn push_weights(&mut self, first_distance: f64, stretch: f64) {
        let begin = self.weights.len();
        let distance = |tap: usize| (first_distance + tap as f64) / stretch;
        self.weights.extend((0..self.count).map(|tap| keys(distance(tap)) as f32));
        let weights = &mut self.weights[begin..];
        let norm = weights.iter().sum::<f32>().recip();
        for weight in weights {
            *weight *= norm;
        }
    }

    /// Turns the result around.
    fn mirror(&mut self) {
        self.starts.reverse();
        // Reversing everything reverses the weights of each place too: turn these back.
        self.weights.reverse();
        for weights in self.weights.chunks_exact_mut(self.count) {
            weights.reverse();
        }
    }

    fn at(&self, place: usize) -> (usize, &[f32]) {
        (self.starts[place], &self.weights[place * self.count..][..self.count])
    }
}

/// Keys' cubic convolution kernel with a = -1/2 (also known as Catmull-Rom).
fn keys(distance: f64) -> f64 {
    let x = distance.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference images: `(37 (y width + x) (c + 2) + 61 c) mod 256`.
    fn image(width: usize, height: usize) -> Vec<u8> {
        let level = |i: usize| (37 * (i / 3) * (i % 3 + 2) + 61 * (i % 3)) % 256;
        (0..width * height * 3).map(|i| level(i) as u8).collect()
    }

    fn resized(
        width: usize,
        height: usize,
        area: Area,
        side: usize,
        columns: Columns,
    ) -> [Vec<f32>; 3] {
        let rgb = image(width, height);
        let pixels = Pixels::new(width as u32, height as u32, &rgb).unwrap();
        let mut scratch = Scratch::default();
        resample(pixels, area, side, columns, &mut scratch);
        scratch.planes
    }

    #[track_caller]
    fn assert_close(actual: &[f32], expected: &[f32]) {
        assert_eq!(actual.len(), expected.len());
        let close = actual.iter().zip(expected).all(|(a, b)| (a - b).abs() < 2e-5);
        assert!(close, "{actual:?} is not {expected:?}");
    }

    /// Expected values: Pillow's BICUBIC on float images, which is the same kernel, clipped.
    #[test]
    fn enlarging_is_keys_cubic() {
        let [red, _, blue] = resized(3, 2, Area::whole(3, 2), 4, Columns::Kept);
        let expected = [
            0.0, 0.14022, 0.43685, 0.60732, 0.17604, 0.21152, 0.37666, 0.56793, //
            0.71667, 0.35290, 0.25731, 0.48984, 0.98932, 0.42420, 0.19712, 0.45045,
        ];
        assert_close(&red, &expected);
        let expected = [
            0.52871, 0.13406, 0.20361, 0.69377, 0.43445, 0.26195, 0.33151, 0.59951, //
            0.24755, 0.51555, 0.58511, 0.41260, 0.15329, 0.64345, 0.71300, 0.31835,
        ];
        assert_close(&blue, &expected);
    }

    #[test]
    fn shrinking_stretches_the_kernel() {
        let [red, _, blue] = resized(9, 7, Area::whole(9, 7), 3, Columns::Kept);
        let expected =
            [0.46439, 0.45400, 0.47634, 0.49500, 0.56117, 0.50437, 0.50965, 0.49124, 0.44917];
        assert_close(&red, &expected);
        let expected =
            [0.45434, 0.58175, 0.50654, 0.45077, 0.51605, 0.56969, 0.46229, 0.44518, 0.51254];
        assert_close(&blue, &expected);
    }

    #[test]
    fn nothing_outside_the_part_shows() {
        let area = Area { x: 2, y: 1, width: 3, height: 4 };
        let rgb = image(6, 6);
        let cut: Vec<u8> =
            (1..5).flat_map(|y| &rgb[(y * 6 + 2) * 3..(y * 6 + 5) * 3]).copied().collect();
        let mut scratch = Scratch::default();
        let pixels = Pixels::new(3, 4, &cut).unwrap();
        resample(pixels, Area::whole(3, 4), 5, Columns::Kept, &mut scratch);
        assert_eq!(resized(6, 6, area, 5, Columns::Kept), scratch.planes);
    }

    #[test]
    fn mirroring_turns_every_row_around() {
        for (width, height, side) in [(5, 4, 7), (9, 8, 3), (4, 4, 4), (1, 3, 2)] {
            let area = Area::whole(width, height);
            let kept = resized(width, height, area, side, Columns::Kept);
            let mirrored = resized(width, height, area, side, Columns::Mirrored);
            for (kept, mirrored) in kept.iter().zip(mirrored) {
                let rows = kept.chunks(side).zip(mirrored.chunks(side));
                for (kept, mirrored) in rows {
                    assert!(kept.iter().eq(mirrored.iter().rev()));
                }
            }
        }
    }

    #[test]
    fn copying_is_resampling_by_one() {
        let (width, height) = (5, 5);
        let planes = resized(width, height, Area::whole(width, height), 5, Columns::Kept);
        let mut taps = Taps::default();
        taps.fill(5, 5);
        for place in 0..5 {
            let (start, weights) = taps.at(place);
            let one = weights.iter().position(|weight| *weight == 1.0).unwrap();
            assert_eq!((start + one, weights.iter().sum()), (place, 1.0));
        }
        let rgb = image(width, height);
        for (i, value) in planes[1].iter().enumerate() {
            assert!((value - f32::from(rgb[i * 3 + 1]) / 255.0).abs() < 1e-7);
        }
    }

    #[test]
    fn white_stays_white() {
        let rgb = [255; 7 * 5 * 3];
        for side in [1, 3, 5, 16] {
            let mut scratch = Scratch::default();
            let pixels = Pixels::new(7, 5, &rgb).unwrap();
            resample(pixels, Area::whole(7, 5), side, Columns::Kept, &mut scratch);
            for value in scratch.planes.iter().flatten() {
                assert!((value - 1.0).abs() < 1e-6);
            }
        }
    }
}
