//! A sweep as two files of JSON, a document a line. Unknown is absent; the spec is an object.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};

use super::SweepWriter;
use super::error::{ExportError, writing};
use super::table::{Cell, SweepTable, TrialLine};

/// A point of a series.
#[derive(Serialize)]
struct Point<'a> {
    trial: u32,
    key: &'a str,
    metric: &'a str,
    update: u64,
    value: f64,
}

/// Writes the trials and begins the series.
pub(super) fn begin(folder: &Path, table: &SweepTable) -> Result<Series, ExportError> {
    let mut trials = Lines::create(folder.join("trials.jsonl"))?;
    for line in &table.trials {
        let known = table
            .columns
            .iter()
            .filter_map(|column| Some((column.name.clone(), json(table.cell(line, column))?)));
        trials.write(&known.collect::<Map<String, Value>>())?;
    }
    trials.finish()?;
    Ok(Series(Lines::create(folder.join("series.jsonl"))?))
}

/// `series.jsonl`.
pub(super) struct Series(Lines);

impl SweepWriter for Series {
    fn series(
        &mut self,
        line: &TrialLine,
        metric: &str,
        points: &[(u64, f64)],
    ) -> Result<(), ExportError> {
        let (trial, key) = (line.trial.ordinal, line.key().as_str());
        points.iter().try_for_each(|&(update, value)| {
            self.0.write(&Point { trial, key, metric, update, value })
        })
    }

    fn finish(self: Box<Self>) -> Result<(), ExportError> {
        self.0.finish()
    }
}

/// A file of lines.
struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Lines {
    fn create(path: PathBuf) -> Result<Self, ExportError> {
        let file = File::create(&path).map_err(writing(&path))?;
        Ok(Self { file: BufWriter::new(file), path })
    }

    fn write(&mut self, document: &impl Serialize) -> Result<(), ExportError> {
        serde_json::to_writer(&mut self.file, document)
            .map_err(|error| writing(&self.path)(error.into()))?;
        self.file.write_all(b"\n").map_err(writing(&self.path))
    }

    fn finish(mut self) -> Result<(), ExportError> {
        self.file.flush().map_err(writing(&self.path))
    }
}

fn json(cell: Cell) -> Option<Value> {
    match cell {
        Cell::Empty => None,
        Cell::Integer(value) => Some(value.into()),
        Cell::Number(value) => Some(value.into()),
        Cell::Text(text) => Some(text.into()),
        Cell::Json(value) => Some(value),
    }
}
