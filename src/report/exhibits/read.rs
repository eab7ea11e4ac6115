//! Reads the file that a worker left. A reason why not is words to stand after a trial's name.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::protocol::exhibit::{Exhibit, LARGEST};

/// Why there is no file: the worker told of none.
pub const NONE_LEFT: &str =
    "left none: an earlier version trained them, or `[report] exhibits` was false";

/// Reads an exhibit, checking that its bytes are those that the worker wrote.
///
/// # Errors
/// Words: it is gone, cannot be read, or is damaged.
pub fn read(path: &Path, digest: &str) -> Result<Exhibit, String> {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let mut bytes = Vec::new();
    let opened = File::open(path).and_then(|open| open.take(LARGEST + 1).read_to_end(&mut bytes));
    match opened {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(format!("have no {file} any more"));
        }
        Err(error) => return Err(format!("have a {file} that cannot be read: {error}")),
    }
    let damaged = |cause: &str| format!("have a damaged {file}: {cause}");
    if bytes.len() as u64 > LARGEST {
        return Err(damaged(&format!("it is larger than {LARGEST} bytes")));
    }
    if blake3::hash(&bytes).to_hex().as_str() != digest {
        return Err(damaged("its bytes are not those that the worker wrote"));
    }
    Exhibit::from_bytes(&bytes).map_err(|error| damaged(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::*;

    #[test]
    fn a_file_is_whole_gone_changed_or_no_exhibit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("exhibit.safetensors");
        let digest = |bytes: &[u8]| blake3::hash(bytes).to_hex().to_string();
        let exhibit = samples::exhibit(1, 8, 8, 20);
        let bytes = exhibit.to_bytes().unwrap();
        assert_eq!(read(&path, "").unwrap_err(), "have no exhibit.safetensors any more");
        std::fs::write(&path, &bytes).unwrap();
        let again = read(&path, &digest(&bytes)).unwrap();
        assert_eq!(again.views, exhibit.views);
        std::fs::write(&path, &bytes[1..]).unwrap();
        let error = read(&path, &digest(&bytes)).unwrap_err();
        assert!(error.ends_with("its bytes are not those that the worker wrote"), "{error}");
        let error = read(&path, &digest(&bytes[1..])).unwrap_err();
        assert!(error.contains("it is no safetensors file"), "{error}");
        File::create(&path).unwrap().set_len(1 << 40).unwrap();
        assert!(read(&path, "").unwrap_err().contains("is larger than 4194304 bytes"));
        assert!(read(folder.path(), "").unwrap_err().contains("cannot be read"));
    }
}
