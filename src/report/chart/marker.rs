//! Markers: a shape beside every colour.

use super::canvas::{Canvas, Spot};
use super::palette::{FAINT_INK, GRID, Rgb, Shape, WHITE};

/// How a marker is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// Our numbers.
    Solid,
    /// The paper's.
    Hollow,
    /// Ours, of settings in which some seed collapsed.
    Crossed,
}

/// Draws a marker with a white rim, so that it stands out from lines behind it.
pub(super) fn draw(
    canvas: &mut Canvas,
    shape: Shape,
    at: Spot,
    radius: f64,
    color: Rgb,
    fill: Fill,
) {
    blot(canvas, shape, at, radius + 2.5, WHITE);
    blot(canvas, shape, at, radius, color);
    match fill {
        Fill::Solid => {}
        Fill::Hollow => blot(canvas, shape, at, inner(shape, radius), WHITE),
        Fill::Crossed => {
            blot(canvas, shape, at, inner(shape, radius), WHITE);
            cross(canvas, at, radius + 5.0, color);
        }
    }
}

/// Draws a marker alone, for many of them.
pub(super) fn plain(canvas: &mut Canvas, shape: Shape, at: Spot, radius: f64, color: Rgb) {
    blot(canvas, shape, at, radius, color);
}

/// Returns the shape of an import's hollow markers; the paper's are diamonds.
pub(super) fn of_import(place: usize) -> Shape {
    const SHAPES: [Shape; 4] = [Shape::Square, Shape::Triangle, Shape::TriangleDown, Shape::Circle];
    SHAPES[place % SHAPES.len()]
}

/// Draws a struck square: what has no result.
pub(super) fn struck(canvas: &mut Canvas, (left, top): Spot, (right, bottom): Spot) {
    canvas.rectangle((left, top), (right, bottom), GRID);
    canvas.line(&[(left, bottom), (right, top)], 1.5, FAINT_INK, None);
}

/// Draws a square with a white cross in it; `corner` is its left top one.
pub(super) fn badge(canvas: &mut Canvas, (left, top): Spot, side: f64, color: Rgb) {
    let (right, bottom) = (left + side, top + side);
    canvas.rectangle((left, top), (right, bottom), color);
    let (low, high) = (4.0, side - 4.0);
    canvas.line(&[(left + low, top + low), (left + high, top + high)], 3.0, WHITE, None);
    canvas.line(&[(left + low, top + high), (left + high, top + low)], 3.0, WHITE, None);
}

/// Draws a cross.
fn cross(canvas: &mut Canvas, (x, y): Spot, radius: f64, color: Rgb) {
    let reach = radius * std::f64::consts::FRAC_1_SQRT_2;
    canvas.line(&[(x - reach, y - reach), (x + reach, y + reach)], 3.0, color, None);
    canvas.line(&[(x - reach, y + reach), (x + reach, y - reach)], 3.0, color, None);
}

/// The same width of line for all shapes: a corner's line is longer than a side's.
fn inner(shape: Shape, radius: f64) -> f64 {
    match shape {
        Shape::Circle => radius - 3.0,
        Shape::Square => radius - 3.4,
        Shape::Diamond => radius - 3.6,
        Shape::Triangle | Shape::TriangleDown => radius - 4.4,
    }
}

fn blot(canvas: &mut Canvas, shape: Shape, (x, y): Spot, r: f64, color: Rgb) {
    // Sizes that look alike.
    match shape {
        Shape::Circle => canvas.disc((x, y), r, color),
        Shape::Square => {
            let r = r * 0.88;
            canvas.rectangle((x - r, y - r), (x + r, y + r), color);
        }
        Shape::Diamond => {
            let r = r * 1.2;
            canvas.polygon(&[(x, y - r), (x + r, y), (x, y + r), (x - r, y)], color);
        }
        Shape::Triangle => canvas.polygon(&triangle(x, y, r * 1.2, -1.0), color),
        Shape::TriangleDown => canvas.polygon(&triangle(x, y, r * 1.2, 1.0), color),
    }
}

fn triangle(x: f64, y: f64, r: f64, down: f64) -> [Spot; 3] {
    let (half, short) = (r * 0.9, r * 0.55);
    [(x, y + down * r), (x + half, y - down * short), (x - half, y - down * short)]
}
