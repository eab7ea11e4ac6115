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

/// Weighted sums of the pixels of one interleaved row, in levels of 255, to one row of each plane.
fn blend_columns(row: &[f32], columns: &Taps, [r, g, b]: [&mut [f32]; 3]) {
    for (x, ((r, g), b)) in r.iter_mut().zip(g).zip(b).enumerate() {
        let (start, weights) = columns.at(x);
        let source = &row[start * 3..];
        // The fourth lane is the next pixel's red; it is there to fill a register.
        let sums = match (weights.as_array::<4>(), source.first_chunk::<13>()) {
            (Some(weights), Some(source)) => blend_pixels(source, weights),
            _ => blend_pixels(source, weights),
        };
        let [red, green, blue, _] = sums.map(|sum| (sum * PER_LEVEL).clamp(0.0, 1.0));
        (*r, *g, *b) = (red, green, blue);
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
