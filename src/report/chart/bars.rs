//! Horizontal bars: names of arms are long, and lines of words are read from left to right.

use super::ChartError;
use super::axis::{Frame, TICK_SIZE, range, round_marks};
use super::canvas::{Anchor, Canvas, Drawing};
use super::columns::Columns;
use super::legend::{self, Entry, Sample};
use super::marker::{self, Fill};
use super::palette::{self, FAINT_INK, GRID, INK, Shape};
use super::text::{Typeface, Weight};
use crate::report::figure::{Bar, BarFigure};

/// Height of a bar and of the air around the bars of a row.
const BAR: f64 = 26.0;
const AIR: f64 = 26.0;
const BELOW: f64 = 120.0;
const NO_RESULT: &str = "no result";

/// Draws changes by arm.
pub(super) fn draw(figure: &BarFigure, columns: Columns) -> Result<Drawing, ChartError> {
    let names = Typeface::new(Weight::Regular, TICK_SIZE + 2.0)?;
    let wrapped: Vec<Vec<String>> =
        figure.rows.iter().map(|row| names.wrap_list(&row.name, columns.names(), 2)).collect();
    let widest = wrapped.iter().flatten().map(|line| names.width(line)).fold(0.0, f64::max);
    let row_height = (figure.series.len() as f64 * BAR).max(2.0 * TICK_SIZE + 8.0) + AIR;
    let mut canvas = Canvas::new(columns);
    let top = canvas.heading(&figure.heading.title, &figure.heading.subtitle)?;
    let top = legend::draw(&mut canvas, &entries(figure), top)? + 10.0;
    let (left, right) = columns.span();
    let frame = Frame {
        left: left + widest + 24.0,
        right: right - 12.0,
        top,
        bottom: top + figure.rows.len() as f64 * row_height,
        x: range(figure.rows.iter().flat_map(|row| &row.bars).flat_map(extent).chain([0.0])),
        y: (0.0, 1.0),
    };
    let marks = round_marks(frame.x, ((frame.right - frame.left) / 80.0) as usize);
    for mark in &marks {
        let (x, _) = frame.spot(mark.at, 0.0);
        canvas.line(&[(x, frame.top), (x, frame.bottom)], 1.5, GRID, None);
    }
    frame.x_axis(&mut canvas, &marks, &figure.x_label)?;
    for (place, (row, lines)) in figure.rows.iter().zip(&wrapped).enumerate() {
        let middle = top + (place as f64 + 0.5) * row_height;
        let first = middle - (lines.len() as f64 - 1.0) * 15.0 + TICK_SIZE * 0.36;
        for (at, line) in lines.iter().enumerate() {
            let spot = (frame.left - 20.0, first + at as f64 * 30.0);
            canvas.words(line, &names, spot, Anchor::Right, INK);
        }
        let bars_top = middle - row.bars.len() as f64 * BAR / 2.0;
        for (style, bar) in row.bars.iter().enumerate() {
            draw_bar(&mut canvas, &frame, bar, style, bars_top + (style as f64 + 0.5) * BAR)?;
        }
    }
    let (zero, _) = frame.spot(0.0, 0.0);
    canvas.line(&[(zero, frame.top), (zero, frame.bottom)], 2.0, INK, None);
    Ok(canvas.done(frame.bottom + BELOW + 24.0))
}

fn extent(bar: &Bar) -> impl Iterator<Item = f64> + '_ {
    let spread = bar.spread.into_iter().flat_map(|(low, high)| [low, high]);
    let imported = bar.imported.iter().flatten().copied();
    bar.value.into_iter().chain(spread).chain(bar.published).chain(imported)
}

fn draw_bar(
    canvas: &mut Canvas,
    frame: &Frame,
    bar: &Bar,
    style: usize,
    y: f64,
) -> Result<(), ChartError> {
    let color = palette::color(style);
    let at = |value: f64| frame.spot(value, 0.0).0;
    let half = BAR / 2.0 - 2.0;
    match bar.value {
        Some(value) => {
            canvas.rectangle((at(0.0), y - half), (at(value), y + half), color);
            if let Some((low, high)) = bar.spread {
                let (low, high) = (at(low), at(high));
                canvas.line(&[(low, y), (high, y)], 2.5, INK, None);
                for end in [low, high] {
                    canvas.line(&[(end, y - 6.0), (end, y + 6.0)], 2.5, INK, None);
                }
            }
        }
        None => {
            let face = Typeface::new(Weight::Regular, TICK_SIZE - 4.0)?;
            let has_room = at(0.0) - 20.0 - face.width(NO_RESULT) > frame.left;
            let (x, anchor) = if has_room {
                (at(0.0) - 10.0, Anchor::Right)
            } else {
                (at(0.0) + 10.0, Anchor::Left)
            };
            canvas.words(NO_RESULT, &face, (x, y + 7.0), anchor, FAINT_INK);
        }
    }
    if bar.diverged {
        let face = Typeface::new(Weight::SemiBold, TICK_SIZE)?;
        let spot = (at(0.0_f64.max(bar.value.unwrap_or(0.0))) + 8.0, y + 8.0);
        canvas.words(super::lines::DAGGER, &face, spot, Anchor::Left, INK);
    }
    if bar.collapsed {
        let spot = (at(0.0_f64.max(bar.value.unwrap_or(0.0))) + 36.0, y);
        marker::draw(canvas, Shape::Circle, spot, 9.0, INK, Fill::Crossed);
    }
    if let Some(value) = bar.published {
        marker::draw(canvas, Shape::Diamond, (at(value), y), 8.5, INK, Fill::Hollow);
    }
    for (place, value) in bar.imported.iter().enumerate() {
        let Some(value) = *value else { continue };
        marker::draw(canvas, marker::of_import(place), (at(value), y), 8.0, INK, Fill::Hollow);
    }
    Ok(())
}

fn entries(figure: &BarFigure) -> Vec<Entry> {
    let bars = figure.series.iter().enumerate().map(|(style, name)| Entry {
        name: name.clone(),
        color: palette::color(style),
        sample: Sample::Bar,
    });
    let published = figure.has_published.then(|| Entry {
        name: "in the paper".to_owned(),
        color: INK,
        sample: Sample::Marker(Shape::Diamond, Fill::Hollow),
    });
    let mut all = figure.rows.iter().flat_map(|row| &row.bars);
    let collapsed = all.any(|bar| bar.collapsed).then(legend::collapsed_entry);
    let spread = figure.spread.as_ref().map(|spread| legend::spread_entry(spread, INK));
    let imports = legend::import_entries(&figure.imports);
    bars.chain(spread).chain(published).chain(imports).chain(collapsed).collect()
}
