//! The results for programs: one record a cell, numbers as the store has them. Accuracies and
//! changes are fractions, the paper's too.

use serde_json::{Map, Value, json};

use super::analysis::Analysis;
use super::cell::Cell;
use super::digits::rounded;
use super::estimate::Estimate;
use super::gathered::Gathered;
use super::imports;
use super::metric::Metric;
use super::provenance::Provenance;
use super::settings;

/// Version of the JSON form.
pub const SCHEMA: u32 = 1;

/// Records of equal keys, in the order of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Records {
    sweep: String,
    metric: String,
    columns: Vec<String>,
    rows: Vec<Vec<Value>>,
    /// Where they come from.
    provenance: Value,
    /// Beside the published table, where the sweep reproduces one.
    reproduction: Option<Value>,
}

impl Records {
    /// Takes the cells.
    pub(super) fn of(gathered: &Gathered, analysis: &Analysis, provenance: &Provenance) -> Self {
        let cells: Vec<Vec<(String, Value)>> =
            analysis.cells.iter().map(|cell| entries(gathered, analysis, cell)).collect();
        let mut columns: Vec<String> = Vec::new();
        for (name, _) in cells.iter().flatten() {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
        let row = |cell: Vec<(String, Value)>| {
            let mut cell: Map<String, Value> = cell.into_iter().collect();
            columns.iter().map(|name| rounded(cell.remove(name).unwrap_or(Value::Null))).collect()
        };
        Self {
            sweep: gathered.sweep.name.clone(),
            metric: analysis.metric.clone(),
            rows: cells.into_iter().map(row).collect(),
            columns,
            provenance: provenance.to_json(),
            reproduction: analysis.reproduction.as_ref().map(|reproduction| {
                rounded(reproduction.to_json(&settings::differences(gathered)))
            }),
        }
    }

    /// Returns the records as CSV with a heading line; what is unknown is empty.
    ///
    /// # Errors
    /// None in practice: the writer is memory.
    pub fn to_csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(&self.columns)?;
        for row in &self.rows {
            writer.write_record(row.iter().map(csv_text))?;
        }
        writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
    }

    /// Returns the records as JSON; what is unknown is absent.
    pub fn to_json(&self) -> String {
        let cells: Vec<Map<String, Value>> = self
            .rows
            .iter()
            .map(|row| {
                let known = self.columns.iter().zip(row).filter(|(_, value)| !value.is_null());
                known.map(|(name, value)| (name.clone(), value.clone())).collect()
            })
            .collect();
        let mut document = json!({
            "schema": SCHEMA, "sweep": self.sweep, "metric": self.metric,
            "provenance": self.provenance, "cells": cells,
        });
        if let Some(reproduction) = &self.reproduction {
            document["reproduction"] = reproduction.clone();
        }
        format!("{document:#}\n")
    }
}

fn csv_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn entries(gathered: &Gathered, analysis: &Analysis, cell: &Cell) -> Vec<(String, Value)> {
    let mut entries: Vec<(String, Value)> = Vec::new();
    for axis in &gathered.sweep.axes {
        let value = cell.label.axes.get(axis).cloned().unwrap_or(Value::Null);
        entries.push((axis.clone(), value));
    }
    let mut add = |name: &str, value: Value| entries.push((name.to_owned(), value));
    if cell.label.arm.is_some() {
        add("arm", json!(cell.label.arm));
    }
    add("trials", json!(cell.train_keys.len()));
    add("diverged", json!(cell.diverged));
    add("collapsed", json!(cell.collapsed));
    if analysis.stopped_early() > 0 {
        add("stopped_early", json!(cell.stopped_early));
    }
    entries.extend(estimate(&analysis.metric, cell.estimate));
    if let Some(change) = &cell.change {
        entries.extend(estimate("change", change.ours));
        let test = change.test;
        entries.push(("change_p".to_owned(), json!(test.map(|test| test.p))));
        entries.push(("change_p_holm".to_owned(), json!(test.map(|test| test.holm))));
    }
    for (name, beside) in &cell.beside {
        entries.extend(estimate(name, Some(*beside)));
    }
    if let Some(printed) = &cell.published {
        let mut add = |name: &str, value: Value| entries.push((name.to_owned(), value));
        add("paper_row", json!(printed.row_label));
        add("paper_top1", json!(printed.top1 / 100.0));
        add("paper_top1_half_range", json!(printed.top1_pm.map(|pm| pm / 100.0)));
        let change = cell.change.as_ref().and_then(|change| change.published);
        add("paper_change", json!(change.map(|change| change / 100.0)));
    }
    entries.extend(imports::records(gathered, Metric(&analysis.metric), cell));
    entries
}

fn estimate(name: &str, estimate: Option<Estimate>) -> Vec<(String, Value)> {
    let interval = estimate.and_then(|estimate| estimate.interval());
    let mut entries = vec![
        (format!("{name}_n"), json!(estimate.map_or(0, |estimate| estimate.n))),
        (format!("{name}_mean"), json!(estimate.map(|estimate| estimate.mean))),
        (format!("{name}_sd"), json!(estimate.and_then(|estimate| estimate.sd()))),
        (format!("{name}_low"), json!(interval.map(|(low, _)| low))),
        (format!("{name}_high"), json!(interval.map(|(_, high)| high))),
    ];
    if let Some((low, high)) = estimate.and_then(|estimate| estimate.bca95()) {
        entries.push((format!("{name}_bca95_low"), json!(low)));
        entries.push((format!("{name}_bca95_high"), json!(high)));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::super::{build, samples};

    #[test]
    fn a_bootstrap_has_its_columns_from_five_seeds_up() {
        let columns = |seeds| {
            let report = build(&samples::augmentation_sweep(seeds)).unwrap();
            let csv = String::from_utf8(report.records.to_csv().unwrap()).unwrap();
            csv.lines().next().unwrap().matches("_bca95_").count()
        };
        // Both ends of both evaluations and of the change.
        assert_eq!((columns(4), columns(5)), (0, 6));
    }
}
