//! A sweep as TensorBoard's event files: a folder a trial with its series and results, and what the
//! HPARAMS tab shows. Trials that differ only in the seed are one row there, with their mean.
//!
//! The store keeps no time of a point: every point of a trial has the time of the trial's begin.

mod event;
mod proto;
mod record;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use self::event::{Hyperparameter, Status};
use self::record::Records;
use super::SweepWriter;
use super::error::{ExportError, writing};
use super::table::{Origin, SweepTable, TrialLine};
use crate::plan::Label;
use crate::store::rows::TrialState;

/// TensorBoard reads files whose names hold `tfevents`.
const FILE: &str = "events.out.tfevents.0.byol-sweep";

/// Longest name of a run's folder in bytes; file systems stop at 255.
const LONGEST: usize = 160;

/// Name of the arm among the settings that vary.
const ARM: &str = "arm";

/// Writes the columns of the HPARAMS tab.
pub(super) fn begin(folder: &Path, table: &SweepTable) -> Result<Runs, ExportError> {
    let hyperparameters = hyperparameters(table);
    let metrics: Vec<String> = table.results.iter().map(|metric| final_tag(metric)).collect();
    let Origin { sweep, description, .. } = &table.origin;
    let mut root = Records::create(folder.join(FILE))?;
    root.write(&event::version(0.0))?;
    root.write(&event::experiment(sweep, description, &hyperparameters, &metrics))?;
    root.finish()?;
    Ok(Runs { folder: folder.to_owned(), hyperparameters, open: None })
}

/// A folder of runs.
pub(super) struct Runs {
    folder: PathBuf,
    hyperparameters: Vec<Hyperparameter>,
    open: Option<Run>,
}

/// The run that is being written.
struct Run {
    file: Records,
    begun_s: f64,
    last_update: u64,
    end: End,
}

/// What is written when all series are.
struct End {
    at_s: f64,
    finals: BTreeMap<String, f64>,
    status: Status,
}

impl SweepWriter for Runs {
    fn begin_trial(&mut self, line: &TrialLine) -> Result<(), ExportError> {
        self.close()?;
        // A trial that never began has nothing to show.
        let Some(begun_s) = line.started_ms.map(seconds) else { return Ok(()) };
        let folder = self.folder.join(run_name(line));
        fs::create_dir(&folder).map_err(writing(&folder))?;
        let mut file = Records::create(folder.join(FILE))?;
        file.write(&event::version(begun_s))?;
        let settings = self.hyperparameters.iter().filter_map(|hyperparameter| {
            Some((hyperparameter, setting(line, &hyperparameter.name)?))
        });
        file.write(&event::session_start(begun_s, line.trial.group_key.short(), settings))?;
        let end = End {
            at_s: line.ended_ms.map_or(begun_s, seconds),
            finals: line.finals.clone(),
            status: status(line.trial.state),
        };
        self.open = Some(Run { file, begun_s, last_update: 0, end });
        Ok(())
    }

    fn series(
        &mut self,
        _: &TrialLine,
        metric: &str,
        points: &[(u64, f64)],
    ) -> Result<(), ExportError> {
        let Some(run) = &mut self.open else { return Ok(()) };
        for &(update, value) in points {
            run.file.write(&event::scalar(run.begun_s, update, metric, value))?;
            run.last_update = run.last_update.max(update);
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExportError> {
        self.close()
    }
}

impl Runs {
    /// Ends the run that is being written, if any: its results and how it stands.
    fn close(&mut self) -> Result<(), ExportError> {
        let Some(Run { mut file, last_update, end, .. }) = self.open.take() else { return Ok(()) };
        for (metric, value) in &end.finals {
            file.write(&event::scalar(end.at_s, last_update, &final_tag(metric), *value))?;
        }
        file.write(&event::session_end(end.at_s, end.status))?;
        file.finish()
    }
}

/// Returns the arm, where there are arms, and the settings that vary, each with all its values.
fn hyperparameters(table: &SweepTable) -> Vec<Hyperparameter> {
    let names = [ARM].into_iter().chain(table.axes.iter().map(String::as_str));
    let with_values = names.map(|name| {
        let mut values: Vec<Value> = Vec::new();
        for value in table.trials.iter().filter_map(|line| setting(line, name)) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        Hyperparameter { name: name.to_owned(), values }
    });
    with_values.filter(|hyperparameter| !hyperparameter.values.is_empty()).collect()
}

fn setting(line: &TrialLine, name: &str) -> Option<Value> {
    match name {
        ARM => line.arm().map(Value::from),
        axis => line.setting(axis).cloned(),
    }
}

/// Results stand apart from series: `final/linear_top1`.
fn final_tag(metric: &str) -> String {
    format!("final/{metric}")
}

/// Returns a run's name: `0003_method=byol_batch_size=64_seed=0`.
fn run_name(line: &TrialLine) -> String {
    let label = line.trial.labels.first().map_or_else(|| "base".to_owned(), Label::text);
    let safe = |c: char| match c {
        '/' | '\\' | '\0' => '-',
        c if c.is_whitespace() || c.is_control() => '_',
        c => c,
    };
    let mut label: String = label.chars().map(safe).collect();
    let longest = (0..=LONGEST).rev().find(|&at| label.is_char_boundary(at)).unwrap_or(0);
    label.truncate(longest);
    format!("{:04}_{label}_seed={}", line.trial.ordinal, line.trial.run.seed)
}

fn status(state: TrialState) -> Status {
    match state {
        TrialState::Done => Status::Success,
        TrialState::Failed => Status::Failure,
        TrialState::Running => Status::Running,
        TrialState::Pending | TrialState::Trained | TrialState::Stopped | TrialState::Pruned => {
            Status::Unknown
        }
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}
