//! A sweep's trials as a table of typed columns: what every format writes in its own way. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{EvalKey, TrainKey};
use crate::plan::value_text;
use crate::store::rows::{AttemptRow, TrialRow};

/// Where rows come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// Name of the sweep.
    pub sweep: String,
    /// Its revision.
    pub revision: u32,
    /// One line about it.
    pub description: String,
    /// The protocol that the results are of.
    pub eval_key: EvalKey,
}

/// A trial with what came out of it.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialLine {
    /// The trial.
    pub trial: TrialRow,
    /// Its results by the sweep's protocol; none while it is not done.
    pub finals: BTreeMap<String, f64>,
    /// When its first attempt began, in milliseconds since 1970.
    pub started_ms: Option<i64>,
    /// When its last attempt ended, in milliseconds since 1970; `None` while one lives.
    pub ended_ms: Option<i64>,
    /// Seconds that training took, interrupted attempts included, once it is trained.
    pub train_seconds: Option<f64>,
}

impl TrialLine {
    /// Gathers a trial, its results and its attempts in the order of their numbers.
    pub fn new(
        trial: TrialRow,
        finals: BTreeMap<String, f64>,
        attempts: &[&AttemptRow],
        train_seconds: Option<f64>,
    ) -> Self {
        Self {
            trial,
            finals,
            started_ms: attempts.first().map(|first| first.started_ms),
            ended_ms: attempts.last().and_then(|last| last.ended_ms),
            train_seconds,
        }
    }

    /// Returns the key.
    pub fn key(&self) -> &TrainKey {
        &self.trial.train_key
    }

    /// Returns the arms that ask for it, where there are arms.
    pub(super) fn arm(&self) -> Option<String> {
        let mut arms: Vec<&str> = Vec::new();
        for arm in self.trial.labels.iter().filter_map(|label| label.arm.as_deref()) {
            if !arms.contains(&arm) {
                arms.push(arm);
            }
        }
        (!arms.is_empty()).then(|| arms.join(" = "))
    }

    /// Returns its value of a setting that varies.
    pub(super) fn setting(&self, axis: &str) -> Option<&Value> {
        self.trial.labels.iter().find_map(|label| label.axes.get(axis))
    }
}

/// What the cells of a column hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnKind {
    /// Whole numbers.
    Integer,
    /// Numbers of 64 bits.
    Number,
    /// Words.
    Text,
    /// JSON.
    Json,
}

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Unique in its table.
    pub name: String,
    /// What its cells hold.
    pub kind: ColumnKind,
    /// Their unit; empty where there is none.
    pub unit: &'static str,
    /// What they mean.
    pub meaning: String,
    cell: Source,
}

/// Where the cells of a column come from.
#[derive(Clone, Debug)]
enum Source {
    Fixed(fn(&TrialLine) -> Cell),
    Arm,
    Setting,
    Result(String),
    Series,
}

/// A value in a column; of the column's kind, or unknown.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Unknown.
    Empty,
    /// A whole number.
    Integer(i64),
    /// A number.
    Number(f64),
    /// Words.
    Text(String),
    /// JSON.
    Json(Value),
}

/// A sweep, ready to be written.
#[derive(Clone, Debug)]
pub struct SweepTable {
    /// Where it comes from.
    pub origin: Origin,
    /// The trials, in the order of the plan.
    pub trials: Vec<TrialLine>,
    /// What is known of each.
    pub columns: Vec<Column>,
    /// The settings that vary, in the order of the file.
    pub axes: Vec<String>,
    /// The results that any trial has.
    pub results: Vec<String>,
}

