//! The verdict on constructed tables.

use std::collections::BTreeMap;

use super::*;
use crate::plan::Label;
use crate::published::Entry;

/// A table of one method: name, top-1 and its printed spread.
fn table(rows: &[(&str, f64, Option<f64>)]) -> &'static PublishedTable {
    let row = |(name, top1, spread): &(&str, f64, Option<f64>)| {
        let spread = spread.map(|spread| ("top1_pm".to_owned(), Entry::Number(spread)));
        let known = [
            ("row".to_owned(), Entry::Text((*name).to_owned())),
            ("top1".to_owned(), Entry::Number(*top1)),
        ];
        known.into_iter().chain(spread).collect()
    };
    let baseline = [("row".to_owned(), Entry::Text(rows[0].0.to_owned()))];
    Box::leak(Box::new(PublishedTable {
        id: "made_up".to_owned(),
        caption: String::new(),
        source: "Table 1".to_owned(),
        setting: String::new(),
        note: None,
        columns: ["row", "top1", "top1_pm"].map(str::to_owned).to_vec(),
        baseline_top1: None,
        baseline: Some(baseline.into()),
        rows: rows.iter().map(row).collect(),
    }))
}

/// A cell for the row of this name, with these values at seeds from 0.
fn cell(table: &PublishedTable, name: &str, values: &[f64]) -> Cell {
    let by_seed: BTreeMap<u64, f64> = (0u64..).zip(values.iter().copied()).collect();
    let all = published::results(table).remove(0).values;
    Cell {
        label: Label { arm: Some(name.to_owned()), ..Label::default() },
        method: Some("byol".to_owned()),
        train_keys: Vec::new(),
        diverged: 0,
        collapsed: 0,
        failed: 0,
        stopped_early: 0,
        estimate: Estimate::of(by_seed.values().copied()),
        by_seed,
        beside: BTreeMap::new(),
        above_floor: None,
        change: None,
        published: all.into_iter().find(|value| value.row_label == name),
    }
}

/// Three seeds about a mean, of a small scatter that is not common to all cells.
fn about(mean: f64, odd: f64) -> [f64; 3] {
    [mean + 0.001 + odd, mean - 0.001, mean - odd]
}

const STEPS: [(&str, f64, Option<f64>); 4] =
    [("a", 72.5, None), ("b", 70.0, Some(0.4)), ("c", 69.2, Some(0.5)), ("d", 68.9, None)];

/// The column of [`STEPS`] with these means of ours.
fn steps(means: [Option<f64>; 4]) -> Column {
    let table = table(&STEPS);
    let cells: Vec<Cell> = STEPS
        .iter()
        .zip(means)
        .enumerate()
        .filter_map(|(at, ((name, _, _), mean))| {
            Some(cell(table, name, &about(mean?, 0.0002 * at as f64)))
        })
        .collect();
    Reproduction::of(table, &cells).columns.remove(0)
}

fn tally(pairs: usize, same: usize, reversed: usize, open: usize, without: usize) -> Tally {
    Tally { pairs, same, reversed, open, without_result: without }
}

#[test]
fn clear_pairs_follow_from_the_paper_alone() {
    let clear = |column: &Column| -> Vec<(usize, usize)> {
        let pairs = column.pairs.iter().filter(|pair| pair.is_clear);
        pairs.map(|pair| (pair.higher, pair.lower)).collect()
    };
    // b and c are 0.8 apart and spread over 0.9 together; c and d are 0.3 apart.
    let expected = [(0, 1), (0, 2), (0, 3), (1, 3)];
    assert_eq!(clear(&steps([Some(0.6), Some(0.5), Some(0.4), Some(0.3)])), expected);
    assert_eq!(clear(&steps([None, None, None, None])), expected);
}

/// Exactly at a bound is not above it, in decimals that floating point has not.
#[test]
fn a_gap_as_large_as_its_bound_is_not_clear() {
    let is_clear = |gap: f64, spread| {
        let table = table(&[("a", 70.0 + gap, spread), ("b", 70.0, Some(0.3))]);
        Reproduction::of(table, &[]).columns[0].pairs[0].is_clear
    };
    assert!(!is_clear(0.5, None) && !is_clear(0.55, None) && is_clear(0.6, None));
    assert!(!is_clear(0.7, Some(0.4)) && is_clear(0.8, Some(0.4)));
}

#[test]
fn agreement_is_perfect() {
    let column = steps([Some(0.6), Some(0.5), Some(0.4), Some(0.3)]);
    assert_eq!(column.clear(), tally(4, 4, 0, 0, 0));
    assert_eq!(column.all(), tally(6, 6, 0, 0, 0));
    assert!((column.spearman.unwrap() - 1.0).abs() < 1e-12);
    assert_eq!(column.reversed().count(), 0);
    assert_eq!(column.baseline, Some(0));
    assert!((column.rows[1].change.unwrap().mean + 0.1).abs() < 0.001);
    assert_eq!(column.rows[1].published_change, Some(-2.5));
}

