//! What a filter sees of a trial: the vocabulary of all verbs. Values are made when they are asked
//! for, since most never are.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

use crate::ids::GroupKey;
use crate::outcome::Verdict;
use crate::plan::Label;
use crate::spec::run::{Loss, Predictor, RunSpec, Target};
use crate::store::rows::TrialRow;

/// What is known of a trial.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'t> {
    /// The trial.
    pub trial: &'t TrialRow,
    /// Its final values by their metrics, where it was evaluated.
    pub finals: Option<&'t BTreeMap<String, f64>>,
    /// Whether its attempt has no end in the store, and nobody is at it.
    pub is_interrupted: bool,
    /// Whether it is held back.
    pub is_held: bool,
    /// Its names.
    pub tags: &'t [String],
}

/// Settings as JSON, made once for all trials of a group: they differ in the seed alone.
type Settings = Arc<OnceLock<Value>>;

/// A trial as filters see it: once for each cell of the sweep that asks for it, since its labels
/// differ there.
#[derive(Clone, Debug)]
pub struct Subject<'t> {
    facts: Facts<'t>,
    settings: Settings,
}

/// Returns trials as filters see them.
pub fn subjects<'t>(facts: impl IntoIterator<Item = Facts<'t>>) -> Vec<Subject<'t>> {
    let mut groups: HashMap<&GroupKey, Settings> = HashMap::new();
    let subject = |facts: Facts<'t>| {
        let settings = Arc::clone(groups.entry(&facts.trial.group_key).or_default());
        Subject { facts, settings }
    };
    facts.into_iter().map(subject).collect()
}

impl<'t> Subject<'t> {
    /// The name that metrics are below.
    pub(super) const METRIC: &'static str = "metric";

    /// The name that all settings are below.
    const RUN: &'static str = "run";

    /// What every trial has beside its settings.
    const FIXED: [&'static str; 14] = [
        "arm",
        "attempts",
        "group",
        "held",
        "key",
        "method",
        Self::METRIC,
        "number",
        "reason",
        Self::RUN,
        "seed",
        "state",
        "tags",
        "verdict",
    ];

    /// Returns the trial's number in its sweep.
    pub(super) fn number(&self) -> u32 {
        self.facts.trial.ordinal
    }

    pub(super) fn faces(&self) -> impl Iterator<Item = Face<'_, 't>> {
        let labels = &self.facts.trial.labels;
        let unlabelled = labels.is_empty().then_some(None);
        let labels = unlabelled.into_iter().chain(labels.iter().map(Some));
        labels.map(|label| Face { subject: self, label })
    }

    /// Returns the first value at a path.
    pub(super) fn get(&self, path: &[&str]) -> Option<Value> {
        self.faces().find_map(|face| face.get(path))
    }

    pub(super) fn has(&self, path: &[&str]) -> bool {
        self.get(path).is_some()
    }

    pub(super) fn has_metrics(&self) -> bool {
        self.facts.finals.is_some_and(|finals| !finals.is_empty())
    }

    /// Returns whether what a path leads to is a list wherever there is anything.
    pub(super) fn have_lists(subjects: &[Self], path: &[&str]) -> bool {
        let faces = subjects.iter().flat_map(Self::faces);
        let mut found = faces.filter_map(|face| face.get(path)).map(|value| value.is_array());
        found.next().is_some_and(|first| first && found.all(|other| other))
    }

    /// Returns the names that trials have right below a path, in order.
    pub(super) fn names(subjects: &[Self], path: &[&str]) -> Vec<String> {
        let mut names = BTreeSet::new();
        for face in subjects.iter().flat_map(Self::faces) {
            match path {
                [] => names.extend(face.names()),
                path => names.extend(face.get(path).iter().flat_map(keys)),
            }
        }
        names.into_iter().collect()
    }

    /// Returns whether anybody asked for its settings.
    #[cfg(test)]
    pub(super) fn has_made_settings(&self) -> bool {
        self.settings.get().is_some()
    }

    fn settings(&self) -> &Value {
        self.settings.get_or_init(|| json!(self.facts.trial.run))
    }

    /// Returns what is at a path below all settings.
    fn run(&self, path: &[&str]) -> Option<Value> {
        let seed = json!(self.facts.trial.run.seed);
        match path {
            [] => {
                let mut run = self.settings().clone();
                run["seed"] = seed;
                Some(run)
            }
            ["seed", rest @ ..] => at(&seed, rest).cloned(),
            path => at(self.settings(), path).cloned(),
        }
    }