impl SweepTable {
    /// Lays out the columns: what a trial is, the settings that vary, the results, the whole spec.
    pub fn new(origin: Origin, axes: Vec<String>, trials: Vec<TrialLine>) -> Self {
        let results: BTreeSet<&String> =
            trials.iter().flat_map(|line| line.finals.keys()).collect();
        let results: Vec<String> = results.into_iter().cloned().collect();
        let mut columns = fixed();
        if trials.iter().any(|line| line.arm().is_some()) {
            let meaning = "arm, or arms that came out the same";
            columns.push(column("arm", ColumnKind::Text, "", meaning, Source::Arm));
        }
        for axis in &axes {
            let kind = kind_of(trials.iter().filter_map(|line| line.setting(axis)));
            columns.push(column(axis, kind, "", "setting that varies", Source::Setting));
        }
        for metric in &results {
            let source = Source::Result(metric.clone());
            let name = free_name(&columns, metric);
            let meaning = "result by the sweep's evaluation protocol";
            columns.push(column(&name, ColumnKind::Number, unit(metric), meaning, source));
        }
        columns.extend(wholes());
        Self { origin, trials, columns, axes, results }
    }

    /// Returns a trial's cell of a column.
    pub fn cell(&self, line: &TrialLine, column: &Column) -> Cell {
        match &column.cell {
            Source::Fixed(cell) => cell(line),
            Source::Arm => line.arm().map_or(Cell::Empty, Cell::Text),
            Source::Setting => {
                line.setting(&column.name).map_or(Cell::Empty, |value| setting(value, column.kind))
            }
            Source::Result(metric) => {
                line.finals.get(metric).map_or(Cell::Empty, |value| Cell::Number(*value))
            }
            Source::Series => Cell::Empty,
        }
    }
}

fn column(name: &str, kind: ColumnKind, unit: &'static str, meaning: &str, cell: Source) -> Column {
    Column { name: name.to_owned(), kind, unit, meaning: meaning.to_owned(), cell }
}

fn fixed() -> Vec<Column> {
    use ColumnKind::{Integer, Number, Text};
    let plain = |name, kind, unit, meaning, cell: fn(&TrialLine) -> Cell| {
        column(name, kind, unit, meaning, Source::Fixed(cell))
    };
    vec![
        plain("trial", Integer, "", "number in the sweep, from 1", |line| {
            Cell::Integer(line.trial.ordinal.into())
        }),
        plain("key", Text, "", "identity", |line| {
            Cell::Text(line.trial.train_key.as_str().to_owned())
        }),
        plain("group", Text, "", "identity without the seed", |line| {
            Cell::Text(line.trial.group_key.as_str().to_owned())
        }),
        plain("seed", Integer, "", "of initial weights, order of images and views", |line| {
            i64::try_from(line.trial.run.seed).map_or(Cell::Empty, Cell::Integer)
        }),
        plain("state", Text, "", "pending, running, trained, done, stopped or failed", |line| {
            Cell::Text(line.trial.state.as_str().to_owned())
        }),
        plain("verdict", Text, "", "healthy, diverged or collapsed, once trained", |line| {
            let verdict = line.trial.verdict.map(|verdict| verdict.as_str().to_owned());
            verdict.map_or(Cell::Empty, Cell::Text)
        }),
        plain("failure", Text, "", "why it failed", |line| {
            let failure = line.trial.failure.as_ref();
            failure.map_or(Cell::Empty, |(reason, detail)| {
                Cell::Text(format!("{}: {detail}", reason.as_str()))
            })
        }),
        plain("attempts", Integer, "", "at training and at evaluation", |line| {
            Cell::Integer(line.trial.attempts.into())
        }),
        plain("started_ms", Integer, "ms since 1970-01-01 UTC", "first attempt's begin", |line| {
            line.started_ms.map_or(Cell::Empty, Cell::Integer)
        }),
        plain("ended_ms", Integer, "ms since 1970-01-01 UTC", "last attempt's end", |line| {
            line.ended_ms.map_or(Cell::Empty, Cell::Integer)
        }),
        plain("train_seconds", Number, "s", "of all training attempts, once trained", |line| {
            line.train_seconds.map_or(Cell::Empty, Cell::Number)
        }),
    ]
}

