//! Strips of views: one row a setting, one pair of pictures an image, the images above.

use super::ChartError;
use super::canvas::{Anchor, Canvas, Drawing};
use super::columns::{Columns, enlarged};
use super::palette::{FAINT_INK, INK};
use super::text::{Typeface, Weight};
use crate::report::figure::{Picture, Strip, ViewsFigure};

const NAME_SIZE: f64 = 22.0;
const LINE: f64 = 25.0;
/// A picture is no larger: 16, 24, 32 and 48 pixels fit into it without a rest.
const LARGEST: f64 = 96.0;
/// Between the two views of an image, between images, between strips.
const NEAR: f64 = 2.0;
const FAR: f64 = 12.0;
const BETWEEN: f64 = 14.0;

/// Where names and pictures of a sheet stand.
struct Layout {
    /// Images of a strip that there is room for.
    images: usize,
    /// Side of a picture.
    side: f64,
    /// Left end of the pictures.
    left: f64,
    names: Names,
}

/// Where the names of strips stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Beside,
    Above,
}

impl Layout {
    fn of(columns: Columns, images: usize, pixels: usize) -> Self {
        let (left, right) = columns.span();
        let (names, images, left) = match columns {
            Columns::Two => (Names::Beside, images.min(6), left + 272.0),
            Columns::One => (Names::Above, images.min(3), left),
        };
        let count = images.max(1) as f64;
        let room = (right - left - count * NEAR - (count - 1.0) * FAR) / (2.0 * count);
        Self { images, side: enlarged(pixels, room.min(LARGEST)), left, names }
    }

    /// Left end of an image's first view.
    fn x(&self, image: usize) -> f64 {
        self.left + image as f64 * (2.0 * self.side + NEAR + FAR)
    }
}

/// Draws the views of each setting.
pub(super) fn draw(figure: &ViewsFigure, columns: Columns) -> Result<Drawing, ChartError> {
    let mut canvas = Canvas::new(columns);
    let mut y = canvas.heading(&figure.heading.title, &figure.heading.subtitle)?;
    let most = figure.strips.iter().map(|strip| strip.pairs.len()).max().unwrap_or(0);
    let pixels = figure.strips.iter().flat_map(|strip| strip.pairs.iter().flatten());
    let layout = Layout::of(columns, most, pixels.map(|view| view.side).max().unwrap_or(1));
    let signs = Typeface::new(Weight::Regular, NAME_SIZE)?;
    for strip in &figure.strips {
        if let Some(originals) = &strip.originals {
            y = originals_row(&mut canvas, &layout, originals, y)?;
            for image in 0..layout.images.min(originals.len()) {
                for (view, sign) in ["T", "T′"].into_iter().enumerate() {
                    let x =
                        layout.x(image) + (view as f64 + 0.5) * layout.side + view as f64 * NEAR;
                    canvas.words(sign, &signs, (x, y + 16.0), Anchor::Middle, FAINT_INK);
                }
            }
            y += 28.0;
        }
        y = views_row(&mut canvas, &layout, strip, y)?;
    }
    Ok(canvas.done(y + 24.0))
}

/// Sets the images over their pairs.
fn originals_row(
    canvas: &mut Canvas,
    layout: &Layout,
    originals: &[Picture],
    y: f64,
) -> Result<f64, ChartError> {
    let y = name(canvas, layout, "the image", y, FAINT_INK)?;
    for (image, picture) in originals.iter().take(layout.images).enumerate() {
        let x = layout.x(image) + (layout.side + NEAR) / 2.0;
        canvas.picture(picture, (x, y), layout.side);
    }
    Ok(y + layout.side + 14.0)
}

fn views_row(
    canvas: &mut Canvas,
    layout: &Layout,
    strip: &Strip,
    y: f64,
) -> Result<f64, ChartError> {
    let y = name(canvas, layout, &strip.name, y, INK)?;
    for (image, pair) in strip.pairs.iter().take(layout.images).enumerate() {
        for (view, picture) in pair.iter().enumerate() {
            let x = layout.x(image) + view as f64 * (layout.side + NEAR);
            canvas.picture(picture, (x, y), layout.side);
        }
    }
    Ok(y + layout.side + BETWEEN)
}

/// Sets a name beside or above the pictures; returns where those begin.
fn name(
    canvas: &mut Canvas,
    layout: &Layout,
    name: &str,
    y: f64,
    color: super::palette::Rgb,
) -> Result<f64, ChartError> {
    let face = Typeface::new(Weight::Regular, NAME_SIZE)?;
    let (left, right) = canvas.columns.span();
    match layout.names {
        Names::Beside => {
            let most = ((layout.side + BETWEEN) / LINE) as usize;
            let lines = face.wrap_list(name, layout.left - left - 20.0, most);
            let middle = y + layout.side / 2.0;
            let first = middle - (lines.len() as f64 - 1.0) * LINE / 2.0 + NAME_SIZE * 0.36;
            for (at, line) in lines.iter().enumerate() {
                let spot = (layout.left - 20.0, first + at as f64 * LINE);
                canvas.words(line, &face, spot, Anchor::Right, color);
            }
            Ok(y)
        }
        Names::Above => {
            let line = face.wrap(name, right - left, 1).remove(0);
            canvas.words(&line, &face, (left, y + NAME_SIZE), Anchor::Left, color);
            Ok(y + LINE + 8.0)
        }
    }
}
