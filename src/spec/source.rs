//! From `data.*` to the set of images. Knows nothing of files: digests are handed in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::cell::Cell;
use super::error::Fault;
use super::keys::{Key, Plain};
use super::run::{DataSpec, Source, Subset};

/// Measured digests of folders.
pub type Digests = BTreeMap<PathBuf, String>;

/// Returns mean and standard deviation of each of the R, G, B channels, values in [0, 1].
///
/// CIFAR-10: its training images. Folders: the ImageNet constants of BYOL, Table 6. IDX: those of
/// Fashion-MNIST, the same in all channels. Shapes: round numbers.
pub fn stats(source: &Source) -> ([f64; 3], [f64; 3]) {
    match source {
        Source::Shapes { .. } => ([0.5; 3], [0.25; 3]),
        Source::Cifar10 => ([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]),
        Source::Idx { .. } => ([0.2860; 3], [0.3530; 3]),
        Source::ImageFolder { .. } => ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    }
}

/// Returns the number of training images, where it is known without looking at files.
pub(crate) fn train_images(source: &Source) -> Option<u32> {
    match source {
        Source::Shapes { train, .. } => Some(*train),
        Source::Cifar10 => Some(50_000),
        Source::Idx { .. } | Source::ImageFolder { .. } => None,
    }
}

/// Returns the set of images that `data.name` and its kin describe, and where it lies.
///
/// # Errors
/// Fails where no set is named, or a set of files without a path.
pub(crate) fn source(
    cell: &Cell<'_>,
    digests: &Digests,
) -> Result<(Source, Option<PathBuf>), Fault> {
    let on_disk = || -> Result<(PathBuf, Option<String>), Fault> {
        let path = cell.text(Plain::DataPath).ok_or_else(|| {
            let name = cell.word(Plain::DataName);
            let keys = [Key::Plain(Plain::DataName)];
            cell.fault(
                format!("`data.name = \"{name}\"` needs `data.path`"),
                &keys,
                "images from where?",
            )
            .help("add `data.path = \"path/to/images\"`")
        })?;
        let path = Path::new(path);
        let declared = cell.text(Plain::DataDigest).map(ToOwned::to_owned);
        Ok((path.to_owned(), declared.or_else(|| digests.get(path).cloned())))
    };
    match cell.word(Plain::DataName) {
        "shapes" => {
            let source = Source::Shapes {
                train: cell.int(Plain::ShapesTrain),
                test: cell.int(Plain::ShapesTest),
                side: cell.int(Plain::ShapesSide),
                seed: cell.long(Plain::ShapesSeed),
            };
            Ok((source, None))
        }
        "cifar10" => Ok((Source::Cifar10, None)),
        "idx" => on_disk().map(|(path, digest)| (Source::Idx { digest }, Some(path))),
        "image_folder" => {
            on_disk().map(|(path, digest)| (Source::ImageFolder { digest }, Some(path)))
        }
        _ => Err(cell.fault("`data.name` is not said", &[], "no images").help(
            "add `data.name = \"cifar10\"` under [base]; valid: shapes, cifar10, idx, image_folder",
        )),
    }
}

/// Returns which images are trained on, and where they lie.
///
/// # Errors
/// Fails where [`source`] does, and where a subset is larger than its set.
pub(crate) fn data(
    cell: &Cell<'_>,
    digests: &Digests,
) -> Result<(DataSpec, Option<PathBuf>), Fault> {
    let (source, path) = source(cell, digests)?;
    let limit = Key::Plain(Plain::DataTrainLimit);
    let subset = cell.said(limit).map(|_| Subset {
        images: cell.int(Plain::DataTrainLimit),
        seed: cell.long(Plain::DataSubsetSeed),
    });
    if let (Some(subset), Some(all)) = (subset, train_images(&source))
        && subset.images > all
    {
        let message = format!(
            "`data.train_limit` is {}, but {} has {all} training images",
            subset.images,
            source.name()
        );
        return Err(cell.fault(message, &[limit], "more than there are"));
    }
    let (mean, std) = stats(&source);
    let image_size = cell.int(Plain::DataImageSize);
    Ok((DataSpec { source, subset, image_size, mean, std }, path))
}
