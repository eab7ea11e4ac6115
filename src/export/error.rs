//! What can go wrong with a copy, in words that tell what to do.

use std::io;
use std::path::{Path, PathBuf};

/// A copy that cannot be made; nothing of it is left.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum ExportError {
    /// Something has that name already.
    #[error("{} exists already: overwrite it with --force, or name another with --out", .0.display())]
    Exists(PathBuf),
    /// A folder is to be made where a file lies.
    #[error("{} is a file, and this export is a folder: name another with --out", .0.display())]
    NotAFolder(PathBuf),
    /// A file is to be made where a folder lies.
    #[error("{} is a folder, and this export is a file: name another with --out", .0.display())]
    NotAFile(PathBuf),
    /// `--force` does not delete what was not exported.
    #[error(
        "{} holds other things than an export, which --force does not delete: name another folder with --out",
        .0.display()
    )]
    NotOurs(PathBuf),
    /// No space is left.
    #[error(
        "the disk of {} is full, and nothing was exported: free some space, or name another disk with --out",
        path.display()
    )]
    DiskFull { path: PathBuf, source: io::Error },
    /// The system refuses.
    #[error("cannot write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A row does not fit the format.
    #[error("cannot write {}: {cause}", path.display())]
    Encode { path: PathBuf, cause: String },
    /// What is to be copied cannot be read.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// What is to be copied is not what was written.
    #[error("{} is damaged: {cause}; train the trial again", path.display())]
    Damaged { path: PathBuf, cause: String },
    /// What is to be copied was cleaned away.
    #[error("the {what} of this trial are gone: there is no {}", path.display())]
    Gone { what: &'static str, path: PathBuf },
    /// The worker does not compute what is to be copied.
    #[error("{} cannot compute the features: {cause}", worker.display())]
    Worker { worker: PathBuf, cause: String },
}

impl ExportError {
    /// Returns whether another command line would have gone well.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Exists(_) | Self::NotAFolder(_) | Self::NotAFile(_) | Self::NotOurs(_) => true,
            Self::DiskFull { .. }
            | Self::Write { .. }
            | Self::Encode { .. }
            | Self::Read { .. }
            | Self::Damaged { .. }
            | Self::Gone { .. }
            | Self::Worker { .. } => false,
        }
    }
}

/// Turns the system's error about a file that is written into words.
pub(super) fn writing(path: &Path) -> impl Fn(io::Error) -> ExportError + '_ {
    |source| {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                ExportError::DiskFull { path, source }
            }
            _ => ExportError::Write { path, source },
        }
    }
}

/// Turns the system's error about a file that is read into words.
pub(super) fn reading(path: &Path) -> impl Fn(io::Error) -> ExportError + '_ {
    |source| ExportError::Read { path: path.to_owned(), source }
}
