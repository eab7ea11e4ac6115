//! The report's tables: results beside the paper's and other people's, levels to compare with, what is missing.

use super::analysis::{Analysis, EVALUATIONS};
use super::cell::Cell;
use super::entry;
use super::estimate::Estimate;
use super::floor::{FloorKind, Floors};
use super::gathered::Gathered;
use super::imports;
use super::metric::Metric;
use super::reproduction::table as reproduction;
use super::settings;
use super::significance;
use super::table::{Column, TableInfo};
use super::words;
use crate::published::PublishedValue;
use crate::spec::sweep::SpreadKind;

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
        reproduction::table(analysis, &settings::differences(gathered)),
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
        Column::numbers(second_spread(analysis.spread)).spare(6),
        Column::numbers(format!("change{change}")),
        Column::numbers("95 % interval of the change").spare(3),
        Column::numbers("p (Holm)").spare(5),
        Column::numbers(beside_knn(analysis).words_and_unit()).spare(4),
        Column::numbers(format!("untrained{}", metric.unit_heading())).spare(2),
        Column::numbers("paper (%)").spare(1),
        Column::numbers("change in the paper (points)"),
    ]);
    let columns = columns.chain(imports::columns(gathered, metric));
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
    let [linear, knn] = EVALUATIONS;
    if analysis.metric == knn { Metric(linear) } else { Metric(knn) }
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
    let kind = analysis.spread;
    row.extend([
        seeds(cell),
        cell.estimate.map_or_else(|| "–".to_owned(), |own| entry::mean(metric, own, kind)),
        cell.estimate.and_then(|own| second_entry(metric, own, kind)).unwrap_or_default(),
        ours.map(|change| change_entry(metric, change, cell.estimate)).unwrap_or_default(),
        ours.and_then(|change| entry::interval(metric, change, kind)).unwrap_or_default(),
        change.and_then(|change| change.test).map(|test| entry::p(test.holm)).unwrap_or_default(),
        cell.beside
            .get(beside.0)
            .map(|other| with_n(entry::mean(beside, *other, kind), *other, cell.estimate))
            .unwrap_or_default(),
        own_floor(analysis, cell).map(|floor| metric.shown(floor)).unwrap_or_default(),
        cell.published.as_ref().map(printed).unwrap_or_default(),
        printed_change(cell).unwrap_or_default(),
    ]);
    row.extend(imports::entries(gathered, metric, cell));
    row
}

/// What stands beside the mean with its spread: the other kind.
fn second_spread(kind: SpreadKind) -> &'static str {
    match kind {
        SpreadKind::Sd => "95 % interval",
        SpreadKind::T95 | SpreadKind::Bca95 => "standard deviation",
    }
}

fn second_entry(metric: Metric<'_>, estimate: Estimate, kind: SpreadKind) -> Option<String> {
    match kind {
        SpreadKind::Sd => entry::interval(metric, estimate, kind),
        SpreadKind::T95 | SpreadKind::Bca95 => entry::sd(metric, estimate),
    }
}

/// A change, with its number of pairs where that is not the number of seeds beside it.
pub(super) fn change_entry(metric: Metric<'_>, change: Estimate, own: Option<Estimate>) -> String {
    with_n(metric.shown_change(change.mean), change, own)
}

/// Adds how many seeds an entry is over where the column of seeds tells another number.
fn with_n(text: String, shown: Estimate, own: Option<Estimate>) -> String {
    if own.is_some_and(|own| own.n == shown.n) {
        return text;
    }
    format!("{text} (n = {})", shown.n)
}

