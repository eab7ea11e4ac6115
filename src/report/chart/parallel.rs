//! Parallel coordinates: an upright axis a setting, what was reached at the right end.

use super::ChartError;
use super::axis::{LABEL_SIZE, TICK_SIZE, range, round_marks};
use super::canvas::{Anchor, Canvas, Drawing, Spot};
use super::columns::Columns;
use super::marker::{self, Fill};
use super::palette::{FAINT_INK, INK, Shape, WHITE};
use super::shades::{Shades, scale};
use super::text::{Typeface, Weight};
use crate::report::figure::{ParallelCourse, ParallelFigure};

const ABOVE: f64 = 90.0;
/// Ends of axes stand this far from the first and last value.
const AIR: f64 = 34.0;
/// Where a setting does not act.
const IDLE: &str = "not used";

/// Where the upright axes are.
struct Rails {
    left: f64,
    step: f64,
    top: f64,
    bottom: f64,
    /// Values at the bottom and top of the last one.
    values: (f64, f64),
}

impl Rails {
    fn x(&self, place: usize) -> f64 {
        self.left + place as f64 * self.step
    }

    fn y(&self, share: f64) -> f64 {
        self.bottom - AIR - share * (self.bottom - self.top - 2.0 * AIR)
    }

    fn value(&self, value: f64) -> f64 {
        self.y((value - self.values.0) / (self.values.1 - self.values.0))
    }
}

/// Where the values of an axis are, from 0 at the bottom to 1 at the top.
#[derive(Clone, Copy)]
enum Values {
    /// All the way.
    All,
    /// One of so many places higher, above that of those where the setting does not act.
    AboveIdle(usize),
}

impl Values {
    fn of(figure: &ParallelFigure, place: usize) -> Self {
        let is_idle = |course: &ParallelCourse| course.at.get(place) == Some(&None);
        let places = figure.axes[place].ticks.len();
        if figure.courses.iter().any(is_idle) { Self::AboveIdle(places) } else { Self::All }
    }

    /// Returns the place of a value's share of the axis, or of those without one.
    fn share(self, value: Option<f64>) -> f64 {
        match (self, value) {
            (_, None) => 0.0,
            (Self::All, Some(share)) => share,
            (Self::AboveIdle(..2), Some(_)) => 1.0,
            (Self::AboveIdle(places), Some(share)) => {
                let places = places as f64;
                (1.0 + share * (places - 1.0)) / places
            }
        }
    }
}

/// Draws all courses.
pub(super) fn draw(figure: &ParallelFigure, columns: Columns) -> Result<Drawing, ChartError> {
    let mut canvas = Canvas::new(columns);
    let top = canvas.heading(&figure.heading.title, &figure.heading.subtitle)?;
    let shades = Shades::of(figure.courses.iter().map(|course| course.value));
    let top = scale(&mut canvas, &shades, &figure.value_label, top)?;
    let (left, right) = columns.span();
    let room = right - left;
    let count = figure.axes.len() + 1;
    // Half a place left and right for words that stand in the middle of their axis.
    let step = room / count as f64;
    let rails = Rails {
        left: left + step / 2.0,
        step,
        top: top + ABOVE,
        bottom: top + ABOVE + columns.panel_height(),
        values: range(figure.courses.iter().map(|course| course.value)),
    };
    let (thick, many) = (figure.courses.len() < 60, figure.courses.len() > 300);
    let width = if thick {
        3.0
    } else if many {
        1.0
    } else {
        1.8
    };
    let axes: Vec<Values> = (0..figure.axes.len()).map(|place| Values::of(figure, place)).collect();
    for course in &figure.courses {
        draw_course(&mut canvas, &rails, &axes, course, (width, &shades));
    }
    for course in figure.courses.iter().filter(|course| course.collapsed) {
        let spot = (rails.x(figure.axes.len()), rails.value(course.value));
        marker::draw(&mut canvas, Shape::Circle, spot, 8.0, shades.at(course.value), Fill::Crossed);
    }
    draw_rails(&mut canvas, figure, &axes, &rails)?;
    Ok(canvas.done(rails.bottom + 40.0))
}

