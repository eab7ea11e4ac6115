//! Maps of embeddings: for each setting principal components and t-SNE side by side.

use super::ChartError;
use super::canvas::{Anchor, Canvas, Drawing, Spot};
use super::columns::Columns;
use super::legend::{self, Entry, Sample};
use super::marker::{self, Fill};
use super::palette::{self, FAINT_INK, GRID, INK, Shape};
use super::text::{Typeface, Weight};
use crate::report::figure::{EmbeddingFigure, EmbeddingMap};

const RADIUS: f64 = 5.0;
/// Between maps of a setting, between settings.
const NEAR: f64 = 22.0;
const FAR: f64 = 56.0;
/// Words above a setting's maps, and below them.
const ABOVE: f64 = 100.0;
const BELOW: f64 = 64.0;
/// Share of a map's side that points reach to.
const REACH: f64 = 0.94;
/// How often the classes take turns in being drawn.
const TURNS: usize = 4;

/// Draws maps of embeddings.
pub(super) fn draw(figure: &EmbeddingFigure, columns: Columns) -> Result<Drawing, ChartError> {
    let mut canvas = Canvas::new(columns);
    let top = canvas.heading(&figure.heading.title, &figure.heading.subtitle)?;
    let entry = |(style, name): (usize, &String)| Entry {
        name: name.clone(),
        color: palette::color(style),
        sample: Sample::Marker(palette::shape(style), Fill::Solid),
    };
    let entries: Vec<Entry> = figure.classes.iter().enumerate().map(entry).collect();
    let top = legend::draw(&mut canvas, &entries, top)? + 8.0;
    let (left, right) = columns.span();
    let abreast = columns.panels_abreast();
    let width = (right - left - FAR * (abreast as f64 - 1.0)) / abreast as f64;
    let side = (width - NEAR) / 2.0;
    for (place, map) in figure.maps.iter().enumerate() {
        let x = left + (place % abreast) as f64 * (width + FAR);
        let y = top + (place / abreast) as f64 * (ABOVE + side + BELOW);
        words(&mut canvas, map, (x, y), width)?;
        let corner = (x, y + ABOVE);
        let [first, second] = map.shares;
        let pca = format!("PCA, {first:.0} % + {second:.0} % of the variance");
        one(&mut canvas, (corner, side), (&map.pca, figure.reach), map, &pca)?;
        let corner = (x + side + NEAR, y + ABOVE);
        let tsne = if map.tsne.is_empty() { "t-SNE: too few or equal images" } else { "t-SNE" };
        one(&mut canvas, (corner, side), (&map.tsne, 1.0), map, tsne)?;
    }
    let rows = figure.maps.len().div_ceil(abreast);
    Ok(canvas.done(top + rows as f64 * (ABOVE + side + BELOW) + 12.0))
}

fn words(
    canvas: &mut Canvas,
    map: &EmbeddingMap,
    (x, y): Spot,
    width: f64,
) -> Result<(), ChartError> {
    let face = Typeface::new(Weight::SemiBold, 26.0)?;
    let faint = Typeface::new(Weight::Regular, 23.0)?;
    // A name of one line stands close to its note.
    let lines = face.wrap(&map.name, width, 2);
    let first = y + 30.0 + (2 - lines.len()) as f64 * 28.0;
    for (at, line) in lines.iter().enumerate() {
        canvas.words(line, &face, (x, first + at as f64 * 28.0), Anchor::Left, INK);
    }
    let note = faint.wrap(&map.note, width, 1).remove(0);
    canvas.words(&note, &faint, (x, y + ABOVE - 14.0), Anchor::Left, FAINT_INK);
    Ok(())
}

/// The order of drawing: some images of each class, and again, so that no class covers the others and
/// those of one class are few elements.
fn in_turns(images: usize, label: impl Fn(usize) -> Option<u8>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..images).collect();
    order.sort_by_key(|at| (at * TURNS / images.max(1), label(*at)));
    order
}

/// Draws one map, with its words below.
fn one(
    canvas: &mut Canvas,
    (corner, side): (Spot, f64),
    (places, reach): (&[[f64; 2]], f64),
    map: &EmbeddingMap,
    below: &str,
) -> Result<(), ChartError> {
    let (left, top) = corner;
    let (right, bottom) = (left + side, top + side);
    let frame = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
    canvas.line(&frame, 2.0, GRID, None);
    let (middle, scale) = ((left + side / 2.0, top + side / 2.0), side / 2.0 * REACH / reach);
    let label = |at: usize| map.labels.as_ref().and_then(|labels| labels.get(at)).copied();
    for at in in_turns(places.len(), label) {
        let [x, y] = places[at];
        let spot = (middle.0 + x * scale, middle.1 - y * scale);
        let (shape, color) = match label(at) {
            Some(label) => (palette::shape(label.into()), palette::color(label.into())),
            None => (Shape::Circle, palette::color(0)),
        };
        // On whole units equal markers have equal pixels.
        marker::plain(canvas, shape, (spot.0.round(), spot.1.round()), RADIUS, color);
    }
    let face = Typeface::new(Weight::Regular, 22.0)?;
    for (at, line) in face.wrap(below, side, 2).iter().enumerate() {
        let spot = (left + side / 2.0, bottom + 26.0 + at as f64 * 25.0);
        canvas.words(line, &face, spot, Anchor::Middle, FAINT_INK);
    }
    Ok(())
}
