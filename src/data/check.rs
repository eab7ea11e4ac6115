//! Looks a data set over, image by image, before hours of training depend on it. Reports all that
//! is wrong with single files at once; a layout that cannot be read is an error.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::Serialize;

use super::{DataError, Dataset, Split, cifar10, fetch, idx, image_folder};

/// What a folder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// CIFAR-10, binary version.
    Cifar10,
    /// IDX files of the MNIST family.
    Idx,
    /// JPEG and PNG files.
    ImageFolder,
}

impl Kind {
    /// Recognises a data set by its files.
    pub fn detect(path: &Path) -> Self {
        let cifar10 = cifar10::folder(path);
        if cifar10::FILES.iter().any(|(file, _)| cifar10.join(file).exists()) {
            Kind::Cifar10
        } else if idx::is_here(path) {
            Kind::Idx
        } else {
            Kind::ImageFolder
        }
    }

    /// Returns the name that `data.name` uses.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Cifar10 => "cifar10",
            Kind::Idx => "idx",
            Kind::ImageFolder => "image_folder",
        }
    }
}

/// What [`check`] found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The kind that the files show.
    pub kind: Kind,
    /// Digest as trials keep it; `None` where the set's content is a constant.
    pub digest: Option<String>,
    /// Training images.
    pub train: SplitReport,
    /// Test images, where there are any.
    pub test: Option<SplitReport>,
    /// Files that cannot be used, in the order of the images.
    pub broken: Vec<BrokenFile>,
    /// Files of an image folder whose names are not those of JPEG or PNG files.
    pub passed_over: Vec<PathBuf>,
}

/// One half of a data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SplitReport {
    /// Images, the broken ones included.
    pub images: usize,
    /// Images of each class; empty without labels.
    pub classes: Vec<ClassCount>,
    /// Sizes of the readable images; `None` if there are none.
    pub sizes: Option<SizeRange>,
}

/// Images of one class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClassCount {
    /// The class.
    pub name: String,
    /// Its images.
    pub images: usize,
}

/// Least and largest sizes in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SizeRange {
    /// Least width.
    pub min_width: u32,
    /// Largest width.
    pub max_width: u32,
    /// Least height.
    pub min_height: u32,
    /// Largest height.
    pub max_height: u32,
}

impl SizeRange {
    fn of(width: u32, height: u32) -> Self {
        Self { min_width: width, max_width: width, min_height: height, max_height: height }
    }

    fn with(self, other: Self) -> Self {
        Self {
            min_width: self.min_width.min(other.min_width),
            max_width: self.max_width.max(other.max_width),
            min_height: self.min_height.min(other.min_height),
            max_height: self.max_height.max(other.max_height),
        }
    }
}

/// A file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BrokenFile {
    /// The file.
    pub path: PathBuf,
    /// Why not.
    pub cause: String,
}

