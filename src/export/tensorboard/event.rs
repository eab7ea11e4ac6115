//! Events as TensorBoard reads them (`event.proto`, `summary.proto`, and `plugin_data.proto` and
//! `api.proto` of its hparams plugin). Field numbers are theirs.

use serde_json::Value;

use super::proto::Message;
use crate::plan::value_text;

/// Returns the event that every file begins with.
pub(super) fn version(wall_s: f64) -> Message {
    Message::default().double(1, wall_s).text(3, "brain.Event:2")
}

/// Returns a scalar at a step.
pub(super) fn scalar(wall_s: f64, step: u64, tag: &str, value: f64) -> Message {
    // TensorBoard holds scalars in 32 bits.
    let value = Message::default().text(1, tag).float(2, value as f32);
    event(wall_s, step, &value)
}

fn event(wall_s: f64, step: u64, value: &Message) -> Message {
    let summary = Message::default().message(1, value);
    Message::default().double(1, wall_s).integer(2, step).message(5, &summary)
}

/// How a session ended, in the plugin's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Unknown = 0,
    Success = 1,
    Failure = 2,
    Running = 3,
}

/// A setting that varies: its name, and all of its values.
pub(super) struct Hyperparameter {
    pub(super) name: String,
    pub(super) values: Vec<Value>,
}

impl Hyperparameter {
    /// A setting whose values are all numbers is a number, any other is words.
    pub(super) fn is_number(&self) -> bool {
        self.values.iter().all(Value::is_number)
    }
}

/// Returns what the HPARAMS tab shows: its columns.
pub(super) fn experiment(
    name: &str,
    description: &str,
    hyperparameters: &[Hyperparameter],
    metrics: &[String],
) -> Message {
    let mut experiment = Message::default().text(6, name).text(1, description);
    for hyperparameter in hyperparameters {
        const STRING: u64 = 1;
        const FLOAT64: u64 = 3;
        let number = hyperparameter.is_number();
        let kind = if number { FLOAT64 } else { STRING };
        let mut domain = Message::default();
        for value in &hyperparameter.values {
            domain = domain.message(1, &plain(value, number));
        }
        let info = Message::default().text(1, &hyperparameter.name).integer(4, kind);
        experiment = experiment.message(4, &info.message(5, &domain));
    }
    for metric in metrics {
        let name = Message::default().text(2, metric);
        experiment = experiment.message(5, &Message::default().message(1, &name));
    }
    plugin("_hparams_/experiment", &Message::default().message(2, &experiment))
}

/// Returns the begin of a session; those of one group are one row.
pub(super) fn session_start<'a>(
    start_s: f64,
    group: &str,
    settings: impl Iterator<Item = (&'a Hyperparameter, Value)>,
) -> Message {
    let mut start = Message::default();
    for (hyperparameter, value) in settings {
        let value = plain(&value, hyperparameter.is_number());
        let entry = Message::default().text(1, &hyperparameter.name).message(2, &value);
        start = start.message(1, &entry);
    }
    let start = start.text(4, group).double(5, start_s);
    plugin("_hparams_/session_start_info", &Message::default().message(3, &start))
}

/// Returns the end of a session.
pub(super) fn session_end(end_s: f64, status: Status) -> Message {
    let end = Message::default().integer(1, status as u64).double(2, end_s);
    plugin("_hparams_/session_end_info", &Message::default().message(4, &end))
}

/// Wraps the plugin's data: it lies in the metadata of a summary without a value.
fn plugin(tag: &str, data: &Message) -> Message {
    let plugin = Message::default().text(1, "hparams").bytes(2, data.encoded());
    let metadata = Message::default().message(1, &plugin);
    // float32, of shape [0].
    let dimension = Message::default().integer(1, 0);
    let shape = Message::default().message(2, &dimension);
    let nothing = Message::default().integer(1, 1).message(2, &shape);
    let value = Message::default().text(1, tag).message(9, &metadata).message(8, &nothing);
    event(0.0, 0, &value)
}

/// A value as `google.protobuf.Value`.
fn plain(value: &Value, number: bool) -> Message {
    match value.as_f64().filter(|_| number) {
        Some(number) => Message::default().double(2, number),
        None => Message::default().text(3, &value_text(value)),
    }
}
