//! IDX files as MNIST and its family use them (<http://yann.lecun.com/exdb/mnist>): big-endian
//! magic and sizes, then bytes. Plain or gzipped. Gray becomes three equal channels.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::{DataError, Dataset, Images, Split};

/// Unsigned bytes in three dimensions: images.
const IMAGES_MAGIC: u32 = 0x0803;
/// Unsigned bytes in one dimension: labels.
const LABELS_MAGIC: u32 = 0x0801;
const TRAIN: [&str; 2] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"];
const TEST: [&str; 2] = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
const REMEDY: &str = "get the file again from where it came";

/// Returns whether the folder looks like an IDX data set.
pub fn is_here(folder: &Path) -> bool {
    find(folder, TRAIN[0]).is_some()
}

/// Reads the training half, and the test half if it is there. Classes are the numbers from 0 to
/// the largest label.
pub fn load(folder: &Path) -> Result<Dataset, DataError> {
    let mut train = read_split(folder, TRAIN)?;
    let mut test = find(folder, TEST[0]).map(|_| read_split(folder, TEST)).transpose()?;
    let labels = [Some(&train), test.as_ref()].into_iter().flatten().flat_map(|s| &s.labels);
    let largest = labels.flatten().copied().max();
    let classes: Vec<String> = (0..=largest.unwrap_or(0)).map(|class| class.to_string()).collect();
    for split in [Some(&mut train), test.as_mut()].into_iter().flatten() {
        split.classes.clone_from(&classes);
    }
    Ok(Dataset { train, test })
}

/// Returns the BLAKE3 of all files' unzipped bytes: zipped or not, the data are the same.
pub fn digest(folder: &Path) -> Result<String, DataError> {
    let mut hasher = blake3::Hasher::new();
    let test = find(folder, TEST[0]).map(|_| TEST);
    for name in TRAIN.into_iter().chain(test.into_iter().flatten()) {
        let (_, bytes) = read(folder, name)?;
        hasher.update(name.as_bytes());
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(&bytes);
    }
    Ok(hasher.finalize().to_hex().to_string())
}

fn read_split(folder: &Path, [images, labels]: [&'static str; 2]) -> Result<Split, DataError> {
    let (images_path, images) = read(folder, images)?;
    let (labels_path, labels) = read(folder, labels)?;
    let (side, gray) = parse_images(&images).map_err(|cause| bad(&images_path, cause))?;
    let labels = parse_labels(&labels).map_err(|cause| bad(&labels_path, cause))?;
    let count = gray.len() / (side as usize * side as usize);
    if labels.len() != count {
        let cause = format!("it has {} labels for {count} images", labels.len());
        return Err(bad(&labels_path, cause));
    }
    Ok(Split {
        images: Images::Memory { side, pixels: gray.iter().flat_map(|&v| [v; 3]).collect() },
        labels: Some(labels.iter().map(|&label| u16::from(label)).collect()),
        classes: Vec::new(),
    })
}

/// Returns side and gray values of all images.
fn parse_images(bytes: &[u8]) -> Result<(u32, &[u8]), String> {
    let ([count, rows, columns], body) = header::<3>(bytes, IMAGES_MAGIC)?;
    if rows != columns || rows == 0 {
        return Err(format!("its images are {columns} x {rows}, and only square ones are read"));
    }
    let needed = u64::from(count).checked_mul(u64::from(rows) * u64::from(columns));
    check_length(body, needed)?;
    Ok((rows, body))
}

fn parse_labels(bytes: &[u8]) -> Result<&[u8], String> {
    let ([count], body) = header::<1>(bytes, LABELS_MAGIC)?;
    check_length(body, Some(u64::from(count)))?;
    Ok(body)
}

/// Splits off the magic number and `N` sizes.
fn header<const N: usize>(bytes: &[u8], magic: u32) -> Result<([u32; N], &[u8]), String> {
    let word = |at: usize| {
        let bytes = bytes.get(4 * at..)?.first_chunk::<4>()?;
        Some(u32::from_be_bytes(*bytes))
    };
    let cut = || format!("it ends within its header, after {} bytes", bytes.len());
    let found = word(0).ok_or_else(cut)?;
    if found != magic {
        return Err(format!("it starts with {found:#010x} instead of {magic:#010x}"));
    }
    let mut sizes = [0; N];
    for (place, size) in sizes.iter_mut().enumerate() {
        *size = word(1 + place).ok_or_else(cut)?;
    }
    Ok((sizes, bytes.get(4 + 4 * N..).unwrap_or_default()))
}

fn check_length(body: &[u8], needed: Option<u64>) -> Result<(), String> {
    match needed {
        Some(needed) if needed == body.len() as u64 => Ok(()),
        Some(needed) => {
            Err(format!("its header promises {needed} bytes of data, and {} follow", body.len()))
        }
        None => Err("its header promises more data than any file holds".to_owned()),
    }
}

/// Returns `name` or `name.gz` in `folder`.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join(name), folder.join(format!("{name}.gz"))].into_iter().find(|path| path.exists())
}

