//! The report's tables: results beside the paper's, levels to compare with, what is missing.

use super::analysis::Analysis;
use super::cell::{Cell, method_words, value_words};
use super::estimate::Estimate;
use super::gathered::Gathered;
use super::metric::Metric;
use super::settings;
use super::table::{Column, TableInfo};

/// Returns the tables of a report, the results first.
pub(super) fn tables(gathered: &Gathered, analysis: &Analysis) -> Vec<TableInfo> {
    let all = [
        Some(results(gathered, analysis)),
        levels(analysis),
        missing(analysis),
        Some(settings::table(gathered)),
    ];
    all.into_iter().flatten().collect()
}

fn results(gathered: &Gathered, analysis: &Analysis) -> TableInfo {
    let metric = Metric(&analysis.metric);
    let mut columns: Vec<Column> =
        gathered.sweep.axes.iter().map(|axis| Column::words(axis.as_str())).collect();
    columns.push(Column::words("arm"));
    columns.extend(
        [
            "seeds".to_owned(),
            metric.words_and_unit(),
            "95 % interval".to_owned(),
            format!("change{}", metric.difference_heading()),
            "its 95 % interval".to_owned(),
            beside_knn(analysis).words_and_unit(),
            "untrained (%)".to_owned(),
            "paper (%)".to_owned(),
            "its change (points)".to_owned(),
        ]
        .map(Column::numbers),
    );
    let rows = analysis.cells.iter().map(|cell| result_row(gathered, analysis, cell)).collect();
    TableInfo {
        id: "results",
        title: format!("Results: {}", metric.words()),
        columns,
        rows,
        footnotes: footnotes(gathered, analysis),
    }
    .without_empty_columns()
}

/// The other of the two evaluations.
fn beside_knn(analysis: &Analysis) -> Metric<'static> {
    if analysis.metric == "knn_top1" { Metric("linear_top1") } else { Metric("knn_top1") }
}

fn result_row(gathered: &Gathered, analysis: &Analysis, cell: &Cell) -> Vec<String> {
    let metric = Metric(&analysis.metric);
    let beside = beside_knn(analysis);
    let axis = |axis: &String| cell.label.axes.get(axis).map(|value| axis_words(axis, value));
    let mut row: Vec<String> =
        gathered.sweep.axes.iter().map(|path| axis(path).unwrap_or_default()).collect();
    row.push(cell.label.arm.clone().unwrap_or_default());
    let change = cell.change.as_ref();
    let ours = change.filter(|change| !change.is_reference).and_then(|change| change.ours);
    let floor = cell.beside.get(&format!("floor_{}", analysis.metric));
    row.extend([
        seeds(cell),
        cell.estimate.map_or_else(|| "–".to_owned(), |estimate| mean_and_sd(metric, estimate)),
        cell.estimate.and_then(|estimate| interval(metric, estimate)).unwrap_or_default(),
        ours.map(|change| metric.shown_change(change.mean)).unwrap_or_default(),
        ours.and_then(|change| interval(metric, change)).unwrap_or_default(),
        cell.beside.get(beside.0).map(|e| mean_and_sd(beside, *e)).unwrap_or_default(),
        floor.map(|floor| metric.shown(floor.mean)).unwrap_or_default(),
        printed(cell).unwrap_or_default(),
        printed_change(cell).unwrap_or_default(),
    ]);
    row
}

fn axis_words(axis: &str, value: &serde_json::Value) -> String {
    let words = value_words(value);
    if axis == "method" { method_words(&words) } else { words }
}

fn seeds(cell: &Cell) -> String {
    let (done, planned) = (cell.by_seed.len(), cell.train_keys.len());
    let mut text = if done == planned { done.to_string() } else { format!("{done} of {planned}") };
    if cell.diverged > 0 {
        text += &format!(", {} diverged", cell.diverged);
    }
    text
}

fn mean_and_sd(metric: Metric<'_>, estimate: Estimate) -> String {
    let mean = metric.shown(estimate.mean);
    match estimate.sd() {
        Some(sd) => format!("{mean} ± {}", metric.shown(sd)),
        None => mean,
    }
}

fn interval(metric: Metric<'_>, estimate: Estimate) -> Option<String> {
    let (low, high) = estimate.interval()?;
    Some(format!("[{}, {}]", metric.shown(low), metric.shown(high)))
}

