//! What trials are called in front of people.

use serde_json::Value;

use super::event::TrialName;
use crate::ids::TrainKey;
use crate::plan::PlannedTrial;

/// Names a trial of the plan: `remove color method=byol batch_size=64 seed=0`, the arm first.
pub fn name(trial: &PlannedTrial) -> TrialName {
    let mut words = Vec::new();
    if let Some(label) = trial.labels.first() {
        words.extend(label.arm.clone());
        words.extend(label.axes.iter().map(|(key, value)| format!("{key}={}", plain(value))));
    }
    words.push(format!("seed={}", trial.run.seed));
    TrialName { ordinal: trial.ordinal, key: trial.train_key.clone(), label: words.join(" ") }
}

/// Names a trial that the plan does not have: an earlier run of another sweep left it alive.
pub(super) fn stranger(key: &TrainKey) -> TrialName {
    TrialName { ordinal: 0, key: key.clone(), label: "of another sweep".to_owned() }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            value.to_string()
        }
    }
}
