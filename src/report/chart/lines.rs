//! Line charts: values against a setting, metrics over the updates.

use super::axis::{Frame, LABEL_SIZE, Mark, range, round_marks};
use super::canvas::{Anchor, Canvas, Spot};
use super::legend::{self, Entry, Sample};
use super::marker::{self, Fill};
use super::palette::{self, Dash, FAINT_INK, tint};
use super::text::{Typeface, Weight};
use super::{ChartError, WIDTH};
use crate::report::figure::{CurveFigure, Heading, Line, LineFigure, Origin, Panel, Point};

/// Lines of the paper are dashed whatever their style.
pub(super) const PAPER_DASH: Dash = Some((12.0, 10.0));

const LEFT: f64 = 48.0;
const RIGHT: f64 = WIDTH as f64 - 48.0;
/// Width of the numbers left of an axis.
const NUMBERS: f64 = 70.0;
/// Height of the axes themselves.
const PANEL_HEIGHT: f64 = 560.0;
/// Below the axes: numbers and the name of the axis.
const BELOW: f64 = 130.0;
const BETWEEN: f64 = 60.0;
const RADIUS: f64 = 9.5;
/// Marks what diverged.
pub(super) const DAGGER: &str = "†";

/// Draws values against a setting.
pub(super) fn draw_lines(figure: &LineFigure) -> Result<Vec<u8>, ChartError> {
    let mut sheet = Sheet::new(&figure.heading, entries(figure), figure.panels.len(), 2)?;
    let marks: Vec<Mark> =
        figure.ticks.iter().map(|tick| Mark { at: tick.at, words: tick.label.clone() }).collect();
    let x = range(figure.ticks.iter().map(|tick| tick.at));
    for (place, panel) in figure.panels.iter().enumerate() {
        let frame = sheet.frame(place, x, y_range(panel));
        let canvas = &mut sheet.canvas;
        frame.y_axis(canvas, &panel.y_label)?;
        levels(canvas, &frame, panel)?;
        frame.x_axis(canvas, &marks, &figure.x_label)?;
        for line in &panel.lines {
            spreads(canvas, &frame, line, offset(panel, line))?;
        }
        for line in &panel.lines {
            with_markers(canvas, &frame, line, offset(panel, line))?;
        }
    }
    sheet.canvas.into_png()
}

/// Draws metrics over the updates.
pub(super) fn draw_curves(figure: &CurveFigure) -> Result<Vec<u8>, ChartError> {
    let mut entries: Vec<(usize, Entry)> = Vec::new();
    for line in figure.panels.iter().flat_map(|panel| &panel.lines) {
        if !entries.iter().any(|(style, _)| *style == line.style) {
            let sample = Sample::Line(palette::dash(line.style), None);
            let color = palette::color(line.style);
            entries.push((line.style, Entry { name: line.name.clone(), color, sample }));
        }
    }
    let mut entries: Vec<Entry> = entries.into_iter().map(|(_, entry)| entry).collect();
    entries.extend(collapsed(&figure.panels));
    let mut sheet = Sheet::new(&figure.heading, entries, figure.panels.len(), 2)?;
    for (place, panel) in figure.panels.iter().enumerate() {
        let xs = panel.lines.iter().flat_map(|line| &line.points).map(|point| point.x);
        let last = xs.filter(|x| x.is_finite()).fold(1.0, f64::max);
        let frame = sheet.frame(place, (0.0, last), y_range(panel));
        frame.y_axis(&mut sheet.canvas, &panel.y_label)?;
        frame.x_axis(&mut sheet.canvas, &round_marks(frame.x, 5), "update")?;
        for line in &panel.lines {
            let spots = spots(&frame, line, 0.0);
            let color = palette::color(line.style);
            if let [only] = spots[..] {
                sheet.canvas.disc(only, 5.0, color)?;
            }
            sheet.canvas.line(&spots, 3.0, color, palette::dash(line.style))?;
        }
        for line in &panel.lines {
            ends(&mut sheet.canvas, &frame, line)?;
        }
    }
    sheet.canvas.into_png()
}

/// Marks where the course of what diverged or collapsed ends.
fn ends(canvas: &mut Canvas, frame: &Frame, line: &Line) -> Result<(), ChartError> {
    let color = palette::color(line.style);
    for point in line.points.iter().filter(|point| point.collapsed) {
        let spot = frame.spot(point.x, point.y);
        marker::draw(canvas, palette::shape(line.style), spot, RADIUS, color, Fill::Crossed)?;
    }
    daggers(canvas, frame, line, 0.0)
}

/// The legend's entry for what collapsed, where anything did.
fn collapsed(panels: &[Panel]) -> Option<Entry> {
    let mut points = panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points);
    points.any(|point| point.collapsed).then(legend::collapsed_entry)
}

/// A canvas with heading and legend, and room for panels below.
struct Sheet {
    canvas: Canvas,
    top: f64,
    columns: usize,
}

