//! Every trial by itself: what it was told to do, what came out, and its curves. Knows nothing of
//! pages.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::analysis::EVALUATIONS;
use super::cell::{self, method_of};
use super::gathered::Gathered;
use super::metric::Metric;
use super::words;
use crate::ids::TrainKey;
use crate::store::rows::{Series, TrialRow};

/// Points of a curve that are shown: as many as a small picture can tell apart.
const POINTS: usize = 60;

/// The trials of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Trials {
    /// Headings of the results that stand in the overview.
    pub metrics: Vec<String>,
    /// Settings that all have, and their values.
    pub shared: Vec<(String, String)>,
    /// In the order of the plan.
    pub all: Vec<Trial>,
    /// The curves' axes, by the name of the metric in words.
    pub axes: BTreeMap<String, Axes>,
}

/// A trial.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// Number in the sweep, from 1.
    pub ordinal: u32,
    /// Identity.
    pub key: TrainKey,
    /// Its cells, in words.
    pub name: String,
    /// Seed.
    pub seed: u64,
    /// How it stands and what it turned out to be.
    pub state: String,
    /// Why it failed.
    pub failure: Option<String>,
    /// Its values of the overview's metrics; empty where it has none.
    pub results: Vec<String>,
    /// All its results.
    pub finals: Vec<(String, String)>,
    /// Settings in which trials differ.
    pub settings: Vec<(String, String)>,
    /// What it went through.
    pub curves: Vec<Curve>,
}

/// A metric over the updates.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Its name in words, with the unit.
    pub metric: String,
    /// Update and value in the unit; finite.
    pub points: Vec<(u64, f64)>,
}

/// Ends of a metric's axes, over all trials, so that pictures compare.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axes {
    /// The last update.
    pub last: u64,
    /// The least value.
    pub low: f64,
    /// The greatest value.
    pub high: f64,
}

impl Trials {
    /// Takes the rows.
    pub(super) fn of(gathered: &Gathered) -> Self {
        let metrics = shown_metrics(gathered);
        let settings: Vec<BTreeMap<String, String>> =
            gathered.trials.iter().map(settings_of).collect();
        let shared = shared(&settings);
        let finals: BTreeMap<&TrainKey, &BTreeMap<String, f64>> =
            gathered.finals.iter().map(|row| (&row.train_key, &row.values)).collect();
        let curves = curves(gathered);
        let none = BTreeMap::new();
        let trial = |(row, settings): (&TrialRow, BTreeMap<String, String>)| {
            let values = finals.get(&row.train_key).copied().unwrap_or(&none);
            let result = |metric: &&str| values.get(*metric).map(|v| Metric(metric).shown(*v));
            Trial {
                ordinal: row.ordinal,
                key: row.train_key.clone(),
                name: name(row),
                seed: row.run.seed,
                state: state(row),
                failure: row.failure.as_ref().map(|(reason, detail)| {
                    format!("{}: {detail}", reason.as_str().replace('_', " "))
                }),
                results: metrics.iter().map(|m| result(m).unwrap_or_default()).collect(),
                finals: values
                    .iter()
                    .map(|(name, v)| (Metric(name).words(), Metric(name).shown_with_unit(*v)))
                    .collect(),
                settings: settings
                    .into_iter()
                    .filter(|pair| !shared.contains_key(&pair.0))
                    .collect(),
                curves: curves.get(&row.train_key).cloned().unwrap_or_default(),
            }
        };
        let all: Vec<Trial> = gathered.trials.iter().zip(settings).map(trial).collect();
        Self {
            metrics: metrics.into_iter().map(|metric| Metric(metric).words_and_unit()).collect(),
            axes: axes(&all),
            shared: shared.into_iter().collect(),
            all,
        }
    }
}

/// The report metric, and the evaluations beside it that any trial has.
fn shown_metrics(gathered: &Gathered) -> Vec<&str> {
    let lead = gathered.sweep.lead_metric();
    let known = |name: &str| gathered.finals.iter().any(|row| row.values.contains_key(name));
    let beside = EVALUATIONS.into_iter().filter(|name| *name != lead && known(name));
    std::iter::once(lead).chain(beside).collect()
}

fn name(row: &TrialRow) -> String {
    let mut names: Vec<String> = row
        .labels
        .iter()
        .map(|label| cell::name(label, method_of(label, &row.run).as_deref()))
        .collect();
    names.dedup();
    names.join("; ")
}

fn state(row: &TrialRow) -> String {
    match row.verdict {
        Some(verdict) => format!("{}, {}", row.state.as_str(), verdict.as_str()),
        None => row.state.as_str().to_owned(),
    }
}

/// Every setting of a run by its path: `views.t.blur.p`; the seed stands by itself.
fn settings_of(row: &TrialRow) -> BTreeMap<String, String> {
    fn walk(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(entries) => {
                for (name, entry) in entries {
                    let below =
                        if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    walk(&below, entry, found);
                }
            }
            plain => {
                found.insert(path.to_owned(), words::plain(plain));
            }
        }
    }
    let run = serde_json::to_value(&row.run).expect("plain data serialises");
    let mut found = BTreeMap::new();
    walk("", &run, &mut found);
    found.remove("seed");
    found
}