/// Reads a file, unzipped where its name ends in `.gz`.
fn read(folder: &Path, name: &'static str) -> Result<(PathBuf, Vec<u8>), DataError> {
    let path = find(folder, name).ok_or_else(|| DataError::Missing {
        path: folder.join(name),
        remedy: "the folder must hold the four IDX files, each plain or as .gz",
    })?;
    let io = |cause: io::Error| DataError::Io { path: path.clone(), cause };
    let mut file = File::open(&path).map_err(io)?;
    let mut bytes = Vec::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        MultiGzDecoder::new(file)
            .read_to_end(&mut bytes)
            .map_err(|cause| bad(&path, format!("it cannot be unzipped: {cause}")))?;
    } else {
        file.read_to_end(&mut bytes).map_err(io)?;
    }
    Ok((path, bytes))
}

fn bad(path: &Path, cause: String) -> DataError {
    DataError::BadFile { path: path.to_owned(), format: "IDX", cause, remedy: REMEDY }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn idx(magic: u32, sizes: &[u32], body: &[u8]) -> Vec<u8> {
        let words = [magic].into_iter().chain(sizes.iter().copied());
        words.flat_map(u32::to_be_bytes).chain(body.iter().copied()).collect()
    }

    fn zipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        /// Three training images of 2x2 pixels with labels 0, 2, 1.
        fn new() -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            let pixels: Vec<u8> = (0..12).collect();
            folder.write(TRAIN[0], &idx(IMAGES_MAGIC, &[3, 2, 2], &pixels));
            folder.write(TRAIN[1], &idx(LABELS_MAGIC, &[3], &[0, 2, 1]));
            folder
        }

        fn write(&self, name: &str, bytes: &[u8]) {
            fs::write(self.0.path().join(name), bytes).unwrap();
        }

        fn error(&self) -> String {
            load(self.0.path()).unwrap_err().to_string()
        }
    }

    #[test]
    fn gray_becomes_rgb_and_labels_become_classes() {
        let dataset = load(Folder::new().0.path()).unwrap();
        assert!(dataset.test.is_none());
        let image = dataset.train.get(1).unwrap();
        assert_eq!(image.rgb.as_ref(), [4, 4, 4, 5, 5, 5, 6, 6, 6, 7, 7, 7]);
        assert_eq!(dataset.train.labels.unwrap(), [0, 2, 1]);
        assert_eq!(dataset.train.classes, ["0", "1", "2"]);
    }

    #[test]
    fn zipped_and_plain_files_are_the_same_data() {
        let (plain, zip) = (Folder::new(), Folder::new());
        for name in TRAIN {
            let path = zip.0.path().join(name);
            zip.write(&format!("{name}.gz"), &zipped(&fs::read(&path).unwrap()));
            fs::remove_file(path).unwrap();
        }
        assert_eq!(load(plain.0.path()).unwrap(), load(zip.0.path()).unwrap());
        assert_eq!(digest(plain.0.path()).unwrap(), digest(zip.0.path()).unwrap());
        plain.write(TRAIN[1], &idx(LABELS_MAGIC, &[3], &[0, 2, 2]));
        assert_ne!(digest(plain.0.path()).unwrap(), digest(zip.0.path()).unwrap());
    }

    #[test]
    fn damage_is_told_with_its_file() {
        let folder = Folder::new();
        let cases: [(&str, Vec<u8>, &str); 7] = [
            (TRAIN[0], idx(LABELS_MAGIC, &[3], &[0; 3]), "starts with 0x00000801 instead of"),
            (
                TRAIN[0],
                idx(IMAGES_MAGIC, &[3, 2, 2], &[0; 11]),
                "promises 12 bytes of data, and 11",
            ),
            (
                TRAIN[0],
                idx(IMAGES_MAGIC, &[3, 2, 2], &[0; 13]),
                "promises 12 bytes of data, and 13",
            ),
            (TRAIN[0], idx(IMAGES_MAGIC, &[3, 2, 4], &[0; 24]), "are 4 x 2, and only square"),
            (TRAIN[0], vec![0, 0], "ends within its header, after 2 bytes"),
            (TRAIN[0], idx(IMAGES_MAGIC, &[u32::MAX; 3], &[]), "more data than any file"),
            (TRAIN[1], idx(LABELS_MAGIC, &[2], &[0; 2]), "has 2 labels for 3 images"),
        ];
        for (name, bytes, expected) in cases {
            let good = fs::read(folder.0.path().join(name)).unwrap();
            folder.write(name, &bytes);
            let message = folder.error();
            assert!(message.contains(name) && message.contains(expected), "{message}");
            folder.write(name, &good);
        }
        load(folder.0.path()).unwrap();
    }

    #[test]
    fn a_broken_zip_and_a_missing_file_are_told() {
        let folder = Folder::new();
        fs::remove_file(folder.0.path().join(TRAIN[1])).unwrap();
        assert!(folder.error().contains("train-labels-idx1-ubyte is missing"));
        let whole = zipped(&idx(LABELS_MAGIC, &[3], &[0, 2, 1]));
        folder.write("train-labels-idx1-ubyte.gz", &whole[..whole.len() - 9]);
        assert!(folder.error().contains("cannot be unzipped"), "{}", folder.error());
    }
}
