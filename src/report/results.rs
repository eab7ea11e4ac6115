//! The report's tables: results beside the paper's, levels to compare with, what is missing.

use super::analysis::Analysis;
use super::cell::Cell;
use super::estimate::Estimate;
use super::floor::{FloorKind, Floors};
use super::gathered::Gathered;
use super::metric::Metric;
use super::settings;
use super::table::{Column, TableInfo};
use super::words;

/// Title of the table of trials that tell less than they should.
const MISSING: &str = "Missing, diverged and collapsed trials";
/// Stands behind seeds that a policy stopped.
const STOPPED_EARLY: &str = "stopped early §";

/// Settings that a footnote names.
const MOST_NAMED: usize = 8;

/// Returns the tables of a report, the results first.
pub(super) fn tables(gathered: &Gathered, analysis: &Analysis) -> Vec<TableInfo> {
    let all = [
        Some(results(gathered, analysis)),
        levels(analysis),
        settings::differences_table(gathered),
        missing(analysis),
        Some(settings::table(gathered)),
    ];
    all.into_iter().flatten().collect()
}

fn results(gathered: &Gathered, analysis: &Analysis) -> TableInfo {
    let metric = Metric(&analysis.metric);
    let axes = gathered.sweep.axes.iter().map(|axis| Column::words(words::heading(axis)));
    let change = metric.difference_heading();
    let columns = axes.chain([
        Column::words("arm"),
        Column::numbers("seeds"),
        Column::numbers(metric.words_and_unit()),
        Column::numbers("95 % interval").spare(5),
        Column::numbers(format!("change{change}")),
        Column::numbers("95 % interval of the change").spare(3),
        Column::numbers(beside_knn(analysis).words_and_unit()).spare(4),
        Column::numbers(format!("untrained{}", metric.unit_heading())).spare(2),
        Column::numbers("paper (%)").spare(1),
        Column::numbers("change in the paper (points)"),
    ]);
    TableInfo {
        id: "results",
        title: format!("Results: {}", metric.words()),
        columns: columns.collect(),
        rows: analysis.cells.iter().map(|cell| result_row(gathered, analysis, cell)).collect(),
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
    let axis = |axis: &String| cell.label.axes.get(axis).map(|value| words::entry(axis, value));
    let mut row: Vec<String> =
        gathered.sweep.axes.iter().map(|path| axis(path).unwrap_or_default()).collect();
    row.push(cell.label.arm.clone().unwrap_or_default());
    let change = cell.change.as_ref();
    let ours = change.filter(|change| !change.is_reference).and_then(|change| change.ours);
    row.extend([
        seeds(cell),
        cell.estimate.map_or_else(|| "–".to_owned(), |estimate| mean_and_sd(metric, estimate)),
        cell.estimate.and_then(|estimate| interval(metric, estimate)).unwrap_or_default(),
        ours.map(|change| metric.shown_change(change.mean)).unwrap_or_default(),
        ours.and_then(|change| interval(metric, change)).unwrap_or_default(),
        cell.beside.get(beside.0).map(|e| mean_and_sd(beside, *e)).unwrap_or_default(),
        own_floor(analysis, cell).map(|floor| metric.shown(floor)).unwrap_or_default(),
        printed(cell).unwrap_or_default(),
        printed_change(cell).unwrap_or_default(),
    ]);
    row
}

fn seeds(cell: &Cell) -> String {
    let (done, planned) = (cell.by_seed.len(), cell.train_keys.len());
    let mut text = if done == planned { done.to_string() } else { format!("{done} of {planned}") };
    let counts = [
        (cell.diverged, "diverged †"),
        (cell.collapsed, "collapsed ‡"),
        (cell.failed, "failed"),
        (cell.stopped_early, STOPPED_EARLY),
    ];
    for (count, what) in counts.into_iter().filter(|(count, _)| *count > 0) {
        text += &format!(", {count} {what}");
    }
    text
}

/// The highest floor of a cell, where the sweep's cells have none in common.
fn own_floor(analysis: &Analysis, cell: &Cell) -> Option<f64> {
    if analysis.floors != Floors::default() {
        return None;
    }
    let floors = FloorKind::ALL.into_iter();
    let known = floors.filter_map(|kind| cell.beside.get(&kind.key(&analysis.metric)));
    known.map(|floor| floor.mean).max_by(f64::total_cmp)
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
            "± is the standard deviation over seeds (n − 1); intervals are 95 % Student-t intervals of the mean, each setting by itself: they are not widened for picking the extremes of many."
                .to_owned(),
        );
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
        let (missing, all) = (analysis.trials - analysis.with_result, analysis.trials);
        let have = if missing == 1 { "has" } else { "have" };
        notes.push(format!("{missing} of {all} trials {have} no result: see “{MISSING}”."));
    }
    const COUNTED: &str = "What values they have are counted.";
    notes.extend(marked(cells, "† diverged", COUNTED, |cell| cell.diverged));
    notes.extend(marked(cells, "‡ collapsed", COUNTED, |cell| cell.collapsed));
    let left_out = "They have no result, and no mean or figure counts them.";
    notes.extend(marked(cells, "§ stopped early", left_out, |cell| cell.stopped_early));
    notes.extend(paper_notes(gathered, analysis));
    notes
}

