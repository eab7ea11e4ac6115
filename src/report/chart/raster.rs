//! From a drawing to a PNG of one pixel a unit. Everything is drawn at twice the size and averaged,
//! which gives smooth edges. Knows nothing of figures.

use image::imageops;
use plotters::prelude::{BitMapBackend, Color, DrawingBackend, RGBAColor, RGBColor};

use super::ChartError;
use super::canvas::{Drawing, Mark, Spot};
use super::indexed::{Indexed, indexed};
use super::palette::{Dash, Rgb};
use super::text::Typeface;
use crate::report::figure::Picture;

/// Pixels drawn for each pixel kept, in each direction.
const OVERSAMPLING: u32 = 2;
/// Pixels that are looked at together.
const BLOCK: usize = 16;

/// Returns a drawing as PNG.
pub(super) fn png(drawing: &Drawing) -> Result<Vec<u8>, ChartError> {
    let mut sheet = Sheet::new(drawing.columns.pixels(), drawing.height);
    for mark in &drawing.marks {
        match mark {
            Mark::Polygon { corners, color, opacity } => {
                sheet.polygon(corners, rgb(*color).mix(*opacity))?;
            }
            Mark::Disc { at, radius, color } => sheet.disc(*at, *radius, *color)?,
            Mark::Line { spots, width, color, dash } => sheet.line(spots, *width, *color, *dash)?,
            Mark::Picture { picture, at, side } => sheet.picture(picture, *at, *side),
            Mark::Words { words, face, at, color } => sheet.words(words, face, *at, *color),
        }
    }
    // Pictures have too many colours for a palette.
    let has_pictures = drawing.marks.iter().any(|mark| matches!(mark, Mark::Picture { .. }));
    let pixels = sheet.averaged();
    let few = if has_pictures { None } else { indexed(&pixels) };
    encoded(sheet.width, sheet.height, few.map_or(Samples::All(pixels), Samples::Few))
        .map_err(|error| ChartError::Draw(error.to_string()))
}

/// What a PNG holds of each pixel.
enum Samples {
    /// Its place in a palette.
    Few(Indexed),
    /// Red, green, blue.
    All(Vec<u8>),
}

fn encoded(width: u32, height: u32, samples: Samples) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let samples = match samples {
        Samples::Few(Indexed { palette, places }) => {
            encoder.set_color(png::ColorType::Indexed);
            encoder.set_palette(palette.concat());
            // Places are no shades that a filter could foretell.
            encoder.set_filter(png::Filter::NoFilter);
            places
        }
        Samples::All(pixels) => {
            encoder.set_color(png::ColorType::Rgb);
            encoder.set_filter(png::Filter::Adaptive);
            pixels
        }
    };
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&samples)?;
    writer.finish()?;
    Ok(bytes)
}

/// The pixels.
struct Sheet {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Sheet {
    fn new(width: u32, height: u32) -> Self {
        let samples = (width * OVERSAMPLING) as usize * (height * OVERSAMPLING) as usize;
        Self { width, height, pixels: vec![255; samples * 3] }
    }

    /// Draws with plotters on the oversampled pixels.
    fn plot<E: std::fmt::Display>(
        &mut self,
        draw: impl FnOnce(&mut BitMapBackend<'_>) -> Result<(), E>,
    ) -> Result<(), ChartError> {
        let size = (self.width * OVERSAMPLING, self.height * OVERSAMPLING);
        let mut backend = BitMapBackend::with_buffer(&mut self.pixels, size);
        draw(&mut backend).map_err(|error| ChartError::Draw(error.to_string()))
    }

    fn polygon(&mut self, corners: &[Spot], color: RGBAColor) -> Result<(), ChartError> {
        let corners: Vec<(i32, i32)> = corners.iter().map(oversampled).collect();
        self.plot(|backend| backend.fill_polygon(corners, &color))
    }

    fn disc(&mut self, at: Spot, radius: f64, color: Rgb) -> Result<(), ChartError> {
        let radius = (radius * f64::from(OVERSAMPLING)).round() as u32;
        self.plot(|backend| backend.draw_circle(oversampled(&at), radius, &rgb(color), true))
    }

    fn line(
        &mut self,
        spots: &[Spot],
        width: f64,
        color: Rgb,
        dash: Dash,
    ) -> Result<(), ChartError> {
        match dash {
            Some((ink, gap)) => {
                for piece in dashed(spots, ink, gap) {
                    self.whole_line(&piece, width, color)?;
                }
                Ok(())
            }
            None => self.whole_line(spots, width, color),
        }
    }

    fn whole_line(&mut self, spots: &[Spot], width: f64, color: Rgb) -> Result<(), ChartError> {
        for pair in spots.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let length = (b.0 - a.0).hypot(b.1 - a.1);
            if length > 0.0 {
                let (nx, ny) = ((b.1 - a.1) / length, (a.0 - b.0) / length);
                let (nx, ny) = (nx * width / 2.0, ny * width / 2.0);
                let corners = [
                    (a.0 + nx, a.1 + ny),
                    (b.0 + nx, b.1 + ny),
                    (b.0 - nx, b.1 - ny),
                    (a.0 - nx, a.1 - ny),
                ];
                self.polygon(&corners, rgb(color).to_rgba())?;
            }
        }
        // Thin lines show no gap where they bend.
        if width >= 2.5 {
            for spot in spots.iter().skip(1).take(spots.len().saturating_sub(2)) {
                self.disc(*spot, width / 2.0, color)?;
            }
        }
        Ok(())
    }