fn shared(settings: &[BTreeMap<String, String>]) -> BTreeMap<String, String> {
    let Some((first, others)) = settings.split_first() else { return BTreeMap::new() };
    let in_all = |(name, value): &(&String, &String)| {
        others.iter().all(|settings| settings.get(*name) == Some(*value))
    };
    first.iter().filter(in_all).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn curves(gathered: &Gathered) -> BTreeMap<&TrainKey, Vec<Curve>> {
    let mut found: BTreeMap<&TrainKey, Vec<Curve>> = BTreeMap::new();
    for (metric, all) in &gathered.curves {
        for series in all {
            let curve = Curve {
                metric: Metric(metric).words_and_unit(),
                points: points(Metric(metric), series),
            };
            found.entry(&series.train_key).or_default().push(curve);
        }
    }
    found
}

/// The first, the last and evenly spaced points between, of those that can be drawn.
fn points(metric: Metric<'_>, series: &Series) -> Vec<(u64, f64)> {
    let finite: Vec<(u64, f64)> =
        series.points.iter().copied().filter(|(_, value)| value.is_finite()).collect();
    let kept = finite.len().min(POINTS);
    let place = |at: usize| if kept < 2 { at } else { at * (finite.len() - 1) / (kept - 1) };
    (0..kept).map(|at| finite[place(at)]).map(|(at, value)| (at, metric.scaled(value))).collect()
}

fn axes(all: &[Trial]) -> BTreeMap<String, Axes> {
    let curves = || all.iter().flat_map(|trial| &trial.curves);
    let metrics: BTreeSet<&String> = curves().map(|curve| &curve.metric).collect();
    let ends = |metric: &String| {
        let points = || curves().filter(|c| c.metric == *metric).flat_map(|c| &c.points);
        Axes {
            last: points().map(|(at, _)| *at).max().unwrap_or_default(),
            low: points().map(|(_, value)| *value).fold(f64::INFINITY, f64::min),
            high: points().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max),
        }
    };
    metrics.into_iter().map(|metric| (metric.clone(), ends(metric))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_setting_is_shared_or_told_by_its_trial() {
        let trials = Trials::of(&samples::batch_sweep());
        assert_eq!(trials.all.len(), 30);
        let get = |pairs: &[(String, String)], name: &str| {
            pairs.iter().find(|(path, _)| path == name).map(|(_, value)| value.clone())
        };
        let first = &trials.all[0];
        assert_eq!(get(&first.settings, "batch_size").as_deref(), Some("1024"));
        assert_eq!(get(&trials.shared, "batch_size"), None);
        assert_eq!(get(&trials.shared, "data.source.name").as_deref(), Some("cifar10"));
        assert_eq!(get(&first.settings, "data.source.name"), None);
        let all = first.settings.iter().chain(&trials.shared);
        assert!(all.clone().count() > 40 && all.clone().all(|(path, _)| path != "seed"));
    }

    #[test]
    fn a_trial_says_what_came_out_or_why_nothing_did() {
        let trials = Trials::of(&samples::batch_sweep());
        assert_eq!(trials.metrics, ["linear top-1 (%)", "kNN top-1 (%)"]);
        let first = &trials.all[0];
        assert_eq!((first.name.as_str(), first.seed), ("BYOL, batch size 1024", 0));
        assert_eq!(first.state, "done, healthy");
        assert!(first.finals.iter().any(|(name, _)| name == "floor kNN top-1"));
        let failed = &trials.all[19];
        assert_eq!((failed.state.as_str(), failed.results[0].as_str()), ("failed", ""));
        assert_eq!(failed.failure.as_deref(), Some("out of memory: CUDA out of memory"));
    }

    #[test]
    fn curves_keep_their_ends_and_share_their_axes() {
        let mut gathered = samples::tau_sweep();
        let key = gathered.trials[0].train_key.clone();
        let points =
            (0..400).map(|at| (at * 10, if at == 7 { f64::NAN } else { 1.0 / (at + 1) as f64 }));
        let series = Series { train_key: key, points: points.collect() };
        let other =
            Series { train_key: gathered.trials[1].train_key.clone(), points: vec![(5000, 3.0)] };
        gathered.curves = [("loss".to_owned(), vec![series, other])].into();
        let trials = Trials::of(&gathered);
        let curve = &trials.all[0].curves[0];
        assert_eq!((curve.points.len(), curve.points[0], curve.points[59].0), (60, (0, 1.0), 3990));
        assert_eq!(trials.all[1].curves[0].points, [(5000, 3.0)]);
        let Axes { last, low, high } = trials.axes["loss"];
        assert_eq!((last, high), (5000, 3.0));
        assert!(low < 0.01);
    }
}
