//! Which cell of a sweep the others are compared with.

use std::collections::BTreeMap;

use serde_json::Value;

use super::cell::Cell;
use super::gathered::Gathered;

/// The paper's decay, where the sweep has it.
const TAU_BASE: f64 = 0.99;

/// What changes are measured against, by the kind of the sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// The arm `baseline`.
    Arm,
    /// The cell that removes no augmentation.
    NothingRemoved,
    /// The largest batch.
    LargestBatch,
    /// tau_base = 0.99, as the paper's other ablations.
    UsualDecay,
    /// The row of the published table that its others change.
    PublishedBaseline,
}

impl Reference {
    /// Returns what a sweep's cells are compared with; `None` where nothing stands out.
    pub fn of(gathered: &Gathered) -> Option<Self> {
        let has_arms = gathered
            .trials
            .iter()
            .flat_map(|trial| trial.labels.iter())
            .any(|label| label.arm.is_some());
        if has_arms {
            return Some(Self::Arm);
        }
        let candidates = [Self::NothingRemoved, Self::LargestBatch, Self::UsualDecay];
        let by_axis = candidates.into_iter().find(|reference| {
            reference.axis().is_some_and(|axis| gathered.sweep.axes.iter().any(|a| a == axis))
        });
        by_axis.or(gathered.sweep.reproduces.as_ref().map(|_| Self::PublishedBaseline))
    }

    /// Returns the axis that a cell and its reference differ in; none for arms.
    pub fn axis(self) -> Option<&'static str> {
        match self {
            Self::Arm | Self::PublishedBaseline => None,
            Self::NothingRemoved => Some("augment.remove"),
            Self::LargestBatch => Some("batch_size"),
            Self::UsualDecay => Some("tau_base"),
        }
    }

    /// Returns the reference in words, to stand after "against".
    pub fn words(self) -> &'static str {
        match self {
            Self::Arm => "the baseline",
            Self::NothingRemoved => "all augmentations",
            Self::LargestBatch => "the largest batch",
            Self::UsualDecay => "tau base 0.99",
            Self::PublishedBaseline => "the paper's baseline",
        }
    }

    /// Returns the place of each cell's reference: the one that is equal in all other axes.
    pub fn places(self, cells: &[Cell]) -> Vec<Option<usize>> {
        if self == Self::PublishedBaseline
            && cells.iter().filter(|cell| self.may_be(cell)).count() > 1
        {
            // Which of them is meant cannot be told.
            return vec![None; cells.len()];
        }
        let mut references: BTreeMap<String, usize> = BTreeMap::new();
        for (place, cell) in cells.iter().enumerate().filter(|(_, cell)| self.may_be(cell)) {
            let known = references.entry(self.others(cell)).or_insert(place);
            if self == Self::LargestBatch && self.number(cell) > self.number(&cells[*known]) {
                *known = place;
            }
        }
        let of = |cell: &Cell| references.get(&self.others(cell)).copied();
        cells.iter().map(|cell| of(cell).filter(|_| self.concerns(cell))).collect()
    }

    /// Whether the cell takes part in the comparison at all; cells of an include may not.
    fn concerns(self, cell: &Cell) -> bool {
        match self.axis() {
            Some(axis) => cell.label.axes.contains_key(axis),
            None => self == Self::PublishedBaseline || cell.label.arm.is_some(),
        }
    }

    fn may_be(self, cell: &Cell) -> bool {
        match self {
            Self::Arm => cell.label.arm.as_deref() == Some("baseline"),
            Self::NothingRemoved => {
                self.value(cell).and_then(Value::as_array).is_some_and(Vec::is_empty)
            }
            Self::LargestBatch => self.number(cell).is_some(),
            Self::UsualDecay => self.number(cell).is_some_and(|tau| (tau - TAU_BASE).abs() < 1e-9),
            Self::PublishedBaseline => {
                cell.published.as_ref().is_some_and(|published| published.is_baseline)
            }
        }
    }

    /// What two cells must have in common to be compared.
    fn others(self, cell: &Cell) -> String {
        if self == Self::PublishedBaseline {
            return String::new();
        }
        let mut axes = cell.label.axes.clone();
        if let Some(axis) = self.axis() {
            axes.remove(axis);
        }
        serde_json::to_string(&axes).expect("plain data serialises")
    }

    fn value(self, cell: &Cell) -> Option<&Value> {
        cell.label.axes.get(self.axis()?)
    }

    fn number(self, cell: &Cell) -> Option<f64> {
        self.value(cell).and_then(Value::as_f64)
    }
}
