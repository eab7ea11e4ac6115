//! How much room a disk has, and whether that is enough to go on. Knows nothing of what it is for.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::schedule::DiskLevel;

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// Free bytes below which a run is careful.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermarks {
    /// Nothing starts.
    pub low: u64,
    /// What runs writes a checkpoint and stops.
    pub critical: u64,
}

impl Watermarks {
    /// Returns 2 GiB and 256 MiB, but no more than a twentieth and a hundredth of the disk.
    pub fn for_disk_of(total: u64) -> Self {
        Self { low: (2 * GIB).min(total / 20), critical: (256 * MIB).min(total / 100) }
    }

    /// Returns the same, with room for two of the largest checkpoints before anything starts: one
    /// is written aside while the one before it is still there.
    pub fn with_checkpoints_of(self, largest: u64) -> Self {
        Self { low: self.low.max(largest.saturating_mul(2)), ..self }
    }

    /// Returns the level at `free` bytes. Once it was low, some more must be free before it is fine
    /// again, so that it does not change at every look.
    pub fn level(self, free: u64, before: DiskLevel) -> DiskLevel {
        let enough = match before {
            DiskLevel::Fine => self.low,
            DiskLevel::Low | DiskLevel::Critical => self.low.saturating_add(self.low / 8),
        };
        if free < self.critical {
            DiskLevel::Critical
        } else if free < enough {
            DiskLevel::Low
        } else {
            DiskLevel::Fine
        }
    }
}

/// A disk as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    /// Bytes that an ordinary user may still write.
    pub(super) free: u64,
    /// Bytes in all.
    pub(super) total: u64,
}

/// Returns the space on the disk of `path`; `None` where the system does not tell.
pub(super) fn space(path: &Path) -> Option<Space> {
    let stat = statvfs(path).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(stat.fragment_size());
    Some(Space { free: bytes(stat.blocks_available()), total: bytes(stat.blocks()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_can_be_written_has_room_and_one_that_is_missing_is_not_guessed() {
        let folder = tempfile::tempdir().unwrap();
        let space = space(folder.path()).unwrap();
        assert!(space.free > 0 && space.total >= space.free);
        assert_eq!(super::space(&folder.path().join("missing")), None);
    }

    #[test]
    fn a_small_disk_is_not_refused_for_being_small() {
        let marks = Watermarks::for_disk_of(100 * MIB);
        assert_eq!(marks, Watermarks { low: 5 * MIB, critical: MIB });
        let large = Watermarks::for_disk_of(1000 * GIB);
        assert_eq!(large, Watermarks { low: 2 * GIB, critical: 256 * MIB });
        assert_eq!(large.with_checkpoints_of(3 * GIB).low, 6 * GIB);
        assert_eq!(large.with_checkpoints_of(MIB), large);
    }

    #[test]
    fn a_level_that_was_left_is_not_entered_again_by_a_little() {
        let marks = Watermarks { low: 800, critical: 100 };
        let cases = [
            (800, DiskLevel::Fine, DiskLevel::Fine),
            (799, DiskLevel::Fine, DiskLevel::Low),
            (850, DiskLevel::Low, DiskLevel::Low),
            (900, DiskLevel::Low, DiskLevel::Fine),
            (100, DiskLevel::Low, DiskLevel::Low),
            (99, DiskLevel::Fine, DiskLevel::Critical),
        ];
        for (free, before, expected) in cases {
            assert_eq!(marks.level(free, before), expected, "{free} after {before:?}");
        }
        assert_eq!(
            Watermarks { low: 0, critical: 0 }.level(0, DiskLevel::Fine),
            DiskLevel::Fine,
            "zero switches it off"
        );
    }
}