pub(super) fn seeds(cell: &Cell) -> String {
    let (done, planned) = (cell.by_seed.len(), cell.train_keys.len());
    let mut text =
        if done == planned { done.to_string() } else { format!("{done} of {planned} ¶") };
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

/// The paper's value with its spread, where it prints one.
pub(super) fn printed(printed: &PublishedValue) -> String {
    match printed.top1_pm {
        Some(pm) => format!("{:.1} ± {pm:.1}", printed.top1),
        None => format!("{:.1}", printed.top1),
    }
}

fn printed_change(cell: &Cell) -> Option<String> {
    let change = cell.change.as_ref().filter(|change| !change.is_reference)?;
    // Published values are percent already.
    Some(Metric("top1").shown_change(change.published? / 100.0))
}

fn footnotes(gathered: &Gathered, analysis: &Analysis) -> Vec<String> {
    let mut notes = Vec::new();
    let cells = &analysis.cells;
    if has_spread(analysis) {
        notes.push(entry::note(analysis.spread));
    }
    if let Some(reference) = analysis.reference
        && cells.iter().any(|cell| cell.change.is_some())
    {
        notes.push(format!(
            "Changes are against {}, seed by seed, over the seeds that both have: as many as there are seeds, unless told.",
            reference.words()
        ));
    }
    notes.extend(about_tests(cells));
    if analysis.with_result < analysis.trials {
        let (missing, all) = (analysis.trials - analysis.with_result, analysis.trials);
        let have = if missing == 1 { "has" } else { "have" };
        notes.push(format!("{missing} of {all} trials {have} no result: see “{MISSING}”."));
    }
    const COUNTED: &str = "What values they have are counted.";
    notes.extend(fewer_seeds(cells));
    notes.extend(marked(cells, "† diverged", COUNTED, |cell| cell.diverged));
    notes.extend(marked(cells, "‡ collapsed", COUNTED, |cell| cell.collapsed));
    let left_out = "They have no result, and no mean or figure counts them.";
    notes.extend(marked(cells, "§ stopped early", left_out, |cell| cell.stopped_early));
    notes.extend(paper_notes(gathered, analysis));
    notes.extend(imports::notes(gathered, Metric(&analysis.metric)));
    notes
}

fn has_spread(analysis: &Analysis) -> bool {
    analysis.cells.iter().filter_map(|cell| cell.estimate).any(|estimate| estimate.n > 1)
}

/// What p is, and what so few seeds can reach at all.
fn about_tests(cells: &[Cell]) -> Option<String> {
    let changes = || cells.iter().filter_map(|cell| cell.change.as_ref());
    let tested = || changes().filter(|change| change.test.is_some());
    let family = tested().count();
    let seeds = tested().filter_map(|change| change.ours).map(|ours| ours.n).max()?;
    let effect = significance::least_effect(seeds, family)?;
    let (corrected, passes) = match family {
        1 => (String::new(), "it passes".to_owned()),
        _ => (
            format!(
                ", corrected by Holm's step-down for the {family} changes that are tested here"
            ),
            format!("the smallest of {family} passes"),
        ),
    };
    let signs = significance::least_p_by_signs(seeds);
    let mut note = format!(
        "p is of Student's paired two-sided t-test of the change against 0{corrected}: below {} it may be called a change. With {seeds} seeds {passes} only where the mean change exceeds {effect:.1} of its standard deviations, and it takes changes for normally distributed: a test of their signs alone cannot go below p = {signs}.",
        significance::LEVEL
    );
    let untested = changes().filter(|c| !c.is_reference && c.ours.is_some() && c.test.is_none());
    match untested.count() {
        0 => {}
        1 => note += " One change, of one seed or equal over all, has no test.",
        many => note += &format!(" {many} changes, of one seed or equal over all, have no test."),
    }
    Some(note)
}

/// Names the settings whose mean is over fewer seeds than were planned.
fn fewer_seeds(cells: &[Cell]) -> Option<String> {
    let fewer = cells.iter().filter(|cell| cell.by_seed.len() < cell.train_keys.len());
    let named = fewer.map(|cell| {
        format!("{} ({} of {})", cell.name(), cell.by_seed.len(), cell.train_keys.len())
    });
    let named: Vec<String> = named.collect();
    (!named.is_empty()).then(|| {
        format!("¶ fewer seeds than planned, so its numbers are less certain: {}.", few(named))
    })
}

/// The first of many names.
pub(super) fn few(mut names: Vec<String>) -> String {
    let all = names.len();
    if all > MOST_NAMED {
        names.truncate(MOST_NAMED);
        names.push(format!("and {} more", all - MOST_NAMED));
    }
    names.join("; ")
}

/// Names the settings with a mark: `‡ collapsed: tau base 0 (2 of 3 seeds).`
fn marked(
    cells: &[Cell],
    mark: &str,
    sequel: &str,
    count: impl Fn(&Cell) -> usize,
) -> Option<String> {
    let named = cells.iter().filter(|cell| count(cell) > 0).map(|cell| {
        let (count, all) = (count(cell), cell.train_keys.len());
        let seeds = if all == 1 { "seed" } else { "seeds" };
        format!("{} ({count} of {all} {seeds})", cell.name())
    });
    let named: Vec<String> = named.collect();
    (!named.is_empty()).then(|| format!("{mark}: {}. {sequel}", few(named)))
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
        "Paper: {}, linear top-1, means of three seeds. Its ± is half the distance between the best and the worst of them, printed only above 0.25.",
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
        let level =
            shown(&|metric| floor(metric).map(|floor| entry::mean(metric, floor, analysis.spread)));
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
        footnotes: floor_notes(analysis),
    };
    (!table.rows.is_empty()).then(|| table.without_empty_columns())
}

