//! A trained encoder's features, which a worker computes into the folder of the export. Knows the
//! arrays by their headers only.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use super::error::{ExportError, reading};
use super::manifest::{self, Column, Table};
use super::table::ColumnKind;
use crate::store::rows::TrialRow;

/// Lets the worker compute the features of the encoder that the attempt in `attempt` trained, on the
/// images that the attempt was judged on, into `folder`.
///
/// # Errors
/// The worker cannot be started or says why it fails.
pub fn compute(worker: &Path, attempt: &Path, folder: &Path) -> Result<(), ExportError> {
    let failed = |cause: String| ExportError::Worker { worker: worker.to_owned(), cause };
    let output = Command::new(worker)
        .arg("--features")
        .arg(attempt)
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    let last = last.map(|line| line.trim_start_matches("byol-sweep-worker: ").to_owned());
    Err(failed(last.unwrap_or_else(|| output.status.to_string())))
}

/// Describes the arrays in `folder`; returns how many images they are of.
///
/// # Errors
/// An array is missing or is none.
pub fn describe(folder: &Path, trial: &TrialRow) -> Result<u64, ExportError> {
    let mut tables = Vec::new();
    for split in ["train", "test"] {
        let path = folder.join(format!("{split}_features.npy"));
        if !path.exists() {
            continue;
        }
        let rows = rows(&path)?;
        let array = |name: &str, kind, meaning: &str| Column {
            name: format!("{split}_{name}.npy"),
            kind,
            unit: String::new(),
            meaning: meaning.to_owned(),
        };
        let columns = vec![
            array(
                "features",
                ColumnKind::Number,
                "float32 [images, size], as evaluation sees them",
            ),
            array("labels", ColumnKind::Integer, "int64, a class of classes.json; -1 without one"),
        ];
        tables.push(Table { name: split.to_owned(), rows, columns });
    }
    let images = tables.iter().map(|table| table.rows).sum();
    let facts = json!({
        "key": trial.train_key, "seed": trial.run.seed, "verdict": trial.verdict, "spec": trial.run,
    });
    manifest::write(folder, &manifest::of_trial("npy", facts, tables))?;
    Ok(images)
}

/// Returns the first size of an array: `{'descr': '<f4', 'fortran_order': False, 'shape': (64, 8), }`
/// behind ten bytes, at most 64 KiB.
fn rows(path: &Path) -> Result<u64, ExportError> {
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(1 << 16).read_to_end(&mut head))
        .map_err(reading(path))?;
    let text = String::from_utf8_lossy(head.get(10..).unwrap_or_default());
    let shape = text.split_once("'shape': (").map(|(_, shape)| shape);
    let digits = shape.and_then(|shape| shape.split([',', ')']).next());
    let damaged =
        || ExportError::Damaged { path: path.to_owned(), cause: "it has no shape".to_owned() };
    digits.and_then(|digits| digits.trim().parse().ok()).ok_or_else(damaged)
}