/// A setting that does not act is passed at the bottom of its axis, below all values.
fn draw_course(
    canvas: &mut Canvas,
    rails: &Rails,
    axes: &[Values],
    course: &ParallelCourse,
    (width, shades): (f64, &Shades),
) {
    if !course.value.is_finite() {
        return;
    }
    let at = |(place, (share, values)): (usize, (&Option<f64>, &Values))| {
        (rails.x(place), rails.y(values.share(*share)))
    };
    let mut spots: Vec<Spot> = course.at.iter().zip(axes).enumerate().map(at).collect();
    spots.push((rails.x(course.at.len()), rails.value(course.value)));
    canvas.line(&spots, width, shades.at(course.value), None);
}

fn draw_rails(
    canvas: &mut Canvas,
    figure: &ParallelFigure,
    axes: &[Values],
    rails: &Rails,
) -> Result<(), ChartError> {
    let reached = round_marks(rails.values, 6);
    let last = figure.axes.len();
    for (place, (axis, values)) in figure.axes.iter().zip(axes).enumerate() {
        let idle = match values {
            Values::All => None,
            Values::AboveIdle(_) => Some((rails.y(values.share(None)), IDLE)),
        };
        let height = |at: f64| rails.y(values.share(Some(at)));
        let ticks = axis.ticks.iter().map(|tick| (height(tick.at), tick.label.as_str()));
        rail(canvas, rails, place, &axis.label, idle.into_iter().chain(ticks))?;
    }
    let ticks = reached.iter().map(|mark| (rails.value(mark.at), mark.words.as_str()));
    rail(canvas, rails, last, &figure.value_label, ticks)
}

/// An axis with its name above it, and its values beside it on white, so that lines behind do not
/// cross them. Values that would touch are left out.
fn rail<'w>(
    canvas: &mut Canvas,
    rails: &Rails,
    place: usize,
    name: &str,
    ticks: impl Iterator<Item = (f64, &'w str)>,
) -> Result<(), ChartError> {
    let x = rails.x(place);
    canvas.line(&[(x, rails.top), (x, rails.bottom)], 2.0, INK, None);
    let labels = Typeface::new(Weight::Regular, LABEL_SIZE - 3.0)?;
    let lines = labels.wrap(name, rails.step - 12.0, 2);
    for (at, line) in lines.iter().rev().enumerate() {
        let base = rails.top - 16.0 - at as f64 * 28.0;
        canvas.words(line, &labels, (x, base), Anchor::Middle, INK);
    }
    let face = Typeface::new(Weight::Regular, TICK_SIZE - 2.0)?;
    let mut free_below = f64::INFINITY;
    for (y, words) in ticks {
        canvas.line(&[(x - 6.0, y), (x + 6.0, y)], 2.0, INK, None);
        if y + TICK_SIZE / 2.0 > free_below {
            continue;
        }
        let left = x + 12.0;
        let room = (rails.step - 40.0).min(canvas.columns.width() - 8.0 - left);
        let words = face.wrap(words, room, 1).remove(0);
        let width = face.width(&words);
        let (high, low) = (y - TICK_SIZE * 0.5, y + TICK_SIZE * 0.5);
        canvas.area(
            &[
                (left - 3.0, high),
                (left + width + 3.0, high),
                (left + width + 3.0, low),
                (left - 3.0, low),
            ],
            WHITE,
            0.9,
        );
        canvas.words(&words, &face, (left, y + TICK_SIZE * 0.34), Anchor::Left, FAINT_INK);
        free_below = high - 4.0;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_used_has_a_place_below_all_values() {
        let shares = |values: Values, at: &[f64]| -> Vec<f64> {
            at.iter().map(|at| values.share(Some(*at))).collect()
        };
        assert_eq!(shares(Values::All, &[0.0, 0.5, 1.0]), [0.0, 0.5, 1.0]);
        // A single value stands in the middle, but above an idle place at the top.
        assert_eq!(shares(Values::AboveIdle(1), &[0.5]), [1.0]);
        assert_eq!(shares(Values::AboveIdle(2), &[0.0, 1.0]), [0.5, 1.0]);
        assert_eq!(shares(Values::AboveIdle(4), &[0.0, 1.0]), [0.25, 1.0]);
        assert_eq!(Values::AboveIdle(4).share(None), 0.0);
    }
}