/// What the spread of a floor is; a terminal tells it once, below the results.
fn floor_notes(analysis: &Analysis) -> Vec<String> {
    let floors = FloorKind::ALL.into_iter();
    let mut known = floors.filter_map(|kind| analysis.floors.get(kind, &analysis.metric));
    let note = "Spreads are over the seeds that initialise the encoder, of the same kind as above.";
    if known.any(|floor| floor.n > 1) && has_spread(analysis) {
        vec![note.to_owned()]
    } else {
        Vec::new()
    }
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

#[cfg(test)]
mod tests {
    use super::super::analysis::analyse;
    use super::super::samples;
    use super::*;

    /// The results table of the augmentation sweep, as text.
    fn text(seeds: u64, spread: SpreadKind) -> String {
        let mut gathered = samples::augmentation_sweep(seeds);
        gathered.sweep.report_spread = spread;
        let table = results(&gathered, &analyse(&gathered));
        table.to_markdown()
    }

    /// The first entries of a row: mean with its spread, then the other kind.
    fn row(text: &str) -> Vec<&str> {
        let line = text.lines().find(|line| line.contains("| remove flip |")).unwrap();
        line.split('|').map(str::trim).collect()
    }

    #[test]
    fn the_spread_is_of_the_kind_asked_for_and_is_named() {
        let sd = text(5, SpreadKind::Sd);
        assert!(sd.contains("± is the standard deviation over seeds (n − 1)"), "{sd}");
        let (mean, interval) = (row(&sd)[4], row(&sd)[5]);
        let (mean, deviation) = mean.split_once(" ± ").unwrap();
        let t95 = text(5, SpreadKind::T95);
        assert!(t95.contains("Intervals are 95 % Student-t intervals"), "{t95}");
        assert_eq!((row(&t95)[4], row(&t95)[5]), (&*format!("{mean} {interval}"), deviation));
        let bca = text(5, SpreadKind::Bca95);
        assert!(bca.contains("Intervals are 95 % BCa bootstrap intervals"), "{bca}");
        assert!(row(&bca)[4].starts_with(&format!("{mean} [")), "{bca}");
        assert_ne!(row(&bca)[4], row(&t95)[4]);
        assert_ne!(row(&bca)[7], row(&t95)[7], "the change's interval is of that kind too");
        for text in [t95, bca] {
            assert!(!row(&text)[4].contains('±'));
        }
    }

    #[test]
    fn one_seed_has_no_spread_of_any_kind() {
        for kind in [SpreadKind::Sd, SpreadKind::T95, SpreadKind::Bca95] {
            let text = text(1, kind);
            let ours = &row(&text)[..6];
            assert!(ours.iter().all(|entry| !entry.contains(['±', '['])), "{ours:?}");
            assert!(
                !text.contains("± is the standard deviation") && !text.contains("Student"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_change_over_fewer_pairs_says_so() {
        let mut gathered = samples::tau_sweep();
        // The reference lacks a seed that the others have.
        let gone = gathered.trials.iter().find(|trial| trial.labels[0].axes["tau_base"] == 0.99);
        let key = gone.unwrap().train_key.clone();
        gathered.finals.retain(|row| row.train_key != key);
        let text = results(&gathered, &analyse(&gathered)).to_markdown();
        let lines = |part: &str| text.lines().filter(|line| line.contains(part)).count();
        assert_eq!(lines("(n = 2)"), 4, "{text}");
        assert_eq!(lines("| 0.99 | 2 of 3 ¶ |"), 1, "{text}");
        assert_eq!(lines("¶ fewer seeds than planned"), 1, "{text}");
    }

    #[test]
    fn what_the_seeds_can_reach_is_told() {
        let text = text(3, SpreadKind::Sd);
        let told = "With 3 seeds the smallest of 26 passes only where the mean change exceeds";
        assert!(text.contains("step-down for the 26 changes") && text.contains(told), "{text}");
        assert!(text.contains("a test of their signs alone cannot go below p = 0.25."));
    }
}
