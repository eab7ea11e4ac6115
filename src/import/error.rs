//! What can be wrong with a table, each with its file and line.

use std::io;
use std::path::PathBuf;

/// A table that cannot be taken, or kept. Lines count from 1; the heading is line 1.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum ImportError {
    #[error("cannot read {}", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("{} line {line} is no row of the table: {cause}", file.display())]
    NotARow { file: PathBuf, line: u64, cause: String },
    #[error("{} has no column `{column}`: it has {present}", file.display())]
    NoColumn { file: PathBuf, column: &'static str, present: String },
    #[error(
        "{} has a column `{column}`, which is neither a setting nor one of {known}{hint}",
        file.display()
    )]
    UnknownColumn { file: PathBuf, column: String, known: String, hint: String },
    #[error("{} has the column `{column}` twice", file.display())]
    ColumnTwice { file: PathBuf, column: String },
    #[error(
        "{} tells no cells apart: it needs a column `arm`, or columns named as settings (`batch_size`)",
        file.display()
    )]
    NoCells { file: PathBuf },
    #[error("{} has a heading and no rows", file.display())]
    NoRows { file: PathBuf },
    #[error("{} line {line}: {column} is `{text}`, which is not {wanted}", file.display())]
    BadValue { file: PathBuf, line: u64, column: &'static str, text: String, wanted: &'static str },
    #[error(
        "{} line {line}: {metric} is {value}, and accuracies are fractions: add a column `unit` that says percent, or divide by 100",
        file.display()
    )]
    LooksLikePercent { file: PathBuf, line: u64, metric: String, value: f64 },
    #[error("{} line {line} says again what line {first} says: {what}", file.display())]
    Repeated { file: PathBuf, line: u64, first: u64, what: String },
    #[error(
        "`{0}` is no name for an import: use letters, digits, `-` and `_`, and name it with --name"
    )]
    BadName(String),
    #[error(
        "there is another import `{name}`: replace it with --force, or name this one with --name"
    )]
    Exists { name: String },
    #[error("cannot write {}", file.display())]
    Write { file: PathBuf, source: io::Error },
}

impl ImportError {
    /// Returns whether another table or command line would have gone well.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::NotARow { .. }
            | Self::NoColumn { .. }
            | Self::UnknownColumn { .. }
            | Self::ColumnTwice { .. }
            | Self::NoCells { .. }
            | Self::NoRows { .. }
            | Self::BadValue { .. }
            | Self::LooksLikePercent { .. }
            | Self::Repeated { .. }
            | Self::BadName(_)
            | Self::Exists { .. } => true,
            Self::Read { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::IsADirectory | io::ErrorKind::InvalidData
            ),
            Self::Write { .. } => false,
        }
    }
}
