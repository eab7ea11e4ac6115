//! Maps of two settings: a shaded square for each pair of values, with its number where it fits.

use super::ChartError;
use super::axis::{LABEL_SIZE, TICK_SIZE};
use super::canvas::{Anchor, Canvas, Drawing};
use super::columns::Columns;
use super::legend::{self, Entry, Sample};
use super::marker;
use super::palette::{self, FAINT_INK, INK, WHITE};
use super::shades::{Shades, scale};
use super::text::{Typeface, Weight};
use crate::report::figure::{HeatFigure, HeatPanel, Square};

/// A square is no wider than this.
const LARGEST: f64 = 240.0;
const BETWEEN: f64 = 70.0;

/// Where the squares of a panel are.
struct Grid {
    left: f64,
    /// Left end of the names of its rows.
    start: f64,
    top: f64,
    width: f64,
    height: f64,
    /// Width of the panel with its numbers and words.
    room: f64,
}

/// Draws the maps.
pub(super) fn draw(figure: &HeatFigure, columns: Columns) -> Result<Drawing, ChartError> {
    let mut canvas = Canvas::new(columns);
    let top = canvas.heading(&figure.heading.title, &figure.heading.subtitle)?;
    let values = figure.panels.iter().flat_map(|p| &p.squares).filter_map(|square| square.value);
    let shades = Shades::of(values);
    let top = scale(&mut canvas, &shades, &figure.value_label, top)?;
    let mut top = legend::draw(&mut canvas, no_result(figure).as_slice(), top)?;
    let names = Typeface::new(Weight::Regular, TICK_SIZE)?;
    let rows: Vec<String> =
        figure.rows.iter().map(|row| names.wrap(row, columns.names() / 2.0, 1).remove(0)).collect();
    let widest = rows.iter().map(|row| names.width(row)).fold(0.0, f64::max);
    let (left, right) = columns.span();
    let abreast = figure.panels.len().clamp(1, columns.panels_abreast());
    let room = (right - left - BETWEEN * (abreast as f64 - 1.0)) / abreast as f64;
    let numbers = widest + 18.0;
    let width = ((room - numbers) / figure.columns.len().max(1) as f64).min(LARGEST);
    let height = (width * 0.62).clamp(TICK_SIZE + 6.0, 110.0);
    for (place, panel) in figure.panels.iter().enumerate() {
        let column = place % abreast;
        if place > 0 && column == 0 {
            top += panel_height(figure, height);
        }
        let start = left + column as f64 * (room + BETWEEN);
        let grid = Grid { left: start + numbers, start, top: top + 64.0, width, height, room };
        draw_panel(&mut canvas, figure, panel, &rows, &grid, &shades)?;
    }
    let end = top + panel_height(figure, height);
    Ok(canvas.done(end + 24.0))
}

/// What the squares without a value are, where there are any.
fn no_result(figure: &HeatFigure) -> Option<Entry> {
    let mut squares = figure.panels.iter().flat_map(|panel| &panel.squares);
    let entry = || Entry { name: "no result".to_owned(), color: FAINT_INK, sample: Sample::Struck };
    squares.any(|square| shown(square).is_none()).then(entry)
}

/// A value that has a shade.
fn shown(square: &Square) -> Option<f64> {
    square.value.filter(|value| value.is_finite())
}

fn panel_height(figure: &HeatFigure, height: f64) -> f64 {
    64.0 + figure.rows.len() as f64 * height + 110.0
}

fn draw_panel(
    canvas: &mut Canvas,
    figure: &HeatFigure,
    panel: &HeatPanel,
    rows: &[String],
    grid: &Grid,
    shades: &Shades,
) -> Result<(), ChartError> {
    let names = Typeface::new(Weight::Regular, TICK_SIZE)?;
    let labels = Typeface::new(Weight::Regular, LABEL_SIZE)?;
    let whole = (figure.columns.len() as f64 * grid.width, rows.len() as f64 * grid.height);
    let bottom = grid.top + whole.1;
    let above = if panel.name.is_empty() {
        figure.y_label.clone()
    } else {
        format!("{}: {}", panel.name, figure.y_label)
    };
    let above = labels.wrap(&above, grid.room, 1).remove(0);
    let (start, end) = (grid.start, grid.start + grid.room);
    canvas.words(&above, &labels, (start, grid.top - 22.0), Anchor::Left, INK);
    for (place, row) in rows.iter().enumerate() {
        let y = bottom - (place as f64 + 0.5) * grid.height + TICK_SIZE * 0.36;
        canvas.words(row, &names, (grid.left - 14.0, y), Anchor::Right, FAINT_INK);
    }
    let mut free_from = f64::NEG_INFINITY;
    for (place, column) in figure.columns.iter().enumerate() {
        let column = names.wrap(column, LARGEST - 10.0, 1).remove(0);
        let (x, half) = (grid.left + (place as f64 + 0.5) * grid.width, names.width(&column) / 2.0);
        // Not over those of the next panel.
        let x = x.min(end - half).max(start + half);
        if x - half >= free_from {
            let at = (x, bottom + 12.0 + TICK_SIZE);
            canvas.words(&column, &names, at, Anchor::Middle, FAINT_INK);
            free_from = x + half + 12.0;
        }
    }
    let below = labels.wrap(&figure.x_label, grid.room, 1).remove(0);
    let half = labels.width(&below) / 2.0;
    let middle = (grid.left + whole.0 / 2.0).min(end - half).max(start + half);
    canvas.words(&below, &labels, (middle, bottom + 80.0), Anchor::Middle, INK);
    let fits = fits(panel, grid)?;
    for square in &panel.squares {
        let left = grid.left + square.column as f64 * grid.width;
        let top = bottom - (square.row as f64 + 1.0) * grid.height;
        draw_square(canvas, square, (left, top), grid, shades, fits)?;
    }
    Ok(())
}

