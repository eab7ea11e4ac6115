//! A dot a setting: what it reached against what it took.

use super::ChartError;
use super::axis::{range, round_marks};
use super::canvas::Drawing;
use super::columns::Columns;
use super::legend::{self, Entry, Sample};
use super::lines::RADIUS;
use super::marker::{self, Fill};
use super::palette::{self, FAINT_INK};
use super::panels::Panels;
use crate::report::figure::CostFigure;

/// More points than this have smaller markers.
const MANY: usize = 60;

/// Draws the dots and the line of those that no cheaper setting beats.
pub(super) fn draw(figure: &CostFigure, columns: Columns) -> Result<Drawing, ChartError> {
    let mut sheet = Panels::new(columns, &figure.heading, &entries(figure), 1)?;
    let points = || figure.groups.iter().flat_map(|group| &group.points);
    let frontier = || figure.frontier.iter().copied();
    let spots = || points().map(|point| (point.x, point.y)).chain(frontier());
    let x = range(spots().map(|(x, _)| x));
    let frame = sheet.frame(0, x, range(spots().map(|(_, y)| y)));
    frame.y_axis(&mut sheet.canvas, &figure.y_label)?;
    let marks = round_marks(x, columns.panels_abreast() * 5);
    frame.x_axis(&mut sheet.canvas, &marks, &figure.x_label)?;
    let frontier: Vec<(f64, f64)> = frontier().map(|(x, y)| frame.spot(x, y)).collect();
    sheet.canvas.line(&frontier, 2.0, FAINT_INK, Some((3.0, 6.0)));
    let radius = if points().count() > MANY { RADIUS / 2.0 } else { RADIUS };
    for (style, group) in figure.groups.iter().enumerate() {
        for point in &group.points {
            let fill = if point.collapsed { Fill::Crossed } else { Fill::Solid };
            let spot = frame.spot(point.x, point.y);
            let (shape, color) = (palette::shape(style), palette::color(style));
            marker::draw(&mut sheet.canvas, shape, spot, radius, color, fill);
        }
    }
    Ok(sheet.done())
}

fn entries(figure: &CostFigure) -> Vec<Entry> {
    let group = |(style, name): (usize, &String)| Entry {
        name: name.clone(),
        color: palette::color(style),
        sample: Sample::Marker(palette::shape(style), Fill::Solid),
    };
    let mut entries: Vec<Entry> =
        figure.groups.iter().map(|group| &group.name).enumerate().map(group).collect();
    if figure.frontier.len() > 1 {
        entries.push(Entry {
            name: "no cheaper setting is better".to_owned(),
            color: FAINT_INK,
            sample: Sample::Line(Some((3.0, 6.0)), None),
        });
    }
    let mut points = figure.groups.iter().flat_map(|group| &group.points);
    entries.extend(points.any(|point| point.collapsed).then(legend::collapsed_entry));
    entries
}