/// Everything, for those who want it.
fn wholes() -> [Column; 2] {
    [
        column(
            "labels",
            ColumnKind::Json,
            "",
            "every way in which the sweep asks for it",
            Source::Fixed(|line| Cell::Json(serde_json::json!(line.trial.labels))),
        ),
        column(
            "spec",
            ColumnKind::Json,
            "",
            "the whole resolved training spec",
            Source::Fixed(|line| Cell::Json(serde_json::json!(line.trial.run))),
        ),
    ]
}

/// Returns the columns of the series: a row a point.
pub(super) fn series_columns() -> [Column; 5] {
    let series = |name, kind, meaning| column(name, kind, "", meaning, Source::Series);
    [
        series("trial", ColumnKind::Integer, "number in the sweep, from 1"),
        series("key", ColumnKind::Text, "identity of the trial"),
        series("metric", ColumnKind::Text, "name; accuracies are fractions"),
        series("update", ColumnKind::Integer, "updates done"),
        series("value", ColumnKind::Number, "of the highest attempt that has one"),
    ]
}

/// Returns the kind that holds all values: numbers of one sort, or else words.
fn kind_of<'v>(values: impl Iterator<Item = &'v Value>) -> ColumnKind {
    let kinds: BTreeSet<u8> = values
        .map(|value| match value {
            Value::Number(number) if number.is_i64() => 0,
            Value::Number(_) => 1,
            Value::Null
            | Value::Bool(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => 2,
        })
        .collect();
    match kinds.last() {
        Some(0) => ColumnKind::Integer,
        Some(1) => ColumnKind::Number,
        Some(_) | None => ColumnKind::Text,
    }
}

fn setting(value: &Value, kind: ColumnKind) -> Cell {
    match kind {
        ColumnKind::Integer => value.as_i64().map_or(Cell::Empty, Cell::Integer),
        ColumnKind::Number => value.as_f64().map_or(Cell::Empty, Cell::Number),
        ColumnKind::Text | ColumnKind::Json => Cell::Text(value_text(value)),
    }
}

/// Returns the unit of a metric.
pub(super) fn unit(metric: &str) -> &'static str {
    let is_accuracy = ["top1", "top5", "accuracy"].iter().any(|part| metric.contains(part));
    if is_accuracy { "fraction" } else { "" }
}

/// A worker may call a result as a setting is called.
fn free_name(columns: &[Column], metric: &str) -> String {
    let taken = columns.iter().any(|column| column.name == metric)
        || wholes().iter().any(|column| column.name == metric);
    if taken { format!("result.{metric}") } else { metric.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_column_has_the_kind_that_holds_all_its_values() {
        let kind = |values: Value| kind_of(values.as_array().unwrap().iter());
        assert_eq!(kind(json!([64, 128])), ColumnKind::Integer);
        assert_eq!(kind(json!([1, 0.99])), ColumnKind::Number);
        assert_eq!(kind(json!([64, "same"])), ColumnKind::Text);
        assert_eq!(kind(json!([[], ["blur"]])), ColumnKind::Text);
        assert_eq!(setting(&json!(1), ColumnKind::Number), Cell::Number(1.0));
        assert_eq!(setting(&json!(64), ColumnKind::Text), Cell::Text("64".into()));
        assert_eq!(
            setting(&json!(["blur", "flip"]), ColumnKind::Text),
            Cell::Text("blur+flip".into())
        );
    }

    #[test]
    fn no_setting_and_no_result_shares_a_column_with_another_thing() {
        let names: Vec<String> =
            fixed().into_iter().chain(wholes()).map(|column| column.name).collect();
        for key in crate::spec::keys() {
            assert!(!names.contains(&key.path.to_owned()), "{}", key.path);
        }
        assert_eq!(free_name(&fixed(), "linear_top1"), "linear_top1");
        assert_eq!(free_name(&fixed(), "seed"), "result.seed");
        assert_eq!(free_name(&fixed(), "spec"), "result.spec");
    }
}
