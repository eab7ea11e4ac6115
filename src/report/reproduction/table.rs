//! The comparison in words: a table, what one must know to read it, and the verdict in a sentence.

use super::pairs::{LEAST_GAP, UNPRINTED};
use super::{Claim, Column as Compared, Pair, Reproduction, Row, Tally};
use crate::report::analysis::Analysis;
use crate::report::cell::Cell;
use crate::report::entry;
use crate::report::metric::Metric;
use crate::report::results::{self, few};
use crate::report::settings::Difference;
use crate::report::table::{Column, TableInfo};
use crate::report::words;

/// What the paper's numbers are of.
const PAPER: Metric<'_> = Metric("linear_top1");

/// Returns the table; `None` where no row of the paper was run.
pub(in crate::report) fn table(
    analysis: &Analysis,
    differences: &[Difference],
) -> Option<TableInfo> {
    let reproduction = analysis.reproduction.as_ref()?;
    let rows = reproduction
        .columns
        .iter()
        .flat_map(|column| column.run().filter_map(|(at, row)| line(analysis, column, at, row)));
    let metric = Metric(&analysis.metric);
    let columns = vec![
        Column::words("method"),
        Column::words("row of the paper"),
        Column::numbers("seeds"),
        Column::numbers(format!("{} here (%)", metric.words())).spare(2),
        Column::numbers("paper (%)").spare(1),
        Column::numbers("change here (points)"),
        Column::numbers("95 % interval of the change here").spare(3),
        Column::numbers("change in the paper (points)"),
        Column::numbers("clear pairs: same / reversed / open"),
    ];
    let table = TableInfo {
        id: "reproduction",
        title: format!("Beside the paper: {}", reproduction.table.source),
        columns,
        rows: rows.collect(),
        footnotes: footnotes(analysis, reproduction, differences),
    };
    (!table.rows.is_empty()).then(|| table.without_empty_columns())
}

fn line(analysis: &Analysis, column: &Compared, at: usize, row: &Row) -> Option<Vec<String>> {
    let Claim::Cell(cell) = row.claim else { return None };
    let cell: &Cell = analysis.cells.get(cell)?;
    let (metric, kind) = (Metric(&analysis.metric), analysis.spread);
    let is_baseline = column.baseline == Some(at);
    let change = match row.change {
        _ if is_baseline => "(reference)".to_owned(),
        Some(change) => results::change_entry(metric, change, row.ours),
        None => "–".to_owned(),
    };
    let Tally { same, reversed, open, .. } = column.clear_of(at);
    Some(vec![
        column.method.as_deref().map(words::method).unwrap_or_default(),
        row.published.row_label.clone(),
        results::seeds(cell),
        row.ours.map_or_else(|| "–".to_owned(), |ours| entry::mean(metric, ours, kind)),
        results::printed(&row.published),
        change,
        row.change.and_then(|change| entry::interval(metric, change, kind)).unwrap_or_default(),
        row.published_change.map(|change| PAPER.shown_change(change / 100.0)).unwrap_or_default(),
        format!("{same} / {reversed} / {open}"),
    ])
}

fn footnotes(
    analysis: &Analysis,
    reproduction: &Reproduction,
    differences: &[Difference],
) -> Vec<String> {
    let mut notes: Vec<String> =
        reproduction.columns.iter().flat_map(|column| about(analysis, column)).collect();
    notes.push(format!(
        "A pair of rows is clear where the paper prints more than {LEAST_GAP} points between them, and more than both its spreads together ({UNPRINTED} where it prints none). It is decided where the 95 % Student-t interval of our difference, seed by seed, is away from 0, else open. The intervals are not corrected for the number of pairs: of pairs that truly are equal here, one in 20 seems decided."
    ));
    if !differences.is_empty() {
        let told =
            differences.iter().map(|d| format!("{} {} (paper: {})", d.name, d.here, d.paper));
        let told: Vec<String> = told.collect();
        notes.push(format!("Not the paper's experiment. Here: {}.", told.join("; ")));
    }
    notes
}

fn about(analysis: &Analysis, column: &Compared) -> Vec<String> {
    let mut notes: Vec<String> = verdict(column).into_iter().collect();
    let whose = whose(column);
    let all = column.all();
    if all.compared() > 0 {
        let mut note = format!(
            "{whose}by the sign of our mean difference alone, {} of {} with a result {} in the paper's order, its small differences among them",
            all.same,
            counted(all.compared(), "pair"),
            if all.same == 1 { "comes" } else { "come" },
        );
        if let Some(rho) = column.spearman {
            let rho = format!("{rho:.2}").replace('-', "−");
            note +=
                &format!("; Spearman's rank correlation is {rho} over {} rows", column.compared());
        }
        notes.push(words::capitalised(&note) + ".");
    }
    if let Some(at) = column.baseline {
        let baseline = &column.rows[at].published;
        let why = if baseline.is_baseline { "" } else { ", as the paper's baseline was not run" };
        notes.push(words::capitalised(&format!(
            "{whose}changes are against the row “{}”, here and in the paper{why}.",
            baseline.row_label
        )));
    }
    notes.extend(reversed(analysis, column));
    let left_out = |claim: Claim| -> Vec<String> {
        let rows = column.rows.iter().filter(|row| row.claim == claim);
        rows.map(|row| row.published.row_label.clone()).collect()
    };
    let not_run = left_out(Claim::NotRun);
    if column.run().next().is_some() && !not_run.is_empty() {
        notes.push(words::capitalised(&format!("{whose}not run: {}.", few(not_run))));
    }
    let several = left_out(Claim::Several);
    if !several.is_empty() {
        notes.push(words::capitalised(&format!(
            "{whose}several settings of this sweep are one row of the paper, so none is compared: {}.",
            few(several)
        )));
    }
    notes
}

