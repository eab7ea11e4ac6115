//! What two settings reach together: a square for each pair of values.

use serde::Serialize;
use serde_json::Value;

use super::{Heading, has_spread, subtitle};
use crate::report::analysis::Analysis;
use crate::report::cell::Cell;
use crate::report::gathered::Gathered;
use crate::report::metric::Metric;
use crate::report::words::{self, capitalised};

/// Values of a setting, and panels, that a map has room for.
const MOST_VALUES: usize = 30;
const MOST_PANELS: usize = 4;

/// Squares of two settings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeatFigure {
    /// Words.
    pub heading: Heading,
    /// Name of the setting that goes sideways.
    pub x_label: String,
    /// Name of the setting that goes upwards.
    pub y_label: String,
    /// What the shades are, with its unit.
    pub value_label: String,
    /// Values of the sideward setting.
    pub columns: Vec<String>,
    /// Values of the upward setting, the lowest first.
    pub rows: Vec<String>,
    /// Side by side, at least one.
    pub panels: Vec<HeatPanel>,
}

/// One map.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HeatPanel {
    /// What tells it from the others; empty where it is the only one.
    pub name: String,
    /// The squares that the sweep asks for.
    pub squares: Vec<Square>,
}

/// What a pair of values reached.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Square {
    /// Place of its value among the columns.
    pub column: usize,
    /// Place of its value among the rows.
    pub row: usize,
    /// Mean over seeds; `None` while there is no result.
    pub value: Option<f64>,
    /// The value as people read it.
    pub words: String,
    /// Some seed diverged.
    pub diverged: bool,
    /// Some seed collapsed.
    pub collapsed: bool,
}

/// A map of two axes of the sweep.
pub(super) fn of_two(
    gathered: &Gathered,
    analysis: &Analysis,
    [x, y]: [&str; 2],
) -> Option<HeatFigure> {
    let metric = Metric(&analysis.metric);
    let columns = values_of(x, &analysis.cells);
    let rows = values_of(y, &analysis.cells);
    let mut panels: Vec<HeatPanel> = Vec::new();
    let mut left_out = columns.len().max(rows.len()) > MOST_VALUES;
    for cell in &analysis.cells {
        let place = |values: &[(Option<f64>, String)], axis| {
            let words = value_words(axis, cell);
            values.iter().take(MOST_VALUES).position(|(_, known)| *known == words)
        };
        let (Some(column), Some(row)) = (place(&columns, x), place(&rows, y)) else { continue };
        let name = rest(cell, [x, y]);
        let known = panels.iter().position(|panel| panel.name == name);
        let panel = match known {
            Some(panel) => panel,
            None if panels.len() == MOST_PANELS => {
                left_out = true;
                continue;
            }
            None => {
                panels.push(HeatPanel { name, squares: Vec::new() });
                panels.len() - 1
            }
        };
        panels[panel].squares.push(Square {
            column,
            row,
            value: cell.estimate.map(|estimate| metric.scaled(estimate.mean)),
            words: cell.estimate.map(|e| metric.shown(e.mean)).unwrap_or_default(),
            diverged: cell.diverged > 0,
            collapsed: cell.collapsed > 0,
        });
    }
    let mut all = panels.iter().flat_map(|panel| &panel.squares);
    all.find(|square| square.value.is_some())?;
    let title = format!(
        "{} by {} and {}",
        capitalised(&metric.words()),
        words::heading(x),
        words::heading(y)
    );
    let of = if has_spread(analysis) { "means over seeds" } else { "one seed" };
    let mut caption = format!("{title}: {of}. Darker is higher; a struck square has no result.");
    let squares = || panels.iter().flat_map(|panel| &panel.squares);
    if squares().any(|square| square.collapsed) {
        caption += " ×: some seed collapsed.";
    }
    if squares().any(|square| square.diverged) {
        caption += " †: some seed diverged.";
    }
    if left_out {
        caption += " Not all settings have room.";
    }
    let first = |values: Vec<(Option<f64>, String)>| {
        values.into_iter().take(MOST_VALUES).map(|(_, words)| words).collect()
    };
    Some(HeatFigure {
        heading: Heading {
            file: "heat-map".to_owned(),
            title,
            subtitle: subtitle(gathered, analysis),
            caption,
        },
        x_label: words::heading(x),
        y_label: words::heading(y),
        value_label: metric.words_and_unit(),
        columns: first(columns),
        rows: first(rows),
        panels,
    })
}

