//! Pairs of rows that the paper puts in an order, and whether ours come in the same.

use super::Row;
use crate::report::estimate::Estimate;
use crate::report::significance;

/// Points that a clear pair is further apart than, whatever the spreads.
pub(super) const LEAST_GAP: f64 = 0.5;

/// Points of spread where the paper prints none: it prints those above.
pub(super) const UNPRINTED: f64 = 0.25;

/// Two rows with different published values.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// Place of the row that is higher in the paper.
    pub higher: usize,
    /// Place of the other.
    pub lower: usize,
    /// Distance of the published values, percentage points.
    pub gap: f64,
    /// The paper sets them apart by more than half a point and than both its spreads together.
    pub is_clear: bool,
    /// Ours of `higher` minus ours of `lower`, seed by seed.
    pub ours: Option<Estimate>,
}

/// How a pair came out here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// As in the paper.
    Same,
    /// The other way round.
    Reversed,
    /// Not to be told.
    Open,
    /// A row has no result, or they have no seed in common.
    Without,
}

/// How many pairs came out how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// All of them, as the paper has them.
    pub pairs: usize,
    /// In the paper's order.
    pub same: usize,
    /// In the other order.
    pub reversed: usize,
    /// Not told apart here.
    pub open: usize,
    /// Without a result of both.
    pub without_result: usize,
}

/// Returns the pairs of a column.
pub(super) fn of(rows: &[Row]) -> Vec<Pair> {
    let places = |a: usize| (a + 1..rows.len()).map(move |b| (a, b));
    let pairs = (0..rows.len()).flat_map(places);
    pairs.filter_map(|(a, b)| Pair::between(rows, a, b)).collect()
}

impl Pair {
    /// `None` where the paper prints equal values.
    fn between(rows: &[Row], a: usize, b: usize) -> Option<Self> {
        let change = rows[a].published.change_from(&rows[b].published);
        if change == 0.0 {
            return None;
        }
        let (higher, lower) = if change > 0.0 { (a, b) } else { (b, a) };
        let spread = |at: usize| rows[at].published.top1_pm.unwrap_or(UNPRINTED);
        let gap = change.abs();
        Some(Self {
            higher,
            lower,
            gap,
            is_clear: is_above(gap, LEAST_GAP) && is_above(gap, spread(higher) + spread(lower)),
            ours: Estimate::of(rows[higher].minus(&rows[lower])),
        })
    }

    /// By the 95 % interval of our difference.
    pub fn decided(&self) -> Standing {
        match &self.ours {
            None => Standing::Without,
            Some(ours) if !significance::is_away_from_zero(ours) => Standing::Open,
            Some(_) => self.by_sign(),
        }
    }

    /// By our mean difference alone.
    pub fn by_sign(&self) -> Standing {
        match &self.ours {
            None => Standing::Without,
            Some(ours) if ours.mean > 0.0 => Standing::Same,
            Some(ours) if ours.mean < 0.0 => Standing::Reversed,
            Some(_) => Standing::Open,
        }
    }
}

/// Compares printed decimals: 0.3 + 0.2 is not above 0.5.
fn is_above(gap: f64, bound: f64) -> bool {
    gap > bound + 1e-6
}

impl Tally {
    pub(super) fn of(standings: impl IntoIterator<Item = Standing>) -> Self {
        let mut tally = Self::default();
        for standing in standings {
            tally.pairs += 1;
            *match standing {
                Standing::Same => &mut tally.same,
                Standing::Reversed => &mut tally.reversed,
                Standing::Open => &mut tally.open,
                Standing::Without => &mut tally.without_result,
            } += 1;
        }
        tally
    }

    /// Returns how many have a result of both.
    pub fn compared(&self) -> usize {
        self.pairs - self.without_result
    }
}
