//! Where a copy goes: made beside its place under another name, synced, and renamed when it is
//! whole. Knows nothing of what is copied.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use tempfile::{NamedTempFile, TempDir};

use super::error::{ExportError, writing};
use super::manifest;

/// What happens to a copy that has the name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and nothing is exported.
    Kept,
    /// The new one takes its place.
    Replaced,
}

/// A folder in the making; gone when dropped before [`commit`](Self::commit).
#[derive(Debug)]
pub struct NewFolder {
    target: PathBuf,
    aside: TempDir,
    existing: Existing,
}

impl NewFolder {
    /// Begins a folder that is to stand at `target`.
    ///
    /// # Errors
    /// A file is in the way; a folder is, which may not be replaced; the disk refuses.
    pub fn begin(target: &Path, existing: Existing) -> Result<Self, ExportError> {
        match (fs::symlink_metadata(target), existing) {
            (Err(error), _) if error.kind() == io::ErrorKind::NotFound => {}
            (Err(error), _) => return Err(writing(target)(error)),
            (Ok(found), _) if !found.is_dir() => {
                return Err(ExportError::NotAFolder(target.to_owned()));
            }
            (Ok(_), Existing::Kept) => return Err(ExportError::Exists(target.to_owned())),
            (Ok(_), Existing::Replaced) => check_ours(target)?,
        }
        let parent = made_parent(target)?;
        let aside = tempfile::Builder::new()
            .prefix(".export-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777))
            .tempdir_in(&parent)
            .map_err(writing(target))?;
        Ok(Self { target: target.to_owned(), aside, existing })
    }

    /// Returns where to write.
    pub fn path(&self) -> &Path {
        self.aside.path()
    }

    /// Syncs all that was written and gives it its name.
    ///
    /// # Errors
    /// The disk refuses, or something took the name in the meantime.
    pub fn commit(self) -> Result<(), ExportError> {
        let failed = writing(&self.target);
        sync_below(self.aside.path()).map_err(&failed)?;
        match move_to(self.aside.path(), &self.target, RenameFlags::RENAME_NOREPLACE) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match self.existing {
                Existing::Kept => return Err(ExportError::Exists(self.target.clone())),
                // What was there is then aside, and goes with it.
                Existing::Replaced => {
                    move_to(self.aside.path(), &self.target, RenameFlags::RENAME_EXCHANGE)
                        .map_err(&failed)?;
                }
            },
            Err(error) => return Err(failed(error)),
        }
        sync_folder(&parent_of(&self.target)).map_err(&failed)
    }
}

/// A file in the making; gone when dropped before [`commit`](Self::commit).
#[derive(Debug)]
pub struct NewFile {
    target: PathBuf,
    aside: NamedTempFile,
    existing: Existing,
}

impl NewFile {
    /// Begins a file that is to stand at `target`.
    ///
    /// # Errors
    /// A folder is in the way; a file is, which may not be replaced; the disk refuses.
    pub fn begin(target: &Path, existing: Existing) -> Result<Self, ExportError> {
        match (fs::metadata(target), existing) {
            (Ok(found), _) if found.is_dir() => {
                return Err(ExportError::NotAFile(target.to_owned()));
            }
            (Ok(_), Existing::Kept) => return Err(ExportError::Exists(target.to_owned())),
            (Ok(_), Existing::Replaced) => {}
            (Err(error), _) if error.kind() == io::ErrorKind::NotFound => {}
            (Err(error), _) => return Err(writing(target)(error)),
        }
        let aside = tempfile::Builder::new()
            .prefix(".export-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
            .tempfile_in(made_parent(target)?)
            .map_err(writing(target))?;
        Ok(Self { target: target.to_owned(), aside, existing })
    }

    /// Returns where to write.
    pub fn file(&mut self) -> &mut File {
        self.aside.as_file_mut()
    }

    /// Returns the name that it will have.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Syncs what was written and gives it its name.
    ///
    /// # Errors
    /// The disk refuses, or something took the name in the meantime.
    pub fn commit(self) -> Result<(), ExportError> {
        let failed = writing(&self.target);
        self.aside.as_file().sync_all().map_err(&failed)?;
        let persisted = match self.existing {
            Existing::Kept => self.aside.persist_noclobber(&self.target),
            Existing::Replaced => self.aside.persist(&self.target),
        };
        persisted.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => ExportError::Exists(self.target.clone()),
            _ => failed(error.error),
        })?;
        sync_folder(&parent_of(&self.target)).map_err(&failed)
    }
}

/// Fails unless a folder is an export of ours, or empty.
fn check_ours(folder: &Path) -> Result<(), ExportError> {
    let mut entries = fs::read_dir(folder).map_err(writing(folder))?;
    if entries.next().is_none() || manifest::is_in(folder) {
        Ok(())
    } else {
        Err(ExportError::NotOurs(folder.to_owned()))
    }
}

