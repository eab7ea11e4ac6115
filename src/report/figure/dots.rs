//! One row a setting: what it reached, and its change beside the paper's. For settings that lie on
//! no axis, as the variants between BYOL and SimCLR.

use serde::Serialize;

use super::{Heading, Level, Origin, SpreadMarks, has_spread, levels, spread_words, subtitle};
use crate::report::analysis::Analysis;
use crate::report::cell::Cell;
use crate::report::gathered::Gathered;
use crate::report::imports::Marked;
use crate::report::metric::Metric;
use crate::report::words::capitalised;

/// Rows that a reader goes through.
const MOST_ROWS: usize = 40;

/// Settings from top to bottom.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DotFigure {
    /// Words.
    pub heading: Heading,
    /// Names of the settings.
    pub rows: Vec<String>,
    /// How spreads are drawn, where there are any.
    pub spread: Option<SpreadMarks>,
    /// Side by side, at least one.
    pub panels: Vec<DotPanel>,
    /// Imports that some dots are of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<String>,
}

/// What is drawn of every setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DotPanel {
    /// What is drawn sideways, with its unit.
    pub x_label: String,
    /// At most one a row of ours, of the paper's, and of each import.
    pub dots: Vec<Dot>,
    /// Values to compare with; drawn where they lie within the panel.
    pub levels: Vec<Level>,
}

/// A value of a setting.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Dot {
    /// Place of the setting among the rows.
    pub row: usize,
    /// Mean over seeds; `None` while there is no result.
    pub value: Option<f64>,
    /// Ends of the spread, where there are several seeds.
    pub spread: Option<(f64, f64)>,
    /// The seeds' own values, where there are several.
    pub seeds: Vec<f64>,
    /// Whose number it is.
    pub origin: Origin,
    /// Place among the imports of the figure, where it is of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub import: Option<usize>,
    /// Some seed diverged.
    pub diverged: bool,
    /// Some seed collapsed.
    pub collapsed: bool,
}

/// All settings of the sweep.
pub(super) fn of_all(gathered: &Gathered, analysis: &Analysis) -> Option<DotFigure> {
    let metric = Metric(&analysis.metric);
    let cells = &analysis.cells[..analysis.cells.len().min(MOST_ROWS)];
    cells.iter().find(|cell| cell.estimate.is_some())?;
    let values = cells.iter().enumerate().map(|(row, cell)| value(row, cell, metric, analysis));
    let mut panels = vec![DotPanel {
        x_label: metric.words_and_unit(),
        dots: values.collect(),
        levels: levels(analysis, metric),
    }];
    panels.extend(changes(cells, metric, analysis));
    let imported = Marked::of(gathered, analysis, metric);
    for (panel, values) in panels.iter_mut().zip([&imported.values, &imported.changes]) {
        panel.dots.extend(theirs(&values[..cells.len()]));
    }
    let title = format!("{} by setting", capitalised(&metric.words()));
    let spread = has_spread(analysis).then(|| SpreadMarks::whiskers(analysis.spread));
    let mut caption = match &spread {
        Some(_) => format!(
            "{title}. Points are means over seeds, small dots the seeds, whiskers {}.",
            spread_words(analysis.spread)
        ),
        None => format!("{title}, one seed: the spread is unknown."),
    };
    let has_paper = panels.iter().flat_map(|p| &p.dots).any(|dot| dot.origin == Origin::Paper);
    if has_paper && let Some(table) = analysis.table {
        caption += &format!(" Hollow markers: the paper ({}), at its own setting.", table.source);
    }
    caption += &imported.caption();
    if cells.len() < analysis.cells.len() {
        caption += &format!(" The first {} of {} settings.", cells.len(), analysis.cells.len());
    }
    Some(DotFigure {
        heading: Heading {
            file: "accuracy-by-setting".to_owned(),
            title,
            subtitle: subtitle(gathered, analysis),
            caption,
        },
        rows: cells.iter().map(Cell::name).collect(),
        spread,
        panels,
        imports: imported.owned_names(),
    })
}