    /// Sets a picture: with its pixels as squares where it is enlarged by a whole number, which keeps
    /// them as they are and takes the fewest bytes, else smoothly.
    fn picture(&mut self, picture: &Picture, at: Spot, side: f64) {
        let small = picture.side as u32;
        let Some(small) = image::RgbImage::from_raw(small, small, picture.rgb.clone()) else {
            return;
        };
        let large = (side * f64::from(OVERSAMPLING)) as u32;
        let filter = if (side as u32).is_multiple_of(small.width()) {
            imageops::FilterType::Nearest
        } else {
            imageops::FilterType::Triangle
        };
        let large = imageops::resize(&small, large, large, filter);
        let (left, top) = oversampled(&at);
        let (columns, rows) = (self.width * OVERSAMPLING, self.height * OVERSAMPLING);
        for (x, y, pixel) in large.enumerate_pixels() {
            let (x, y) = (i64::from(left) + i64::from(x), i64::from(top) + i64::from(y));
            let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { continue };
            if x < columns && y < rows {
                let start = (y as usize * columns as usize + x as usize) * 3;
                self.pixels[start..start + 3].copy_from_slice(&pixel.0);
            }
        }
    }

    fn words(&mut self, words: &str, face: &Typeface, at: Spot, color: Rgb) {
        let factor = f64::from(OVERSAMPLING);
        let (columns, rows) = (self.width * OVERSAMPLING, self.height * OVERSAMPLING);
        let pixels = &mut self.pixels;
        face.scaled(factor).draw(words, at.0 * factor, at.1 * factor, |x, y, coverage| {
            let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else { return };
            if x < columns && y < rows {
                let start = (y as usize * columns as usize + x as usize) * 3;
                for (sample, ink) in
                    pixels[start..start + 3].iter_mut().zip([color.0, color.1, color.2])
                {
                    let (paper, ink) = (f32::from(*sample), f32::from(ink));
                    *sample = (paper + (ink - paper) * coverage).round() as u8;
                }
            }
        });
    }

    /// The mean of the samples of each pixel.
    fn averaged(&self) -> Vec<u8> {
        let step = OVERSAMPLING as usize;
        let stride = self.width as usize * step * 3;
        let blank = vec![255; stride];
        let mut kept = Vec::with_capacity(self.pixels.len() / (step * step));
        for rows in self.pixels.chunks_exact(stride * step) {
            // Most of a chart is paper.
            let mut x = 0;
            while x < self.width as usize {
                let end = (x + BLOCK).min(self.width as usize);
                let (from, to) = (x * step * 3, end * step * 3);
                if rows.chunks_exact(stride).all(|row| row[from..to] == blank[from..to]) {
                    kept.extend_from_slice(&blank[..(end - x) * 3]);
                } else {
                    (x..end).for_each(|x| kept.extend(mean_of(rows, stride, x * step * 3)));
                }
                x = end;
            }
        }
        kept
    }
}

/// The mean over the samples of the pixel whose first sample begins at `corner`.
fn mean_of(rows: &[u8], stride: usize, corner: usize) -> [u8; 3] {
    let mut sums = [0u32; 3];
    for row in rows.chunks_exact(stride) {
        for sample in row[corner..].chunks_exact(3).take(OVERSAMPLING as usize) {
            for (sum, value) in sums.iter_mut().zip(sample) {
                *sum += u32::from(*value);
            }
        }
    }
    let samples = OVERSAMPLING * OVERSAMPLING;
    sums.map(|sum| ((sum + samples / 2) / samples) as u8)
}

fn rgb(color: Rgb) -> RGBColor {
    RGBColor(color.0, color.1, color.2)
}

fn oversampled(spot: &Spot) -> (i32, i32) {
    let factor = f64::from(OVERSAMPLING);
    ((spot.0 * factor).round() as i32, (spot.1 * factor).round() as i32)
}

/// Cuts a line into its dashes.
fn dashed(spots: &[Spot], ink: f64, gap: f64) -> Vec<Vec<Spot>> {
    let mut pieces: Vec<Vec<Spot>> = Vec::new();
    let (mut inked, mut left) = (true, ink);
    let mut piece: Vec<Spot> = spots.first().copied().into_iter().collect();
    for pair in spots.windows(2) {
        let ((mut x, mut y), end) = (pair[0], pair[1]);
        loop {
            let rest = (end.0 - x).hypot(end.1 - y);
            if !rest.is_finite() || rest <= left {
                left -= if rest.is_finite() { rest } else { 0.0 };
                piece.push(end);
                break;
            }
            (x, y) = (x + (end.0 - x) * left / rest, y + (end.1 - y) * left / rest);
            piece.push((x, y));
            if inked {
                pieces.push(std::mem::take(&mut piece));
            }
            inked = !inked;
            left = if inked { ink } else { gap };
            piece = vec![(x, y)];
        }
    }
    if inked && piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_go_on_around_corners() {
        let pieces = dashed(&[(0.0, 0.0), (10.0, 0.0), (10.0, 10.0)], 8.0, 4.0);
        assert_eq!(pieces, [vec![(0.0, 0.0), (8.0, 0.0)], vec![(10.0, 2.0), (10.0, 10.0)]]);
    }
}
