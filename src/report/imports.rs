//! Other people's results of the same cells, beside ours: a column for every import. They are set
//! beside, and decide nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};

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
}
