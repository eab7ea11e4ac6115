//! One setting of a sweep and what it reached over its seeds. Knows nothing of the other settings.

use std::collections::BTreeMap;

use serde_json::Value;

use super::estimate::Estimate;
use super::words;
use crate::ids::TrainKey;
use crate::plan::Label;
use crate::published::PublishedValue;
use crate::spec::run::{Loss, Predictor, RunSpec, Target};

/// A setting: trials that differ only in the seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// How the sweep asks for it.
    pub label: Label,
    /// `byol`, `simclr`, or what the axis says; `None` for unnamed members of the family.
    pub method: Option<String>,
    /// Its trials.
    pub train_keys: Vec<TrainKey>,
    /// Of these, how many diverged.
    pub diverged: usize,
    /// Of these, how many collapsed.
    pub collapsed: usize,
    /// Of these, how many failed.
    pub failed: usize,
    /// Of these, how many a policy stopped early; they have no result.
    pub stopped_early: usize,
    /// Seed to the report metric, where there is a finite value.
    pub by_seed: BTreeMap<u64, f64>,
    /// Of `by_seed`.
    pub estimate: Option<Estimate>,
    /// All other final metrics.
    pub beside: BTreeMap<String, Estimate>,
    /// The report metric minus that of the untrained encoder, seed by seed, by its highest floor.
    pub above_floor: Option<Estimate>,
    /// Distance to the reference; `None` where the sweep has none for this cell.
    pub change: Option<Change>,
    /// What the paper prints.
    pub published: Option<PublishedValue>,
}

/// How far a cell is from its reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The cell is the reference itself.
    pub is_reference: bool,
    /// Mean of cell minus reference over the seeds that both have.
    pub ours: Option<Estimate>,
    /// Seed to cell minus reference.
    pub by_seed: BTreeMap<u64, f64>,
    /// The same difference of the published values, percentage points.
    pub published: Option<f64>,
    /// Whether it can be told from none; `None` where one seed, or equal differences, cannot say.
    pub test: Option<Test>,
}

/// Student's paired t-test of a change against 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// Two-sided.
    pub p: f64,
    /// Corrected for all changes of the report by Holm's step-down.
    pub holm: f64,
}

impl Change {
    /// Compares two cells seed by seed: what a seed does to both of them cancels out.
    pub fn between(cell: &Cell, reference: &Cell, is_reference: bool) -> Self {
        let difference = |(seed, value): (&u64, &f64)| {
            reference.by_seed.get(seed).map(|base| (*seed, value - base))
        };
        let by_seed: BTreeMap<u64, f64> = cell.by_seed.iter().filter_map(difference).collect();
        let ours = Estimate::bootstrapped(by_seed.values().copied());
        let published = match (&cell.published, &reference.published) {
            (Some(cell), Some(base)) => Some(cell.change_from(base)),
            (None, _) | (_, None) => None,
        };
        Self { is_reference, ours, by_seed, published, test: None }
    }
}

impl Cell {
    /// Returns the cell in words: `BYOL, crop only`, `SimCLR, batch size 64`.
    pub fn name(&self) -> String {
        name(&self.label, self.method.as_deref())
    }

    /// Returns the cell in words without its method.
    pub fn name_without_method(&self) -> String {
        let rest = words::parts(&self.label);
        if rest.is_empty() { "all".to_owned() } else { rest.join(", ") }
    }
}

/// Returns what the labels of some cells have in common; `None` where there are no cells.
pub(super) fn common_label(cells: &[&Cell]) -> Option<Label> {
    let (first, others) = cells.split_first()?;
    let mut label = first.label.clone();
    let shares = |axis: &String, value: &Value| {
        others.iter().all(|cell| cell.label.axes.get(axis) == Some(value))
    };
    label.axes.retain(|axis, value| shares(axis, value));
    label.arm = label.arm.filter(|_| others.iter().all(|cell| cell.label.arm == first.label.arm));
    Some(label)
}

