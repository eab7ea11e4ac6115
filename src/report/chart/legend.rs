//! The legend: above the axes, so that it covers no data, in as many rows as it needs.

use super::ChartError;
use super::canvas::{Anchor, Canvas};
use super::marker::{self, Fill};
use super::palette::{self, Dash, INK, Rgb, Shape};
use super::text::{Typeface, Weight};
use crate::report::figure::{SpreadForm, SpreadMarks};

/// Size of its words.
const SIZE: f64 = 25.0;
const ROW: f64 = 38.0;
const SAMPLE: f64 = 50.0;
/// Between a sample and its name, and between entries.
const NEAR: f64 = 12.0;
const FAR: f64 = 40.0;

/// How much of what is behind a band it hides.
pub(super) const BAND: f64 = 0.18;

/// One entry.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) color: Rgb,
    pub(super) sample: Sample,
}

/// What stands before a name.
pub(super) enum Sample {
    /// A piece of a line, with its marker where the line has markers.
    Line(Dash, Option<(Shape, Fill)>),
    /// A bar.
    Bar,
    /// A spread over seeds.
    Spread(SpreadForm),
    /// A marker alone.
    Marker(Shape, Fill),
    /// A white cross in a square.
    Badge,
    /// A struck square.
    Struck,
}

/// Draws entries from left to right below `top`; returns where the next thing may begin.
pub(super) fn draw(canvas: &mut Canvas, entries: &[Entry], top: f64) -> Result<f64, ChartError> {
    if entries.is_empty() {
        return Ok(top);
    }
    let face = Typeface::new(Weight::Regular, SIZE)?;
    let (left, right) = canvas.columns.span();
    let columns = columns(&face, entries, right - left);
    let mut y = top + ROW / 2.0;
    for (at, entry) in entries.iter().enumerate() {
        let column = at % columns.len();
        if at > 0 && column == 0 {
            y += ROW;
        }
        let x = left + columns[column];
        let end = columns.get(column + 1).map_or(right, |next| left + next - FAR);
        sample(canvas, entry, (x, y));
        let name = face.wrap(&entry.name, end - x - SAMPLE - NEAR + 1.0, 1).remove(0);
        let base = (x + SAMPLE + NEAR, y + SIZE * 0.36);
        canvas.words(&name, &face, base, Anchor::Left, INK);
    }
    Ok(y + ROW / 2.0 + 16.0)
}

/// Where entries stand: the left end of each column.
fn columns(face: &Typeface, entries: &[Entry], room: f64) -> Vec<f64> {
    let width = |entry: &Entry| face.width(&entry.name) + SAMPLE + NEAR + FAR;
    let all: f64 = entries.iter().map(width).sum();
    if all - FAR <= room {
        let mut left = 0.0;
        let place = |entry| {
            let place = left;
            left += width(entry);
            place
        };
        return entries.iter().map(place).collect();
    }
    // Columns of one width, so that rows stand in line.
    let longest = entries.iter().map(width).fold(0.0, f64::max);
    let most = ((room + FAR) / longest).floor().max(1.0) as usize;
    // No wider than its rows need: three and one would look like a group of three.
    let count = entries.len().div_ceil(entries.len().div_ceil(most)) as f64;
    (0..count as usize).map(|at| at as f64 * (room + FAR) / count).collect()
}

fn sample(canvas: &mut Canvas, entry: &Entry, (x, y): (f64, f64)) {
    let middle = (x + SAMPLE / 2.0, y);
    match entry.sample {
        Sample::Line(dash, mark) => {
            canvas.line(&[(x, y), (x + SAMPLE, y)], 4.0, entry.color, dash);
            if let Some((shape, fill)) = mark {
                marker::draw(canvas, shape, middle, 9.0, entry.color, fill);
            }
        }
        Sample::Bar => canvas.rectangle((x, y - 11.0), (x + SAMPLE, y + 11.0), entry.color),
        Sample::Spread(SpreadForm::Bands) => {
            let corners =
                [(x, y - 11.0), (x + SAMPLE, y - 11.0), (x + SAMPLE, y + 11.0), (x, y + 11.0)];
            canvas.area(&corners, entry.color, BAND);
        }
        Sample::Spread(SpreadForm::Whiskers) => {
            let (left, right) = (x + 12.0, x + SAMPLE);
            canvas.line(&[(left, y), (right, y)], 2.5, entry.color, None);
            for end in [left, right] {
                canvas.line(&[(end, y - 6.0), (end, y + 6.0)], 2.5, entry.color, None);
            }
        }
        Sample::Marker(shape, fill) => {
            marker::draw(canvas, shape, (x + SAMPLE - 14.0, y), 9.0, entry.color, fill);
        }
        Sample::Struck => {
            marker::struck(canvas, (x + 8.0, y - 13.0), (x + SAMPLE, y + 13.0));
        }
        Sample::Badge => marker::badge(canvas, (x + SAMPLE - 24.0, y - 9.0), 18.0, entry.color),
    }
}

/// Returns the entry of what some seed's collapse is marked with.
pub(super) fn collapsed_entry() -> Entry {
    let sample = Sample::Marker(Shape::Circle, Fill::Crossed);
    Entry { name: "collapsed (some seed)".to_owned(), color: INK, sample }
}

/// Returns the entries of imports.
pub(super) fn import_entries(names: &[String]) -> impl Iterator<Item = Entry> {
    names.iter().enumerate().map(|(place, name)| Entry {
        name: format!("{name} (imported)"),
        color: INK,
        sample: Sample::Marker(marker::of_import(place), Fill::Hollow),
    })
}

/// Returns the entry of a spread over seeds.
pub(super) fn spread_entry(spread: &SpreadMarks, color: Rgb) -> Entry {
    Entry { name: spread.label.clone(), color, sample: Sample::Spread(spread.form) }
}

/// Returns the entry of a line with markers.
pub(super) fn line_entry(name: String, style: usize, fill: Fill) -> Entry {
    let dash = match fill {
        Fill::Solid | Fill::Crossed => palette::dash(style),
        Fill::Hollow => super::lines::PAPER_DASH,
    };
    let sample = Sample::Line(dash, Some((palette::shape(style), fill)));
    Entry { name, color: palette::color(style), sample }
}