/// Other people's values, by row and import.
fn theirs(values: &[Vec<Option<f64>>]) -> impl Iterator<Item = Dot> {
    let of_row = |(row, values): (usize, &Vec<Option<f64>>)| {
        let dot = |(import, value): (usize, &Option<f64>)| {
            value.map(|value| Dot {
                row,
                value: Some(value),
                spread: None,
                seeds: Vec::new(),
                origin: Origin::Imported,
                import: Some(import),
                diverged: false,
                collapsed: false,
            })
        };
        values.iter().enumerate().filter_map(dot).collect::<Vec<Dot>>()
    };
    values.iter().enumerate().flat_map(of_row)
}

fn value(row: usize, cell: &Cell, metric: Metric<'_>, analysis: &Analysis) -> Dot {
    let several = cell.estimate.is_some_and(|estimate| estimate.n > 1);
    let seeds = cell.by_seed.values().filter(|_| several);
    Dot {
        row,
        value: cell.estimate.map(|estimate| metric.scaled(estimate.mean)),
        spread: cell.estimate.and_then(|e| metric.scaled_range(&e, analysis.spread)),
        seeds: seeds.map(|value| metric.scaled(*value)).collect(),
        origin: Origin::Ours,
        import: None,
        diverged: cell.diverged > 0,
        collapsed: cell.collapsed > 0,
    }
}

/// Changes, where the sweep has something to compare with.
fn changes(cells: &[Cell], metric: Metric<'_>, analysis: &Analysis) -> Option<DotPanel> {
    let reference = analysis.reference?;
    let mut dots = Vec::new();
    for (row, cell) in cells.iter().enumerate() {
        let Some(change) = &cell.change else { continue };
        let ours = change.ours;
        dots.push(Dot {
            row,
            value: ours.map(|ours| metric.scaled(ours.mean)),
            spread: ours
                .filter(|_| !change.is_reference)
                .and_then(|ours| metric.scaled_range(&ours, analysis.spread)),
            seeds: Vec::new(),
            origin: Origin::Ours,
            import: None,
            diverged: cell.diverged > 0,
            collapsed: cell.collapsed > 0,
        });
        dots.extend(change.published.map(|published| Dot {
            row,
            value: Some(published),
            spread: None,
            seeds: Vec::new(),
            origin: Origin::Paper,
            import: None,
            diverged: false,
            collapsed: false,
        }));
    }
    dots.iter().find(|dot| dot.value.is_some())?;
    Some(DotPanel {
        x_label: format!("change against {}{}", reference.words(), metric.difference_heading()),
        dots,
        levels: vec![Level { at: 0.0, label: String::new() }],
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::analysis::analyse;
    use super::super::super::samples;
    use super::*;

    #[test]
    fn the_variants_have_a_row_each_and_stand_beside_the_papers() {
        let gathered = samples::variants_sweep();
        let figure = of_all(&gathered, &analyse(&gathered)).unwrap();
        assert_eq!(figure.rows.len(), 8);
        assert_eq!(figure.panels.len(), 2);
        let of = |origin| {
            figure.panels[1].dots.iter().filter(move |dot| dot.origin == origin).collect::<Vec<_>>()
        };
        assert_eq!((of(Origin::Ours).len(), of(Origin::Paper).len()), (8, 8));
        let printed = of(Origin::Paper)[1];
        assert_eq!((printed.row, printed.value), (1, Some(-1.6)), "70.9 against 72.5");
        assert!(figure.heading.caption.contains("Table 5(b)"), "{}", figure.heading.caption);
    }

    #[test]
    fn a_row_without_a_result_keeps_its_place() {
        let mut gathered = samples::variants_sweep();
        let gone = [2, 10].map(|at: usize| gathered.trials[at].train_key.clone());
        gathered.finals.retain(|row| !gone.contains(&row.train_key));
        let figure = of_all(&gathered, &analyse(&gathered)).unwrap();
        assert_eq!((figure.rows.len(), figure.panels[0].dots[2].value), (8, None));
        let paper = figure.panels[1].dots.iter().filter(|dot| dot.origin == Origin::Paper);
        assert!(paper.clone().any(|dot| dot.row == 2));
    }
}
