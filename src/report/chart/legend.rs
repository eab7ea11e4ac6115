//! The legend: above the axes, so that it covers no data, in as many rows as it needs.

use super::ChartError;
use super::canvas::{Anchor, Canvas};
use super::marker::{self, Fill};
use super::palette::{self, Dash, INK, Rgb, Shape};
use super::text::{Typeface, Weight};

/// Size of its words.
const SIZE: f64 = 26.0;
const ROW: f64 = 40.0;
const SAMPLE: f64 = 54.0;

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
    /// A marker alone.
    Marker(Shape, Fill),
}

/// Draws entries from left to right between `left` and `right`, below `top`; returns where the
/// next thing may begin.
pub(super) fn draw(
    canvas: &mut Canvas,
    entries: &[Entry],
    (left, right): (f64, f64),
    top: f64,
) -> Result<f64, ChartError> {
    if entries.is_empty() {
        return Ok(top);
    }
    let face = Typeface::new(Weight::Regular, SIZE)?;
    let (mut x, mut y) = (left, top + ROW / 2.0);
    let columns = columns(&face, entries, right - left);
    for (at, entry) in entries.iter().enumerate() {
        if at > 0 && at % columns.count == 0 {
            (x, y) = (left, y + ROW);
        }
        sample(canvas, entry, (x, y))?;
        let name = face.wrap(&entry.name, columns.width - SAMPLE - 30.0, 1).remove(0);
        let base = (x + SAMPLE + 12.0, y + SIZE * 0.36);
        canvas.words(&name, &face, base, Anchor::Left, INK);
        x += columns.width;
    }
    Ok(y + ROW / 2.0 + 16.0)
}

/// Returns how high a legend is.
pub(super) fn height(entries: &[Entry], width: f64) -> Result<f64, ChartError> {
    if entries.is_empty() {
        return Ok(0.0);
    }
    let face = Typeface::new(Weight::Regular, SIZE)?;
    let rows = entries.len().div_ceil(columns(&face, entries, width).count);
    Ok(rows as f64 * ROW + 16.0)
}

struct Grid {
    count: usize,
    width: f64,
}

/// Columns of one width, so that rows stand in line.
fn columns(face: &Typeface, entries: &[Entry], room: f64) -> Grid {
    let longest = entries.iter().map(|entry| face.width(&entry.name)).fold(0.0, f64::max);
    let wanted = (longest + SAMPLE + 52.0).min(room);
    let count = ((room / wanted).floor() as usize).clamp(1, entries.len().max(1));
    // A single row sits close; several share the room evenly.
    let width = if count >= entries.len() { wanted } else { room / count as f64 };
    Grid { count, width }
}

fn sample(canvas: &mut Canvas, entry: &Entry, (x, y): (f64, f64)) -> Result<(), ChartError> {
    let middle = (x + SAMPLE / 2.0, y);
    match entry.sample {
        Sample::Line(dash, mark) => {
            canvas.line(&[(x, y), (x + SAMPLE, y)], 4.0, entry.color, dash)?;
            match mark {
                Some((shape, fill)) => {
                    marker::draw(canvas, shape, middle, 9.0, entry.color, fill)
                }
                None => Ok(()),
            }
        }
        Sample::Bar => canvas.rectangle((x + 14.0, y - 11.0), (x + SAMPLE, y + 11.0), entry.color),
        Sample::Marker(shape, fill) => {
            marker::draw(canvas, shape, (x + SAMPLE - 14.0, y), 9.0, entry.color, fill)
        }
    }
}

/// Returns the entry of a line with markers.
pub(super) fn line_entry(name: String, style: usize, fill: Fill) -> Entry {
    let dash = match fill {
        Fill::Solid => palette::dash(style),
        Fill::Hollow => super::lines::PAPER_DASH,
    };
    let sample = Sample::Line(dash, Some((palette::shape(style), fill)));
    Entry { name, color: palette::color(style), sample }
}
