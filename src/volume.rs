//! What file system a folder lies on, how much room it has, and whether a database and its locks
//! are safe there. Knows nothing of what is kept.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::sys::statfs::statfs;

/// Set to anything, it lets state lie where it would be refused.
pub const ALLOW: &str = "BYOL_SWEEP_ALLOW_NETWORK_STATE";

/// A file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Bytes that an ordinary user may still write.
    pub free: u64,
    /// Whether state is safe there.
    pub fitness: Fitness,
}

/// Whether a database and its locks are safe on a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fitness {
    /// One machine writes to it, as far as is known.
    Local,
    /// Machines share it and agree on locks, but not on memory: one machine at a time may use a
    /// database there.
    Shared(&'static str),
    /// Locks there may hold on one machine only, or not at all.
    Unfit(&'static str),
}

impl Volume {
    /// Looks at the file system that holds `path`, or the first folder above it that exists.
    ///
    /// # Errors
    ///
    /// The system does not tell.
    pub fn of(path: &Path) -> io::Result<Self> {
        let folder = nearest_existing(path);
        let stat = statfs(&folder)?;
        let block = u64::try_from(stat.block_size()).unwrap_or(0);
        let number = stat.filesystem_type().0 as u32;
        let fitness = match number {
            FUSE => of_fuse(&mounted_as(&folder).unwrap_or_default()),
            number => of_number(number),
        };
        Ok(Self { free: stat.blocks_available() * block, fitness })
    }
}

/// Number of everything that a program serves, local or not.
const FUSE: u32 = 0x6573_5546;

/// Judges by the number that a driver reports to statfs(2).
fn of_number(number: u32) -> Fitness {
    match number {
        // What a client locks there depends on mount options and server that cannot be asked for.
        0x6969 => Fitness::Unfit("NFS"),
        0x517b => Fitness::Unfit("SMB"),
        0xff53_4d42 => Fitness::Unfit("CIFS"),
        0xfe53_4d42 => Fitness::Unfit("SMB2"),
        0x0102_1997 => Fitness::Unfit("9p"),
        0x5346_414f => Fitness::Unfit("AFS"),
        0x7375_7245 => Fitness::Unfit("Coda"),
        // File systems of clusters keep locks across their machines.
        0x0bd0_0bd0 => Fitness::Shared("Lustre"),
        0x4750_4653 => Fitness::Shared("GPFS"),
        0x00c3_6400 => Fitness::Shared("Ceph"),
        0x1983_0326 => Fitness::Shared("BeeGFS"),
        0x7461_636f => Fitness::Shared("OCFS2"),
        0x0116_1970 => Fitness::Shared("GFS2"),
        _ => Fitness::Local,
    }
}

/// Judges what a program serves by the type that it is mounted as: many are local, such as the
/// layers of a container.
fn of_fuse(mounted_as: &str) -> Fitness {
    match mounted_as {
        "fuse.sshfs" => Fitness::Unfit("sshfs"),
        "fuse.rclone" => Fitness::Unfit("rclone"),
        "fuse.s3fs" | "fuse.goofys" | "fuse.mountpoint-s3" => Fitness::Unfit("an S3 bucket"),
        "fuse.gcsfuse" => Fitness::Unfit("a GCS bucket"),
        "fuse.davfs" | "fuse.davfs2" => Fitness::Unfit("WebDAV"),
        "fuse.gvfsd-fuse" => Fitness::Unfit("gvfs"),
        "fuse.glusterfs" => Fitness::Shared("GlusterFS"),
        "fuse.juicefs" => Fitness::Shared("JuiceFS"),
        "virtiofs" => Fitness::Shared("virtiofs"),
        _ => Fitness::Local,
    }
}

fn mounted_as(folder: &Path) -> Option<String> {
    let device = folder.metadata().ok()?.dev();
    let device = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
    kind_in(&fs::read_to_string("/proc/self/mountinfo").ok()?, device)
}

/// Finds the type of a device's mount in `36 35 98:0 /root /point options - type source options`.
fn kind_in(mountinfo: &str, (major, minor): (u64, u64)) -> Option<String> {
    let device = format!("{major}:{minor}");
    let line = mountinfo.lines().find(|line| line.split(' ').nth(2) == Some(&device))?;
    let (_, rest) = line.split_once(" - ")?;
    Some(rest.split(' ').next()?.to_owned())
}

/// Returns the folder itself, or the first above it that exists.
pub fn nearest_existing(path: &Path) -> PathBuf {
    let found = path.ancestors().find(|folder| folder.is_dir());
    match found {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

/// A folder where state is not safe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` is on {kind}: the database needs memory that all its processes share and locks that hold \
     everywhere, and {kind} promises neither, so two machines could damage it; choose a folder on a \
     local disk with --state-dir or BYOL_SWEEP_STATE, or set {ALLOW}=1 if only one machine ever \
     uses this one", folder.display()
)]
pub struct UnfitFolder {
    folder: PathBuf,
    kind: &'static str,
}

/// Whether somebody said that state may lie anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Nobody did.
    NotGiven,
    /// [`ALLOW`] is set.
    Given,
}

