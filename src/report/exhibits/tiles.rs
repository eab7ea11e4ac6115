//! Pictures in text: one PNG of them all, one below the other, in Base64. Knows nothing of what they
//! show.

use std::io::Cursor;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::png::{CompressionType, FilterType, PngDecoder, PngEncoder};
use image::imageops::{self, FilterType as Kernel};
use image::{ExtendedColorType, ImageDecoder, ImageEncoder, RgbImage};
use serde::{Deserialize, Serialize};

use crate::protocol::exhibit::{LARGEST_SIDE, Pictures};

/// Most pictures in one text.
const MOST: usize = 4096;

/// Square pictures of one side as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tiles {
    side: usize,
    count: usize,
    png: String,
}

impl Tiles {
    /// Takes pictures; `None` where there is none.
    pub fn of(pictures: &Pictures) -> Option<Self> {
        let (side, count) = (pictures.side, pictures.len());
        let png = png(side, side * count, pictures.rgb.get(..side * side * count * 3)?)?;
        Some(Self { side, count, png: STANDARD.encode(png) })
    }

    /// Returns the pictures; `None` where the text is damaged.
    pub fn pictures(&self) -> Option<Pictures> {
        let sized = (1..=LARGEST_SIDE).contains(&self.side) && (1..=MOST).contains(&self.count);
        let bytes = STANDARD.decode(&self.png).ok().filter(|_| sized)?;
        let decoder = PngDecoder::new(Cursor::new(bytes)).ok()?;
        let (width, height) = decoder.dimensions();
        let expected = (self.side as u32, (self.side * self.count) as u32);
        let is_rgb = decoder.color_type() == image::ColorType::Rgb8;
        if (width, height) != expected || !is_rgb {
            return None;
        }
        let mut rgb = vec![0; self.side * self.side * self.count * 3];
        decoder.read_image(&mut rgb).ok()?;
        Some(Pictures { side: self.side, rgb })
    }

    /// Returns how long the text is.
    pub fn characters(&self) -> usize {
        self.png.len()
    }
}

/// Returns RGB as PNG; `None` for a picture without pixels.
pub fn png(width: usize, height: usize, rgb: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let encoder =
        PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive);
    let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    if width == 0 || height == 0 || rgb.len() != width as usize * height as usize * 3 {
        return None;
    }
    encoder.write_image(rgb, width, height, ExtendedColorType::Rgb8).ok()?;
    Some(bytes)
}

impl Pictures {
    /// Returns them no larger than `side`.
    pub(super) fn reduced(&self, side: usize) -> Self {
        if self.side <= side {
            return self.clone();
        }
        let reduce = |rgb: &[u8]| {
            let large = self.side as u32;
            let image = RgbImage::from_raw(large, large, rgb.to_vec()).unwrap_or_default();
            imageops::resize(&image, side as u32, side as u32, Kernel::Triangle).into_raw()
        };
        Self { side, rgb: self.iter().flat_map(reduce).collect() }
    }

    /// Returns them in 32 shades a channel, each within 4 of the 256: in pictures of so few pixels nobody
    /// sees it, and they take a third less.
    pub(in crate::report) fn coarse(&self) -> Self {
        const STEPS: u16 = 31;
        let shade = |value: &u8| {
            let step = (u16::from(*value) * STEPS + 127) / 255;
            ((step * 255 + STEPS / 2) / STEPS) as u8
        };
        Self { side: self.side, rgb: self.rgb.iter().map(shade).collect() }
    }