    /// Returns what is at a path below the metrics.
    fn metric(&self, path: &[&str]) -> Option<Value> {
        let finals = self.facts.finals;
        match path {
            [] => Some(finals.map_or_else(|| json!({}), |finals| json!(finals))),
            [name] => finals?.get(*name).map(|value| json!(value)),
            [_, _, ..] => None,
        }
    }
}

/// A trial as one cell asks for it; without a label where none does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Face<'s, 't> {
    subject: &'s Subject<'t>,
    label: Option<&'t Label>,
}

impl Face<'_, '_> {
    /// Returns the value at a path.
    pub(super) fn get(self, path: &[&str]) -> Option<Value> {
        let Facts { trial, is_interrupted, is_held, tags, .. } = self.subject.facts;
        let (first, rest) = path.split_first()?;
        let whole = match *first {
            "number" => json!(trial.ordinal),
            "key" => json!(trial.train_key),
            "group" => json!(trial.group_key),
            "state" if is_interrupted => json!("interrupted"),
            "state" => json!(trial.state),
            "verdict" => json!(trial.verdict.map_or("", Verdict::as_str)),
            "reason" => json!(trial.failure.as_ref().map_or("", |(reason, _)| reason.as_str())),
            "attempts" => json!(trial.attempts),
            "seed" => json!(trial.run.seed),
            "held" => json!(is_held),
            "tags" => json!(tags),
            "arm" => json!(self.label.and_then(|label| label.arm.as_deref()).unwrap_or_default()),
            "method" => json!(self.method()),
            Subject::METRIC => return self.subject.metric(rest),
            Subject::RUN => return self.subject.run(rest),
            name => return self.setting(name, rest),
        };
        at(&whole, rest).cloned()
    }

    /// Returns what is at a path below a setting: that of the run, and over it what the sweep
    /// varies, under the names that its file gives it.
    fn setting(self, name: &str, path: &[&str]) -> Option<Value> {
        let of_run = || self.subject.settings().get(name);
        let axes = || self.label.into_iter().flat_map(|label| &label.axes);
        let varied = self.label.and_then(|label| label.axes.get(name));
        if !axes().any(|(axis, _)| below(name, axis).is_some()) {
            return at(varied.or_else(of_run)?, path).cloned();
        }
        let mut whole = varied.or_else(of_run).cloned().unwrap_or_default();
        for (axis, value) in axes() {
            if let Some(rest) = below(name, axis) {
                put(&mut whole, rest, value);
            }
        }
        at(&whole, path).cloned()
    }

    /// Returns all first names.
    fn names(self) -> Vec<String> {
        let axes = self.label.into_iter().flat_map(|label| label.axes.keys());
        let axes = axes.filter_map(|axis| axis.split('.').next());
        let settings = keys(self.subject.settings());
        let fixed = Subject::FIXED.into_iter().map(str::to_owned);
        settings.chain(fixed).chain(axes.map(str::to_owned)).collect()
    }

    /// Returns the method: what the axis says, or what the settings amount to; empty for what is
    /// neither BYOL nor SimCLR.
    fn method(&self) -> &str {
        if let Some(Value::String(method)) = self.label.and_then(|label| label.axes.get("method")) {
            return method;
        }
        let RunSpec { predictor, target, loss, .. } = &self.subject.facts.trial.run;
        match (predictor, target, loss) {
            (Some(Predictor::Head(_)), Target::Average { .. }, Loss::Regression { .. }) => "byol",
            (None, Target::Online, Loss::NtXent { .. }) => "simclr",
            (Some(_) | None, Target::Average { .. } | Target::Online, _) => "",
        }
    }
}

/// Returns the rest of a path that leads below a name.
fn below<'p>(name: &str, path: &'p str) -> Option<&'p str> {
    path.strip_prefix(name)?.strip_prefix('.')
}

fn at<'v>(value: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, part| value.as_object()?.get(*part))
}

/// Puts a value at a path, in place of whatever is in its way.
fn put(whole: &mut Value, path: &str, value: &Value) {
    let mut place = whole;
    for part in path.split('.') {
        if !place.is_object() {
            *place = json!({});
        }
        place = &mut place[part];
    }
    *place = value.clone();
}

fn keys(value: &Value) -> impl Iterator<Item = String> {
    value.as_object().into_iter().flat_map(|map| map.keys().cloned())
}
