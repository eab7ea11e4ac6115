//! Other people's results of the same cells, beside ours: a column for every import. They are set
//! beside, and decide nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::analysis::Analysis;
use super::cell::Cell;
use super::gathered::Gathered;
use super::metric::Metric;
use super::table::Column;
use crate::import::Imported;

/// Rows that tell of the metric.
fn rows<'a>(gathered: &'a Gathered, metric: Metric<'a>) -> impl Iterator<Item = &'a Imported> {
    gathered.imported.iter().filter(move |row| row.metric == metric.0)
}

/// Names of the imports that tell of the metric.
pub(super) fn names<'a>(gathered: &'a Gathered, metric: Metric<'a>) -> BTreeSet<&'a str> {
    rows(gathered, metric).map(|row| row.import.as_str()).collect()
}

/// Returns a column for each import.
pub(super) fn columns(gathered: &Gathered, metric: Metric<'_>) -> Vec<Column> {
    let heading = |name: &str| format!("{name}{}", metric.unit_heading());
    names(gathered, metric)
        .into_iter()
        .map(|name| Column::numbers(heading(name)).spare(1))
        .collect()
}

/// Returns the first value of an import for a cell.
pub(super) fn value(
    gathered: &Gathered,
    metric: Metric<'_>,
    import: &str,
    cell: &Cell,
) -> Option<f64> {
    let mut own = rows(gathered, metric).filter(|row| row.import == import);
    own.find(|row| row.is_of(&cell.label)).map(|row| row.value)
}

/// Imports that a figure of rows tells apart.
const MOST_MARKED: usize = 4;

/// Other people's results in figures of rows: names of the imports, and what of them stands beside
/// each cell.
pub(super) struct Marked<'a> {
    pub(super) names: Vec<&'a str>,
    /// Values by cell and import.
    pub(super) values: Vec<Vec<Option<f64>>>,
    /// Differences from their own value for the cell's reference, where they have both.
    pub(super) changes: Vec<Vec<Option<f64>>>,
}

impl<'a> Marked<'a> {
    /// Takes those of the metric, scaled as figures show it.
    pub(super) fn of(gathered: &'a Gathered, analysis: &Analysis, metric: Metric<'a>) -> Self {
        let names: Vec<&str> = names(gathered, metric).into_iter().take(MOST_MARKED).collect();
        let of_cell = |cell: &Cell| -> Vec<Option<f64>> {
            let value = |name: &&str| value(gathered, metric, name, cell);
            names.iter().map(|name| Some(metric.scaled(value(name)?))).collect()
        };
        let values: Vec<Vec<Option<f64>>> = analysis.cells.iter().map(of_cell).collect();
        let references = analysis.reference.map(|reference| reference.places(&analysis.cells));
        let change = |cell: usize| -> Vec<Option<f64>> {
            let base = references.as_ref().and_then(|places| places[cell]);
            let base = base.filter(|base| *base != cell);
            let apart = |place: usize| Some(values[cell][place]? - values[base?][place]?);
            (0..names.len()).map(apart).collect()
        };
        let changes = (0..values.len()).map(change).collect();
        Self { names, values, changes }
    }

    /// Says in a caption whose they are, where there are any.
    pub(super) fn caption(&self) -> String {
        match self.names.as_slice() {
            [] => String::new(),
            names => format!(
                " Hollow squares, triangles and circles: imported results of others ({}).",
                names.join(", ")
            ),
        }
    }

    /// Returns the names for a figure to keep.
    pub(super) fn owned_names(&self) -> Vec<String> {
        self.names.iter().map(|name| (*name).to_owned()).collect()
    }
}

/// Returns a cell's entries in these columns.
pub(super) fn entries(gathered: &Gathered, metric: Metric<'_>, cell: &Cell) -> Vec<String> {
    let entry = |name: &str| {
        let own = rows(gathered, metric).filter(|row| row.import == name && row.is_of(&cell.label));
        own.map(|row| shown(metric, row)).collect::<Vec<_>>().join("; ")
    };
    names(gathered, metric).into_iter().map(entry).collect()
}

fn shown(metric: Metric<'_>, row: &Imported) -> String {
    let spread = row.spread.map(|spread| format!(" ± {}", metric.shown(spread)));
    metric.shown(row.value) + &spread.unwrap_or_default()
}

/// Says of each import where it comes from.
pub(super) fn notes(gathered: &Gathered, metric: Metric<'_>) -> Vec<String> {
    let note = |name: &str| {
        let own = || rows(gathered, metric).filter(|row| row.import == name);
        let sources: BTreeSet<&str> = own().filter_map(|row| row.source.as_deref()).collect();
        let from = match sources.len() {
            0 => "its file names no source".to_owned(),
            _ => sources.into_iter().collect::<Vec<_>>().join("; "),
        };
        let runs: BTreeSet<u32> = own().filter_map(|row| row.n).collect();
        let runs = match (runs.first(), runs.last()) {
            (Some(1), Some(1)) => ", single runs".to_owned(),
            (Some(least), Some(most)) if least == most => format!(", means of {most} runs"),
            (Some(least), Some(most)) => format!(", means of {least} to {most} runs"),
            (None, _) | (_, None) => String::new(),
        };
        let spread = if own().any(|row| row.spread.is_some()) {
            " What its ± is, the source says."
        } else {
            ""
        };
        format!("{name}: imported results of others ({from}{runs}).{spread}")
    };
    names(gathered, metric).into_iter().map(note).collect()
}