    /// Returns those at `places`.
    pub(super) fn only(&self, places: &[usize]) -> Self {
        let all: Vec<&[u8]> = self.iter().collect();
        let rgb = places.iter().filter_map(|place| all.get(*place)).copied().flatten().copied();
        Self { side: self.side, rgb: rgb.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pictures(side: usize, count: usize) -> Pictures {
        Pictures {
            side,
            rgb: (0..side * side * count * 3).map(|at| (at * 37 % 251) as u8).collect(),
        }
    }

    #[test]
    fn pictures_come_back_from_their_text() {
        for (side, count) in [(1, 1), (8, 5), (64, 12)] {
            let pictures = pictures(side, count);
            let tiles = Tiles::of(&pictures).unwrap();
            assert_eq!(tiles.pictures(), Some(pictures));
            let text = serde_json::to_string(&tiles).unwrap();
            assert_eq!(serde_json::from_str::<Tiles>(&text).unwrap(), tiles);
        }
        assert_eq!(Tiles::of(&Pictures::default()), None);
    }

    #[test]
    fn damaged_text_is_no_picture() {
        let whole = Tiles::of(&pictures(8, 5)).unwrap();
        let cut = Tiles { png: whole.png[..whole.png.len() / 2].to_owned(), ..whole.clone() };
        let other = Tiles { png: "no Base64!".to_owned(), ..whole.clone() };
        let sizes = [(8, 6), (9, 5), (0, 0), (usize::MAX, usize::MAX), (8, usize::MAX / 8)];
        let sized = sizes.map(|(side, count)| Tiles { side, count, ..whole.clone() });
        for damaged in [cut, other].into_iter().chain(sized) {
            assert_eq!(damaged.pictures(), None, "{} {}", damaged.side, damaged.count);
        }
    }

    #[test]
    fn coarse_shades_are_near_and_stay_as_they_are() {
        let all = Pictures { side: 16, rgb: (0..=255).flat_map(|v| [v; 3]).collect() };
        let coarse = all.coarse();
        assert_eq!(coarse.coarse(), coarse);
        let apart = all.rgb.iter().zip(&coarse.rgb).map(|(a, b)| a.abs_diff(*b)).max();
        assert_eq!(apart, Some(4));
        let shades: std::collections::BTreeSet<u8> = coarse.rgb.iter().copied().collect();
        assert_eq!((shades.len(), coarse.rgb[0], coarse.rgb[767]), (32, 0, 255));
    }

    /// A ball on a slope, with the grain of a camera.
    fn photograph(side: usize) -> Pictures {
        let middle = side as f64 / 2.0;
        let mut grain = 1_u32;
        let mut shade = |at: usize| {
            let (channel, x, y) = (at % 3, at / 3 % side, at / 3 / side);
            let from = f64::hypot(x as f64 - middle, y as f64 - middle) / middle;
            let light = if from < 0.6 { 200.0 - 150.0 * from } else { 60.0 + 2.0 * y as f64 };
            grain = grain.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (light + 20.0 * channel as f64 + f64::from(grain >> 29)) as u8
        };
        Pictures { side, rgb: (0..side * side * 3).map(&mut shade).collect() }
    }

    #[test]
    fn a_picture_of_32_pixels_takes_less_than_two_kilobytes() {
        let photograph = photograph(32);
        let size = |pictures: &Pictures| Tiles::of(pictures).unwrap().characters();
        let (whole, coarse) = (size(&photograph), size(&photograph.coarse()));
        assert!(coarse < 2048, "{coarse} characters, {whole} in all shades");
        assert!(coarse * 3 < whole * 2, "{coarse} characters, {whole} in all shades");
    }

    #[test]
    fn reducing_keeps_what_is_small_and_the_mean_of_what_is_not() {
        let pictures = pictures(16, 3);
        assert_eq!(pictures.reduced(16), pictures);
        let reduced = pictures.reduced(4);
        assert_eq!((reduced.side, reduced.len()), (4, 3));
        let mean = |rgb: &[u8]| rgb.iter().map(|v| f64::from(*v)).sum::<f64>() / rgb.len() as f64;
        assert!((mean(&reduced.rgb) - mean(&pictures.rgb)).abs() < 3.0);
        assert_eq!(pictures.only(&[2, 0]).iter().next(), pictures.iter().nth(2));
    }
}
