//! `export.json`: what lies in an exported folder and what its columns mean. It is also how
//! `--force` knows an export from other people's folders.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::{ExportError, writing};
use super::table::{self, ColumnKind, Origin, SweepTable};
use super::{SweepFormat, VERSION};

const FILE: &str = "export.json";

/// Version of the file.
const SCHEMA: u32 = 1;

/// What lies in a folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// [`SCHEMA`] of the writer; its name says whose file this is.
    byol_sweep_export: u32,
    format: String,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sweep: Option<Origin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trial: Option<serde_json::Value>,
    tables: Vec<Table>,
}

/// A file or an array, or a table that is spread over several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) rows: u64,
    pub(super) columns: Vec<Column>,
}

/// A column of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: ColumnKind,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) unit: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) meaning: String,
}

impl From<&table::Column> for Column {
    fn from(column: &table::Column) -> Self {
        Self {
            name: column.name.clone(),
            kind: column.kind,
            unit: column.unit.to_owned(),
            meaning: column.meaning.clone(),
        }
    }
}

/// Describes a sweep's copy.
pub(super) fn of_sweep(format: SweepFormat, table: &SweepTable, points: u64) -> Manifest {
    Manifest {
        byol_sweep_export: SCHEMA,
        format: format.name().to_owned(),
        version: VERSION.to_owned(),
        sweep: Some(table.origin.clone()),
        trial: None,
        tables: vec![
            Table {
                name: "trials".to_owned(),
                rows: table.trials.len() as u64,
                columns: table.columns.iter().map(Column::from).collect(),
            },
            Table {
                name: "series".to_owned(),
                rows: points,
                columns: table::series_columns().iter().map(Column::from).collect(),
            },
        ],
    }
}

/// Describes a copy of something of one trial.
pub(super) fn of_trial(format: &str, trial: serde_json::Value, tables: Vec<Table>) -> Manifest {
    Manifest {
        byol_sweep_export: SCHEMA,
        format: format.to_owned(),
        version: VERSION.to_owned(),
        sweep: None,
        trial: Some(trial),
        tables,
    }
}

/// Writes the file; the folder is still in the making.
pub(super) fn write(folder: &Path, manifest: &Manifest) -> Result<(), ExportError> {
    let path = folder.join(FILE);
    let mut text = serde_json::to_string_pretty(manifest).expect("plain data serialises");
    text.push('\n');
    fs::write(&path, text).map_err(writing(&path))
}

/// Returns whether a folder is an export.
pub(super) fn is_in(folder: &Path) -> bool {
    let text = fs::read(folder.join(FILE)).unwrap_or_default();
    serde_json::from_slice::<Manifest>(&text).is_ok()
}
