//! From rows to cells: what each setting reaches over its seeds, how far that is from the
//! reference, what the paper prints, and what is missing. Pure.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::cell::{Cell, Change, Test, method_of};
use super::estimate::Estimate;
use super::floor::{FloorKind, Floors};
use super::gathered::Gathered;
use super::metric::Metric;
use super::reference::Reference;
use super::reproduction::Reproduction;
use super::significance;
use crate::ids::{GroupKey, TrainKey};
use crate::outcome::Verdict;
use crate::plan::Label;
use crate::published::{self, CellQuery, PublishedTable};
use crate::spec::run::Source;
use crate::spec::sweep::SpreadKind;
use crate::store::rows::{EarlyStopRow, TrialRow, TrialState};

/// The two evaluations: the one that is not the report metric stands beside it.
pub(super) const EVALUATIONS: [&str; 2] = ["linear_top1", "knn_top1"];

/// What the rows say.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysis {
    /// The metric that the report leads with.
    pub metric: String,
    /// What stands behind a mean.
    pub spread: SpreadKind,
    /// Settings in the order of the plan.
    pub cells: Vec<Cell>,
    /// What changes are measured against, if the sweep has such a thing.
    pub reference: Option<Reference>,
    /// Trials in the plan.
    pub trials: usize,
    /// Of these, how many have a value of the report metric.
    pub with_result: usize,
    /// Trials without a value, diverged ones and collapsed ones.
    pub missing: Vec<Missing>,
    /// Classes of the labelled set, where known.
    pub classes: Option<u32>,
    /// What the encoder reaches untrained.
    pub floors: Floors,
    /// The table that the sweep reproduces.
    pub table: Option<&'static PublishedTable>,
    /// How it compares with that table, where both measure accuracy.
    pub reproduction: Option<Reproduction>,
}

/// A trial that tells less than it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Number in the sweep, from 1.
    pub ordinal: u32,
    /// The cell, in words.
    pub cell: String,
    /// Seed.
    pub seed: u64,
    /// Why, in words.
    pub why: String,
    /// What its training turned out to be, whether or not it has a value.
    pub verdict: Option<Verdict>,
    /// Whether a policy stopped it.
    pub is_stopped_early: bool,
}

impl Analysis {
    /// Returns what guessing reaches of an accuracy, a fraction: one in so many classes, and five
    /// for a top-5.
    pub fn chance(&self, metric: &str) -> Option<f64> {
        let classes = f64::from(self.classes?);
        let guesses = [("top1", 1.0), ("top5", 5.0f64)];
        let (_, guesses) = guesses.into_iter().find(|(ending, _)| metric.ends_with(ending))?;
        Some(guesses.min(classes) / classes)
    }

    /// Returns how many trials diverged.
    pub fn diverged(&self) -> usize {
        self.turned_out(Verdict::Diverged)
    }

    /// Returns how many trials collapsed.
    pub fn collapsed(&self) -> usize {
        self.turned_out(Verdict::Collapsed)
    }

    /// Returns how many trials a policy stopped early.
    pub fn stopped_early(&self) -> usize {
        self.missing.iter().filter(|missing| missing.is_stopped_early).count()
    }

    fn turned_out(&self, verdict: Verdict) -> usize {
        self.missing.iter().filter(|missing| missing.verdict == Some(verdict)).count()
    }
}

