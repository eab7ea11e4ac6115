//! What a report is drawn from: a plain copy of the rows, and its form as a file, so that a report
//! that is kept carries its rows with it. Knows nothing of where rows come from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::exhibits::ExhibitRow;
use crate::ids::TrainKey;
use crate::import::Imported;
use crate::spec::eval::EvalSpec;
use crate::spec::sweep::{Scale, SpreadKind};
use crate::store::rows::{Finals, Series, TrialRow};

/// Version of the file form. A reader refuses another one.
pub const FORMAT: u32 = 1;
/// Points of a series that are kept: more than a chart has room for.
const POINTS_KEPT: usize = 400;

/// Everything that a report is a function of.
#[derive(Clone, Debug, PartialEq)]
pub struct Gathered {
    /// The sweep.
    pub sweep: SweepFacts,
    /// Its trials, in the order of the plan.
    pub trials: Vec<TrialRow>,
    /// Results by the sweep's evaluation protocol.
    pub finals: Vec<Finals>,
    /// Name of a metric to its course in each trial, thinned.
    pub curves: BTreeMap<String, Vec<Series>>,
    /// Other people's results of its cells.
    pub imported: Vec<Imported>,
    /// What trials show beside numbers, reduced to what is drawn.
    pub exhibits: Vec<ExhibitRow>,
    /// What trials took that were trained to their end, where known.
    pub spent: Vec<SpentOn>,
}

/// Time that the training of a trial took on one kind of device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpentOn {
    /// The trial.
    pub train_key: TrainKey,
    /// `cpu` or `gpu`.
    pub device: String,
    /// Seconds of all its attempts, evaluation aside.
    pub train_s: f64,
}

/// What a report says about its sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepFacts {
    /// Unique name.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// The sweep file, where `byol-sweep run` finds it by this name on every machine.
    #[serde(default)]
    pub file: Option<String>,
    /// What `--set` changed of the file, as it is typed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set: Vec<String>,
    /// Id of the published table that the sweep reproduces.
    pub reproduces: Option<String>,
    /// Whether it trained as its file says.
    #[serde(default, skip_serializing_if = "crate::spec::run::is_default")]
    pub scale: Scale,
    /// Metric that the report leads with: `linear_top1`.
    pub report_metric: String,
    /// What stands behind a mean in tables.
    #[serde(default, skip_serializing_if = "crate::spec::run::is_default")]
    pub report_spread: SpreadKind,
    /// The settings that vary, in the order of the file; the seed is not among them.
    pub axes: Vec<String>,
    /// How the trials were evaluated.
    pub eval: EvalSpec,
    /// Classes of the labelled set, where known.
    pub classes: Option<u32>,
    /// The worker binaries that finished trials, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workers: Vec<String>,
    /// Metric that the report leads with instead, where somebody asked for another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_metric: Option<String>,
    /// Version of byol-sweep that read the rows from the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl SweepFacts {
    /// Returns the metric that the report leads with.
    pub fn lead_metric(&self) -> &str {
        self.asked_metric.as_deref().unwrap_or(&self.report_metric)
    }
}

/// A file of rows that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    /// A line is not a row.
    #[error("line {line} is not a row of a report: {source}")]
    Line {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The file is of another version.
    #[error("the rows are of format {0}, this version of byol-sweep reads format {FORMAT}")]
    Format(u32),
    /// The first line is missing.
    #[error("there is no line about the sweep")]
    NoSweep,
}

/// One line of the file.
#[derive(Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "snake_case")]
enum Line {
    Sweep { format: u32, sweep: Box<SweepFacts> },
    Trial { trial: Box<TrialRow> },
    Finals { finals: Finals },
    Series { metric: String, series: Series },
    Imported { imported: Imported },
    Exhibit { exhibit: Box<ExhibitRow> },
    Spent { spent: SpentOn },
}

impl Gathered {
    /// Takes the rows, thinning `curves` to what a chart can show. Thinning twice changes nothing.
    pub fn new(
        sweep: SweepFacts,
        trials: Vec<TrialRow>,
        finals: Vec<Finals>,
        mut curves: BTreeMap<String, Vec<Series>>,
    ) -> Self {
        for series in curves.values_mut().flatten() {
            series.points = thinned(&series.points);
        }
        let (imported, exhibits, spent) = (Vec::new(), Vec::new(), Vec::new());
        Self { sweep, trials, finals, curves, imported, exhibits, spent }
    }

    /// Sets other people's results beside ours: those of a cell of this sweep.
    #[must_use]
    pub fn beside(mut self, imported: Vec<Imported>) -> Self {
        let labels = || self.trials.iter().flat_map(|trial| trial.labels.iter());
        let is_ours = |row: &Imported| labels().any(|label| row.is_of(label));
        self.imported = imported.into_iter().filter(is_ours).collect();
        self
    }

