//! What a filter sees of a trial: the vocabulary of all verbs.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::outcome::Verdict;
use crate::plan::Label;
use crate::spec::run::{Loss, Predictor, RunSpec, Target};
use crate::store::rows::{TrialRow, Wished};

/// A trial as filters see it: once for each cell of the sweep that asks for it, since its labels
/// differ there.
#[derive(Clone, Debug)]
pub struct Subject {
    number: u32,
    faces: Vec<Map<String, Value>>,
}

impl Subject {
    /// The name that metrics are below.
    pub(super) const METRIC: &str = "metric";

    /// Takes together what is known of a trial.
    pub fn new(
        trial: &TrialRow,
        finals: Option<&BTreeMap<String, f64>>,
        wished: Option<&Wished>,
    ) -> Self {
        let run = json!(trial.run);
        let unlabelled = [Label::default()];
        let labels = if trial.labels.is_empty() { &unlabelled } else { trial.labels.as_slice() };
        let face = |label: &Label| {
            let mut face = settings(&run, label);
            face.extend(standing(trial, wished));
            face.insert("arm".into(), json!(label.arm.as_deref().unwrap_or_default()));
            face.insert("method".into(), json!(method(label, &trial.run)));
            face.insert(Self::METRIC.into(), json!(finals.unwrap_or(&BTreeMap::new())));
            face.insert("run".into(), run.clone());
            face
        };
        Self { number: trial.ordinal, faces: labels.iter().map(face).collect() }
    }

    /// Returns it as a trial whose attempt has no end in the store, and nobody who is at it.
    #[must_use]
    pub fn interrupted(mut self) -> Self {
        for face in &mut self.faces {
            face.insert("state".into(), json!("interrupted"));
        }
        self
    }

    /// Returns the trial's number in its sweep.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    pub(super) fn faces(&self) -> &[Map<String, Value>] {
        &self.faces
    }

    /// Returns the first value at a path.
    pub(super) fn get(&self, path: &[&str]) -> Option<&Value> {
        self.faces.iter().find_map(|face| at(face, path))
    }

    pub(super) fn has(&self, path: &[&str]) -> bool {
        self.get(path).is_some()
    }

    pub(super) fn has_metrics(&self) -> bool {
        let metrics = self.get(&[Self::METRIC]).and_then(Value::as_object);
        metrics.is_some_and(|metrics| !metrics.is_empty())
    }

    /// Returns whether what a path leads to is a list wherever there is anything.
    pub(super) fn have_lists(subjects: &[Self], path: &[&str]) -> bool {
        let mut found =
            subjects.iter().flat_map(|subject| &subject.faces).filter_map(|face| at(face, path));
        let first = found.next();
        first.is_some_and(Value::is_array) && found.all(Value::is_array)
    }

    /// Returns the names that trials have right below a path, in order.
    pub(super) fn names(subjects: &[Self], path: &[&str]) -> Vec<String> {
        let below = |face| match path {
            [] => Some(face),
            path => at(face, path).and_then(Value::as_object),
        };
        let maps = subjects.iter().flat_map(|subject| &subject.faces).filter_map(below);
        let mut names: Vec<String> = maps.flat_map(Map::keys).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn at<'m>(face: &'m Map<String, Value>, path: &[&str]) -> Option<&'m Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(face.get(*first)?, |value, part| value.as_object()?.get(*part))
}

/// Returns the settings by their paths: those of the run, and over them those that the sweep
/// varies, under the names that its file gives them.
fn settings(run: &Value, label: &Label) -> Map<String, Value> {
    let mut settings = run.as_object().cloned().unwrap_or_default();
    for (path, value) in &label.axes {
        let mut map = &mut settings;
        let mut parts = path.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                map.insert(part.to_owned(), value.clone());
                break;
            }
            let inner = map.entry(part).or_insert_with(|| json!({}));
            if !inner.is_object() {
                *inner = json!({});
            }
            let Value::Object(inner) = inner else { break };
            map = inner;
        }
    }
    settings
}

/// Returns where the trial stands.
fn standing(trial: &TrialRow, wished: Option<&Wished>) -> Map<String, Value> {
    let none = Wished::default();
    let Wished { held_ms, tags } = wished.unwrap_or(&none);
    let reason = trial.failure.as_ref().map_or("", |(reason, _)| reason.as_str());
    let standing = [
        ("number", json!(trial.ordinal)),
        ("key", json!(trial.train_key)),
        ("group", json!(trial.group_key)),
        ("state", json!(trial.state)),
        ("verdict", json!(trial.verdict.map_or("", Verdict::as_str))),
        ("reason", json!(reason)),
        ("attempts", json!(trial.attempts)),
        ("seed", json!(trial.run.seed)),
        ("held", json!(held_ms.is_some())),
        ("tags", json!(tags)),
    ];
    standing.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns the method: what the axis says, or what the settings amount to; empty for what is
/// neither BYOL nor SimCLR.
fn method(label: &Label, run: &RunSpec) -> String {
    if let Some(Value::String(method)) = label.axes.get("method") {
        return method.clone();
    }
    match (&run.predictor, run.target, run.loss) {
        (Some(Predictor::Head(_)), Target::Average { .. }, Loss::Regression { .. }) => "byol",
        (None, Target::Online, Loss::NtXent { .. }) => "simclr",
        (Some(_) | None, Target::Average { .. } | Target::Online, _) => "",
    }
    .to_owned()
}