/// Analyses a sweep. Cells without a value stay, so that tables show what is missing.
pub fn analyse(gathered: &Gathered) -> Analysis {
    let sweep = &gathered.sweep;
    let finals: BTreeMap<&TrainKey, &BTreeMap<String, f64>> =
        gathered.finals.iter().map(|row| (&row.train_key, &row.values)).collect();
    let value_of = |trial: &TrialRow, metric: &str| {
        let value = finals.get(&trial.train_key)?.get(metric).copied()?;
        value.is_finite().then_some(value)
    };
    let table = sweep.reproduces.as_deref().and_then(published::table);
    let reference = Reference::of(gathered);
    // Each is bootstrapped, which in a large sweep is a good part of a report's time.
    let mut cells: Vec<Cell> = groups(&gathered.trials)
        .into_par_iter()
        .map(|(label, trials)| cell(label, &trials, sweep.lead_metric(), &finals, table))
        .collect();
    if let Some(reference) = reference {
        set_changes(&mut cells, reference);
        test_changes(&mut cells);
    }
    let metric = sweep.lead_metric();
    let with_result = gathered.trials.iter().filter(|trial| value_of(trial, metric).is_some());
    let classes = sweep.classes.or_else(|| known_classes(gathered));
    Analysis {
        metric: metric.to_owned(),
        spread: sweep.report_spread,
        reproduction: table
            .filter(|_| Metric(metric).is_accuracy())
            .map(|table| Reproduction::of(table, &cells)),
        reference,
        trials: gathered.trials.len(),
        with_result: with_result.count(),
        missing: gathered
            .trials
            .iter()
            .filter_map(|trial| missing(trial, value_of(trial, metric), metric))
            .collect(),
        classes: classes.filter(|classes| *classes > 0),
        floors: Floors::of(gathered),
        cells,
        table,
    }
}

/// Trials that share a label and differ only in the seed, in the order of the plan. A trial that
/// two cells ask for is in both.
fn groups(trials: &[TrialRow]) -> Vec<(&Label, Vec<&TrialRow>)> {
    let mut groups: Vec<(&GroupKey, &Label, Vec<&TrialRow>)> = Vec::new();
    let mut places: BTreeMap<(&GroupKey, String), usize> = BTreeMap::new();
    for trial in trials {
        for label in trial.labels.iter() {
            let text = serde_json::to_string(label).expect("plain data serialises");
            let place = *places.entry((&trial.group_key, text)).or_insert_with(|| {
                groups.push((&trial.group_key, label, Vec::new()));
                groups.len() - 1
            });
            groups[place].2.push(trial);
        }
    }
    groups.into_iter().map(|(_, label, trials)| (label, trials)).collect()
}

fn cell(
    label: &Label,
    trials: &[&TrialRow],
    metric: &str,
    finals: &BTreeMap<&TrainKey, &BTreeMap<String, f64>>,
    table: Option<&'static PublishedTable>,
) -> Cell {
    let values = |name: &str| -> BTreeMap<u64, f64> {
        let value = |trial: &&TrialRow| {
            let value = finals.get(&trial.train_key)?.get(name).copied()?;
            value.is_finite().then_some((trial.run.seed, value))
        };
        trials.iter().filter_map(value).collect()
    };
    let names: BTreeSet<&String> = trials
        .iter()
        .filter_map(|trial| finals.get(&trial.train_key))
        .flat_map(|v| v.keys())
        .collect();
    let estimate = |name: &str| {
        let values = values(name).into_values();
        // Others are shown without a spread.
        if EVALUATIONS.contains(&name) {
            Estimate::bootstrapped(values)
        } else {
            Estimate::of(values)
        }
    };
    let beside = names
        .into_iter()
        .filter(|name| *name != metric)
        .filter_map(|name| Some((name.clone(), estimate(name)?)));
    let method = trials.first().and_then(|trial| method_of(label, &trial.run));
    let published = table.zip(trials.first()).and_then(|(table, trial)| {
        let query = CellQuery {
            method: method.as_deref(),
            arm: label.arm.as_deref(),
            published: label.published.as_deref(),
            axes: &label.axes,
            run: &trial.run,
        };
        published::value_for(table, &query)
    });
    let turned_out = |verdict| trials.iter().filter(|trial| trial.verdict == Some(verdict)).count();
    let by_seed = values(metric);
    Cell {
        published,
        label: label.clone(),
        train_keys: trials.iter().map(|trial| trial.train_key.clone()).collect(),
        diverged: turned_out(Verdict::Diverged),
        collapsed: turned_out(Verdict::Collapsed),
        failed: trials.iter().filter(|t| t.state == TrialState::Failed).count(),
        stopped_early: trials.iter().filter(|t| t.state == TrialState::Pruned).count(),
        estimate: Estimate::bootstrapped(by_seed.values().copied()),
        beside: beside.collect(),
        above_floor: above_floor(&by_seed, FloorKind::ALL.map(|kind| values(&kind.key(metric)))),
        by_seed,
        method,
        change: None,
    }
}

