//! Which bytes a worker program is: its digest for as long as the file stays as it was. Knows
//! nothing of who compares.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A program file whose digest is known.
#[derive(Debug)]
pub(super) struct Binary {
    digest: String,
    stamp: Stamp,
}

/// What changes when a file is written or replaced: device, inode, length, and the time of the last
/// change in seconds and nanoseconds.
type Stamp = [i128; 5];

impl Binary {
    /// Takes the file at `path` for what has just been digested.
    pub(super) fn new(path: &Path, digest: String) -> io::Result<Self> {
        Ok(Self { digest, stamp: stamp(path)? })
    }

    /// Returns the digest, unless the file at `path` is another one by now.
    pub(super) fn digest(&self, path: &Path) -> Option<&str> {
        (stamp(path).ok()? == self.stamp).then_some(self.digest.as_str())
    }
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let file = path.metadata()?;
    Ok([
        file.dev().into(),
        file.ino().into(),
        file.size().into(),
        file.ctime().into(),
        file.ctime_nsec().into(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_was_built_again_has_no_known_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("worker");
        std::fs::write(&path, "one").unwrap();
        let binary = Binary::new(&path, "aa".into()).unwrap();
        assert_eq!(binary.digest(&path), Some("aa"));

        // As a linker does it: written aside, then put in its place.
        let other = folder.path().join("other");
        std::fs::write(&other, "two").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!(binary.digest(&path), None);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(binary.digest(&path), None);
    }
}
