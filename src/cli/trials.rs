//! What `plan`, `ls`, `status` and `show` have in common: how a trial's labels, state and results
//! become words.

use std::collections::{BTreeSet, HashSet};

use crate::ids::TrainKey;
use crate::outcome::Verdict;
use crate::plan::{Label, PlannedTrial, value_text};
use crate::store::rows::{TrialRow, TrialState};
use crate::ui::style::{Role, Style};

/// What identifies a trial for people.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'a> {
    pub labels: &'a [Label],
    pub seed: u64,
}

impl<'a> From<&'a PlannedTrial> for Named<'a> {
    fn from(trial: &'a PlannedTrial) -> Self {
        Self { labels: &trial.labels, seed: trial.run.seed }
    }
}

impl<'a> From<&'a TrialRow> for Named<'a> {
    fn from(trial: &'a TrialRow) -> Self {
        Self { labels: &trial.labels, seed: trial.run.seed }
    }
}

impl Named<'_> {
    /// Returns the arms that ask for it; equal cells of a plan are merged, so there may be several.
    pub(super) fn arm(&self) -> String {
        distinct(self.labels.iter().filter_map(|label| label.arm.clone()))
    }

    /// Returns its value of an axis.
    pub(super) fn axis(&self, key: &str) -> String {
        distinct(self.labels.iter().filter_map(|label| label.axes.get(key)).map(value_text))
    }

    /// Returns all of that in one phrase: `remove color, method=byol batch_size=64 seed=0`.
    pub(super) fn phrase(&self, axes: &[String]) -> String {
        let mut words = self.set(axes);
        words.push(format!("seed={}", self.seed));
        self.behind_arm(&words)
    }

    /// Returns the same without the seed.
    pub(super) fn cell(&self, axes: &[String]) -> String {
        self.behind_arm(&self.set(axes))
    }

    fn set(&self, axes: &[String]) -> Vec<String> {
        let set = axes.iter().map(|axis| (axis.as_str(), self.axis(axis)));
        set.filter(|(_, v)| !v.is_empty()).map(|(axis, v)| format!("{axis}={v}")).collect()
    }

    fn behind_arm(&self, words: &[String]) -> String {
        let parts = [self.arm(), words.join(" ")];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }
}

/// Returns whether a sweep has arms.
pub(super) fn has_arms<'a>(labels: impl IntoIterator<Item = &'a [Label]>) -> bool {
    labels.into_iter().flatten().any(|label| label.arm.is_some())
}

/// Returns the axes that trials are labelled with, where the order of the file is not known.
pub(super) fn axes_of(trials: &[TrialRow]) -> Vec<String> {
    let labels = trials.iter().flat_map(|trial| trial.labels.iter());
    let axes: BTreeSet<&String> = labels.flat_map(|label| label.axes.keys()).collect();
    // The method says most, whatever the alphabet says.
    let (method, others): (Vec<_>, Vec<_>) = axes.into_iter().partition(|axis| *axis == "method");
    method.into_iter().chain(others).cloned().collect()
}

fn distinct(values: impl Iterator<Item = String>) -> String {
    let mut seen: Vec<String> = Vec::new();
    for value in values {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen.join(" = ")
}

/// Returns the word of a state for people.
fn state_words(state: TrialState) -> &'static str {
    match state {
        TrialState::Pruned => "stopped early",
        TrialState::Pending
        | TrialState::Running
        | TrialState::Trained
        | TrialState::Done
        | TrialState::Stopped
        | TrialState::Failed => state.as_str(),
    }
}

/// Returns where a trial stands, in its colour: what its row says, or that it was interrupted.
pub(super) fn standing(trial: &TrialRow, interrupted: &HashSet<TrainKey>, style: Style) -> String {
    if interrupted.contains(&trial.train_key) {
        return style.paint(Role::Warning, "interrupted");
    }
    state(trial.state, trial.verdict, style)
}

/// Returns a state in its colour; a diverged or collapsed trial is done, and marked.
pub(super) fn state(state: TrialState, verdict: Option<Verdict>, style: Style) -> String {
    let role = match state {
        TrialState::Pending | TrialState::Trained => Role::Dim,
        TrialState::Running => Role::Busy,
        TrialState::Done => Role::Good,
        TrialState::Stopped | TrialState::Pruned => Role::Warning,
        TrialState::Failed => Role::Bad,
    };
    match (state, verdict) {
        (TrialState::Done, Some(verdict @ (Verdict::Diverged | Verdict::Collapsed))) => {
            style.paint(Role::Warning, verdict.as_str())
        }
        (_, Some(Verdict::Healthy | Verdict::Diverged | Verdict::Collapsed) | None) => {
            style.paint(role, state_words(state))
        }
    }
}
