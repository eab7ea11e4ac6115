//! Folders of JPEG and PNG files: `train/<class>/*` and `val/<class>/*`, one labelled folder
//! `<class>/*`, or images alone, which have no labels. Lists files; decodes none.
//!
//! Order is by name in bytes, so that it is the same on any machine. Hidden entries and files of
//! other types are passed over.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{DataError, Dataset, Images, Split};

const TRAIN: &str = "train";
const VAL: &str = "val";

/// Lists the images below `path`.
pub fn load(path: &Path) -> Result<Dataset, DataError> {
    let (train, val) = halves(path)?;
    let train = scan(&train)?;
    let test = val.map(|val| labelled_like(&train, &val)).transpose()?;
    Ok(Dataset { train, test })
}

/// Returns the BLAKE3 of the manifest: paths below `path` and sizes in bytes of all images, in
/// order. It tells data sets apart without reading them.
pub fn manifest_digest(path: &Path) -> Result<String, DataError> {
    let dataset = load(path)?;
    let mut hasher = blake3::Hasher::new();
    for split in [Some(&dataset.train), dataset.test.as_ref()].into_iter().flatten() {
        let Images::Files(files) = &split.images else { continue };
        let size = |file: &PathBuf| fs::metadata(file).map_err(|cause| io_error(file, cause));
        let sizes = files.par_iter().map(|file| Ok(size(file)?.len()));
        for (file, size) in files.iter().zip(sizes.collect::<Result<Vec<_>, _>>()?) {
            let name = file.strip_prefix(path).unwrap_or(file).as_os_str().as_bytes();
            // Lengths first, so that no two manifests are the same bytes.
            hasher.update(&(name.len() as u64).to_le_bytes());
            hasher.update(name);
            hasher.update(&size.to_le_bytes());
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// Returns the visible files that [`load`] passes over, since their names are not those of JPEG or
/// PNG files.
pub fn passed_over(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let (train, val) = halves(path)?;
    let mut passed_over = Vec::new();
    for half in [Some(train), val].into_iter().flatten() {
        let Listing { folders, images: _, others } = list(&half)?;
        passed_over.extend(others);
        for class in folders {
            passed_over.extend(list(&class)?.others);
        }
    }
    Ok(passed_over)
}

/// Returns the folders of the training and the test half.
fn halves(path: &Path) -> Result<(PathBuf, Option<PathBuf>), DataError> {
    if !path.is_dir() {
        let remedy = "set `data.path` to a folder of images";
        return Err(DataError::Missing { path: path.to_owned(), remedy });
    }
    let [train, val] = [path.join(TRAIN), path.join(VAL)];
    match (train.is_dir(), val.is_dir()) {
        (true, true) => Ok((train, Some(val))),
        (true, false) => Ok((train, None)),
        (false, true) => Err(layout(path, "it has val/ and no train/")),
        (false, false) => Ok((path.to_owned(), None)),
    }
}

/// Lists one half: class folders, or images alone.
fn scan(folder: &Path) -> Result<Split, DataError> {
    let Listing { folders, images, others: _ } = list(folder)?;
    match (folders.as_slice(), images.is_empty()) {
        ([], true) => Err(layout(folder, "it holds no JPEG or PNG file")),
        ([], false) => {
            Ok(Split { images: Images::Files(images), labels: None, classes: Vec::new() })
        }
        ([_, ..], false) => {
            Err(layout(folder, "it holds both class folders and images beside them"))
        }
        (classes, true) => scan_classes(folder, classes),
    }
}

fn scan_classes(folder: &Path, classes: &[PathBuf]) -> Result<Split, DataError> {
    let (mut files, mut labels, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for (index, class) in classes.iter().enumerate() {
        let label = u16::try_from(index)
            .map_err(|_| layout(folder, "it holds more than 65,536 class folders"))?;
        let inside = list(class)?;
        if let Some(nested) = inside.folders.first() {
            return Err(layout(nested, "it is a folder inside a class folder"));
        }
        if inside.images.is_empty() {
            return Err(layout(class, "it is a class folder without a JPEG or PNG file"));
        }
        labels.resize(labels.len() + inside.images.len(), label);
        files.extend(inside.images);
        names.push(class_name(class).into_owned());
    }
    Ok(Split { images: Images::Files(files), labels: Some(labels), classes: names })
}

/// Lists the test half with the training half's labels.
fn labelled_like(train: &Split, folder: &Path) -> Result<Split, DataError> {
    let mut test = scan(folder)?;
    let Some(labels) = &mut test.labels else {
        return match train.labels {
            Some(_) => Err(layout(folder, "it has no class folders, and train/ has")),
            None => Ok(test),
        };
    };
    let label_of = |class: &String| {
        let place = train.classes.iter().position(|known| known == class);
        place.and_then(|place| u16::try_from(place).ok()).ok_or_else(|| {
            layout(&folder.join(class), "train/ has no such class, or it is named otherwise")
        })
    };
    let of = test.classes.iter().map(label_of).collect::<Result<Vec<u16>, _>>()?;
    for label in labels {
        *label = of[usize::from(*label)];
    }
    test.classes.clone_from(&train.classes);
    Ok(test)
}

struct Listing {
    folders: Vec<PathBuf>,
    images: Vec<PathBuf>,
    others: Vec<PathBuf>,
}

/// Lists a folder's visible entries, links followed, each kind sorted by name.
fn list(folder: &Path) -> Result<Listing, DataError> {
    let mut listing = Listing { folders: Vec::new(), images: Vec::new(), others: Vec::new() };
    let entries = fs::read_dir(folder).map_err(|cause| io_error(folder, cause))?;
    for entry in entries {
        let entry = entry.map_err(|cause| io_error(folder, cause))?;
        if entry.file_name().as_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        let mut kind = entry.file_type().map_err(|cause| io_error(&path, cause))?;
        if kind.is_symlink() {
            kind = fs::metadata(&path).map_err(|cause| io_error(&path, cause))?.file_type();
        }
        if kind.is_dir() {
            listing.folders.push(path);
        } else if is_image_name(&path) {
            listing.images.push(path);
        } else {
            listing.others.push(path);
        }
    }
    listing.folders.sort_unstable();
    listing.images.sort_unstable();
    listing.others.sort_unstable();
    Ok(listing)
}

fn is_image_name(path: &Path) -> bool {
    let is = |extension: &OsStr| {
        ["jpg", "jpeg", "png"].iter().any(|known| extension.eq_ignore_ascii_case(known))
    };
    path.extension().is_some_and(is)
}

fn class_name(folder: &Path) -> std::borrow::Cow<'_, str> {
    folder.file_name().unwrap_or_default().to_string_lossy()
}

fn layout(path: &Path, cause: &str) -> DataError {
    DataError::Layout { path: path.to_owned(), cause: cause.to_owned() }
}

fn io_error(path: &Path, cause: io::Error) -> DataError {
    DataError::Io { path: path.to_owned(), cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a folder with empty files: listing decodes nothing.
    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        folder
    }

    fn names(split: &Split, root: &Path) -> Vec<String> {
        let Images::Files(files) = &split.images else { panic!("not files") };
        files.iter().map(|f| f.strip_prefix(root).unwrap().display().to_string()).collect()
    }

    fn error(files: &[&str]) -> String {
        let folder = folder(files);
        let message = load(folder.path()).unwrap_err().to_string();
        message.replace(folder.path().to_str().unwrap(), "ROOT")
    }

    #[test]
    fn classes_and_files_are_in_order_of_their_names() {
        let root = folder(&[
            "train/b/2.JPG",
            "train/b/1.jpeg",
            "train/a/x.Png",
            "train/a/.hidden.png",
            "train/a/notes.txt",
            "train/.cache/1.png",
            "train/README.md",
            "val/b/9.png",
            "classes.txt",
        ]);
        let dataset = load(root.path()).unwrap();
        let train = &dataset.train;
        assert_eq!(names(train, root.path()), ["train/a/x.Png", "train/b/1.jpeg", "train/b/2.JPG"]);
        assert_eq!(train.labels, Some(vec![0, 1, 1]));
        assert_eq!(train.classes, ["a", "b"]);
        // The only class of the test half keeps its training label.
        let test = dataset.test.unwrap();
        assert_eq!((test.labels, test.classes), (Some(vec![1]), vec!["a".into(), "b".into()]));
        let others = ["train/README.md", "train/a/notes.txt"].map(|name| root.path().join(name));
        assert_eq!(passed_over(root.path()).unwrap(), others);
    }

    #[test]
    fn images_alone_have_no_labels() {
        for files in [&["2.png", "1.png"][..], &["train/2.png", "train/1.png"]] {
            let root = folder(files);
            let dataset = load(root.path()).unwrap();
            assert_eq!(dataset.train.len(), 2);
            assert_eq!(dataset.train.labels, None);
            assert_eq!(dataset.test, None);
            assert!(matches!(dataset.train.labels_to_judge(), Err(DataError::NoLabels)));
        }
    }

    #[test]
    fn class_folders_without_train_are_training_images() {
        let root = folder(&["cat/1.png", "dog/1.png"]);
        assert_eq!(load(root.path()).unwrap().train.classes, ["cat", "dog"]);
    }

    #[test]
    fn wrong_layouts_are_told_by_the_folder_at_fault() {
        let cases: [(&[&str], &str); 7] = [
            (&["notes.txt"], "ROOT: it holds no JPEG or PNG file"),
            (&["val/a/1.png"], "ROOT: it has val/ and no train/"),
            (&["a/1.png", "1.png"], "ROOT: it holds both class folders and images"),
            (&["train/a/1.png", "train/b/x.gif"], "ROOT/train/b: it is a class folder without"),
            (&["train/a/b/1.png"], "ROOT/train/a/b: it is a folder inside a class folder"),
            (&["train/a/1.png", "val/c/1.png"], "ROOT/val/c: train/ has no such class"),
            (&["train/a/1.png", "val/1.png"], "ROOT/val: it has no class folders"),
        ];
        for (files, expected) in cases {
            let message = error(files);
            assert!(message.starts_with(expected), "{message}");
            assert!(message.contains("expected train/<class>/*.jpg"), "{message}");
        }
        let missing = load(Path::new("nowhere")).unwrap_err().to_string();
        assert!(missing.starts_with("nowhere is missing: "), "{missing}");
    }

    #[test]
    fn the_digest_follows_names_and_sizes_wherever_the_folder_lies() {
        let digest = |root: &tempfile::TempDir| manifest_digest(root.path()).unwrap();
        let files = ["train/a/1.png", "train/b/2.png"];
        let (one, other) = (folder(&files), folder(&files));
        assert_eq!(digest(&one), digest(&other));
        fs::write(other.path().join("README.txt"), b"no image").unwrap();
        assert_eq!(digest(&one), digest(&other));
        fs::write(other.path().join("train/a/1.png"), b"longer").unwrap();
        assert_ne!(digest(&one), digest(&other));
        assert_ne!(digest(&one), digest(&folder(&["train/a/1.png", "train/b/3.png"])));
    }
}