/// Names the clear pairs that came out the other way round.
fn reversed(analysis: &Analysis, column: &Compared) -> Option<String> {
    let metric = Metric(&analysis.metric);
    let label = |at: usize| &column.rows[at].published.row_label;
    let told = |pair: &Pair| {
        let ours = pair.ours?;
        // Told as "above", so the difference is turned round.
        let (low, high) = ours.interval()?;
        Some(format!(
            "“{}” is above “{}” by {} points (95 % interval [{}, {}], n = {}), in the paper below it by {:.1}",
            label(pair.lower),
            label(pair.higher),
            metric.shown(-ours.mean),
            metric.shown(-high),
            metric.shown(-low),
            ours.n,
            pair.gap
        ))
    };
    let all: Vec<String> = column.reversed().filter_map(told).collect();
    let whose = whose(column);
    (!all.is_empty()).then(|| words::capitalised(&format!("{whose}reversed: {}.", few(all))))
}

/// Returns a sentence for each column: how the clear orderings came out.
pub(in crate::report) fn verdicts(analysis: &Analysis) -> Vec<String> {
    let columns = analysis.reproduction.iter().flat_map(|reproduction| &reproduction.columns);
    columns.filter(|column| column.run().next().is_some()).filter_map(verdict).collect()
}

/// `None` where the paper sets nothing clearly apart.
fn verdict(column: &Compared) -> Option<String> {
    let clear = column.clear();
    if clear.pairs == 0 {
        return None;
    }
    let of = match &column.method {
        Some(method) => words::method(method) + " ",
        None => String::new(),
    };
    let pairs = counted(clear.pairs, "pair");
    if clear.compared() == 0 {
        return Some(format!(
            "None of the {pairs} of {of}rows that the paper sets clearly apart can be compared: not both have a result here."
        ));
    }
    let by = match clear.same + clear.reversed {
        0 => "",
        _ => " (by uncorrected 95 % intervals)",
    };
    let without = match clear.without_result {
        0 => String::new(),
        1 => "; 1 lacks a result".to_owned(),
        many => format!("; {many} lack a result"),
    };
    Some(format!(
        "Of the {pairs} of {of}rows that the paper sets clearly apart: {} in the same order here, {} reversed, {} not told apart{by}{without}.",
        clear.same, clear.reversed, clear.open
    ))
}

/// `1 pair`, `3 pairs`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// `BYOL: `, to be gone on with.
fn whose(column: &Compared) -> String {
    column.method.as_deref().map(|method| words::method(method) + ": ").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::super::analysis::analyse;
    use super::super::super::{build, samples, settings, terminal};
    use super::*;

    #[test]
    fn terminal_page_and_json_hold_the_verdict() {
        let report = build(&samples::batch_sweep()).unwrap();
        let verdict = "Of the 13 pairs of BYOL rows that the paper sets clearly apart: 7 in the \
                       same order here, 0 reversed, 0 not told apart (by uncorrected 95 % intervals); \
                       6 lack a result.";
        assert!(report.text.summary.iter().any(|sentence| sentence == verdict), "{report:#?}");
        let shown = terminal::text(&report);
        let flat = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(flat.matches(verdict).count(), 1, "{shown}");
        assert!(shown.contains("Beside the paper: arXiv 2006.07733v3 Table 16"), "{shown}");
        assert!(flat.contains("Here: images CIFAR-10 (paper: ImageNet-1k);"), "{shown}");
        let json: serde_json::Value = serde_json::from_str(&report.records.to_json()).unwrap();
        let column = &json["reproduction"]["columns"][0];
        assert_eq!(column["clear_pairs"]["same"], 7);
        assert_eq!(json["reproduction"]["differences"][0]["paper"], "ImageNet-1k");
    }

    #[test]
    fn reversed_pairs_are_named_with_their_interval() {
        let mut gathered = samples::batch_sweep();
        for row in &mut gathered.finals {
            let top1 = row.values["linear_top1"];
            row.values.insert("linear_top1".to_owned(), 1.0 - top1);
        }
        let analysis = analyse(&gathered);
        let notes = table(&analysis, &settings::differences(&gathered)).unwrap().footnotes;
        let named = notes.iter().find(|note| note.starts_with("BYOL: reversed: ")).unwrap();
        let of_one = "“batch_size = 64” is above “batch_size = 1024” by 7.3 points (95 % interval \
                      [6.6, 8.1], n = 3), in the paper below it by 12.5";
        assert!(named.contains(of_one), "{named}");
        assert_eq!(named.matches(" is above ").count(), 7, "{named}");
    }

    #[test]
    fn no_table_where_nothing_is_reproduced_or_the_metric_is_another_thing() {
        let mut gathered = samples::tau_sweep();
        gathered.sweep.reproduces = None;
        assert_eq!(table(&analyse(&gathered), &[]), None);
        let mut gathered = samples::tau_sweep();
        gathered.sweep.report_metric = "loss".to_owned();
        assert_eq!(table(&analyse(&gathered), &[]), None);
    }
}
