//! Writing so that no reader sees half a file. Knows nothing of what is written.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// The usual mode; the umask takes its part.
const USUAL: u32 = 0o666;
/// For the owner only.
const PRIVATE: u32 = 0o600;

/// Writes a file whole or not at all: aside, synced, renamed, folder synced.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, USUAL)
}

/// Does the same with a file that only its owner may read.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, bytes, PRIVATE)
}

/// Writes a file whole or not at all for a process that reads it at once and dies with the machine:
/// aside and renamed, and not waited for until it is on the disk.
pub fn hand_over(path: &Path, bytes: &[u8]) -> io::Result<()> {
    draft(&folder_of(path)?, bytes, USUAL)?.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let folder = folder_of(path)?;
    aside(&folder, bytes, mode)?.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
}

/// Returns the folder of a file, and makes it.
fn folder_of(path: &Path) -> io::Result<PathBuf> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    Ok(folder.to_owned())
}

/// A file that could not be written, and why.
#[derive(Debug)]
pub struct Unwritten {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Writes files of one folder together: nothing is replaced before all are on the disk and have a
/// place to go to, so that a full disk leaves what was there. Then the files of the names in `gone` are
/// removed. Between the renames a crash may still leave some old and some new.
pub fn write_together(
    folder: &Path,
    files: &[(String, Vec<u8>)],
    gone: &[String],
) -> Result<(), Unwritten> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Unwritten { path, source }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let mut ready: Vec<(PathBuf, NamedTempFile)> = Vec::new();
    for (name, bytes) in files {
        let path = folder.join(name);
        if path.is_dir() {
            return Err(failed(&path)(io::ErrorKind::IsADirectory.into()));
        }
        let aside = aside(folder, bytes, USUAL).map_err(failed(&path))?;
        ready.push((path, aside));
    }
    for (path, aside) in ready {
        aside.persist(&path).map_err(|error| failed(&path)(error.error))?;
    }
    for path in gone.iter().map(|name| folder.join(name)) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(&path)(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed(folder))
}

/// Writes a file under a name of its own, which goes unless it is renamed.
fn draft(folder: &Path, bytes: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let mut draft = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(mode))
        .tempfile_in(folder)?;
    draft.write_all(bytes)?;
    Ok(draft)
}

/// Does the same, and has it on the disk.
fn aside(folder: &Path, bytes: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let aside = draft(folder, bytes, mode)?;
    aside.as_file().sync_all()?;
    Ok(aside)
}
