//! What a folder's file system is, and how much room it has.

use std::path::{Path, PathBuf};

use nix::sys::statfs::{FsType, statfs};

/// A file system.
#[derive(Debug)]
pub(super) struct Disk {
    /// Bytes that an ordinary user may still write.
    pub free: u64,
    /// Its name, if other machines write to it too.
    pub network: Option<&'static str>,
}

/// Looks at the file system that holds `path`.
pub(super) fn look(path: &Path) -> nix::Result<Disk> {
    let stat = statfs(path)?;
    let block = u64::try_from(stat.block_size()).unwrap_or(0);
    Ok(Disk { free: stat.blocks_available() * block, network: network(stat.filesystem_type()) })
}

/// Returns the name of a network file system, by the number that its driver reports to statfs(2).
fn network(kind: FsType) -> Option<&'static str> {
    const KINDS: [(u32, &str); 8] = [
        (0x6969, "NFS"),
        (0x517b, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x0bd0_0bd0, "Lustre"),
        (0x4750_4653, "GPFS"),
        (0x00c3_6400, "Ceph"),
        (0x1983_0326, "BeeGFS"),
    ];
    let number = kind.0 as u32;
    KINDS.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

/// Returns the folder itself, or the first above it that exists.
pub(super) fn nearest_existing(path: &Path) -> PathBuf {
    let found = path.ancestors().find(|folder| folder.is_dir());
    match found {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::statfs::{NFS_SUPER_MAGIC, TMPFS_MAGIC};

    use super::*;

    #[test]
    fn network_file_systems_are_told_by_their_number() {
        assert_eq!(network(NFS_SUPER_MAGIC), Some("NFS"));
        assert_eq!(network(TMPFS_MAGIC), None);
    }

    #[test]
    fn a_folder_that_is_not_there_yet_stands_for_the_one_above() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(nearest_existing(&folder.path().join("a/b")), folder.path());
        assert_eq!(nearest_existing(Path::new(".byol-sweep-not-there")), Path::new("."));
    }
}
