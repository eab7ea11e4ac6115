//! Rows of dots: names on the left, values sideways.

use super::ChartError;
use super::axis::{Frame, TICK_SIZE, range, round_marks};
use super::canvas::{Anchor, Canvas, Drawing};
use super::columns::Columns;
use super::legend::{self, Entry, Sample};
use super::lines::DAGGER;
use super::marker::{self, Fill};
use super::palette::{self, Dash, FAINT_INK, GRID, INK, Shape, tint};
use super::text::{Typeface, Weight};
use crate::report::figure::{Dot, DotFigure, DotPanel, Level, Origin};

const ROW: f64 = 64.0;
const BELOW: f64 = 130.0;
const BETWEEN: f64 = 84.0;
const RADIUS: f64 = 9.0;

/// Draws the rows.
pub(super) fn draw(figure: &DotFigure, columns: Columns) -> Result<Drawing, ChartError> {
    let names = Typeface::new(Weight::Regular, TICK_SIZE)?;
    let wrapped: Vec<Vec<String>> =
        figure.rows.iter().map(|row| names.wrap_list(row, columns.names(), 2)).collect();
    let widest = wrapped.iter().flatten().map(|line| names.width(line)).fold(0.0, f64::max);
    let mut canvas = Canvas::new(columns);
    let mut top = canvas.heading(&figure.heading.title, &figure.heading.subtitle)?;
    top = legend::draw(&mut canvas, &entries(figure), top)? + 10.0;
    let (left, right) = (columns.span().0 + widest + 24.0, columns.span().1);
    let abreast = figure.panels.len().clamp(1, columns.panels_abreast());
    let width = (right - left - BETWEEN * (abreast as f64 - 1.0)) / abreast as f64;
    let height = figure.rows.len() as f64 * ROW;
    for (place, panel) in figure.panels.iter().enumerate() {
        let column = place % abreast;
        if place > 0 && column == 0 {
            top += height + BELOW;
        }
        let left = left + column as f64 * (width + BETWEEN);
        let x = x_range(panel);
        let frame =
            Frame { left, right: left + width, top, bottom: top + height, x, y: (0.0, 1.0) };
        if column == 0 {
            set_names(&mut canvas, &frame, &wrapped, &names);
        }
        draw_panel(&mut canvas, &frame, panel, figure.rows.len())?;
    }
    Ok(canvas.done(top + height + BELOW + 10.0))
}

fn set_names(canvas: &mut Canvas, frame: &Frame, wrapped: &[Vec<String>], face: &Typeface) {
    for (row, lines) in wrapped.iter().enumerate() {
        let first = middle(frame, row) - (lines.len() as f64 - 1.0) * 14.0 + TICK_SIZE * 0.36;
        for (at, line) in lines.iter().enumerate() {
            let spot = (frame.left - 20.0, first + at as f64 * 28.0);
            canvas.words(line, face, spot, Anchor::Right, INK);
        }
    }
}

fn middle(frame: &Frame, row: usize) -> f64 {
    frame.top + (row as f64 + 0.5) * ROW
}

fn x_range(panel: &DotPanel) -> (f64, f64) {
    let extent = |dot: &Dot| {
        let ends = dot.spread.map(|(low, high)| [low, high]).into_iter().flatten();
        dot.value.into_iter().chain(ends).chain(dot.seeds.clone()).collect::<Vec<f64>>()
    };
    let (low, high) = range(panel.dots.iter().flat_map(extent));
    let slack = (high - low) * 0.4;
    let near = panel.levels.iter().map(|level| level.at);
    let near = near.filter(|at| (low - slack..high + slack).contains(at));
    range(panel.dots.iter().flat_map(extent).chain(near))
}

fn draw_panel(
    canvas: &mut Canvas,
    frame: &Frame,
    panel: &DotPanel,
    rows: usize,
) -> Result<(), ChartError> {
    let marks = round_marks(frame.x, ((frame.right - frame.left) / 70.0) as usize);
    for mark in &marks {
        let (x, _) = frame.spot(mark.at, 0.0);
        canvas.line(&[(x, frame.top), (x, frame.bottom)], 1.5, GRID, None);
    }
    for row in 0..rows {
        let y = middle(frame, row);
        canvas.line(&[(frame.left, y), (frame.right, y)], 1.5, GRID, Some((2.0, 6.0)));
    }
    frame.x_axis(canvas, &marks, &panel.x_label)?;
    for (place, level) in panel.levels.iter().enumerate() {
        if !(frame.x.0..frame.x.1).contains(&level.at) {
            continue;
        }
        let (x, _) = frame.spot(level.at, 0.0);
        canvas.line(&[(x, frame.top), (x, frame.bottom)], 2.0, FAINT_INK, dash(place, level));
    }
    for dot in &panel.dots {
        draw_dot(canvas, frame, dot)?;
    }
    Ok(())
}