fn set_changes(cells: &mut [Cell], reference: Reference) {
    let places = reference.places(cells);
    let change = |(at, base): (usize, Option<usize>)| {
        base.map(|base| Change::between(&cells[at], &cells[base], at == base))
    };
    let changes: Vec<Option<Change>> = places.into_par_iter().enumerate().map(change).collect();
    for (cell, change) in cells.iter_mut().zip(changes) {
        cell.change = change;
    }
}

/// What training added, seed by seed, to the untrained encoder by its higher mean.
fn above_floor(by_seed: &BTreeMap<u64, f64>, floors: [BTreeMap<u64, f64>; 2]) -> Option<Estimate> {
    let mean = |floor: &BTreeMap<u64, f64>| Estimate::of(floor.values().copied()).map(|e| e.mean);
    let known = floors.iter().filter_map(|floor| Some((mean(floor)?, floor)));
    let (_, floor) = known.max_by(|a, b| a.0.total_cmp(&b.0))?;
    let pairs = by_seed.iter().filter_map(|(seed, value)| Some(value - floor.get(seed)?));
    Estimate::of(pairs)
}

/// Tests all changes, and corrects for their number.
fn test_changes(cells: &mut [Cell]) {
    let changes = cells.iter_mut().filter_map(|cell| cell.change.as_mut());
    let mut tested: Vec<(&mut Change, f64)> = changes
        .filter(|change| !change.is_reference)
        .filter_map(|change| {
            let p = significance::paired_t(change.ours.as_ref()?)?;
            Some((change, p))
        })
        .collect();
    let all: Vec<f64> = tested.iter().map(|(_, p)| *p).collect();
    for ((change, p), holm) in tested.iter_mut().zip(significance::holm(&all)) {
        change.test = Some(Test { p: *p, holm });
    }
}

fn missing(trial: &TrialRow, value: Option<f64>, metric: &str) -> Option<Missing> {
    let marked = match trial.verdict {
        Some(verdict @ (Verdict::Diverged | Verdict::Collapsed)) => Some(verdict.as_str()),
        Some(Verdict::Healthy) | None => None,
    };
    let why = match (trial.state, value) {
        (_, Some(_)) => format!("{}; its value is counted", marked?),
        (TrialState::Pending, None) => "not started".to_owned(),
        (TrialState::Running, None) => "running".to_owned(),
        (TrialState::Stopped, None) => "stopped; `run` goes on with it".to_owned(),
        (TrialState::Pruned, None) => stopped_early(trial.early_stop),
        (TrialState::Failed, None) => match &trial.failure {
            Some((reason, detail)) => {
                format!("failed, {}: {detail}", reason.as_str().replace('_', " "))
            }
            None => "failed".to_owned(),
        },
        (TrialState::Trained | TrialState::Done, None)
            if trial.verdict == Some(Verdict::Diverged) =>
        {
            "diverged".to_owned()
        }
        (TrialState::Trained, None) => "trained, not evaluated by this protocol".to_owned(),
        (TrialState::Done, None) => format!("evaluated, without a finite `{metric}`"),
    };
    let cell = trial.labels.first().map(|label| {
        let method = method_of(label, &trial.run);
        super::cell::name(label, method.as_deref())
    });
    Some(Missing {
        ordinal: trial.ordinal,
        cell: cell.unwrap_or_default(),
        seed: trial.run.seed,
        why,
        verdict: trial.verdict,
        is_stopped_early: trial.state == TrialState::Pruned,
    })
}

fn stopped_early(decision: Option<EarlyStopRow>) -> String {
    match decision {
        Some(EarlyStopRow { epoch, value, bar, at_ms: _ }) => {
            let probe = Metric("knn_probe_top1");
            format!(
                "stopped early after epoch {epoch}: its setting had {} on the probe and needed {}",
                probe.shown_with_unit(value),
                probe.shown_with_unit(bar)
            )
        }
        None => "stopped early".to_owned(),
    }
}

