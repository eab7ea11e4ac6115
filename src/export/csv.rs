//! A sweep as two CSV files. Unknown is empty; numbers are written with as many digits as bring them
//! back.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use ::csv::Writer;

use super::SweepWriter;
use super::error::{ExportError, writing};
use super::table::{self, Cell, SweepTable, TrialLine};

/// Writes the trials and begins the series.
pub(super) fn begin(folder: &Path, table: &SweepTable) -> Result<Series, ExportError> {
    let path = folder.join("trials.csv");
    let mut trials = Writer::from_path(&path).map_err(failed(&path))?;
    let names = table.columns.iter().map(|column| column.name.as_str());
    trials.write_record(names).map_err(failed(&path))?;
    for line in &table.trials {
        let cells = table.columns.iter().map(|column| text(&table.cell(line, column)));
        trials.write_record(cells).map_err(failed(&path))?;
    }
    trials.flush().map_err(writing(&path))?;
    let path = folder.join("series.csv");
    let mut file = Writer::from_path(&path).map_err(failed(&path))?;
    let columns = table::series_columns();
    file.write_record(columns.iter().map(|column| &column.name)).map_err(failed(&path))?;
    Ok(Series { path, file })
}

/// `series.csv`.
pub(super) struct Series {
    path: PathBuf,
    file: Writer<File>,
}

impl SweepWriter for Series {
    fn series(
        &mut self,
        line: &TrialLine,
        metric: &str,
        points: &[(u64, f64)],
    ) -> Result<(), ExportError> {
        let (number, key) = (line.trial.ordinal.to_string(), line.key().as_str());
        for (update, value) in points {
            let record = [&number, key, metric, &update.to_string(), &digits(*value)];
            self.file.write_record(record).map_err(failed(&self.path))?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExportError> {
        self.file.flush().map_err(writing(&self.path))
    }
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Integer(value) => value.to_string(),
        Cell::Number(value) => digits(*value),
        Cell::Text(text) => text.clone(),
        Cell::Json(value) => value.to_string(),
    }
}

/// Returns the shortest digits that read back as the same number: `0.25`, `1e-8`.
fn digits(value: f64) -> String {
    serde_json::Number::from_f64(value).map_or_else(|| value.to_string(), |n| n.to_string())
}

fn failed(path: &Path) -> impl Fn(::csv::Error) -> ExportError + '_ {
    |error| match error.into_kind() {
        ::csv::ErrorKind::Io(source) => writing(path)(source),
        kind => writing(path)(io::Error::other(format!("{kind:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_were() {
        for value in [0.1 + 0.2, 1e-300, 123_456_789.123, -0.0, 5e-324, f64::MAX] {
            assert_eq!(digits(value).parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
        assert_eq!(digits(1e-8), "1e-8");
    }
}
