//! How a sweep compares with the published table that it reproduces: whether the settings that the
//! paper tells apart come in the same order here. The pairs follow from the paper alone; ours only
//! decide them. Pure.

mod json;
mod pairs;
pub(super) mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::cell::Cell;
use super::estimate::Estimate;
use super::rank;
use crate::published::{self, PublishedResults, PublishedTable, PublishedValue};

pub use pairs::{Pair, Standing, Tally};

/// A sweep beside its published table.
#[derive(Clone, Debug, PartialEq)]
pub struct Reproduction {
    /// The table.
    pub table: &'static PublishedTable,
    /// Each of its columns of results.
    pub columns: Vec<Column>,
}

/// One column of results: the settings of a method, which can be compared with each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// `byol`, `simclr` in tables of both.
    pub method: Option<String>,
    /// All that the paper prints, in its order.
    pub rows: Vec<Row>,
    /// Place of the row that changes are against: the paper's baseline, or the first row that was
    /// run where that was not.
    pub baseline: Option<usize>,
    /// All pairs of rows between which the paper prints a difference.
    pub pairs: Vec<Pair>,
    /// Spearman's correlation of the paper's values and our means, over the rows with both.
    pub spearman: Option<f64>,
}

/// A published value and what the sweep has of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The paper's.
    pub published: PublishedValue,
    /// Which cell was run for it.
    pub claim: Claim,
    /// Seed to our value; empty without a result.
    pub by_seed: BTreeMap<u64, f64>,
    /// Of `by_seed`.
    pub ours: Option<Estimate>,
    /// Ours minus our baseline, seed by seed; `None` for the baseline.
    pub change: Option<Estimate>,
    /// The paper's minus its baseline, percentage points; `None` for the baseline.
    pub published_change: Option<f64>,
}

/// Which cells of the sweep are a row of the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// None: the sweep does not ask for it.
    NotRun,
    /// The cell at this place.
    Cell(usize),
    /// Several, so that none can be told to be the paper's.
    Several,
}

impl Reproduction {
    /// Compares cells, which know their published value, with their table.
    pub(super) fn of(table: &'static PublishedTable, cells: &[Cell]) -> Self {
        let columns = published::results(table).into_iter();
        Self { table, columns: columns.map(|results| Column::of(results, cells)).collect() }
    }
}

impl Column {
    fn of(results: PublishedResults, cells: &[Cell]) -> Self {
        let method = results.method;
        let mut rows: Vec<Row> = results
            .values
            .into_iter()
            .map(|published| Row::of(published, method.as_deref(), cells))
            .collect();
        let run = |row: &Row| matches!(row.claim, Claim::Cell(_));
        let baseline = rows
            .iter()
            .position(|row| row.published.is_baseline && run(row))
            .or_else(|| rows.iter().position(run));
        if let Some(at) = baseline {
            set_changes(&mut rows, at);
        }
        let pairs = pairs::of(&rows);
        let both: Vec<(f64, f64)> =
            rows.iter().filter_map(|row| Some((row.published.top1, row.ours?.mean))).collect();
        Self { method, spearman: rank::spearman(&both), rows, baseline, pairs }
    }

    /// Returns the rows that the sweep has a cell for, with their places.
    pub fn run(&self) -> impl Iterator<Item = (usize, &Row)> {
        self.rows.iter().enumerate().filter(|(_, row)| matches!(row.claim, Claim::Cell(_)))
    }

    /// Returns how many rows have a value of both.
    pub fn compared(&self) -> usize {
        self.rows.iter().filter(|row| row.ours.is_some()).count()
    }

    /// Returns how the pairs came out that the paper sets clearly apart.
    pub fn clear(&self) -> Tally {
        Tally::of(self.pairs.iter().filter(|pair| pair.is_clear).map(Pair::decided))
    }

    /// Returns how all pairs came out, by the sign of our mean difference alone.
    pub fn all(&self) -> Tally {
        Tally::of(self.pairs.iter().map(Pair::by_sign))
    }

    /// Returns how the clear pairs came out that a row is in.
    pub fn clear_of(&self, row: usize) -> Tally {
        let with_it = self.pairs.iter().filter(|pair| pair.higher == row || pair.lower == row);
        Tally::of(with_it.filter(|pair| pair.is_clear).map(Pair::decided))
    }

    /// Returns the clear pairs that came out the other way round.
    pub fn reversed(&self) -> impl Iterator<Item = &Pair> {
        self.pairs.iter().filter(|pair| pair.is_clear && pair.decided() == Standing::Reversed)
    }
}

impl Row {
    fn of(published: PublishedValue, method: Option<&str>, cells: &[Cell]) -> Self {
        let claims = |cell: &Cell| {
            let same = |value: &PublishedValue| value.row_label == published.row_label;
            cell.published.as_ref().is_some_and(same)
                && (method.is_none() || cell.method.as_deref() == method)
        };
        let mut claiming = cells.iter().enumerate().filter(|(_, cell)| claims(cell));
        let claim = match (claiming.next(), claiming.next()) {
            (None, _) => Claim::NotRun,
            (Some((at, _)), None) => Claim::Cell(at),
            (Some(_), Some(_)) => Claim::Several,
        };
        let cell = match claim {
            Claim::Cell(at) => Some(&cells[at]),
            Claim::NotRun | Claim::Several => None,
        };
        Self {
            published,
            claim,
            by_seed: cell.map(|cell| cell.by_seed.clone()).unwrap_or_default(),
            ours: cell.and_then(|cell| cell.estimate),
            change: None,
            published_change: None,
        }
    }

    /// Ours minus another row's, over the seeds that both have.
    fn minus(&self, other: &Self) -> Vec<f64> {
        let difference = |(seed, value): (&u64, &f64)| Some(value - other.by_seed.get(seed)?);
        self.by_seed.iter().filter_map(difference).collect()
    }
}

fn set_changes(rows: &mut [Row], baseline: usize) {
    for at in (0..rows.len()).filter(|at| *at != baseline) {
        let published = rows[at].published.change_from(&rows[baseline].published);
        let ours = Estimate::bootstrapped(rows[at].minus(&rows[baseline]));
        (rows[at].change, rows[at].published_change) = (ours, Some(published));
    }
}
