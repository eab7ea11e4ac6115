//! Copies of results for other programs: a sweep as tables or event files, a trial's encoder as
//! weights that PyTorch loads, its features as arrays. Knows nothing of the store's queries nor of
//! what was typed: rows are handed in.
//!
//! Every copy is written aside, synced and renamed ([`place`]): a reader never sees half of one.
//! Equal rows give equal bytes.

mod csv;
mod error;
pub mod features;

mod jsonl;
mod manifest;

mod parquet;
pub mod place;
pub mod table;
mod tensorboard;
pub mod weights;

use std::path::Path;

pub use error::ExportError;
pub use place::{Existing, NewFile, NewFolder};
pub use table::{SweepTable, TrialLine};

/// Version of byol-sweep, as copies name it.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// In what form a sweep is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepFormat {
    /// `trials.csv` and `series.csv`.
    Csv,
    /// `trials.jsonl` and `series.jsonl`.
    JsonLines,
    /// `trials.parquet` and `series.parquet`.
    Parquet,
    /// A folder of event files a trial, with hyperparameters.
    TensorBoard,
}

impl SweepFormat {
    /// Returns what `--format` calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
            Self::TensorBoard => "tensorboard",
        }
    }
}

/// Takes a sweep's series, trial after trial, in the order of the table.
pub trait SweepWriter {
    /// Begins a trial; called once for each, whether it has series or not. Nothing to do where all
    /// trials share a file.
    ///
    /// # Errors
    /// The disk refuses.
    fn begin_trial(&mut self, _trial: &TrialLine) -> Result<(), ExportError> {
        Ok(())
    }

    /// Writes a metric of the trial that was begun last: update and value, rising.
    ///
    /// # Errors
    /// The disk refuses.
    fn series(
        &mut self,
        trial: &TrialLine,
        metric: &str,
        points: &[(u64, f64)],
    ) -> Result<(), ExportError>;

    /// Completes the files.
    ///
    /// # Errors
    /// The disk refuses.
    fn finish(self: Box<Self>) -> Result<(), ExportError>;
}

/// Writes a sweep into an empty folder: the trials at once, the series as they come.
pub struct SweepCopy<'t> {
    table: &'t SweepTable,
    format: SweepFormat,
    folder: &'t Path,
    writer: Box<dyn SweepWriter + 't>,
    points: u64,
}

impl<'t> SweepCopy<'t> {
    /// Begins the files.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn begin(
        format: SweepFormat,
        folder: &'t Path,
        table: &'t SweepTable,
    ) -> Result<Self, ExportError> {
        let writer: Box<dyn SweepWriter + 't> = match format {
            SweepFormat::Csv => Box::new(csv::begin(folder, table)?),
            SweepFormat::JsonLines => Box::new(jsonl::begin(folder, table)?),
            SweepFormat::Parquet => Box::new(parquet::begin(folder, table)?),
            SweepFormat::TensorBoard => Box::new(tensorboard::begin(folder, table)?),
        };
        Ok(Self { table, format, folder, writer, points: 0 })
    }

    /// Begins a trial; call it once for each, in the order of the table.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn begin_trial(&mut self, trial: &TrialLine) -> Result<(), ExportError> {
        self.writer.begin_trial(trial)
    }

    /// Writes a metric of the trial that was begun last.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn series(
        &mut self,
        trial: &TrialLine,
        metric: &str,
        points: &[(u64, f64)],
    ) -> Result<(), ExportError> {
        self.points += points.len() as u64;
        self.writer.series(trial, metric, points)
    }

    /// Completes the files; returns how many points they hold.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn finish(self) -> Result<u64, ExportError> {
        self.writer.finish()?;
        manifest::write(self.folder, &manifest::of_sweep(self.format, self.table, self.points))?;
        Ok(self.points)
    }
}
