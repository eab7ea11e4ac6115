//! Whether the state folder is still the one that a run began with. Whoever removes, moves or
//! replaces it takes the lock and the database away from under the run: nobody would find what it
//! still writes, and another controller could begin in its place.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The files that a run lives by, as they were at its start.
#[derive(Debug)]
pub(super) struct Home {
    files: Vec<(PathBuf, Identity)>,
}

/// A file system, and a file there.
type Identity = (u64, u64);

impl Home {
    /// Remembers those of these files that are there.
    pub(super) fn of(files: impl IntoIterator<Item = PathBuf>) -> Self {
        let known = |path: PathBuf| {
            let file = std::fs::metadata(&path).ok()?;
            Some((path, identity(&file)))
        };
        Self { files: files.into_iter().filter_map(known).collect() }
    }

    /// Returns a file that is no longer there, or is another one.
    pub(super) fn lost(&self) -> Option<&Path> {
        let is_lost = |path: &Path, known: Identity| match std::fs::metadata(path) {
            Ok(now) => identity(&now) != known,
            // What cannot be looked at for another reason may still be there.
            Err(error) => {
                matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
            }
        };
        let lost = self.files.iter().find(|(path, known)| is_lost(path, *known));
        lost.map(|(path, _)| path.as_path())
    }
}

fn identity(file: &Metadata) -> Identity {
    (file.dev(), file.ino())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_removed_or_replaced_is_lost_and_what_was_written_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        fs::create_dir(&state).unwrap();
        let [lock, database, never] = ["lock", "database", "never"].map(|name| state.join(name));
        fs::write(&lock, "me").unwrap();
        fs::write(&database, "").unwrap();
        let home = Home::of([lock.clone(), database.clone(), never]);
        assert_eq!(home.lost(), None);
        fs::write(&database, "rows").unwrap();
        assert_eq!(home.lost(), None);

        // Kept alive beside it, so that its number is not given away again.
        let kept = folder.path().join("kept");
        fs::hard_link(&database, &kept).unwrap();
        fs::remove_file(&database).unwrap();
        fs::write(&database, "rows").unwrap();
        assert_eq!(home.lost(), Some(database.as_path()));
        fs::rename(&kept, &database).unwrap();
        assert_eq!(home.lost(), None);

        fs::remove_dir_all(&state).unwrap();
        assert_eq!(home.lost(), Some(lock.as_path()));
        fs::write(&state, "no folder").unwrap();
        assert_eq!(home.lost(), Some(lock.as_path()));
    }
}