impl Sheet {
    fn new(
        heading: &Heading,
        entries: Vec<Entry>,
        panels: usize,
        most_columns: usize,
    ) -> Result<Self, ChartError> {
        let columns = panels.clamp(1, most_columns);
        let rows = panels.div_ceil(columns).max(1);
        // How high the heading is depends on its words, so it is set on a trial sheet first.
        let head = Canvas::new(WIDTH, 1).heading(&heading.title, &heading.subtitle)?;
        let legend = legend::height(&entries, RIGHT - LEFT)?;
        let height = head + legend + rows as f64 * row_height() + 24.0;
        let mut canvas = Canvas::new(WIDTH, height.ceil() as u32);
        let top = canvas.heading(&heading.title, &heading.subtitle)?;
        let top = legend::draw(&mut canvas, &entries, (LEFT, RIGHT), top)?;
        Ok(Self { canvas, top, columns })
    }

    fn frame(&self, place: usize, x: (f64, f64), y: (f64, f64)) -> Frame {
        let columns = self.columns as f64;
        let width = (RIGHT - LEFT - BETWEEN * (columns - 1.0)) / columns;
        let (row, column) = (place / self.columns, place % self.columns);
        let left = LEFT + column as f64 * (width + BETWEEN);
        let top = self.top + row as f64 * row_height() + 64.0;
        let (left, right) = (left + NUMBERS, left + width);
        Frame { left, right, top, bottom: top + PANEL_HEIGHT, x, y }
    }
}

fn row_height() -> f64 {
    64.0 + PANEL_HEIGHT + BELOW
}

/// One entry a line; the paper's stand after ours.
fn entries(figure: &LineFigure) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (origin, fill, after) in
        [(Origin::Ours, Fill::Solid, ""), (Origin::Paper, Fill::Hollow, " in the paper")]
    {
        let lines = figure.panels.iter().flat_map(|panel| &panel.lines);
        for line in lines.filter(|line| line.origin == origin) {
            let name = format!("{}{after}", line.name);
            if !entries.iter().any(|entry| entry.name == name) {
                entries.push(legend::line_entry(name, line.style, fill));
            }
        }
    }
    entries.extend(collapsed(&figure.panels));
    entries
}

/// What the lines take up; levels count only where they are close by.
fn y_range(panel: &Panel) -> (f64, f64) {
    let points = panel.lines.iter().flat_map(|line| &line.points);
    let extent = |point: &Point| {
        let spread = point.spread.unwrap_or(0.0);
        let ends = [point.y, point.y - spread, point.y + spread];
        ends.into_iter().chain(point.seeds.clone())
    };
    let (low, high) = range(points.clone().flat_map(extent));
    let near = panel.levels.iter().map(|level| level.at).filter(|at| {
        let slack = (high - low) * 0.4;
        (low - slack..high + slack).contains(at)
    });
    range(points.flat_map(extent).chain(near))
}

fn levels(canvas: &mut Canvas, frame: &Frame, panel: &Panel) -> Result<(), ChartError> {
    let face = Typeface::new(Weight::Regular, LABEL_SIZE - 4.0)?;
    for level in panel.levels.iter().filter(|l| (frame.y.0..frame.y.1).contains(&l.at)) {
        let (_, y) = frame.spot(frame.x.0, level.at);
        let ends = [(frame.left, y), (frame.right, y)];
        canvas.line(&ends, 2.0, FAINT_INK, Some((3.0, 6.0)))?;
        let words = free_place(frame, panel, y, face.width(&level.label));
        canvas.words(&level.label, &face, (words.left, words.base), Anchor::Left, FAINT_INK);
    }
    Ok(())
}

/// Where the words of a level stand.
struct Words {
    left: f64,
    base: f64,
}

/// The place beside a level where words cover the fewest marks: on the right and above it, if they
/// are free there.
fn free_place(frame: &Frame, panel: &Panel, y: f64, width: f64) -> Words {
    let (above, below) = (y - 9.0, y + 26.0);
    let (left, right) = (frame.left, frame.right - width);
    let covered = |words: &Words| {
        let inside = |(x, y): &Spot| {
            let across = words.left - 12.0..words.left + width + 12.0;
            let down = words.base - 28.0..words.base + 14.0;
            across.contains(x) && down.contains(y)
        };
        let ink = panel.lines.iter().flat_map(|line| ink(frame, line)).filter(inside).count();
        // Words below the axes are covered by its numbers.
        if words.base > frame.bottom { usize::MAX } else { ink }
    };
    let places = [(right, above), (right, below), (left, above), (left, below)];
    let places = places.map(|(left, base)| Words { left, base });
    let best = places.into_iter().min_by_key(covered);
    best.unwrap_or(Words { left: right, base: above })
}

