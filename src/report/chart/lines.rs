//! Values against a setting.

use super::ChartError;
use super::axis::{Frame, LABEL_SIZE, Mark, range};
use super::canvas::{Anchor, Canvas, Drawing, Spot};
use super::columns::Columns;
use super::legend::{self, BAND, Entry};
use super::marker::{self, Fill};
use super::palette::{self, Dash, FAINT_INK, tint};
use super::panels::{Panels, y_range};
use super::room::Room;
use super::text::{Typeface, Weight};
use crate::report::figure::{Line, LineFigure, Origin, Panel, Point, SpreadForm, Tick};

/// Lines of the paper are dashed whatever their style.
pub(super) const PAPER_DASH: Dash = Some((12.0, 10.0));

/// Of markers.
pub(super) const RADIUS: f64 = 9.5;
/// From a mean to the dots of its seeds.
const BESIDE: f64 = 16.0;
/// From here on, the points of a line have small markers and no dots for their seeds.
const MANY: usize = 60;
/// Marks what diverged.
pub(super) const DAGGER: &str = "†";

/// Draws values against a setting.
pub(super) fn draw(figure: &LineFigure, columns: Columns) -> Result<Drawing, ChartError> {
    let mut sheet = Panels::new(columns, &figure.heading, &entries(figure), figure.panels.len())?;
    let mark =
        |tick: &Tick| Mark { at: tick.at, words: tick.label.clone(), note: tick.apart.clone() };
    let marks: Vec<Mark> = figure.ticks.iter().map(mark).collect();
    let form = figure.spread.as_ref().map_or(SpreadForm::Whiskers, |spread| spread.form);
    let apart: Vec<f64> =
        figure.ticks.iter().filter(|tick| tick.apart.is_some()).map(|tick| tick.at).collect();
    let x = range(figure.ticks.iter().map(|tick| tick.at));
    for (place, panel) in figure.panels.iter().enumerate() {
        let frame = sheet.frame(place, x, y_range(panel));
        let canvas = &mut sheet.canvas;
        frame.y_axis(canvas, &panel.y_label)?;
        let ink = panel.lines.iter().flat_map(|line| ink(&frame, line, offset(panel, line, form)));
        let mut room = Room::new(&frame, ink.collect());
        levels(canvas, &frame, panel, &mut room)?;
        frame.x_axis(canvas, &marks, &figure.x_label)?;
        for line in &panel.lines {
            let place = Place { frame: &frame, offset: offset(panel, line, form), apart: &apart };
            match form {
                SpreadForm::Bands => bands(canvas, &place, line),
                SpreadForm::Whiskers => {
                    line.points.iter().for_each(|point| whisker(canvas, &place, line, point));
                }
            }
            seeds(canvas, &place, line);
        }
        for line in &panel.lines {
            let place = Place { frame: &frame, offset: offset(panel, line, form), apart: &apart };
            with_markers(canvas, &place, line);
        }
        for line in &panel.lines {
            daggers(canvas, &frame, line, offset(panel, line, form), &mut room)?;
        }
    }
    Ok(sheet.done())
}

/// Whether anything collapsed.
pub(super) fn collapsed(panels: &[Panel]) -> bool {
    let mut points = panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points);
    points.any(|point| point.collapsed)
}

/// One entry a line; the paper's stand after ours.
fn entries(figure: &LineFigure) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (origin, fill, after) in [
        (Origin::Ours, Fill::Solid, ""),
        (Origin::Paper, Fill::Hollow, " in the paper"),
        (Origin::Imported, Fill::Hollow, ""),
    ] {
        let lines = figure.panels.iter().flat_map(|panel| &panel.lines);
        for line in lines.filter(|line| line.origin == origin) {
            let name = format!("{}{after}", line.name);
            if !entries.iter().any(|entry| entry.name == name) {
                entries.push(legend::line_entry(name, line.style, fill));
            }
        }
    }
    entries.extend(figure.spread.as_ref().map(|spread| legend::spread_entry(spread, FAINT_INK)));
    entries.extend(collapsed(&figure.panels).then(legend::collapsed_entry));
    entries
}

fn levels(
    canvas: &mut Canvas,
    frame: &Frame,
    panel: &Panel,
    room: &mut Room,
) -> Result<(), ChartError> {
    let face = Typeface::new(Weight::Regular, LABEL_SIZE - 4.0)?;
    for level in panel.levels.iter().filter(|l| (frame.y.0..frame.y.1).contains(&l.at)) {
        let (_, y) = frame.spot(frame.x.0, level.at);
        let ends = [(frame.left, y), (frame.right, y)];
        canvas.line(&ends, 2.0, FAINT_INK, Some((3.0, 6.0)));
        let words = face.wrap(&level.label, frame.right - frame.left, 1).remove(0);
        if let Some(at) = room.take(&face, &words, beside(frame, y, face.width(&words))) {
            canvas.words(&words, &face, at, Anchor::Left, FAINT_INK);
        }
    }
    Ok(())
}