    /// Returns the same rows with what trials took.
    #[must_use]
    pub fn with_spent(self, spent: Vec<SpentOn>) -> Self {
        Self { spent, ..self }
    }

    /// Returns the rows as JSON, one a line.
    pub fn to_jsonl(&self) -> String {
        let sweep = Line::Sweep { format: FORMAT, sweep: Box::new(self.sweep.clone()) };
        let trials =
            self.trials.iter().cloned().map(|trial| Line::Trial { trial: Box::new(trial) });
        let finals = self.finals.iter().cloned().map(|finals| Line::Finals { finals });
        let curves = self.curves.iter().flat_map(|(metric, all)| {
            all.iter().cloned().map(|series| Line::Series { metric: metric.clone(), series })
        });
        let imported = self.imported.iter().cloned().map(|imported| Line::Imported { imported });
        let spent = self.spent.iter().cloned().map(|spent| Line::Spent { spent });
        let exhibits = self.exhibits.iter().cloned();
        let exhibits = exhibits.map(|row| Line::Exhibit { exhibit: Box::new(row) });
        let rows = trials.chain(finals).chain(curves).chain(imported).chain(spent).chain(exhibits);
        let mut text = String::new();
        for line in std::iter::once(sweep).chain(rows) {
            text += &serde_json::to_string(&line).expect("plain data serialises");
            text.push('\n');
        }
        text
    }

    /// Reads what [`Gathered::to_jsonl`] wrote.
    ///
    /// # Errors
    /// A line that is no row, another format, no line about the sweep.
    pub fn from_jsonl(text: &str) -> Result<Self, RowsError> {
        let mut found: Option<SweepFacts> = None;
        let (mut trials, mut finals) = (Vec::new(), Vec::new());
        let (mut imported, mut spent, mut exhibits) = (Vec::new(), Vec::new(), Vec::new());
        let mut curves: BTreeMap<String, Vec<Series>> = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = serde_json::from_str(line)
                .map_err(|source| RowsError::Line { line: index + 1, source })?;
            match line {
                Line::Sweep { format: FORMAT, sweep } => found = Some(*sweep),
                Line::Sweep { format, .. } => return Err(RowsError::Format(format)),
                Line::Trial { trial } => trials.push(*trial),
                Line::Finals { finals: row } => finals.push(row),
                Line::Series { metric, series } => curves.entry(metric).or_default().push(series),
                Line::Imported { imported: row } => imported.push(row),
                Line::Spent { spent: row } => spent.push(row),
                Line::Exhibit { exhibit } => exhibits.push(*exhibit),
            }
        }
        let sweep = found.ok_or(RowsError::NoSweep)?;
        let gathered = Self::new(sweep, trials, finals, curves);
        Ok(Self { exhibits, ..gathered.beside(imported).with_spent(spent) })
    }
}

/// Keeps the first, the last and evenly spaced points between.
fn thinned(points: &[(u64, f64)]) -> Vec<(u64, f64)> {
    if points.len() <= POINTS_KEPT {
        return points.to_vec();
    }
    let last = points.len() - 1;
    (0..POINTS_KEPT).map(|at| points[at * last / (POINTS_KEPT - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn rows_come_back_from_their_file() {
        let gathered = samples::costly_sweep();
        let text = gathered.to_jsonl();
        assert_eq!(Gathered::from_jsonl(&text).unwrap(), gathered);
        assert_eq!(Gathered::from_jsonl(&text).unwrap().to_jsonl(), text);
    }

    #[test]
    fn a_broken_file_is_refused_with_its_line() {
        let text = samples::batch_sweep().to_jsonl();
        let broken = text.replacen("\"ordinal\":1,", "", 1);
        let error = Gathered::from_jsonl(&broken).unwrap_err();
        assert!(error.to_string().starts_with("line 2 is not a row of a report: "), "{error}");
        let newer = text.replacen("\"format\":1", "\"format\":2", 1);
        assert!(matches!(Gathered::from_jsonl(&newer), Err(RowsError::Format(2))));
        assert!(matches!(Gathered::from_jsonl(""), Err(RowsError::NoSweep)));
    }

    #[test]
    fn thinning_keeps_the_ends_and_is_done_once() {
        let points: Vec<(u64, f64)> = (0..10_001).map(|at| (at, 0.0)).collect();
        let kept = thinned(&points);
        assert_eq!((kept.len(), kept[0].0, kept[399].0), (400, 0, 10_000));
        assert!(kept.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(thinned(&kept), kept);
    }
}