/// Names the settings with a mark: `‡ collapsed: tau base 0 (2 of 3 seeds).`
fn marked(
    cells: &[Cell],
    mark: &str,
    sequel: &str,
    count: impl Fn(&Cell) -> usize,
) -> Option<String> {
    let marked: Vec<&Cell> = cells.iter().filter(|cell| count(cell) > 0).collect();
    let named = marked.iter().take(MOST_NAMED).map(|cell| {
        let (count, all) = (count(cell), cell.train_keys.len());
        let seeds = if all == 1 { "seed" } else { "seeds" };
        format!("{} ({count} of {all} {seeds})", cell.name())
    });
    let mut named: Vec<String> = named.collect();
    if marked.len() > MOST_NAMED {
        named.push(format!("and {} more", marked.len() - MOST_NAMED));
    }
    (!named.is_empty()).then(|| format!("{mark}: {}. {sequel}", named.join("; ")))
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
    let differing: Vec<&str> =
        settings::differences(gathered).into_iter().map(|difference| difference.name).collect();
    if !differing.is_empty() {
        notes.push(format!(
            "Not the paper's setting, so compare changes rather than values. Other here: {}.",
            differing.join(", ")
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
    let metrics = [Metric(&analysis.metric), beside_knn(analysis)];
    let shown = |level: &dyn Fn(Metric<'_>) -> Option<String>| {
        metrics.map(|metric| level(metric).unwrap_or_default())
    };
    let mut levels = vec![(
        "guessing",
        None,
        shown(&|metric| analysis.chance(metric.0).map(|chance| metric.shown(chance))),
    )];
    for kind in FloorKind::ALL {
        let floor = |metric: Metric<'_>| analysis.floors.get(kind, metric.0);
        let seeds = metrics.into_iter().filter_map(floor).map(|floor| floor.n).max();
        let level = shown(&|metric| floor(metric).map(|floor| mean_and_sd(metric, floor)));
        levels.push((kind.words(), seeds, level));
    }
    let known = levels.into_iter().filter(|(_, _, level)| level.iter().any(|v| !v.is_empty()));
    let rows = known.map(|(name, seeds, [first, second])| {
        vec![name.to_owned(), seeds.map(|n| n.to_string()).unwrap_or_default(), first, second]
    });
    let table = TableInfo {
        id: "levels",
        title: "Levels to compare with".to_owned(),
        columns: vec![
            Column::words("level"),
            Column::numbers("seeds"),
            Column::numbers(metrics[0].words_and_unit()),
            Column::numbers(metrics[1].words_and_unit()),
        ],
        rows: rows.collect(),
        footnotes: Vec::new(),
    };
    (!table.rows.is_empty()).then(|| table.without_empty_columns())
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
        Column::words("what happened"),
    ];
    let (title, rows) = (MISSING.to_owned(), rows.collect());
    let table = TableInfo { id: "missing", title, columns, rows, footnotes: Vec::new() };
    (!table.rows.is_empty()).then_some(table)
}
