//! Test images with their nearest neighbours: a block a setting, a row an image.

use super::ChartError;
use super::canvas::{Anchor, Canvas, Drawing, Spot};
use super::columns::Columns;
use super::legend::{self, Entry, Sample};
use super::marker::Fill;
use super::palette::{self, FAINT_INK, INK, Rgb, Shape, WHITE};
use super::text::{Typeface, Weight};
use crate::report::figure::{Neighbour, NeighbourBlock, NeighboursFigure};

/// Between an image and its neighbours, between neighbours, between blocks.
const FAR: f64 = 18.0;
const NEAR: f64 = 7.0;
const BETWEEN: f64 = 46.0;
/// Words above a block.
const ABOVE: f64 = 100.0;
const BELOW: f64 = 30.0;

/// Draws neighbours.
pub(super) fn draw(figure: &NeighboursFigure, columns: Columns) -> Result<Drawing, ChartError> {
    let mut canvas = Canvas::new(columns);
    let top = canvas.heading(&figure.heading.title, &figure.heading.subtitle)?;
    let entry = figure.is_labelled.then(|| Entry {
        name: "of another class than the first image of its row".to_owned(),
        color: other_class(),
        sample: Sample::Marker(Shape::Square, Fill::Crossed),
    });
    let top = legend::draw(&mut canvas, entry.as_slice(), top)?;
    let (left, right) = columns.span();
    let abreast: usize = match columns {
        Columns::Two => 3,
        Columns::One => 2,
    };
    let width = (right - left - BETWEEN * (abreast as f64 - 1.0)) / abreast as f64;
    let rows = figure.blocks.iter().map(|block| block.rows.len()).max().unwrap_or(0);
    let each = figure.blocks.iter().flat_map(|block| &block.rows).map(|row| row.found.len());
    let each = each.max().unwrap_or(0).max(1) as f64;
    let side = (width - FAR - (each - 1.0) * NEAR) / (each + 1.0);
    let height = ABOVE + rows as f64 * (side + NEAR) + BELOW;
    for (place, block) in figure.blocks.iter().enumerate() {
        let x = left + (place % abreast) as f64 * (width + BETWEEN);
        let y = top + (place / abreast) as f64 * height;
        words(&mut canvas, block, (x, y), width)?;
        for (at, row) in block.rows.iter().enumerate() {
            let y = y + ABOVE + at as f64 * (side + NEAR);
            canvas.picture(&row.query, (x, y), side);
            for (rank, found) in row.found.iter().enumerate() {
                let x = x + side + FAR + rank as f64 * (side + NEAR);
                neighbour(&mut canvas, found, (x, y), side);
            }
        }
    }
    let bands = figure.blocks.len().div_ceil(abreast);
    Ok(canvas.done(top + bands as f64 * height))
}

fn words(
    canvas: &mut Canvas,
    block: &NeighbourBlock,
    (x, y): Spot,
    width: f64,
) -> Result<(), ChartError> {
    let face = Typeface::new(Weight::SemiBold, 24.0)?;
    let faint = Typeface::new(Weight::Regular, 22.0)?;
    let lines = face.wrap(&block.name, width, 2);
    let first = y + 30.0 + (2 - lines.len()) as f64 * 27.0;
    for (at, line) in lines.iter().enumerate() {
        canvas.words(line, &face, (x, first + at as f64 * 27.0), Anchor::Left, INK);
    }
    let note = faint.wrap(&block.note, width, 1).remove(0);
    canvas.words(&note, &faint, (x, y + ABOVE - 15.0), Anchor::Left, FAINT_INK);
    Ok(())
}

fn other_class() -> Rgb {
    palette::color(1)
}

/// Draws a neighbour; one of another class has a frame and a cross in its corner.
fn neighbour(canvas: &mut Canvas, found: &Neighbour, (x, y): Spot, side: f64) {
    canvas.picture(&found.picture, (x, y), side);
    if found.same_class != Some(false) {
        return;
    }
    let (right, bottom) = (x + side, y + side);
    let frame = [(x, y), (right, y), (right, bottom), (x, bottom)];
    let closed = [frame[0], frame[1], frame[2], frame[3], frame[0], frame[1]];
    canvas.line(&closed, 2.5, other_class(), None);
    let reach = (side * 0.1).max(6.0);
    let (across, down) = (right - reach - 4.0, y + reach + 4.0);
    let cross = [
        [(across - reach, down - reach), (across + reach, down + reach)],
        [(across - reach, down + reach), (across + reach, down - reach)],
    ];
    for (width, color) in [(7.0, WHITE), (3.5, other_class())] {
        for arm in &cross {
            canvas.line(arm, width, color, None);
        }
    }
}
