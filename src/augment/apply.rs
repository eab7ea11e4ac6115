//! Makes a view of an image out of what was drawn. Draws nothing itself.

use super::blur::blur;
use super::color::{Planes, adjust, grayscale, solarize};
use super::crop::Area;
use super::draw::Drawn;
use super::frame::Frame;
use super::pixels::{AugmentError, Pixels};
use super::resize::{Columns, resample};
use super::scratch::{self, Scratch};

/// Writes one view of an image, normalised, channels last: crop and resize, flip, colour jitter,
/// grayscale, blur, solarize, normalise (BYOL, appendix B).
///
/// # Errors
///
/// [`AugmentError::Output`] if `out` is not [`Frame::len`] long.
pub fn view(
    pixels: Pixels<'_>,
    drawn: &Drawn,
    frame: &Frame,
    out: &mut [f32],
) -> Result<(), AugmentError> {
    frame.check(1, out.len())?;
    scratch::with(|scratch| make(pixels, drawn, frame, scratch, out));
    Ok(())
}

/// Writes an image as evaluation sees it, normalised, channels last: an image of the view's size
/// as it is, of any other the central square (see [`Area`]) resized.
///
/// # Errors
///
/// [`AugmentError::Output`] if `out` is not [`Frame::len`] long.
pub fn plain(pixels: Pixels<'_>, frame: &Frame, out: &mut [f32]) -> Result<(), AugmentError> {
    frame.check(1, out.len())?;
    let (width, height, side) = (pixels.width(), pixels.height(), frame.side());
    let area = if (width, height) == (side, side) {
        Area::whole(width, height)
    } else {
        Area::central(width, height, side)
    };
    scratch::with(|scratch| {
        resample(pixels, area, side, Columns::Kept, scratch);
        frame.write(scratch.planes.each_ref().map(Vec::as_slice), out);
    });
    Ok(())
}

