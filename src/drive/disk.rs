//! How much room a disk has. Knows nothing of what it is for.

use std::path::Path;

use nix::sys::statvfs::statvfs;

/// Returns the bytes that an ordinary user may still write beside `path`; `None` where the system
/// does not tell.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let stat = statvfs(path).ok()?;
    Some(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_can_be_written_has_room_and_one_that_is_missing_is_not_guessed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_bytes(folder.path()).unwrap() > 0);
        assert_eq!(free_bytes(&folder.path().join("missing")), None);
    }
}