/// Returns a cell's entries for programs; a second value of one import is numbered.
pub(super) fn records(
    gathered: &Gathered,
    metric: Metric<'_>,
    cell: &Cell,
) -> Vec<(String, Value)> {
    let mut found: Vec<(String, Value)> = Vec::new();
    for name in names(gathered, metric) {
        let own = rows(gathered, metric).filter(|row| row.import == name && row.is_of(&cell.label));
        for (place, row) in own.enumerate() {
            let number = if place == 0 { String::new() } else { format!("_{}", place + 1) };
            let column = format!("imported_{name}{number}");
            found.push((format!("{column}_spread"), json!(row.spread)));
            found.push((format!("{column}_n"), json!(row.n)));
            found.push((column, json!(row.value)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::figure::{Figure, Line, Origin, Point};
    use super::super::{build, samples};
    use super::*;

    fn row(batch_size: u32, metric: &str, value: f64) -> Imported {
        Imported {
            import: "chen".to_owned(),
            arm: None,
            settings: [
                ("batch_size".to_owned(), batch_size.to_string()),
                ("method".to_owned(), "byol".to_owned()),
            ]
            .into(),
            metric: metric.to_owned(),
            value,
            spread: Some(0.004),
            n: Some(5),
            source: Some("Chen (2021), Table 2".to_owned()),
        }
    }

    #[test]
    fn other_peoples_results_stand_beside_ours_and_are_kept_with_the_rows() {
        let rows = vec![
            row(1024, "linear_top1", 0.915),
            row(1024, "loss", 1.0),
            row(7, "linear_top1", 0.1),
        ];
        let plain = build(&samples::batch_sweep()).unwrap();
        let gathered = samples::batch_sweep().beside(rows);
        assert_eq!(gathered.imported.len(), 2, "there is no batch of 7");
        let report = build(&gathered).unwrap();
        assert_eq!(build(&Gathered::from_jsonl(&report.rows).unwrap()).unwrap(), report);
        let (table, before) = (&report.tables[0], &plain.tables[0]);
        assert_eq!(table.columns.last().unwrap().name, "chen (%)");
        assert_eq!(table.rows[0].last().unwrap(), "91.5 ± 0.4");
        assert!(table.rows[1..].iter().all(|row| row.last().unwrap().is_empty()));
        for (with, without) in table.rows.iter().zip(&before.rows) {
            assert_eq!(with[..without.len()], without[..]);
        }
        let note = "chen: imported results of others (Chen (2021), Table 2, means of 5 runs). What its ± is, the source says.";
        assert_eq!(table.footnotes.last().unwrap(), note);
        let json: Value = serde_json::from_str(&report.records.to_json()).unwrap();
        assert_eq!(json["cells"][0]["imported_chen"], 0.915);
        assert_eq!(json["cells"][1].get("imported_chen"), None);
        let Figure::Lines(figure) = &report.figures[0] else { panic!("no lines") };
        let lines = figure.panels.iter().flat_map(|panel| &panel.lines);
        let theirs: Vec<&Line> = lines.filter(|line| line.origin == Origin::Imported).collect();
        assert_eq!(theirs.len(), 1);
        assert_eq!((theirs[0].name.as_str(), theirs[0].style), ("BYOL (chen)", 2));
        assert_eq!(theirs[0].points, [Point::plain(10.0, 91.5)]);
        assert!(figure.heading.caption.contains("imported results of others"));
    }

    /// The rows beside imports of the first and the fourth cell.
    fn beside(gathered: Gathered) -> Gathered {
        let labels = |at: usize| gathered.trials[at].labels[0].clone();
        let of = |at: usize, value: f64| Imported {
            arm: labels(at).arm,
            settings: labels(at)
                .axes
                .iter()
                .map(|(key, value)| (key.clone(), crate::plan::value_text(value)))
                .collect(),
            value,
            ..row(1, "linear_top1", value)
        };
        let imported = vec![of(0, 0.7), of(3, 0.6)];
        gathered.beside(imported)
    }

    #[test]
    fn imported_changes_stand_beside_bars_and_are_against_their_own_reference() {
        let plain = build(&samples::augmentation_sweep(1)).unwrap();
        let report = build(&beside(samples::augmentation_sweep(1))).unwrap();
        let bars = |report: &super::super::Report| match &report.figures[0] {
            Figure::Bars(figure) => figure.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(bars(&plain).imports, Vec::<String>::new());
        let figure = bars(&report);
        assert_eq!(figure.imports, ["chen"]);
        let all = figure.rows.iter().flat_map(|row| &row.bars).flat_map(|bar| &bar.imported);
        let told: Vec<f64> = all.flatten().copied().collect();
        assert_eq!(told.len(), 1, "the baseline has no bar: {told:?}");
        assert!((told[0] + 10.0).abs() < 1e-9, "{told:?}");
        assert!(figure.heading.caption.contains("imported results of others (chen)"));
    }

    #[test]
    fn imported_values_and_changes_are_dots_of_their_own() {
        let plain = build(&samples::variants_sweep()).unwrap();
        let report = build(&beside(samples::variants_sweep())).unwrap();
        let Figure::Dots(before) = &plain.figures[0] else { panic!("no dots") };
        let Figure::Dots(figure) = &report.figures[0] else { panic!("no dots") };
        assert_eq!(
            (before.imports.len(), figure.imports.as_slice()),
            (0, &["chen".to_owned()][..])
        );
        let theirs = |panel: usize| -> Vec<(usize, Option<f64>, Option<usize>)> {
            let dots = figure.panels[panel].dots.iter();
            let theirs = dots.filter(|dot| dot.origin == Origin::Imported);
            theirs.map(|dot| (dot.row, dot.value.map(f64::round), dot.import)).collect()
        };
        assert_eq!(theirs(0), [(0, Some(70.0), Some(0)), (3, Some(60.0), Some(0))]);
        assert_eq!(theirs(1), [(3, Some(-10.0), Some(0))]);
        assert!(figure.heading.caption.contains("imported results of others (chen)"));
    }
}