fn make(pixels: Pixels<'_>, drawn: &Drawn, frame: &Frame, scratch: &mut Scratch, out: &mut [f32]) {
    let (width, height) = (pixels.width(), pixels.height());
    let Drawn { crop, flip, color_jitter, grayscale: gray, blur: sigma, solarize: threshold } =
        drawn;
    let area = crop.map_or_else(|| Area::whole(width, height), |crop| crop.area(width, height));
    let columns = if *flip { Columns::Mirrored } else { Columns::Kept };
    resample(pixels, area, frame.side(), columns, scratch);

    let mut planes: Planes<'_> = scratch.planes.each_mut().map(Vec::as_mut_slice);
    for adjustment in color_jitter.iter().flatten() {
        adjust(&mut planes, *adjustment);
    }
    if *gray {
        grayscale(&mut planes);
    }
    if let Some(sigma) = sigma {
        blur(scratch, frame.side(), *sigma);
    }
    if let Some(threshold) = threshold {
        scratch.planes.iter_mut().for_each(|plane| solarize(plane, *threshold));
    }
    frame.write(scratch.planes.each_ref().map(Vec::as_slice), out);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::augment::{Adjustment, Coordinates, CropDraw, View, draw};
    use crate::spec::run::{
        Blur, ColorJitter, Crop, Flip, Grayscale, JitterArithmetic, Solarize, ViewRecipe,
    };

    fn image(width: u32, height: u32) -> Vec<u8> {
        (0..width * height * 3).map(|i| (i * 89 % 251) as u8).collect()
    }

    fn shown(rgb: &[u8], side: u32, drawn: &Drawn) -> Vec<f32> {
        let frame = Frame::new(side, [0.0; 3], [1.0; 3]);
        let mut out = vec![f32::NAN; frame.len()];
        view(Pixels::new(side, side, rgb).unwrap(), drawn, &frame, &mut out).unwrap();
        out
    }

    #[test]
    fn without_operators_an_image_is_only_normalised() {
        let rgb = image(4, 4);
        let frame = Frame::new(4, [0.5, 0.25, 0.0], [0.5, 0.25, 1.0]);
        let (mut seen, mut evaluated) = (vec![0.0; frame.len()], vec![0.0; frame.len()]);
        let pixels = Pixels::new(4, 4, &rgb).unwrap();
        view(pixels, &Drawn::default(), &frame, &mut seen).unwrap();
        plain(pixels, &frame, &mut evaluated).unwrap();
        assert_eq!(seen, evaluated);
        let normalised = |i: usize| {
            (f32::from(rgb[i]) / 255.0 - [0.5, 0.25, 0.0][i % 3]) / [0.5, 0.25, 1.0][i % 3]
        };
        assert!((0..48).all(|i| (seen[i] - normalised(i)).abs() < 1e-5));
    }

    /// The order shows: solarizing comes after brightness, which comes after the flip.
    #[test]
    fn operators_apply_in_the_papers_order() {
        let rgb = [[0, 51, 102], [153, 204, 255], [0, 0, 0], [255, 255, 255]].concat();
        let noop = Adjustment::Contrast(1.0);
        let drawn = Drawn {
            flip: true,
            color_jitter: Some([Adjustment::Brightness(0.25), noop, noop, noop]),
            solarize: Some(0.5),
            ..Drawn::default()
        };
        let expected = [0.15, 0.0, 0.0, 0.25, 0.45, 0.35, 0.0, 0.0, 0.0, 0.25, 0.25, 0.25];
        let shown = shown(&rgb, 2, &drawn);
        assert!(shown.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{shown:?}");
    }

    #[test]
    fn adjustments_apply_in_the_drawn_order() {
        let rgb = [[200; 3], [40; 3], [90; 3], [130; 3]].concat();
        let noop = Adjustment::Hue(0.0);
        let (bright, contrast) = (Adjustment::Brightness(0.4), Adjustment::Contrast(0.5));
        let with = |first, second| {
            shown(
                &rgb,
                2,
                &Drawn { color_jitter: Some([first, second, noop, noop]), ..Drawn::default() },
            )
        };
        // 200 clips at white before the contrast, or not at all after it.
        assert!((with(bright, contrast)[0] - 0.9024).abs() < 1e-3);
        assert!((with(contrast, bright)[0] - 1.0).abs() < 1e-3);
    }

    #[test]
    fn grayscale_and_blur_reach_the_view() {
        let rgb = image(20, 20);
        let gray = shown(&rgb, 20, &Drawn { grayscale: true, ..Drawn::default() });
        assert!(gray.chunks(3).all(|p| p[0] == p[1] && p[1] == p[2]));
        let sharp = shown(&rgb, 20, &Drawn::default());
        let blurred = shown(&rgb, 20, &Drawn { blur: Some(1.0), ..Drawn::default() });
        // Weights at sigma 1: 0.45186 in the middle, 0.27407 beside it.
        let across = |y: usize| {
            let at = |x: usize| sharp[(y * 20 + x) * 3];
            0.45186 * at(5) + 0.27407 * (at(4) + at(6))
        };
        let expected = 0.45186 * across(7) + 0.27407 * (across(6) + across(8));
        assert!((blurred[(7 * 20 + 5) * 3] - expected).abs() < 1e-4);
    }

    #[test]
    fn a_crop_shows_its_part() {
        let mut rgb = vec![0; 8 * 8 * 3];
        for (x, y) in [(4, 4), (5, 4), (4, 5), (5, 5)] {
            rgb[(y * 8 + x) * 3..][..3].fill(255);
        }
        let crop = CropDraw { share: 4.0 / 64.0, aspect: 1.0, x: 4.5 / 7.0, y: 4.5 / 7.0 };
        let shown = shown(&rgb, 8, &Drawn { crop: Some(crop), ..Drawn::default() });
        assert!(shown.iter().all(|value| (value - 1.0).abs() < 1e-6));
    }

    #[test]
    fn a_wrong_buffer_is_an_error() {
        let rgb = image(4, 4);
        let pixels = Pixels::new(4, 4, &rgb).unwrap();
        let frame = Frame::new(4, [0.0; 3], [1.0; 3]);
        let error = Err(AugmentError::Output { expected: 48, actual: 47 });
        assert_eq!(view(pixels, &Drawn::default(), &frame, &mut [0.0; 47]), error);
        assert_eq!(plain(pixels, &frame, &mut [0.0; 47]), error);
    }

    fn recipe() -> impl Strategy<Value = ViewRecipe> {
        let p = || 0.0..=1.0;
        let crop = (0.01..1.0, 0.0..1.0, 0.2..1.0, 1.0..5.0).prop_map(
            |(min_area, more, min_aspect, max_aspect)| Crop {
                min_area,
                max_area: min_area + more * (1.0 - min_area),
                min_aspect,
                max_aspect,
            },
        );
        let arithmetic =
            prop::sample::select(vec![JitterArithmetic::Paper, JitterArithmetic::Torchvision]);
        let jitter = (p(), 0.0..=1.0, 0.0..=1.0, 0.0..=1.0, 0.0..=0.5, arithmetic).prop_map(
            |(p, brightness, contrast, saturation, hue, arithmetic)| ColorJitter {
                p,
                brightness,
                contrast,
                saturation,
                hue,
                arithmetic,
            },
        );
        let blur = (p(), 0.0..3.0, 0.0..3.0).prop_map(|(p, min_sigma, more)| Blur {
            p,
            min_sigma,
            max_sigma: min_sigma + more,
        });
        let solarize = (p(), 0.0..=1.0).prop_map(|(p, threshold)| Solarize { p, threshold });
        (
            prop::option::of(crop),
            prop::option::of(p().prop_map(|p| Flip { p })),
            prop::option::of(jitter),
            prop::option::of(p().prop_map(|p| Grayscale { p })),
            prop::option::of(blur),
            prop::option::of(solarize),
        )
            .prop_map(|(crop, flip, color_jitter, grayscale, blur, solarize)| ViewRecipe {
                crop,
                flip,
                color_jitter,
                grayscale,
                blur,
                solarize,
            })
    }

    proptest! {
        #[test]
        fn any_image_and_recipe_give_values_from_0_to_1(
            recipe in recipe(), width in 1..80u32, height in 1..80u32, side in 0..50u32, number: u64
        ) {
            let rgb = image(width, height);
            let pixels = Pixels::new(width, height, &rgb).unwrap();
            let frame = Frame::new(side, [0.0; 3], [1.0; 3]);
            let at = Coordinates { seed: 3, epoch: 1, image: number, view: View::First };
            let mut out = vec![f32::NAN; frame.len()];
            view(pixels, &draw(&recipe, at), &frame, &mut out).unwrap();
            prop_assert!(out.iter().all(|value| (0.0..=1.0).contains(value)));
            out.fill(f32::NAN);
            plain(pixels, &frame, &mut out).unwrap();
            prop_assert!(out.iter().all(|value| (0.0..=1.0).contains(value)));
        }
    }
}
