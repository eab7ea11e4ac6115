//! Metrics over the updates.

use super::ChartError;
use super::axis::{Frame, round_marks};
use super::canvas::{Canvas, Drawing};
use super::columns::Columns;
use super::legend::{self, Entry, Sample};
use super::lines::{RADIUS, collapsed, daggers, spots};
use super::marker::{self, Fill};
use super::palette;
use super::panels::{Panels, y_range};
use super::room::Room;
use crate::report::figure::{CurveFigure, Line};

/// Draws a line a setting in each panel.
pub(super) fn draw(figure: &CurveFigure, columns: Columns) -> Result<Drawing, ChartError> {
    let mut sheet = Panels::new(columns, &figure.heading, &entries(figure), figure.panels.len())?;
    for (place, panel) in figure.panels.iter().enumerate() {
        let xs = panel.lines.iter().flat_map(|line| &line.points).map(|point| point.x);
        let last = xs.filter(|x| x.is_finite()).fold(1.0, f64::max);
        let frame = sheet.frame(place, (0.0, last), y_range(panel));
        frame.y_axis(&mut sheet.canvas, &panel.y_label)?;
        frame.x_axis(&mut sheet.canvas, &round_marks(frame.x, 5), &figure.x_label)?;
        for line in &panel.lines {
            let spots = spots(&frame, line, 0.0);
            let color = palette::color(line.style);
            if let [only] = spots[..] {
                sheet.canvas.disc(only, 5.0, color);
            }
            sheet.canvas.line(&spots, 3.0, color, palette::dash(line.style));
        }
        let mut room = Room::new(&frame, Vec::new());
        for line in &panel.lines {
            ends(&mut sheet.canvas, &frame, line, &mut room)?;
        }
    }
    Ok(sheet.done())
}

/// Marks where the course of what diverged or collapsed ends.
fn ends(
    canvas: &mut Canvas,
    frame: &Frame,
    line: &Line,
    room: &mut Room,
) -> Result<(), ChartError> {
    let color = palette::color(line.style);
    for point in line.points.iter().filter(|point| point.collapsed) {
        let spot = frame.spot(point.x, point.y);
        marker::draw(canvas, palette::shape(line.style), spot, RADIUS, color, Fill::Crossed);
    }
    daggers(canvas, frame, line, 0.0, room)
}

fn entries(figure: &CurveFigure) -> Vec<Entry> {
    let mut entries: Vec<(usize, Entry)> = Vec::new();
    for line in figure.panels.iter().flat_map(|panel| &panel.lines) {
        if !entries.iter().any(|(style, _)| *style == line.style) {
            let sample = Sample::Line(palette::dash(line.style), None);
            let color = palette::color(line.style);
            entries.push((line.style, Entry { name: line.name.clone(), color, sample }));
        }
    }
    let entries = entries.into_iter().map(|(_, entry)| entry);
    entries.chain(collapsed(&figure.panels).then(legend::collapsed_entry)).collect()
}
