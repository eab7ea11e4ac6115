//! Why a sweep cannot be planned. Knows nothing of how that is shown.

use miette::Diagnostic;

use crate::spec::{Fault, SpecError};

/// Cells beyond which a plan asks first.
pub const MANY_CELLS: u64 = 1_000_000;

/// A sweep that cannot be planned.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum PlanError {
    /// The file, or a `--set`, is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Spec(#[from] SpecError),
    /// More trials than anyone plans on purpose; [`super::Limit::Lifted`] plans them all the same.
    #[error("this sweep has at least {cells} trials, more than {MANY_CELLS}")]
    #[diagnostic(help(
        "an axis has too many values, or too many axes are crossed: `[[zip]]` lets axes advance \
         together; `byol-sweep run --yes` runs them all the same"
    ))]
    TooMany {
        /// Trials, counted before excludes and merges.
        cells: u64,
    },
}

impl From<Fault> for PlanError {
    fn from(fault: Fault) -> Self {
        SpecError::from(fault).into()
    }
}