fn printed(cell: &Cell) -> Option<String> {
    let printed = cell.published.as_ref()?;
    Some(match printed.top1_pm {
        Some(pm) => format!("{:.1} ± {pm:.1}", printed.top1),
        None => format!("{:.1}", printed.top1),
    })
}

fn printed_change(cell: &Cell) -> Option<String> {
    let change = cell.change.as_ref().filter(|change| !change.is_reference)?;
    // Published values are percent already.
    Some(Metric("top1").shown_change(change.published? / 100.0))
}

fn footnotes(gathered: &Gathered, analysis: &Analysis) -> Vec<String> {
    let mut notes = Vec::new();
    let cells = &analysis.cells;
    let sizes: Vec<usize> = cells.iter().filter_map(|cell| cell.estimate).map(|e| e.n).collect();
    if sizes.iter().any(|n| *n > 1) {
        notes.push(
            "± is the standard deviation over seeds (n − 1); intervals are 95 % Student-t intervals of the mean."
                .to_owned(),
        );
    }
    if sizes.contains(&1) {
        let which = if sizes.iter().all(|n| *n == 1) { "All rows" } else { "Some rows" };
        notes.push(format!(
            "{which} rest on one seed: they say nothing about the spread, and small differences may be chance."
        ));
    }
    if let Some(reference) = analysis.reference
        && cells.iter().any(|cell| cell.change.is_some())
    {
        notes.push(format!(
            "Changes are against {}, seed by seed, over the seeds that both have.",
            reference.words()
        ));
    }
    if analysis.with_result < analysis.trials {
        let (done, all) = (analysis.with_result, analysis.trials);
        notes.push(format!("{} of {all} trials have no result yet; see \"Missing\".", all - done));
    }
    notes.extend(paper_notes(gathered, analysis));
    notes
}

fn paper_notes(gathered: &Gathered, analysis: &Analysis) -> Vec<String> {
    let Some(table) = analysis.table else {
        let unknown = gathered.sweep.reproduces.as_ref();
        return unknown
            .map(|id| format!("No published table is called `{id}`."))
            .into_iter()
            .collect();
    };
    let mut notes = vec![format!(
        "Paper: {}, linear top-1. Its ± is half the distance between best and worst of three seeds, printed only above 0.25.",
        table.source
    )];
    let differences = settings::differences(gathered);
    if !differences.is_empty() {
        notes.push(format!(
            "Not the paper's setting, so compare changes rather than values. {}.",
            differences.join("; ")
        ));
    }
    if analysis.metric != "linear_top1" {
        notes.push(format!(
            "The paper's numbers are linear top-1, the results here are {}.",
            Metric(&analysis.metric).words()
        ));
    }
    notes.extend(table.note.as_ref().map(|note| format!("On the paper's table: {note}.")));
    notes
}

fn levels(analysis: &Analysis) -> Option<TableInfo> {
    let chance = analysis
        .chance
        .map(|chance| vec!["guessing".to_owned(), String::new(), Metric("top1").shown(chance)]);
    let floors = analysis.floors.iter().map(|(name, estimate)| {
        let metric = Metric(name);
        vec![metric.words(), estimate.n.to_string(), mean_and_sd(metric, *estimate)]
    });
    let rows: Vec<Vec<String>> = chance.into_iter().chain(floors).collect();
    let columns =
        vec![Column::words("level"), Column::numbers("trials"), Column::numbers("accuracy (%)")];
    let title = "Levels to compare with".to_owned();
    let table = TableInfo { id: "levels", title, columns, rows, footnotes: Vec::new() };
    (!table.rows.is_empty()).then_some(table)
}

fn missing(analysis: &Analysis) -> Option<TableInfo> {
    let rows = analysis.missing.iter().map(|missing| {
        let (ordinal, seed) = (missing.ordinal.to_string(), missing.seed.to_string());
        vec![ordinal, missing.cell.clone(), seed, missing.why.clone()]
    });
    let columns = vec![
        Column::numbers("trial"),
        Column::words("setting"),
        Column::numbers("seed"),
        Column::words("why"),
    ];
    let (title, rows) = ("Missing".to_owned(), rows.collect());
    let table = TableInfo { id: "missing", title, columns, rows, footnotes: Vec::new() };
    (!table.rows.is_empty()).then_some(table)
}