fn parent_of(target: &Path) -> PathBuf {
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}

fn made_parent(target: &Path) -> Result<PathBuf, ExportError> {
    let parent = parent_of(target);
    fs::create_dir_all(&parent).map_err(writing(&parent))?;
    Ok(parent)
}

/// Renames; where a file system knows no such flags, what they ask for is done in steps.
fn move_to(from: &Path, to: &Path, flags: RenameFlags) -> io::Result<()> {
    match renameat2(AT_FDCWD, from, AT_FDCWD, to, flags) {
        Ok(()) => Ok(()),
        Err(Errno::EINVAL | Errno::ENOSYS) if flags == RenameFlags::RENAME_NOREPLACE => {
            if to.exists() {
                Err(io::ErrorKind::AlreadyExists.into())
            } else {
                fs::rename(from, to)
            }
        }
        Err(Errno::EINVAL | Errno::ENOSYS) => {
            let old = from.with_extension("old");
            fs::rename(to, &old)?;
            fs::rename(from, to)?;
            fs::remove_dir_all(&old)
        }
        Err(errno) => Err(errno.into()),
    }
}

fn sync_below(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { sync_below(&path)? } else { File::open(&path)?.sync_all()? }
    }
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn export(target: &Path, existing: Existing, text: &str) -> Result<(), ExportError> {
        let folder = NewFolder::begin(target, existing)?;
        fs::write(folder.path().join("table"), text).unwrap();
        manifest::write(folder.path(), &manifest::Manifest::default())?;
        folder.commit()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_appears_whole_and_is_kept_unless_forced() {
        let scratch = tempfile::tempdir().unwrap();
        let target = scratch.path().join("deep/copy");
        export(&target, Existing::Kept, "one").unwrap();
        let error = export(&target, Existing::Kept, "two").unwrap_err();
        assert!(matches!(&error, ExportError::Exists(path) if *path == target), "{error}");
        assert!(error.is_usage());
        export(&target, Existing::Replaced, "three").unwrap();
        assert_eq!(fs::read_to_string(target.join("table")).unwrap(), "three");
        assert_eq!(names(&scratch.path().join("deep")), ["copy"]);
    }

    #[test]
    fn what_is_given_up_leaves_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = NewFolder::begin(&scratch.path().join("copy"), Existing::Kept).unwrap();
        fs::write(folder.path().join("half"), "a table").unwrap();
        drop(folder);
        drop(NewFile::begin(&scratch.path().join("file"), Existing::Kept).unwrap());
        assert_eq!(names(scratch.path()), [""; 0]);
    }

    #[test]
    fn force_deletes_nothing_but_exports() {
        let scratch = tempfile::tempdir().unwrap();
        let home = scratch.path().join("home");
        fs::create_dir(&home).unwrap();
        export(&home, Existing::Replaced, "an empty folder may go").unwrap();
        let thesis = scratch.path().join("thesis");
        fs::create_dir(&thesis).unwrap();
        fs::write(thesis.join("chapter.tex"), "mine").unwrap();
        let error = export(&thesis, Existing::Replaced, "x").unwrap_err();
        assert!(matches!(error, ExportError::NotOurs(_)), "{error}");
        assert_eq!(fs::read_to_string(thesis.join("chapter.tex")).unwrap(), "mine");
    }

    #[test]
    fn a_thing_of_the_other_kind_is_in_the_way() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("file");
        fs::write(&file, "mine").unwrap();
        for existing in [Existing::Kept, Existing::Replaced] {
            let error = NewFolder::begin(&file, existing).unwrap_err();
            assert!(matches!(error, ExportError::NotAFolder(_)), "{error}");
            let error = NewFile::begin(scratch.path(), existing).unwrap_err();
            assert!(matches!(error, ExportError::NotAFile(_)), "{error}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
    }

    #[test]
    fn a_file_is_replaced_only_when_forced() {
        let scratch = tempfile::tempdir().unwrap();
        let target = scratch.path().join("w.safetensors");
        NewFile::begin(&target, Existing::Kept).unwrap().commit().unwrap();
        assert!(NewFile::begin(&target, Existing::Kept).is_err());
        NewFile::begin(&target, Existing::Replaced).unwrap().commit().unwrap();
        assert_eq!(names(scratch.path()), ["w.safetensors"]);
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        let full = writing(Path::new("x"))(io::ErrorKind::StorageFull.into());
        assert!(full.to_string().starts_with("the disk of x is full, and nothing"), "{full}");
        assert!(!full.is_usage());
    }
}
