//! Reading and making images, in memory or file by file. Knows nothing of libtorch, of views or
//! of batches: whoever trains asks for an image by its index, from any thread.

pub mod check;
pub mod cifar10;
mod decode;
mod draw;
mod error;
pub mod fetch;
mod histogram;
pub mod idx;
pub mod image_folder;
pub mod shapes;
mod split;
mod subset;

use std::path::Path;

pub use self::check::check;
pub use self::error::DataError;
pub use self::histogram::{COLOR_BINS, color_histogram};
pub use self::image_folder::manifest_digest;
pub use self::split::{Dataset, Image, Images, Split};
pub use self::subset::subset;

use crate::spec::run::Source;

/// Reads or makes a data set. Images of a folder are decoded later, when asked for.
///
/// `path` is where the files lie; sets that are made in memory need none. A digest in `source`
/// must be that of the files.
pub fn load(source: &Source, path: Option<&Path>) -> Result<Dataset, DataError> {
    let folder = || path.ok_or(DataError::PathNeeded { set: source.name() });
    match source {
        Source::Shapes { train, test, side, seed } => {
            Ok(shapes::generate(*train, *test, *side, *seed))
        }
        Source::Cifar10 => cifar10::load(folder()?),
        Source::Idx { digest } => {
            refuse_other_files(source, digest.as_deref(), folder()?)?;
            idx::load(folder()?)
        }
        Source::ImageFolder { digest } => {
            refuse_other_files(source, digest.as_deref(), folder()?)?;
            image_folder::load(folder()?)
        }
    }
}

fn refuse_other_files(
    source: &Source,
    planned: Option<&str>,
    folder: &Path,
) -> Result<(), DataError> {
    let Some(planned) = planned else { return Ok(()) };
    match digest(source, Some(folder))? {
        Some(found) if found != planned => Err(DataError::OtherData {
            path: folder.to_owned(),
            expected: planned.to_owned(),
            found,
        }),
        Some(_) | None => Ok(()),
    }
}

/// Measures what `Source::Idx` and `Source::ImageFolder` keep as their digest; `None` for sets
/// whose content is a constant. For IDX it covers the unzipped bytes, for folders the manifest.
pub fn digest(source: &Source, path: Option<&Path>) -> Result<Option<String>, DataError> {
    let folder = || path.ok_or(DataError::PathNeeded { set: source.name() });
    match source {
        Source::Shapes { .. } | Source::Cifar10 => Ok(None),
        Source::Idx { .. } => idx::digest(folder()?).map(Some),
        Source::ImageFolder { .. } => manifest_digest(folder()?).map(Some),
    }
}
