//! Which cell of a sweep the others are compared with.

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
}

impl Reference {
    /// Returns what a sweep's cells are compared with; `None` where nothing stands out.
    pub fn of(gathered: &Gathered) -> Option<Self> {
        let has_arms =
            gathered.trials.iter().flat_map(|trial| &trial.labels).any(|label| label.arm.is_some());
        if has_arms {
            return Some(Self::Arm);
        }
        let candidates = [Self::NothingRemoved, Self::LargestBatch, Self::UsualDecay];
        candidates.into_iter().find(|reference| {
            reference.axis().is_some_and(|axis| gathered.sweep.axes.iter().any(|a| a == axis))
        })
    }

    /// Returns the axis that a cell and its reference differ in; none for arms.
    pub fn axis(self) -> Option<&'static str> {
        match self {
            Self::Arm => None,
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
            Self::UsualDecay => "tau_base 0.99",
        }
    }

    /// Returns the place of the reference of `cells[at]`: equal in all other axes.
    pub fn cell_for(self, cells: &[Cell], at: usize) -> Option<usize> {
        let axis = self.axis();
        let others = |cell: &Cell| {
            let mut axes = cell.label.axes.clone();
            if let Some(axis) = axis {
                axes.remove(axis);
            }
            axes
        };
        let wanted = others(cells.get(at)?);
        let alike = |place: &usize| others(&cells[*place]) == wanted;
        let value = |place: &usize| axis.and_then(|axis| cells[*place].label.axes.get(axis));
        let number = |place: &usize| value(place).and_then(Value::as_f64);
        let mut alike = (0..cells.len()).filter(alike);
        match self {
            Self::Arm => {
                cells[at].label.arm.as_ref()?;
                alike.find(|place| cells[*place].label.arm.as_deref() == Some("baseline"))
            }
            Self::NothingRemoved => alike
                .find(|place| value(place).and_then(Value::as_array).is_some_and(Vec::is_empty)),
            Self::LargestBatch => {
                number(&at)?;
                let batch = |place: &usize| number(place).unwrap_or(0.0);
                alike.max_by(|a, b| batch(a).total_cmp(&batch(b)))
            }
            Self::UsualDecay => {
                alike.find(|place| number(place).is_some_and(|tau| (tau - TAU_BASE).abs() < 1e-9))
            }
        }
    }
}