/// Whether all numbers of a panel fit into their squares; some alone would look like a choice.
fn fits(panel: &HeatPanel, grid: &Grid) -> Result<bool, ChartError> {
    let face = Typeface::new(Weight::Regular, TICK_SIZE - 2.0)?;
    let words = panel.squares.iter().map(marked);
    Ok(words.map(|words| face.width(&words)).fold(0.0, f64::max) < grid.width - 10.0)
}

/// A square's number with its marks.
fn marked(square: &Square) -> String {
    let dagger = if square.diverged { super::lines::DAGGER } else { "" };
    let cross = if square.collapsed { "×" } else { "" };
    format!("{}{dagger}{cross}", square.words)
}

fn draw_square(
    canvas: &mut Canvas,
    square: &Square,
    (left, top): (f64, f64),
    grid: &Grid,
    shades: &Shades,
    with_number: bool,
) -> Result<(), ChartError> {
    let gap = if grid.width > 12.0 { 1.5 } else { 0.0 };
    let (right, bottom) = (left + grid.width - gap, top + grid.height - gap);
    let Some(value) = shown(square) else {
        marker::struck(canvas, (left, top), (right, bottom));
        if square.diverged && grid.height > 2.0 * TICK_SIZE && grid.width > 2.0 * TICK_SIZE {
            // Clear of the stroke from corner to corner.
            let at = (left + grid.width * 0.25, top + grid.height * 0.2 + TICK_SIZE * 0.5);
            let face = Typeface::new(Weight::Regular, TICK_SIZE - 2.0)?;
            canvas.words(super::lines::DAGGER, &face, at, Anchor::Middle, INK);
        }
        return Ok(());
    };
    let shade = shades.at(value);
    canvas.rectangle((left, top), (right, bottom), shade);
    let ink = if palette::is_dark(shade) { WHITE } else { INK };
    let middle = (left + grid.width / 2.0, top + grid.height / 2.0 + TICK_SIZE * 0.34);
    if with_number {
        let face = Typeface::new(Weight::Regular, TICK_SIZE - 2.0)?;
        canvas.words(&marked(square), &face, middle, Anchor::Middle, ink);
    } else if square.collapsed {
        let reach = (grid.width.min(grid.height) / 2.0 - 3.0).max(2.0);
        let (x, y) = (left + grid.width / 2.0, top + grid.height / 2.0);
        canvas.line(&[(x - reach, y - reach), (x + reach, y + reach)], 2.0, ink, None);
        canvas.line(&[(x - reach, y + reach), (x + reach, y - reach)], 2.0, ink, None);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::canvas::Mark;
    use super::super::palette::GRID;
    use super::*;
    use crate::report::analysis::analyse;
    use crate::report::figure::{Figure, figures};
    use crate::report::samples;

    fn map() -> HeatFigure {
        let gathered = samples::depth_sweep();
        let figures = figures(&gathered, &analyse(&gathered));
        let map = figures.into_iter().find_map(|figure| match figure {
            Figure::Heat(map) => Some(map),
            _ => None,
        });
        map.unwrap()
    }

    /// Struck squares, and lines of words that say what they are.
    fn told(figure: &HeatFigure, columns: Columns) -> (usize, usize) {
        let marks = draw(figure, columns).unwrap().marks;
        let is_gray = |mark: &&Mark| matches!(mark, Mark::Polygon { color, .. } if *color == GRID);
        let is_said =
            |mark: &&Mark| matches!(mark, Mark::Words { words, .. } if words == "no result");
        (marks.iter().filter(is_gray).count(), marks.iter().filter(is_said).count())
    }

    #[test]
    fn a_square_without_a_result_is_struck_and_stands_in_the_legend() {
        for columns in Columns::ALL {
            let mut figure = map();
            assert_eq!(told(&figure, columns), (2, 1), "one square and its sample");
            for square in figure.panels.iter_mut().flat_map(|panel| &mut panel.squares) {
                square.value = Some(50.0);
            }
            assert_eq!(told(&figure, columns), (0, 0));
        }
    }
}
