//! A sweep as two Parquet files of typed columns. What the columns mean lies in the files' own
//! metadata, under `byol_sweep.columns`. Points are gathered into groups of rows, so that memory does
//! not grow with the series.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::types::{Type, TypePtr};

use super::error::{ExportError, writing};
use super::table::{self, Cell, Column, ColumnKind, SweepTable, TrialLine};
use super::{SweepWriter, VERSION};

/// Points in a group of rows: some 20 MB of memory.
const GROUP: usize = 1 << 17;

/// Writes the trials and begins the series.
pub(super) fn begin(folder: &Path, table: &SweepTable) -> Result<Series, ExportError> {
    let path = folder.join("trials.parquet");
    trials(&path, table).map_err(failed(&path))?;
    let path = folder.join("series.parquet");
    let columns = table::series_columns();
    let schema = schema("series", &columns, Repetition::REQUIRED);
    let file = schema
        .and_then(|schema| create(&path, schema, properties(table, &columns)))
        .map_err(failed(&path))?;
    Ok(Series { path, file, points: Points::default() })
}

fn trials(path: &Path, table: &SweepTable) -> Result<(), ParquetError> {
    let schema = schema("trials", &table.columns, Repetition::OPTIONAL)?;
    let mut file = create(path, schema, properties(table, &table.columns))?;
    let mut group = file.next_row_group()?;
    for column in &table.columns {
        let cells = table.trials.iter().map(|line| table.cell(line, column));
        match column.kind {
            ColumnKind::Integer => put_known::<Int64Type>(&mut group, cells, integer),
            ColumnKind::Number => put_known::<DoubleType>(&mut group, cells, number),
            ColumnKind::Text | ColumnKind::Json => {
                put_known::<ByteArrayType>(&mut group, cells, text)
            }
        }?;
    }
    group.close()?;
    file.close()?;
    Ok(())
}

fn integer(cell: Cell) -> Option<i64> {
    match cell {
        Cell::Integer(value) => Some(value),
        Cell::Empty | Cell::Number(_) | Cell::Text(_) | Cell::Json(_) => None,
    }
}

fn number(cell: Cell) -> Option<f64> {
    match cell {
        Cell::Number(value) => Some(value),
        Cell::Empty | Cell::Integer(_) | Cell::Text(_) | Cell::Json(_) => None,
    }
}

fn text(cell: Cell) -> Option<ByteArray> {
    match cell {
        Cell::Text(text) => Some(text.into_bytes().into()),
        Cell::Json(value) => Some(value.to_string().into_bytes().into()),
        Cell::Empty | Cell::Integer(_) | Cell::Number(_) => None,
    }
}

/// `series.parquet`.
pub(super) struct Series {
    path: PathBuf,
    file: SerializedFileWriter<File>,
    points: Points,
}

/// Points of the group of rows in the making, by column.
#[derive(Default)]
struct Points {
    trials: Vec<i64>,
    keys: Vec<ByteArray>,
    metrics: Vec<ByteArray>,
    updates: Vec<i64>,
    values: Vec<f64>,
}

impl SweepWriter for Series {
    fn series(
        &mut self,
        line: &TrialLine,
        metric: &str,
        points: &[(u64, f64)],
    ) -> Result<(), ExportError> {
        let key = ByteArray::from(line.key().as_str().as_bytes().to_vec());
        let metric = ByteArray::from(metric.as_bytes().to_vec());
        for (update, value) in points {
            self.points.trials.push(line.trial.ordinal.into());
            self.points.keys.push(key.clone());
            self.points.metrics.push(metric.clone());
            self.points.updates.push(update.cast_signed());
            self.points.values.push(*value);
            if self.points.values.len() == GROUP {
                self.write_group()?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExportError> {
        self.write_group()?;
        self.file.close().map_err(failed(&self.path))?;
        Ok(())
    }
}

impl Series {
    fn write_group(&mut self) -> Result<(), ExportError> {
        let points = std::mem::take(&mut self.points);
        if points.values.is_empty() {
            return Ok(());
        }
        put_points(&mut self.file, &points).map_err(failed(&self.path))
    }
}

fn put_points(file: &mut SerializedFileWriter<File>, points: &Points) -> Result<(), ParquetError> {
    let mut group = file.next_row_group()?;
    put::<Int64Type>(&mut group, &points.trials, None)?;
    put::<ByteArrayType>(&mut group, &points.keys, None)?;
    put::<ByteArrayType>(&mut group, &points.metrics, None)?;
    put::<Int64Type>(&mut group, &points.updates, None)?;
    put::<DoubleType>(&mut group, &points.values, None)?;
    group.close()?;
    Ok(())
}

/// Writes the next column of a group whose cells may be unknown.
fn put_known<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    cells: impl Iterator<Item = Cell>,
    value: impl Fn(Cell) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let cells: Vec<Option<T::T>> = cells.map(value).collect();
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    let values: Vec<T::T> = cells.into_iter().flatten().collect();
    put::<T>(group, &values, Some(&levels))
}

fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("more columns than the schema has".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

fn schema(name: &str, columns: &[Column], known: Repetition) -> Result<TypePtr, ParquetError> {
    let field = |column: &Column| {
        let (physical, logical) = match column.kind {
            ColumnKind::Integer => (Physical::INT64, None),
            ColumnKind::Number => (Physical::DOUBLE, None),
            ColumnKind::Text | ColumnKind::Json => {
                (Physical::BYTE_ARRAY, Some(LogicalType::String))
            }
        };
        let field = Type::primitive_type_builder(&column.name, physical);
        Ok(Arc::new(field.with_repetition(known).with_logical_type(logical).build()?))
    };
    let fields = columns.iter().map(field).collect::<Result<Vec<TypePtr>, ParquetError>>()?;
    Ok(Arc::new(Type::group_type_builder(name).with_fields(fields).build()?))
}

fn properties(table: &SweepTable, columns: &[Column]) -> WriterProperties {
    let meaning: BTreeMap<&str, serde_json::Value> = columns
        .iter()
        .map(|column| {
            let said = serde_json::json!({ "unit": column.unit, "meaning": column.meaning });
            (column.name.as_str(), said)
        })
        .collect();
    let origin = serde_json::to_string(&table.origin).expect("plain data serialises");
    let meaning = serde_json::to_string(&meaning).expect("plain data serialises");
    let entry = |key: &str, value: String| KeyValue::new(format!("byol_sweep.{key}"), value);
    WriterProperties::builder()
        .set_created_by(format!("byol-sweep version {VERSION}"))
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(vec![
            entry("version", VERSION.to_owned()),
            entry("sweep", origin),
            entry("columns", meaning),
        ]))
        .build()
}

fn create(
    path: &Path,
    schema: TypePtr,
    properties: WriterProperties,
) -> Result<SerializedFileWriter<File>, ParquetError> {
    SerializedFileWriter::new(File::create(path)?, schema, Arc::new(properties))
}

/// Returns the system's own error where there is one: a full disk is told as such.
fn failed(path: &Path) -> impl Fn(ParquetError) -> ExportError + '_ {
    |error| match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(source) => writing(path)(*source),
            Err(cause) => ExportError::Encode { path: path.to_owned(), cause: cause.to_string() },
        },
        other => ExportError::Encode { path: path.to_owned(), cause: other.to_string() },
    }
}
