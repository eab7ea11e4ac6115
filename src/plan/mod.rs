//! From a sweep file to an ordered list of trials, each with its identity. Pure: the same file
//! gives the same plan on any machine, whatever is already done.

mod compose;
pub mod cost;
mod error;
mod expand;
mod facts;
mod groups;
mod identity;
mod label;
pub mod memory;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{EvalKey, GroupKey, TrainKey};
use crate::spec::eval::EvalSpec;
use crate::spec::run::RunSpec;
use crate::spec::sweep::SweepMeta;

pub use error::{MANY_CELLS, PlanError};
pub use expand::{Request, expand};
pub use facts::Facts;
pub use label::value_text;

/// How many trials a plan may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`MANY_CELLS`].
    Million,
    /// Any number; somebody was asked.
    Lifted,
}

/// A sweep, expanded.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Name and how to run.
    pub meta: SweepMeta,
    /// How every trial is evaluated.
    pub eval: EvalSpec,
    /// Identity of `eval`.
    pub eval_key: EvalKey,
    /// Breadth first over seeds; keys are unique.
    pub trials: Vec<PlannedTrial>,
    /// The keys of grids, zips, whens and includes, in the order of the file: `method`,
    /// `batch_size`, `augment.remove`. The seed is not among them.
    pub axes: Vec<String>,
    /// The count after each rule.
    pub steps: Vec<RuleCount>,
    /// The file's text, kept with the sweep.
    pub source_toml: String,
}

impl Plan {
    /// Returns those of [`Plan::axes`] that differ between trials, in their order.
    pub fn varies(&self) -> Vec<&str> {
        let differs = |axis: &&str| {
            let labels = self.trials.iter().flat_map(|trial| trial.labels.iter());
            let values: BTreeSet<String> = labels
                .map(|label| label.axes.get(*axis).map_or_else(String::new, ToString::to_string))
                .collect();
            values.len() > 1
        };
        self.axes.iter().map(String::as_str).filter(differs).collect()
    }
}

/// One trial of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedTrial {
    /// Number in the sweep, from 1.
    pub ordinal: u32,
    /// Identity.
    pub train_key: TrainKey,
    /// Identity without the seed.
    pub group_key: GroupKey,
    /// What to train.
    pub run: RunSpec,
    /// Where its images lie, as the file says; `None` where the data folder or memory holds them.
    pub data_path: Option<PathBuf>,
    /// How the sweep came to ask for it; more than one label when cells came out the same.
    pub labels: Arc<[Label]>,
}

/// How a sweep asks for a trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// Name of the arm; `baseline` for the implicit one; `None` in a sweep without arms.
    pub arm: Option<String>,
    /// Row of the published table that the arm reproduces.
    pub published: Option<String>,
    /// Key path to value, for the keys of grids, zips, whens and includes that made this cell.
    pub axes: BTreeMap<String, serde_json::Value>,
}

/// How many cells there were after a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleCount {
    /// The rule in words: `grid 1: 2 method x 3 batch_size`, `exclude 1`, `2 arms`, `3 seeds`.
    pub rule: String,
    /// Cells after it.
    pub cells: u64,
}
