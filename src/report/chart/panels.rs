//! Heading and legend, and below them room for pairs of axes side by side.

use super::ChartError;
use super::axis::{Frame, range};
use super::canvas::{Canvas, Drawing};
use super::columns::Columns;
use super::legend::{self, Entry};
use crate::report::figure::{Heading, Panel, Point};

/// Width of the numbers left of an axis.
const NUMBERS: f64 = 70.0;
/// Above the axes: the name of the upward one.
const ABOVE: f64 = 64.0;
/// Below the axes: numbers and the name of the sideward one.
const BELOW: f64 = 130.0;
const BETWEEN: f64 = 60.0;

/// A sheet with places for pairs of axes.
pub(super) struct Panels {
    pub(super) canvas: Canvas,
    top: f64,
    count: usize,
    abreast: usize,
}

impl Panels {
    pub(super) fn new(
        columns: Columns,
        heading: &Heading,
        entries: &[Entry],
        count: usize,
    ) -> Result<Self, ChartError> {
        let mut canvas = Canvas::new(columns);
        let top = canvas.heading(&heading.title, &heading.subtitle)?;
        let top = legend::draw(&mut canvas, entries, top)?;
        Ok(Self { canvas, top, count, abreast: count.clamp(1, columns.panels_abreast()) })
    }

    /// Returns the axes at a place, counted from the left top.
    pub(super) fn frame(&self, place: usize, x: (f64, f64), y: (f64, f64)) -> Frame {
        let ((left, right), abreast) = (self.canvas.columns.span(), self.abreast as f64);
        let width = (right - left - BETWEEN * (abreast - 1.0)) / abreast;
        let (row, column) = (place / self.abreast, place % self.abreast);
        let left = left + column as f64 * (width + BETWEEN);
        let top = self.top + row as f64 * self.row_height() + ABOVE;
        let bottom = top + self.canvas.columns.panel_height();
        Frame { left: left + NUMBERS, right: left + width, top, bottom, x, y }
    }

    pub(super) fn done(self) -> Drawing {
        let rows = self.count.div_ceil(self.abreast).max(1);
        let height = self.top + rows as f64 * self.row_height() + 24.0;
        self.canvas.done(height)
    }

    fn row_height(&self) -> f64 {
        ABOVE + self.canvas.columns.panel_height() + BELOW
    }
}

/// What the lines of a panel take up; levels count only where they are close by.
pub(super) fn y_range(panel: &Panel) -> (f64, f64) {
    let points = panel.lines.iter().flat_map(|line| &line.points);
    let extent = |point: &Point| {
        let spread = point.spread.into_iter().flat_map(|(low, high)| [low, high]);
        std::iter::once(point.y).chain(spread).chain(point.seeds.clone())
    };
    let (low, high) = range(points.clone().flat_map(extent));
    let near = panel.levels.iter().map(|level| level.at).filter(|at| {
        let slack = (high - low) * 0.4;
        (low - slack..high + slack).contains(at)
    });
    range(points.flat_map(extent).chain(near))
}