/// Places for words beside a level: on the right and above it, if they are free there.
fn beside(frame: &Frame, y: f64, width: f64) -> [Spot; 4] {
    let (above, below) = (y - 9.0, y + 26.0);
    let (left, right) = (frame.left, frame.right - width);
    [(right, above), (right, below), (left, above), (left, below)]
}

/// Spots along a line, its spreads and seeds, close enough to tell what would cover them.
fn ink(frame: &Frame, line: &Line, offset: f64) -> Vec<Spot> {
    let most = if line.points.len() > MANY { 2.0 } else { 48.0 };
    let along = |a: Spot, b: Spot| {
        let steps = ((b.0 - a.0).hypot(b.1 - a.1) / 12.0).ceil().clamp(1.0, most) as u32;
        (0..=steps).map(move |step| {
            let share = f64::from(step) / f64::from(steps);
            (a.0 + (b.0 - a.0) * share, a.1 + (b.1 - a.1) * share)
        })
    };
    let course = spots(frame, line, offset);
    let lines = course.windows(2).flat_map(|pair| along(pair[0], pair[1]));
    let at = |point: &Point, y: f64| spot(frame, &Point::plain(point.x, y), offset);
    let spreads = line.points.iter().flat_map(|point| {
        let (low, high) = point.spread.unwrap_or((point.y, point.y));
        along(at(point, low), at(point, high))
    });
    let seeds = line.points.iter().filter(|_| line.points.len() <= MANY).flat_map(|point| {
        let beside = |seed: &f64| {
            let (x, y) = at(point, *seed);
            (x + BESIDE, y)
        };
        point.seeds.iter().map(beside)
    });
    lines.chain(spreads).chain(seeds).collect()
}

/// Lines at the same setting stand a little apart, so that their whiskers do not cover each other.
fn offset(panel: &Panel, line: &Line, form: SpreadForm) -> f64 {
    if form == SpreadForm::Bands {
        return 0.0;
    }
    let place = panel.lines.iter().position(|other| std::ptr::eq(other, line)).unwrap_or(0);
    let step = (44.0 / panel.lines.len() as f64).min(8.0);
    (place as f64 - (panel.lines.len() as f64 - 1.0) / 2.0) * step
}

pub(super) fn spots(frame: &Frame, line: &Line, offset: f64) -> Vec<Spot> {
    drawable(line).map(|point| spot(frame, point, offset)).collect()
}

fn drawable(line: &Line) -> impl Iterator<Item = &Point> {
    line.points.iter().filter(|point| point.x.is_finite() && point.y.is_finite())
}

fn spot(frame: &Frame, point: &Point, offset: f64) -> Spot {
    let (x, y) = frame.spot(point.x, point.y);
    (x + offset, y)
}

/// Where a line is drawn.
struct Place<'a> {
    frame: &'a Frame,
    offset: f64,
    /// Places on the axis that no line reaches.
    apart: &'a [f64],
}

impl Place<'_> {
    fn spot(&self, point: &Point, y: f64) -> Spot {
        let (x, y) = self.frame.spot(point.x, y);
        (x + self.offset, y)
    }

    /// Cuts a line where values stand apart; those are pieces of one point.
    fn pieces<'l>(&self, line: &'l Line) -> Vec<Vec<&'l Point>> {
        let mut pieces: Vec<Vec<&Point>> = Vec::new();
        let mut is_open = false;
        for point in drawable(line) {
            let is_apart = self.apart.contains(&point.x);
            match pieces.last_mut().filter(|_| is_open && !is_apart) {
                Some(piece) => piece.push(point),
                None => pieces.push(vec![point]),
            }
            is_open = !is_apart;
        }
        pieces
    }
}

/// Spreads as areas between neighbours that both have one, as whiskers elsewhere.
fn bands(canvas: &mut Canvas, place: &Place<'_>, line: &Line) {
    for piece in place.pieces(line) {
        let with_spread = piece.split(|point| point.spread.is_none());
        for run in with_spread {
            if let [only] = run {
                whisker(canvas, place, line, only);
                continue;
            }
            let edge = |point: &&Point, end: fn((f64, f64)) -> f64| {
                point.spread.map(|spread| place.spot(point, end(spread)))
            };
            let low = run.iter().filter_map(|point| edge(point, |(low, _)| low));
            let high = run.iter().rev().filter_map(|point| edge(point, |(_, high)| high));
            let corners: Vec<Spot> = low.chain(high).collect();
            if corners.len() > 2 {
                canvas.area(&corners, palette::color(line.style), BAND);
            }
        }
    }
}

fn whisker(canvas: &mut Canvas, place: &Place<'_>, line: &Line, point: &Point) {
    // The reference is no distance from itself, whatever the seed.
    let Some((low, high)) = point.spread.filter(|(low, high)| low != high) else { return };
    let color = palette::color(line.style);
    let (low, high) = (place.spot(point, low), place.spot(point, high));
    canvas.line(&[low, high], 2.5, color, None);
    for (x, y) in [low, high] {
        canvas.line(&[(x - 6.0, y), (x + 6.0, y)], 2.5, color, None);
    }
}

