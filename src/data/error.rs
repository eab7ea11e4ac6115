//! What can be wrong with a data set, each with its file, its cause and the way out.

use std::io;
use std::path::PathBuf;

/// A data set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A set that lies in files was asked for without saying where.
    #[error("the data set `{set}` lies in files, and no folder was given: set `data.path`")]
    PathNeeded {
        /// Name of the set.
        set: &'static str,
    },
    /// A file or folder that must exist does not.
    #[error("{path} is missing: {remedy}", path = path.display())]
    Missing {
        /// Where it was expected.
        path: PathBuf,
        /// What to do.
        remedy: &'static str,
    },
    /// The operating system refused.
    #[error("cannot read {path}: {cause}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Its reason.
        cause: io::Error,
    },
    /// A file does not hold what its format asks for.
    #[error("{path} is not a valid {format} file: {cause}; {remedy}", path = path.display())]
    BadFile {
        /// The file.
        path: PathBuf,
        /// The format that was expected.
        format: &'static str,
        /// What is wrong.
        cause: String,
        /// What to do.
        remedy: &'static str,
    },
    /// An image cannot be decoded.
    #[error(
        "cannot decode {path}: {cause}; replace or remove the file (`byol-sweep data check` lists all such files)",
        path = path.display()
    )]
    BadImage {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// Folders are not laid out as an image folder.
    #[error(
        "{path}: {cause}; expected train/<class>/*.jpg (and val/<class>/*.jpg), or images alone without labels",
        path = path.display()
    )]
    Layout {
        /// The folder at fault.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The files are not those that the run was planned with.
    #[error(
        "{path} holds other data than this trial was planned with (digest {found}, planned {expected}): restore the files, or plan the sweep again",
        path = path.display()
    )]
    OtherData {
        /// The data set's folder.
        path: PathBuf,
        /// Digest in the plan.
        expected: String,
        /// Digest of the files.
        found: String,
    },
    /// An index beyond the end.
    #[error("image {index} was asked for, and there are {len}")]
    OutOfRange {
        /// The index.
        index: usize,
        /// Number of images.
        len: usize,
    },
    /// A balanced subset is not possible at this size.
    #[error(
        "a balanced subset of {images} images is not possible with {classes} classes: use a multiple of {classes}"
    )]
    UnevenSubset {
        /// Images asked for.
        images: u32,
        /// Classes there are.
        classes: usize,
    },
    /// A class, or the whole set where it has no labels, is smaller than its share of a subset.
    #[error("a subset needs {needed} images of {of}, which has {has}: ask for fewer images")]
    SmallForSubset {
        /// `class <name>`, or `the data set`.
        of: String,
        /// Images it has.
        has: usize,
        /// Images needed.
        needed: u32,
    },
    /// Labels are needed and there are none.
    #[error("the images have no labels, which evaluation needs: sort them into train/<class>/")]
    NoLabels,
    /// One class cannot be told from others.
    #[error("all images are of the one class `{class}`, and evaluation needs two or more")]
    OneClass {
        /// Its name.
        class: String,
    },
}