/// Spots along a line and its spreads, close enough to tell what would cover them.
fn ink(frame: &Frame, line: &Line) -> Vec<Spot> {
    const STEPS: u32 = 24;
    let along = |a: Spot, b: Spot| {
        (0..=STEPS).map(move |step| {
            let share = f64::from(step) / f64::from(STEPS);
            (a.0 + (b.0 - a.0) * share, a.1 + (b.1 - a.1) * share)
        })
    };
    let course = spots(frame, line, 0.0);
    let lines = course.windows(2).flat_map(|pair| along(pair[0], pair[1]));
    let spreads = line.points.iter().flat_map(|point| {
        let reach = point.spread.unwrap_or(0.0);
        along(frame.spot(point.x, point.y - reach), frame.spot(point.x, point.y + reach))
    });
    lines.chain(spreads).collect()
}

/// Lines at the same setting stand a little apart, so that their spreads do not cover each other.
fn offset(panel: &Panel, line: &Line) -> f64 {
    let place = panel.lines.iter().position(|other| std::ptr::eq(other, line)).unwrap_or(0);
    let step = (44.0 / panel.lines.len() as f64).min(8.0);
    (place as f64 - (panel.lines.len() as f64 - 1.0) / 2.0) * step
}

fn spots(frame: &Frame, line: &Line, offset: f64) -> Vec<Spot> {
    drawable(line).map(|point| spot(frame, point, offset)).collect()
}

fn drawable(line: &Line) -> impl Iterator<Item = &Point> {
    line.points.iter().filter(|point| point.x.is_finite() && point.y.is_finite())
}

fn spot(frame: &Frame, point: &Point, offset: f64) -> Spot {
    let (x, y) = frame.spot(point.x, point.y);
    (x + offset, y)
}

/// Standard deviations as bars, seeds as small dots beside them.
fn spreads(canvas: &mut Canvas, frame: &Frame, line: &Line, offset: f64) -> Result<(), ChartError> {
    let color = palette::color(line.style);
    for point in &line.points {
        for seed in &point.seeds {
            let (x, y) = frame.spot(point.x, *seed);
            canvas.disc((x + offset + 16.0, y), 3.5, tint(color, 0.55))?;
        }
        if let Some(spread) = point.spread {
            let (x, low) = frame.spot(point.x, point.y - spread);
            let (_, high) = frame.spot(point.x, point.y + spread);
            let x = x + offset;
            canvas.line(&[(x, low), (x, high)], 2.5, color, None)?;
            for end in [low, high] {
                canvas.line(&[(x - 6.0, end), (x + 6.0, end)], 2.5, color, None)?;
            }
        }
    }
    Ok(())
}

fn with_markers(
    canvas: &mut Canvas,
    frame: &Frame,
    line: &Line,
    offset: f64,
) -> Result<(), ChartError> {
    let (color, shape) = (palette::color(line.style), palette::shape(line.style));
    let course = spots(frame, line, offset);
    let (width, dash, fill) = match line.origin {
        Origin::Ours => (4.0, palette::dash(line.style), Fill::Solid),
        Origin::Paper => (2.5, PAPER_DASH, Fill::Hollow),
    };
    canvas.line(&course, width, color, dash)?;
    for point in drawable(line) {
        let fill = if point.collapsed { Fill::Crossed } else { fill };
        marker::draw(canvas, shape, spot(frame, point, offset), RADIUS, color, fill)?;
    }
    daggers(canvas, frame, line, offset)
}

fn daggers(canvas: &mut Canvas, frame: &Frame, line: &Line, offset: f64) -> Result<(), ChartError> {
    let color = palette::color(line.style);
    let face = Typeface::new(Weight::SemiBold, LABEL_SIZE)?;
    for point in line.points.iter().filter(|point| point.diverged) {
        let (x, y) = frame.spot(point.x, point.y);
        canvas.words(DAGGER, &face, (x + offset, y - RADIUS - 8.0), Anchor::Middle, color);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line at `y` over the right half, with spreads that reach down to 0.
    fn panel(y: f64) -> Panel {
        let point = |x| Point { spread: Some(y), ..Point::plain(x, y) };
        let points = vec![point(0.5), point(1.0)];
        let line = Line { name: String::new(), style: 0, origin: Origin::Ours, points };
        Panel { y_label: String::new(), lines: vec![line], levels: Vec::new() }
    }

    #[test]
    fn words_of_a_level_keep_clear_of_marks() {
        let (left, right) = (0.0, 1000.0);
        let frame = Frame { left, right, top: 0.0, bottom: 500.0, x: (0.0, 1.0), y: (0.0, 1.0) };
        let left_end = |y| free_place(&frame, &panel(0.45), y, 300.0).left;
        assert_eq!(left_end(250.0), left);
        assert_eq!(left_end(20.0), right - 300.0);
        let low = free_place(&frame, &Panel { lines: Vec::new(), ..panel(0.0) }, 495.0, 300.0);
        assert!(low.base < 495.0);
    }
}
