//! CIFAR-10, binary version: a record is 1 label byte, then 1024 red, 1024 green and 1024 blue
//! bytes, rows from the top (<https://www.cs.toronto.edu/~kriz/cifar.html>).

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::{DataError, Dataset, Images, Split};

/// Names of the classes, in the order of their labels.
pub const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// The folder that the official archive unpacks to.
pub const FOLDER: &str = "cifar-10-batches-bin";

/// Training files in order, then the test file, each with the MD5 of the official version.
pub const FILES: [(&str, &str); 6] = [
    ("data_batch_1.bin", "5dd7e06a14cb22eb9f671a540d1b7c25"),
    ("data_batch_2.bin", "5ea93a67294ea407fff1d09f752e9692"),
    ("data_batch_3.bin", "942cd6a4bcdd0dd3c604fbe906cb4421"),
    ("data_batch_4.bin", "ae636b3ba5c66a11e91e8cb52e771fcb"),
    ("data_batch_5.bin", "53f37980c15c3d472c316c40844f3f0d"),
    ("test_batch.bin", "803d5f7f4d78ea53de84dbe85f74fb6d"),
];

const SIDE: u32 = 32;
const PLANE: usize = 32 * 32;
const IMAGE: usize = 3 * PLANE;
const RECORD: usize = 1 + IMAGE;
const RECORDS: usize = 10_000;
const REMEDY: &str = "run `byol-sweep data fetch cifar10`";

/// Returns the folder that holds the files: `path` or [`FOLDER`] below it.
pub fn folder(path: &Path) -> PathBuf {
    let inner = path.join(FOLDER);
    if !path.join(FILES[0].0).exists() && inner.is_dir() { inner } else { path.to_owned() }
}

/// Reads all six files: 50,000 training and 10,000 test images.
pub fn load(path: &Path) -> Result<Dataset, DataError> {
    let folder = folder(path);
    let (train, test) = FILES.split_at(5);
    let split = |files: &[(&str, &str)]| {
        let mut pixels = vec![0; files.len() * RECORDS * IMAGE];
        let mut labels = vec![0; files.len() * RECORDS];
        files
            .par_iter()
            .zip(pixels.par_chunks_exact_mut(RECORDS * IMAGE))
            .zip(labels.par_chunks_exact_mut(RECORDS))
            .try_for_each(|((file, pixels), labels)| {
                read_file(&folder.join(file.0), pixels, labels)
            })?;
        Ok(Split {
            images: Images::Memory { side: SIDE, pixels },
            labels: Some(labels),
            classes: CLASSES.map(str::to_owned).to_vec(),
        })
    };
    Ok(Dataset { train: split(train)?, test: Some(split(test)?) })
}

/// Returns the BLAKE3 of the names and bytes of all six files.
///
/// # Errors
///
/// A file is not there or cannot be read.
pub fn digest(path: &Path) -> Result<String, DataError> {
    let folder = folder(path);
    let mut hasher = blake3::Hasher::new();
    for (name, _) in FILES {
        let path = folder.join(name);
        let read = File::open(&path).and_then(|file| {
            hasher.update(name.as_bytes());
            hasher.update_reader(file).map(drop)
        });
        read.map_err(|cause| DataError::Io { path, cause })?;
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn read_file(path: &Path, pixels: &mut [u8], labels: &mut [u16]) -> Result<(), DataError> {
    let bad = |cause| DataError::BadFile {
        path: path.to_owned(),
        format: "CIFAR-10",
        cause,
        remedy: REMEDY,
    };
    let io = |cause: io::Error| match cause.kind() {
        io::ErrorKind::NotFound => DataError::Missing { path: path.to_owned(), remedy: REMEDY },
        _ => DataError::Io { path: path.to_owned(), cause },
    };
    // Asked first, so that a wrong path to something huge is not read.
    let length = fs::metadata(path).map_err(io)?.len();
    if length != (RECORDS * RECORD) as u64 {
        return Err(bad(format!("it has {length} bytes instead of {}", RECORDS * RECORD)));
    }
    let mut bytes = Vec::with_capacity(RECORDS * RECORD);
    File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(io)?;
    unpack(&bytes, pixels, labels).map_err(bad)
}

/// Turns records into interleaved pixels and labels.
fn unpack(records: &[u8], pixels: &mut [u8], labels: &mut [u16]) -> Result<(), String> {
    let targets = pixels.chunks_exact_mut(IMAGE).zip(labels);
    for (index, (record, (pixels, label))) in records.chunks_exact(RECORD).zip(targets).enumerate()
    {
        let (&class, planes) = record.split_first().unwrap_or((&u8::MAX, &[]));
        if usize::from(class) >= CLASSES.len() {
            return Err(format!("record {index} has label {class}, and labels end at 9"));
        }
        *label = u16::from(class);
        let (pixels, _) = pixels.as_chunks_mut::<3>();
        for (at, pixel) in pixels.iter_mut().enumerate() {
            *pixel = [planes[at], planes[PLANE + at], planes[2 * PLANE + at]];
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    /// All-zero files of the right length, which take no room on the disk.
    fn zeros() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, _) in FILES {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_len((RECORDS * RECORD) as u64).unwrap();
        }
        folder
    }

    fn error_with(file: &str, damage: impl FnOnce(&File)) -> String {
        let folder = zeros();
        let path = folder.path().join(file);
        damage(&File::options().write(true).open(&path).unwrap());
        let message = load(folder.path()).unwrap_err().to_string();
        assert!(message.contains(path.to_str().unwrap()), "{message}");
        assert!(message.contains("byol-sweep data fetch cifar10"), "{message}");
        message
    }

    #[test]
    fn planes_become_interleaved_pixels() {
        let mut record = vec![7];
        for plane in 0..3u8 {
            record.extend((0..PLANE).map(|at| plane * 80 + (at % 80) as u8));
        }
        let (mut pixels, mut labels) = (vec![0; IMAGE], [0]);
        unpack(&record, &mut pixels, &mut labels).unwrap();
        assert_eq!(labels, [7]);
        assert_eq!(pixels[..6], [0, 80, 160, 1, 81, 161]);
        assert_eq!(pixels[IMAGE - 3..], [63, 143, 223]);
    }

    #[test]
    fn damage_is_told_with_its_file_and_the_way_out() {
        let short = error_with("data_batch_3.bin", |file| file.set_len(30_729_999).unwrap());
        assert!(short.contains("30729999 bytes instead of 30730000"), "{short}");
        let label = error_with("test_batch.bin", |file| {
            file.write_all_at(&[10], 2 * RECORD as u64).unwrap();
        });
        assert!(label.contains("record 2 has label 10"), "{label}");
    }

    #[test]
    fn a_missing_file_is_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let message = load(folder.path()).unwrap_err().to_string();
        assert!(message.contains("data_batch_"), "{message}");
        assert!(message.ends_with("is missing: run `byol-sweep data fetch cifar10`"), "{message}");
    }
}
