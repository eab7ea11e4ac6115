//! The paper's ablation tables, embedded, and which of our cells reproduces which row. Knows
//! nothing of trials or of the store: a cell is described by its label and what it trains.

mod columns;
mod matching;
mod results;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

pub use matching::{CellQuery, PublishedValue, value_for};
pub use results::{PublishedResults, results};

/// A published table; accuracies are percent, as printed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct PublishedTable {
    /// What `reproduces` names: `ablation_batch_size`.
    pub id: String,
    /// One line for people.
    pub caption: String,
    /// Paper and number of the table.
    pub source: String,
    /// Data set, encoder, length: what all rows share.
    pub setting: String,
    /// What is odd about it.
    pub note: Option<String>,
    /// Keys of the rows, in the order of the paper.
    pub columns: Vec<String>,
    /// Top-1 of the baseline, percent, where the source tells it apart from the rows.
    pub baseline_top1: Option<f64>,
    /// Entries of the row that the others change; absent where the source tells it apart.
    pub baseline: Option<BTreeMap<String, Entry>>,
    /// Rows; a key that the source leaves out is absent.
    pub rows: Vec<BTreeMap<String, Entry>>,
}

/// One entry of a published table.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Entry {
    /// `true`, `false`.
    Flag(bool),
    /// A number; accuracies are percent.
    Number(f64),
    /// Words.
    Text(String),
}

impl PublishedTable {
    /// Returns what the rows are called: the entries of the first column that holds words, once
    /// each. Empty where rows are known by numbers alone.
    pub fn row_names(&self) -> Vec<&str> {
        let Some(column) = self.name_column() else { return Vec::new() };
        let mut names: Vec<&str> = Vec::new();
        for row in &self.rows {
            if let Some(Entry::Text(name)) = row.get(column)
                && !names.contains(&name.as_str())
            {
                names.push(name);
            }
        }
        names
    }

    /// Returns whether an arm's `published` names a row here: its whole name, or what stands
    /// before a parenthesis.
    pub fn has_row(&self, name: &str) -> bool {
        matching::full_name(self, name).is_some()
    }

    /// Returns whether it prints a result of each method in a row, not one.
    fn is_of_both_methods(&self) -> bool {
        !self.columns.iter().any(|column| column == "top1")
    }

    /// The first column whose entries are words.
    fn name_column(&self) -> Option<&str> {
        let is_words = |column: &&String| {
            self.rows.iter().all(|row| matches!(row.get(*column), Some(Entry::Text(_))))
        };
        self.columns.iter().find(is_words).map(String::as_str)
    }
}

#[derive(Deserialize)]
struct File {
    table: Vec<PublishedTable>,
}

static TABLES: LazyLock<Vec<PublishedTable>> = LazyLock::new(|| {
    let file: File = toml::from_str(include_str!("tables.toml")).expect("a test parses this file");
    file.table
});

/// Returns the table with this id.
pub fn table(id: &str) -> Option<&'static PublishedTable> {
    TABLES.iter().find(|table| table.id == id)
}

/// Returns all ids, in the order of the paper.
pub fn ids() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.id.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_keeps_to_the_columns_of_its_table() {
        assert_eq!(ids().count(), 13);
        for table in TABLES.iter() {
            assert!(table.source.starts_with("arXiv 2006.07733v3 Table"), "{}", table.id);
            for row in &table.rows {
                for key in row.keys() {
                    assert!(table.columns.contains(key), "{}: {key}", table.id);
                }
                for (key, entry) in row.iter().filter(|(key, _)| key.contains("top")) {
                    let Entry::Number(percent) = entry else { panic!("{}: {key}", table.id) };
                    assert!((0.0..=100.0).contains(percent), "{}: {key}", table.id);
                }
            }
        }
    }

    #[test]
    fn rows_are_named_by_words_where_the_table_has_them() {
        let augmentations = table("ablation_augmentations").unwrap();
        assert_eq!(augmentations.row_names().len(), 14);
        assert_eq!(augmentations.row_names()[0], "Baseline");
        assert!(augmentations.has_row("Remove color"));
        assert!(!augmentations.has_row("Remove"));
        assert!(table("ablation_batch_size").unwrap().row_names().is_empty());
    }
}