#[test]
fn everything_is_reversed_and_named() {
    let column = steps([Some(0.3), Some(0.4), Some(0.5), Some(0.6)]);
    assert_eq!(column.clear(), tally(4, 0, 4, 0, 0));
    assert_eq!(column.all(), tally(6, 0, 6, 0, 0));
    assert!((column.spearman.unwrap() + 1.0).abs() < 1e-12);
    let named: Vec<(usize, usize)> = column.reversed().map(|p| (p.higher, p.lower)).collect();
    assert_eq!(named, [(0, 1), (0, 2), (0, 3), (1, 3)]);
    assert_eq!(column.clear_of(1), tally(2, 0, 2, 0, 0));
}

#[test]
fn ties_are_no_order() {
    let table = table(&[("a", 72.5, None), ("b", 72.5, None), ("c", 60.0, None)]);
    let cells = [
        cell(table, "a", &[0.5, 0.52, 0.51]),
        cell(table, "b", &[0.6, 0.61, 0.63]),
        cell(table, "c", &[0.5, 0.52, 0.51]),
    ];
    let column = Reproduction::of(table, &cells).columns.remove(0);
    assert_eq!(column.pairs.len(), 2, "the paper prints a and b equal");
    assert_eq!(column.clear(), tally(2, 1, 0, 1, 0));
    assert_eq!(column.all(), tally(2, 1, 0, 1, 0), "a and c are equal here");
    // Ranks 2.5, 2.5, 1 and 1.5, 3, 1.5.
    assert!((column.spearman.unwrap() - 0.5).abs() < 1e-12);
}

#[test]
fn a_missing_row_is_counted_and_not_guessed() {
    let column = steps([Some(0.6), None, Some(0.4), Some(0.3)]);
    assert_eq!(column.clear(), tally(4, 2, 0, 0, 2));
    assert_eq!(column.all(), tally(6, 3, 0, 0, 3));
    assert_eq!((column.rows[1].claim, column.compared()), (Claim::NotRun, 3));
    // Run, but without a result.
    let table = table(&STEPS);
    let cells = [cell(table, "a", &about(0.6, 0.0)), cell(table, "b", &[])];
    let column = Reproduction::of(table, &cells).columns.remove(0);
    assert_eq!((column.rows[1].claim, column.rows[1].ours), (Claim::Cell(1), None));
    assert_eq!(column.clear(), tally(4, 0, 0, 0, 4));
}

#[test]
fn without_the_papers_baseline_changes_are_from_the_first_row_that_was_run() {
    let column = steps([None, Some(0.5), Some(0.4), Some(0.3)]);
    assert_eq!(column.baseline, Some(1));
    assert_eq!(column.rows[2].published_change, Some(-0.8));
    assert_eq!((column.rows[1].change, column.rows[1].published_change), (None, None));
}

#[test]
fn a_single_pair_has_no_correlation() {
    let table = table(&[("a", 72.5, None), ("b", 60.0, None)]);
    let cells = [cell(table, "a", &about(0.6, 0.0)), cell(table, "b", &about(0.5, 0.0002))];
    let column = Reproduction::of(table, &cells).columns.remove(0);
    assert_eq!((column.clear(), column.spearman), (tally(1, 1, 0, 0, 0), None));
}

#[test]
fn where_nothing_is_clear_nothing_is_claimed() {
    let near = table(&[("a", 72.5, None), ("b", 72.4, None), ("c", 72.2, None)]);
    let cells = [cell(near, "a", &about(0.6, 0.0)), cell(near, "b", &about(0.5, 0.0002))];
    assert_eq!(Reproduction::of(near, &cells).columns[0].clear(), Tally::default());
    // Clear in the paper, and too noisy here; one seed decides nothing either.
    let far = table(&[("a", 72.5, None), ("b", 60.0, None)]);
    for (ours, other) in [(&[0.6, 0.4, 0.5][..], &[0.5, 0.5, 0.4][..]), (&[0.6], &[0.3])] {
        let cells = [cell(far, "a", ours), cell(far, "b", other)];
        let column = Reproduction::of(far, &cells).columns.remove(0);
        assert_eq!(column.clear(), tally(1, 0, 0, 1, 0));
        assert_eq!(column.all(), tally(1, 1, 0, 0, 0));
    }
}

#[test]
fn only_common_seeds_are_compared() {
    let table = table(&[("a", 72.5, None), ("b", 60.0, None)]);
    let mut low = cell(table, "b", &[0.5, 0.5, 0.5]);
    low.by_seed = BTreeMap::from([(2, 0.4), (7, 0.9)]);
    let cells = [cell(table, "a", &[0.6, 0.62, 0.63]), low];
    let column = Reproduction::of(table, &cells).columns.remove(0);
    assert_eq!(column.pairs[0].ours.unwrap().n, 1);
    assert_eq!(column.clear(), tally(1, 0, 0, 1, 0));
}

#[test]
fn a_row_that_two_cells_claim_is_not_compared() {
    let table = table(&STEPS);
    let cells = [
        cell(table, "a", &about(0.6, 0.0)),
        cell(table, "b", &about(0.5, 0.0002)),
        cell(table, "b", &about(0.4, 0.0004)),
    ];
    let column = Reproduction::of(table, &cells).columns.remove(0);
    assert_eq!(column.rows[1].claim, Claim::Several);
    assert_eq!(column.clear(), tally(4, 0, 0, 0, 4));
}
