//! Tables as people read them, in the forms that they ask for. Knows nothing of what the entries
//! mean.

use tabled::builder::Builder;
use tabled::settings::object::{Columns, Rows};
use tabled::settings::peaker::Priority;
use tabled::settings::style::HorizontalLine;
use tabled::settings::{Alignment, Padding, Style, Width};

/// Spaces between columns of a terminal.
const BETWEEN: usize = 2;

/// A table is not squeezed below this many columns: numbers would be broken.
const LEAST_ROOM: usize = 60;

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
    /// How easily a terminal without room leaves it out: the highest first, never at 0.
    pub spare: u8,
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
        Self { name: name.into(), align: Align::Left, spare: 0 }
    }

    /// A column of numbers.
    pub fn numbers(name: impl Into<String>) -> Self {
        Self { name: name.into(), align: Align::Right, spare: 0 }
    }
}

impl Column {
    /// The same column, to be left out where there is no room.
    #[must_use]
    pub fn spare(self, spare: u8) -> Self {
        Self { spare, ..self }
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

    /// Sets the table for a terminal of `room` columns, without colour and footnotes: heading, then
    /// as many columns as there is room for, the widest words in several lines where that is not
    /// enough, then the names of the columns left out.
    pub fn to_terminal(&self, room: usize) -> String {
        let (shown, left_out) = self.fitting(room);
        let mut builder = Builder::new();
        builder.push_record(shown.iter().map(|at| self.heading(*at)));
        for row in &self.rows {
            builder.push_record(shown.iter().map(|at| row[*at].as_str()));
        }
        let mut table = builder.build();
        let rule = HorizontalLine::filled('-').remove_left().remove_right().remove_intersection();
        table.with(Style::empty().horizontals([(1, rule)]));
        table.with(Padding::new(0, BETWEEN, 0, 0));
        table.modify(Columns::last(), Padding::zero());
        table.modify(Rows::first(), Alignment::bottom());
        for (place, at) in shown.iter().enumerate() {
            let side = match self.columns[*at].align {
                Align::Left => Alignment::left(),
                Align::Right => Alignment::right(),
            };
            table.modify(Columns::one(place), side);
        }
        if self.room_taken(&shown) > room {
            let widest_first =
                Width::wrap(room.max(LEAST_ROOM)).priority(Priority::max(true)).keep_words(true);
            table.with(widest_first);
        }
        let mut text = format!("{}\n\n", self.title);
        for line in table.to_string().lines() {
            text += line.trim_end();
            text.push('\n');
        }
        if !left_out.is_empty() {
            let names: Vec<&str> =
                left_out.iter().map(|at| self.columns[*at].name.as_str()).collect();
            text += &format!("(no room here for: {})\n", names.join(", "));
        }
        text
    }

    /// The columns that fit into `room`, and the others.
    fn fitting(&self, room: usize) -> (Vec<usize>, Vec<usize>) {
        let (mut shown, mut left_out) = ((0..self.columns.len()).collect::<Vec<_>>(), Vec::new());
        while self.room_taken(&shown) > room {
            let spare = |at: &usize| self.columns[*at].spare;
            let Some(next) = shown.iter().copied().filter(|at| spare(at) > 0).max_by_key(spare)
            else {
                break;
            };
            shown.retain(|at| *at != next);
            left_out.push(next);
        }
        left_out.sort_unstable();
        (shown, left_out)
    }

    fn room_taken(&self, shown: &[usize]) -> usize {
        let columns: usize = shown.iter().map(|at| self.width(*at) + BETWEEN).sum();
        columns.saturating_sub(BETWEEN)
    }

    fn width(&self, at: usize) -> usize {
        let heading = self.heading(at);
        let entries = self.rows.iter().map(|row| row[at].as_str());
        entries.chain(heading.lines()).map(|line| line.chars().count()).max().unwrap_or(0)
    }

    /// The name of a column, in two lines where it is wider than what stands below it.
    pub(super) fn heading(&self, at: usize) -> String {
        let name = &self.columns[at].name;
        let below = self.rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
        if name.chars().count() <= below {
            return name.clone();
        }
        let halves = name.match_indices(' ').map(|(space, _)| (&name[..space], &name[space + 1..]));
        let longer = |(a, b): &(&str, &str)| a.chars().count().max(b.chars().count());
        match halves.min_by_key(longer) {
            Some((first, second)) => format!("{first}\n{second}"),
            None => name.clone(),
        }
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
pub(super) fn escaped(entry: &str) -> String {
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
        insta::assert_snapshot!(sample().without_empty_columns().to_terminal(100), @r"
        A sample

        arm           top-1 (%)
        -----------------------
        crop | flip         7.1
        baseline     72.5 ± 0.3
        ");
    }

    #[test]
    fn a_terminal_without_room_leaves_out_the_most_spare_columns_and_names_them() {
        let mut sample = sample();
        sample.columns[0].spare = 1;
        sample.columns[2].spare = 2;
        sample.columns[1].name = "a note".to_owned();
        let text = sample.to_terminal(20);
        assert!(text.ends_with("(no room here for: top-1 (%))\n"), "{text}");
        assert!(sample.to_terminal(5).ends_with("(no room here for: arm, top-1 (%))\n"));
        sample.columns[2].spare = 0;
        assert!(sample.to_terminal(1).contains("72.5"));
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