/// Seeds as small dots beside their mean.
fn seeds(canvas: &mut Canvas, place: &Place<'_>, line: &Line) {
    if line.points.len() > MANY {
        return;
    }
    for point in &line.points {
        for seed in &point.seeds {
            let (x, y) = place.spot(point, *seed);
            canvas.disc((x + BESIDE, y), 3.5, tint(palette::color(line.style), 0.55));
        }
    }
}

fn with_markers(canvas: &mut Canvas, place: &Place<'_>, line: &Line) {
    let (color, shape) = (palette::color(line.style), palette::shape(line.style));
    let (width, dash, fill) = match line.origin {
        Origin::Ours => (4.0, palette::dash(line.style), Fill::Solid),
        Origin::Paper | Origin::Imported => (2.5, PAPER_DASH, Fill::Hollow),
    };
    for piece in place.pieces(line) {
        let course: Vec<Spot> = piece.iter().map(|point| place.spot(point, point.y)).collect();
        canvas.line(&course, width, color, dash);
    }
    let radius = if line.points.len() > MANY { RADIUS / 2.5 } else { RADIUS };
    for point in drawable(line) {
        let fill = if point.collapsed { Fill::Crossed } else { fill };
        marker::draw(canvas, shape, place.spot(point, point.y), radius, color, fill);
    }
}

/// Marks what diverged: above its marker, if that is free there. What has no free place on any side
/// lies among others with the same mark.
pub(super) fn daggers(
    canvas: &mut Canvas,
    frame: &Frame,
    line: &Line,
    offset: f64,
    room: &mut Room,
) -> Result<(), ChartError> {
    let face = Typeface::new(Weight::SemiBold, LABEL_SIZE)?;
    let (width, (height, _)) = (face.width(DAGGER), face.reach());
    for point in line.points.iter().filter(|point| point.diverged) {
        let (x, y) = spot(frame, point, offset);
        let around = |far: f64| {
            let (across, level) = (RADIUS + 5.0 + far * (width + 4.0), y + height / 2.0);
            let down = far * (height + 8.0);
            [
                (x - width / 2.0, y - RADIUS - 8.0 - down),
                (x + across, level),
                (x - across - width, level),
                (x - width / 2.0, y + RADIUS + 8.0 + height + down),
            ]
        };
        let near = room.take(&face, DAGGER, around(0.0));
        if let Some(at) = near.or_else(|| room.take(&face, DAGGER, around(1.0))) {
            canvas.words(DAGGER, &face, at, Anchor::Left, palette::color(line.style));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line at `y` over the right half, with spreads that reach down to 0.
    fn panel(y: f64) -> Panel {
        let point = |x| Point { spread: Some((0.0, 2.0 * y)), ..Point::plain(x, y) };
        let points = vec![point(0.5), point(1.0)];
        let line = Line { name: String::new(), style: 0, origin: Origin::Ours, points };
        Panel { y_label: String::new(), lines: vec![line], levels: Vec::new() }
    }

    #[test]
    fn marks_of_what_diverged_at_one_place_are_all_seen() {
        let frame = Frame {
            left: 0.0,
            right: 1000.0,
            top: 0.0,
            bottom: 500.0,
            x: (0.0, 1.0),
            y: (0.0, 1.0),
        };
        let mut canvas = Canvas::new(Columns::Two);
        let mut room = Room::new(&frame, Vec::new());
        let mut line = panel(0.5).lines.remove(0);
        line.points.iter_mut().for_each(|point| point.diverged = true);
        for _ in 0..8 {
            daggers(&mut canvas, &frame, &line, 0.0, &mut room).unwrap();
        }
        let inner = |mark: &super::super::canvas::Mark| match mark {
            super::super::canvas::Mark::Words { at, .. } => at.0 < 600.0,
            _ => false,
        };
        assert_eq!(canvas.done(500.0).marks.iter().filter(|mark| inner(mark)).count(), 8);
    }

    #[test]
    fn words_of_a_level_keep_clear_of_marks() {
        let (left, right) = (0.0, 1000.0);
        let frame = Frame { left, right, top: 0.0, bottom: 500.0, x: (0.0, 1.0), y: (0.0, 1.0) };
        let face = Typeface::new(Weight::Regular, LABEL_SIZE - 4.0).unwrap();
        let words = "the words of some level";
        let width = face.width(words);
        let place = |panel: &Panel, y| {
            let ink = panel.lines.iter().flat_map(|line| ink(&frame, line, 0.0));
            let mut room = Room::new(&frame, ink.collect());
            room.take(&face, words, beside(&frame, y, width)).unwrap()
        };
        let full = panel(0.45);
        assert_eq!(place(&full, 250.0).0, left);
        assert_eq!(place(&full, 20.0).0, right - width);
        assert!(place(&Panel { lines: Vec::new(), ..full }, 495.0).1 < 495.0);
    }
}