/// Returns a label in words, its method first; `None` where it says nothing.
pub(super) fn label_words(label: &Label) -> Option<String> {
    let method = label.axes.get("method").and_then(Value::as_str).map(words::method);
    let all: Vec<String> = method.into_iter().chain(words::parts(label)).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// Returns what some cells have in common, in words; `None` where that is nothing.
pub(super) fn common_name(cells: &[&Cell]) -> Option<String> {
    label_words(&common_label(cells)?)
}

/// Returns cells by the name of the first.
pub(super) fn name_and_more(cells: &[&Cell]) -> String {
    match cells {
        [] => String::new(),
        [one] => one.name(),
        [first, _] => format!("{} and 1 other setting", first.name()),
        [first, others @ ..] => format!("{} and {} other settings", first.name(), others.len()),
    }
}

/// Returns the method of a trial: what the axis says, or what its settings amount to.
pub(super) fn method_of(label: &Label, run: &RunSpec) -> Option<String> {
    if let Some(Value::String(method)) = label.axes.get("method") {
        return Some(method.clone());
    }
    match (&run.predictor, run.target, run.loss) {
        (Some(Predictor::Head(_)), Target::Average { .. }, Loss::Regression { .. }) => {
            Some("byol".to_owned())
        }
        (None, Target::Online, Loss::NtXent { .. }) => Some("simclr".to_owned()),
        (Some(_) | None, Target::Average { .. } | Target::Online, _) => None,
    }
}

/// Returns a label in words, with its method where that is an axis.
pub(super) fn name(label: &Label, method: Option<&str>) -> String {
    let method = method.filter(|_| label.axes.contains_key("method")).map(words::method);
    let all: Vec<String> = method.into_iter().chain(words::parts(label)).collect();
    if all.is_empty() { "all".to_owned() } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples;
    use super::*;

    #[test]
    fn names_are_words() {
        let label = samples::arm("crop only", Some("Crop only"), json!({"method": "byol"}));
        assert_eq!(name(&label, Some("byol")), "BYOL, crop only");
        let label = samples::label(json!({"batch_size": 64.0, "method": "simclr"}));
        assert_eq!(name(&label, Some("simclr")), "SimCLR, batch size 64");
        let label = samples::label(json!({"augment.remove": ["blur", "flip"]}));
        assert_eq!(name(&label, Some("byol")), "without blur + flip");
        assert_eq!(name(&Label::default(), Some("byol")), "all");
    }

    /// A cell with these values at seeds from 0.
    fn cell(values: &[f64]) -> Cell {
        let by_seed: BTreeMap<u64, f64> = (0u64..).zip(values.iter().copied()).collect();
        Cell {
            label: Label::default(),
            method: None,
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
            published: None,
        }
    }

    // Expected: SciPy 1.17.1, `scipy.stats.ttest_rel(a, b).confidence_interval()`.
    #[test]
    fn changes_are_paired_by_seed() {
        let (a, b) = (cell(&[0.712, 0.705, 0.731]), cell(&[0.724, 0.741, 0.738]));
        let change = Change::between(&a, &b, false).ours.unwrap();
        assert!((change.mean - -0.01833333333333335).abs() < 1e-12);
        assert!((change.sd().unwrap() - 0.015502687938977994).abs() < 1e-12);
        let (low, high) = change.interval().unwrap();
        assert!((low - -0.056844145076045585).abs() < 1e-9, "{low}");
        assert!((high - 0.020177478409378887).abs() < 1e-9, "{high}");
    }

    #[test]
    fn only_seeds_that_both_have_are_compared() {
        let change = Change::between(&cell(&[0.5, 0.9]), &cell(&[0.6]), false);
        assert_eq!(change.by_seed.keys().copied().collect::<Vec<_>>(), [0]);
        assert_eq!(change.ours.unwrap().spread, None);
        assert_eq!(Change::between(&cell(&[0.5]), &cell(&[]), false).ours, None);
    }

    #[test]
    fn a_method_is_recognised_by_its_settings() {
        let by_settings = |run: &RunSpec| method_of(&Label::default(), run);
        assert_eq!(by_settings(&samples::run("byol", 256, 0)).as_deref(), Some("byol"));
        assert_eq!(by_settings(&samples::run("simclr", 256, 0)).as_deref(), Some("simclr"));
        let between = RunSpec { predictor: None, ..samples::run("byol", 256, 0) };
        assert_eq!(by_settings(&between), None);
    }
}