impl Consent {
    /// Asks the environment.
    pub fn from_environment() -> Self {
        match std::env::var_os(ALLOW) {
            Some(value) if !value.is_empty() && value != "0" => Self::Given,
            Some(_) | None => Self::NotGiven,
        }
    }
}

/// Refuses a folder where state is not safe, unless somebody consented.
///
/// # Errors
///
/// [`UnfitFolder`] says why and what to do.
pub fn accept(folder: &Path, fitness: Fitness, consent: Consent) -> Result<(), UnfitFolder> {
    match (fitness, consent) {
        (Fitness::Local | Fitness::Shared(_), _) | (Fitness::Unfit(_), Consent::Given) => Ok(()),
        (Fitness::Unfit(kind), Consent::NotGiven) => {
            Err(UnfitFolder { folder: folder.to_owned(), kind })
        }
    }
}

/// Returns what people should know who keep state in `folder`, if anything.
pub fn warning(folder: &Path, fitness: Fitness) -> Option<String> {
    match fitness {
        Fitness::Local => None,
        Fitness::Shared(kind) | Fitness::Unfit(kind) => Some(format!(
            "the state folder {} is on {kind}: use it from one machine at a time, for reading too; \
             a folder on a local disk (--state-dir) is safer and faster",
            folder.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::statfs::{NFS_SUPER_MAGIC, TMPFS_MAGIC};

    use super::*;

    #[test]
    fn file_systems_are_told_by_their_number() {
        assert_eq!(of_number(NFS_SUPER_MAGIC.0 as u32), Fitness::Unfit("NFS"));
        assert_eq!(of_number(TMPFS_MAGIC.0 as u32), Fitness::Local);
        assert_eq!(of_number(0x0bd0_0bd0), Fitness::Shared("Lustre"));
    }

    #[test]
    fn what_programs_serve_is_told_by_its_mount() {
        let mounts = "22 27 0:20 / /sys rw - sysfs sysfs rw\n\
                      36 27 0:52 / /nfs/a rw,nosuid shared:1 - fuse.sshfs a@b: rw\n\
                      37 27 0:53 / /var rw - fuse.fuse-overlayfs overlay rw\n";
        assert_eq!(of_fuse(&kind_in(mounts, (0, 52)).unwrap()), Fitness::Unfit("sshfs"));
        assert_eq!(of_fuse(&kind_in(mounts, (0, 53)).unwrap()), Fitness::Local);
        assert_eq!(kind_in(mounts, (0, 5)), None);
    }

    #[test]
    fn this_machines_own_mounts_are_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(mounted_as(Path::new("/proc")).is_some_and(|kind| kind == "proc"));
        let volume = Volume::of(&folder.path().join("not/there/yet")).unwrap();
        assert!(volume.free > 0);
    }

    #[test]
    fn an_unfit_folder_is_refused_with_a_way_out_unless_somebody_consents() {
        let folder = Path::new("/nfs/a/.byol-sweep");
        let nfs = Fitness::Unfit("NFS");
        let refusal = accept(folder, nfs, Consent::NotGiven).unwrap_err().to_string();
        for part in ["/nfs/a/.byol-sweep", "NFS", "--state-dir", ALLOW] {
            assert!(refusal.contains(part), "{refusal}");
        }
        assert_eq!(accept(folder, nfs, Consent::Given), Ok(()));
        assert!(warning(folder, nfs).unwrap().contains("NFS"));
        for fitness in [Fitness::Local, Fitness::Shared("Lustre")] {
            assert_eq!(accept(folder, fitness, Consent::NotGiven), Ok(()));
        }
        assert_eq!(warning(folder, Fitness::Local), None);
        assert!(warning(folder, Fitness::Shared("Lustre")).unwrap().contains("one machine"));
    }

    #[test]
    fn a_folder_that_is_not_there_yet_stands_for_the_one_above() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(nearest_existing(&folder.path().join("a/b")), folder.path());
        assert_eq!(nearest_existing(Path::new(".byol-sweep-not-there")), Path::new("."));
    }
}
