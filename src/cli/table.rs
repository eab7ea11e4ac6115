//! Plain tables: columns apart by two spaces, no frame, so that they paste and grep well.

use tabled::builder::Builder;
use tabled::settings::{Alignment, Padding, Style as Frame, object::Columns};

/// How a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table under construction.
pub(super) struct Table {
    rows: Builder,
    aligns: Vec<Align>,
}

impl Table {
    /// Begins a table with these headings.
    pub(super) fn new(columns: &[(&str, Align)]) -> Self {
        let mut rows = Builder::new();
        rows.push_record(columns.iter().map(|(heading, _)| (*heading).to_owned()));
        Self { rows, aligns: columns.iter().map(|(_, align)| *align).collect() }
    }

    /// Adds a row, a cell a column.
    pub(super) fn push(&mut self, cells: Vec<String>) {
        self.rows.push_record(cells);
    }

    /// Returns the lines, without spaces at their ends.
    pub(super) fn text(self) -> String {
        let mut table = self.rows.build();
        table.with(Frame::empty()).with(Padding::new(0, 2, 0, 0));
        for (column, align) in self.aligns.iter().enumerate() {
            let alignment = match align {
                Align::Left => Alignment::left(),
                Align::Right => Alignment::right(),
            };
            table.modify(Columns::one(column), alignment);
        }
        let text = table.to_string();
        text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_escapes_take_no_room() {
        let mut table =
            Table::new(&[("#", Align::Right), ("state", Align::Left), ("seed", Align::Right)]);
        table.push(vec!["1".into(), "\u{1b}[32mdone\u{1b}[0m".into(), "0".into()]);
        table.push(vec!["12".into(), "running".into(), "10".into()]);
        let expected =
            " #  state    seed\n 1  \u{1b}[32mdone\u{1b}[0m        0\n12  running    10\n";
        assert_eq!(table.text(), expected);
    }
}