/// The values of an axis: numbers in rising order, others in the order of the sweep.
fn values_of(axis: &str, cells: &[Cell]) -> Vec<(Option<f64>, String)> {
    let mut values: Vec<(Option<f64>, String)> = Vec::new();
    for cell in cells {
        let words = value_words(axis, cell);
        if !values.iter().any(|(_, known)| *known == words) {
            values.push((cell.label.axes.get(axis).and_then(Value::as_f64), words));
        }
    }
    // The sort is stable, and a cell without the setting stands first.
    values.sort_by(|a, b| a.0.unwrap_or(f64::MIN).total_cmp(&b.0.unwrap_or(f64::MIN)));
    values
}

/// A value in words; a setting that does not act in a cell has none.
fn value_words(axis: &str, cell: &Cell) -> String {
    cell.label.axes.get(axis).map_or_else(|| "–".to_owned(), |value| words::entry(axis, value))
}

/// What a cell is besides its two values.
fn rest(cell: &Cell, axes: [&str; 2]) -> String {
    let mut label = cell.label.clone();
    label.axes.retain(|axis, _| !axes.contains(&axis.as_str()));
    match (label.axes.is_empty() && label.arm.is_none(), &cell.method) {
        (true, _) => String::new(),
        (false, method) => crate::report::cell::name(&label, method.as_deref()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::analysis::analyse;
    use super::super::super::samples;
    use super::*;

    fn depths() -> HeatFigure {
        let gathered = samples::depth_sweep();
        of_two(&gathered, &analyse(&gathered), ["projector.depth", "predictor.depth"]).unwrap()
    }

    #[test]
    fn every_pair_of_values_has_its_square() {
        let figure = depths();
        assert_eq!(figure.columns, ["1", "2", "3"]);
        assert_eq!(figure.rows, ["1", "2", "3"]);
        assert_eq!((figure.panels.len(), figure.panels[0].name.as_str()), (1, ""));
        let places: Vec<(usize, usize)> =
            figure.panels[0].squares.iter().map(|square| (square.column, square.row)).collect();
        assert_eq!(places.len(), 9);
        let best = &figure.panels[0].squares[4];
        assert_eq!((best.column, best.row, best.words.as_str()), (1, 1, "85.0"));
    }

    #[test]
    fn what_failed_keeps_its_square_without_a_value() {
        let figure = depths();
        let empty: Vec<&Square> =
            figure.panels[0].squares.iter().filter(|square| square.value.is_none()).collect();
        assert_eq!(empty.len(), 1);
        assert_eq!((empty[0].column, empty[0].row, empty[0].words.as_str()), (2, 2, ""));
    }

    #[test]
    fn numbers_rise_and_a_setting_that_does_not_act_has_a_row() {
        let mut sample = samples::Sample::new("beta", None, &["beta", "temperature"]);
        let mut add = |axes: serde_json::Value, at: u32| {
            let run = crate::spec::run::RunSpec {
                warmup_epochs: f64::from(at),
                ..samples::run("byol", 256, 0)
            };
            sample.done(samples::label(axes), run, 0.5);
        };
        add(serde_json::json!({"beta": 0.0}), 0);
        add(serde_json::json!({"beta": 1.0, "temperature": 10.0}), 1);
        add(serde_json::json!({"beta": 1.0, "temperature": 0.1}), 2);
        let figure = of_two(&sample.0, &analyse(&sample.0), ["beta", "temperature"]).unwrap();
        assert_eq!(figure.columns, ["0", "1"]);
        assert_eq!(figure.rows, ["–", "0.1", "10"]);
    }
}
