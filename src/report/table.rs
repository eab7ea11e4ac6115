//! Tables as people read them, in the forms that they ask for. Knows nothing of what the entries
//! mean.

use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Style};

/// A table, ready to be set.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct TableInfo {
    /// Name for files and anchors: `results`.
    pub id: &'static str,
    /// Heading.
    pub title: String,
    /// Columns; each row has as many entries.
    pub columns: Vec<Column>,
    /// Entries as text.
    pub rows: Vec<Vec<String>>,
    /// What one must know to read it.
    pub footnotes: Vec<String>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Column {
    /// Heading, with the unit in parentheses.
    pub name: String,
    /// Where its entries stand.
    pub align: Align,
}

/// Where the entries of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

impl Column {
    /// A column of words.
    pub fn words(name: impl Into<String>) -> Self {
        Self { name: name.into(), align: Align::Left }
    }

    /// A column of numbers.
    pub fn numbers(name: impl Into<String>) -> Self {
        Self { name: name.into(), align: Align::Right }
    }
}

impl TableInfo {
    /// Leaves out the columns whose every entry is empty.
    #[must_use]
    pub fn without_empty_columns(mut self) -> Self {
        let kept: Vec<bool> = (0..self.columns.len())
            .map(|at| self.rows.iter().any(|row| !row[at].is_empty()))
            .collect();
        let mut keep = kept.iter();
        self.columns.retain(|_| keep.next().copied().unwrap_or(true));
        for row in &mut self.rows {
            let mut keep = kept.iter();
            row.retain(|_| keep.next().copied().unwrap_or(true));
        }
        self
    }

    /// Sets the table for a terminal: heading, columns, footnotes; without colour.
    pub fn to_terminal(&self) -> String {
        let mut builder = Builder::new();
        builder.push_record(self.columns.iter().map(|column| column.name.as_str()));
        for row in &self.rows {
            builder.push_record(row);
        }
        let mut table = builder.build();
        table.with(Style::psql());
        for (at, column) in self.columns.iter().enumerate() {
            let side = match column.align {
                Align::Left => Alignment::left(),
                Align::Right => Alignment::right(),
            };
            table.modify(Columns::one(at), side);
        }
        let table: Vec<String> =
            table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
        let mut text = format!("{}\n\n{}\n", self.title, table.join("\n"));
        for note in &self.footnotes {
            text += &format!("  * {note}\n");
        }
        text
    }

    /// Sets the table as Markdown, without its heading.
    pub fn to_markdown(&self) -> String {
        let mut text = markdown_row(self.columns.iter().map(|column| column.name.as_str()));
        let rule = self.columns.iter().map(|column| match column.align {
            Align::Left => ":--",
            Align::Right => "--:",
        });
        text += &markdown_row(rule);
        for row in &self.rows {
            text += &markdown_row(row.iter().map(String::as_str));
        }
        if !self.footnotes.is_empty() {
            text.push('\n');
        }
        for note in &self.footnotes {
            text += &format!("- {}\n", escaped(note));
        }
        text
    }
}

fn markdown_row<'a>(entries: impl Iterator<Item = &'a str>) -> String {
    let entries: Vec<String> = entries.map(escaped).collect();
    format!("| {} |\n", entries.join(" | "))
}

/// Keeps an entry in its cell, and its words from being read as markup.
fn escaped(entry: &str) -> String {
    let mut text = String::with_capacity(entry.len());
    for character in entry.chars() {
        match character {
            '\n' | '\r' => text.push(' '),
            '|' | '*' | '<' => {
                text.push('\\');
                text.push(character);
            }
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> TableInfo {
        TableInfo {
            id: "sample",
            title: "A sample".to_owned(),
            columns: vec![
                Column::words("arm"),
                Column::words("note"),
                Column::numbers("top-1 (%)"),
            ],
            rows: vec![
                vec!["crop | flip".to_owned(), String::new(), "7.1".to_owned()],
                vec!["baseline".to_owned(), String::new(), "72.5 ± 0.3".to_owned()],
            ],
            footnotes: vec!["± is the standard deviation".to_owned()],
        }
    }

    #[test]
    fn terminal() {
        insta::assert_snapshot!(sample().without_empty_columns().to_terminal(), @"
        A sample

         arm         |  top-1 (%)
        -------------+------------
         crop | flip |        7.1
         baseline    | 72.5 ± 0.3
          * ± is the standard deviation
        ");
    }

    #[test]
    fn markdown() {
        insta::assert_snapshot!(sample().to_markdown(), @r"
        | arm | note | top-1 (%) |
        | :-- | :-- | --: |
        | crop \| flip |  | 7.1 |
        | baseline |  | 72.5 ± 0.3 |

        - ± is the standard deviation
        ");
    }
}