fn known_classes(gathered: &Gathered) -> Option<u32> {
    let trained_on = gathered.trials.first().map(|trial| &trial.run.data.source);
    match gathered.sweep.eval.data.as_ref().or(trained_on)? {
        Source::Cifar10 => Some(10),
        Source::Shapes { .. } | Source::Idx { .. } | Source::ImageFolder { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::samples::{self, Sample};
    use super::*;

    #[test]
    fn cells_hold_the_seeds_of_one_setting_in_the_order_of_the_plan() {
        let analysis = analyse(&samples::batch_sweep());
        assert_eq!((analysis.trials, analysis.with_result, analysis.cells.len()), (30, 28, 10));
        let names: Vec<String> = analysis.cells.iter().take(2).map(Cell::name).collect();
        assert_eq!(names, ["BYOL, batch size 1024", "BYOL, batch size 512"]);
        assert_eq!(analysis.cells[0].by_seed.keys().copied().collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(analysis.chance("linear_top1"), Some(0.1));
        assert_eq!(analysis.chance("linear_top5"), Some(0.5));
        assert_eq!(analysis.chance("loss"), None);
    }

    #[test]
    fn changes_are_against_the_largest_batch_of_the_same_method() {
        let analysis = analyse(&samples::batch_sweep());
        let change = |at: usize| analysis.cells[at].change.as_ref().unwrap();
        assert!(change(0).is_reference && change(5).is_reference);
        assert_eq!(change(4).published, Some(-12.5));
        // Seeds add 0.003, -0.002, 0.001 at 1024 and 1.3 times as much at 512.
        let expected = -0.006 + 0.3 * (0.003 - 0.002 + 0.001) / 3.0;
        assert!((change(1).ours.unwrap().mean - expected).abs() < 1e-12);
        // One seed of the smallest SimCLR batch is done, so one pair is compared.
        assert_eq!(change(9).ours.unwrap().n, 1);
        assert_eq!(change(9).ours.unwrap().spread, None);
    }

    #[test]
    fn what_is_missing_is_told_with_its_reason() {
        let analysis = analyse(&samples::batch_sweep());
        let told: Vec<(u32, &str)> = analysis
            .missing
            .iter()
            .map(|missing| (missing.ordinal, missing.why.as_str()))
            .collect();
        assert_eq!(told, [(20, "failed, out of memory: CUDA out of memory"), (30, "not started")]);
        let analysis = analyse(&samples::removal_sweep());
        assert_eq!(analysis.missing[0].why, "diverged; its value is counted");
        assert_eq!(analysis.cells[1].diverged, 1);
    }

    #[test]
    fn what_collapsed_is_counted_and_told() {
        let analysis = analyse(&samples::collapsed_sweep());
        assert_eq!((analysis.with_result, analysis.collapsed(), analysis.diverged()), (15, 2, 0));
        let told: Vec<&str> = analysis.missing.iter().map(|missing| missing.why.as_str()).collect();
        assert_eq!(told, ["collapsed; its value is counted"; 2]);
        assert_eq!((analysis.cells[0].collapsed, analysis.cells[1].collapsed), (2, 0));
        assert_eq!(analysis.cells[0].by_seed.len(), 3);
    }

    #[test]
    fn removals_are_compared_with_nothing_removed() {
        let analysis = analyse(&samples::removal_sweep());
        let published = |at: usize| analysis.cells[at].change.as_ref().unwrap().published;
        assert_eq!((published(1), published(2), published(3)), (Some(-0.6), Some(-9.1), None));
    }

    #[test]
    fn a_value_that_is_not_finite_is_no_result() {
        let mut gathered = samples::tau_sweep();
        gathered.finals[0].values.insert("linear_top1".to_owned(), f64::NAN);
        let analysis = analyse(&gathered);
        assert_eq!(analysis.with_result, 14);
        assert_eq!(analysis.missing[0].why, "evaluated, without a finite `linear_top1`");
    }

    #[test]
    fn a_trial_that_two_cells_ask_for_is_in_both() {
        let mut sample = Sample::new("merged", None, &["batch_size"]);
        sample.done(samples::arm("baseline", None, json!({})), samples::run("byol", 64, 0), 0.8);
        let other = samples::arm("remove flip", None, json!({}));
        let labels = &mut sample.0.trials[0].labels;
        *labels = [labels[0].clone(), other].into();
        let analysis = analyse(&sample.0);
        assert_eq!(analysis.cells.len(), 2);
        assert_eq!(analysis.cells[1].change.as_ref().unwrap().ours.unwrap().mean, 0.0);
    }
}
