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