fn draw_dot(canvas: &mut Canvas, frame: &Frame, dot: &Dot) -> Result<(), ChartError> {
    let row = middle(frame, dot.row);
    let Some(value) = dot.value.filter(|value| value.is_finite()) else {
        if dot.origin == Origin::Ours {
            let face = Typeface::new(Weight::Regular, TICK_SIZE - 4.0)?;
            let at = ((frame.left + frame.right) / 2.0, row + 7.0);
            let dagger = if dot.diverged { DAGGER } else { "" };
            canvas.words(&format!("no result{dagger}"), &face, at, Anchor::Middle, FAINT_INK);
        }
        return Ok(());
    };
    let (color, at) = (palette::color(0), |value: f64| frame.spot(value, 0.0).0);
    let y = match dot.origin {
        Origin::Ours => row - 6.0,
        Origin::Paper => row + 12.0,
        Origin::Imported => row + 20.0,
    };
    for seed in &dot.seeds {
        canvas.disc((at(*seed), y + 17.0), 3.5, tint(color, 0.55));
    }
    if let Some((low, high)) = dot.spread {
        canvas.line(&[(at(low), y), (at(high), y)], 2.5, color, None);
        for end in [at(low), at(high)] {
            canvas.line(&[(end, y - 6.0), (end, y + 6.0)], 2.5, color, None);
        }
    }
    let spot = (at(value), y);
    match dot.origin {
        Origin::Ours if dot.collapsed => {
            marker::draw(canvas, Shape::Circle, spot, RADIUS, color, Fill::Crossed);
        }
        Origin::Ours => marker::draw(canvas, Shape::Circle, spot, RADIUS, color, Fill::Solid),
        Origin::Paper => marker::draw(canvas, Shape::Diamond, spot, 8.5, INK, Fill::Hollow),
        Origin::Imported => {
            let shape = marker::of_import(dot.import.unwrap_or(0));
            marker::draw(canvas, shape, spot, 8.0, INK, Fill::Hollow);
        }
    }
    if dot.diverged {
        let face = Typeface::new(Weight::SemiBold, TICK_SIZE)?;
        canvas.words(DAGGER, &face, (spot.0, y - RADIUS - 4.0), Anchor::Middle, color);
    }
    Ok(())
}

/// Levels with names are dashed, each in its way.
fn dash(place: usize, level: &Level) -> Dash {
    const DASHES: [(f64, f64); 3] = [(3.0, 6.0), (12.0, 6.0), (20.0, 8.0)];
    (!level.label.is_empty()).then(|| DASHES[place % DASHES.len()])
}

fn entries(figure: &DotFigure) -> Vec<Entry> {
    let dots = || figure.panels.iter().flat_map(|panel| &panel.dots);
    let mut entries = vec![Entry {
        name: "this sweep".to_owned(),
        color: palette::color(0),
        sample: Sample::Marker(Shape::Circle, Fill::Solid),
    }];
    entries.extend(figure.spread.as_ref().map(|s| legend::spread_entry(s, palette::color(0))));
    if dots().any(|dot| dot.origin == Origin::Paper) {
        entries.push(Entry {
            name: "in the paper".to_owned(),
            color: INK,
            sample: Sample::Marker(Shape::Diamond, Fill::Hollow),
        });
    }
    entries.extend(legend::import_entries(&figure.imports));
    for (place, level) in figure.panels.iter().flat_map(|panel| panel.levels.iter().enumerate()) {
        if !level.label.is_empty() {
            let sample = Sample::Line(dash(place, level), None);
            entries.push(Entry { name: level.label.clone(), color: FAINT_INK, sample });
        }
    }
    entries.extend(dots().any(|dot| dot.collapsed).then(legend::collapsed_entry));
    entries
}