/// Recognises the data set below `path` and reads all of it, on all cores.
///
/// `progress` hears (images read, images in all), from any thread.
pub fn check(
    path: &Path,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<CheckReport, DataError> {
    let kind = Kind::detect(path);
    let dataset = match kind {
        Kind::Cifar10 => cifar10::load(path)?,
        Kind::Idx => idx::load(path)?,
        Kind::ImageFolder => image_folder::load(path)?,
    };
    let digest = match kind {
        Kind::Cifar10 => None,
        Kind::Idx => Some(idx::digest(path)?),
        Kind::ImageFolder => Some(image_folder::manifest_digest(path)?),
    };
    let mut broken = match kind {
        Kind::Cifar10 => unofficial_files(&cifar10::folder(path))?,
        Kind::Idx | Kind::ImageFolder => Vec::new(),
    };
    let passed_over = match kind {
        Kind::ImageFolder => image_folder::passed_over(path)?,
        Kind::Cifar10 | Kind::Idx => Vec::new(),
    };
    let Dataset { train, test } = &dataset;
    let all = train.len() + test.as_ref().map_or(0, Split::len);
    let read = AtomicUsize::new(0);
    let one_read = || progress(read.fetch_add(1, Ordering::Relaxed) + 1, all);
    let train = look_over(train, &one_read, &mut broken)?;
    let test = test.as_ref().map(|test| look_over(test, &one_read, &mut broken)).transpose()?;
    Ok(CheckReport { kind, digest, train, test, broken, passed_over })
}

/// Decodes every image.
fn look_over(
    split: &Split,
    one_read: &(dyn Fn() + Sync),
    broken: &mut Vec<BrokenFile>,
) -> Result<SplitReport, DataError> {
    let size = |index| {
        let size = split.get(index).map(|image| SizeRange::of(image.width, image.height));
        one_read();
        size
    };
    let mut sizes: Option<SizeRange> = None;
    for size in (0..split.len()).into_par_iter().map(size).collect::<Vec<_>>() {
        match size {
            Ok(size) => sizes = Some(sizes.map_or(size, |sizes| sizes.with(size))),
            Err(DataError::BadImage { path, cause }) => broken.push(BrokenFile { path, cause }),
            Err(DataError::Io { path, cause }) => {
                broken.push(BrokenFile { path, cause: cause.to_string() });
            }
            Err(other) => return Err(other),
        }
    }
    let counts = split.classes.iter().zip(split.class_counts());
    let classes = counts.map(|(name, images)| ClassCount { name: name.clone(), images }).collect();
    Ok(SplitReport { images: split.len(), classes, sizes })
}

fn unofficial_files(folder: &Path) -> Result<Vec<BrokenFile>, DataError> {
    let cause = "it differs from the official file; run `byol-sweep data fetch cifar10`";
    cifar10::FILES
        .par_iter()
        .filter_map(|(name, md5)| {
            let path = folder.join(name);
            match fetch::md5_of(&path) {
                Ok(found) if found == *md5 => None,
                Ok(_) => Some(Ok(BrokenFile { path, cause: cause.to_owned() })),
                Err(cause) => Some(Err(DataError::Io { path, cause })),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn all_broken_files_are_told_at_once_and_the_rest_is_measured() {
        let root = tempfile::tempdir().unwrap();
        let save = |name: &str, width, height| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            image::RgbImage::new(width, height).save(path).unwrap();
        };
        save("train/a/1.png", 10, 20);
        save("train/a/2.jpg", 30, 5);
        save("train/b/1.png", 12, 12);
        save("val/b/1.png", 1, 2);
        fs::write(root.path().join("train/b/0.png"), "a text").unwrap();
        fs::write(root.path().join("val/b/2.jpeg"), "").unwrap();

        let calls = AtomicUsize::new(0);
        let progress = |_: usize, all: usize| {
            assert_eq!(all, 6);
            calls.fetch_add(1, Ordering::Relaxed);
        };
        let report = check(root.path(), &progress).unwrap();

        assert_eq!(calls.into_inner(), 6);
        assert_eq!(report.kind, Kind::ImageFolder);
        let broken: Vec<_> = report.broken.iter().map(|b| (b.path.as_path(), &*b.cause)).collect();
        assert_eq!(
            broken,
            [
                (&*root.path().join("train/b/0.png"), "it is neither JPEG nor PNG inside"),
                (&*root.path().join("val/b/2.jpeg"), "the file is empty"),
            ]
        );
        assert_eq!(report.train.images, 4);
        let count = |name: &str, images| ClassCount { name: name.into(), images };
        assert_eq!(report.train.classes, [count("a", 2), count("b", 2)]);
        let range = SizeRange { min_width: 10, max_width: 30, min_height: 5, max_height: 20 };
        assert_eq!(report.train.sizes, Some(range));
        assert_eq!(report.test.unwrap().classes, [count("a", 0), count("b", 2)]);
    }

    #[test]
    fn kinds_are_told_by_their_files() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Kind::detect(root.path()), Kind::ImageFolder);
        fs::write(root.path().join("train-images-idx3-ubyte.gz"), "").unwrap();
        assert_eq!(Kind::detect(root.path()), Kind::Idx);
        fs::create_dir(root.path().join(cifar10::FOLDER)).unwrap();
        fs::write(root.path().join(cifar10::FOLDER).join("data_batch_2.bin"), "").unwrap();
        assert_eq!(Kind::detect(root.path()), Kind::Cifar10);
    }
}
