//! Gets known data sets over the network: downloads, goes on where a download broke off, verifies,
//! unpacks aside and puts the whole folder in place at once. Knows nothing of what is inside.

mod download;
mod unpack;

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use md5::{Digest, Md5};

use super::cifar10;

/// An archive (`.tar.gz`) and what comes out of it.
#[derive(Clone, Copy, Debug)]
pub struct Archive<'a> {
    /// Name that `data.name` uses.
    pub name: &'a str,
    /// Where it is published.
    pub url: &'a str,
    /// MD5 of the archive, in hexadecimal.
    pub md5: &'a str,
    /// The one folder that it unpacks to.
    pub folder: &'a str,
    /// Files in that folder, each with its MD5.
    pub files: &'a [(&'a str, &'a str)],
}

/// All archives that [`fetch`] can be asked for by name.
pub const KNOWN: [Archive<'static>; 1] = [Archive {
    name: "cifar10",
    url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    md5: "c32a1d4ab5d03f1284b67883e8d87530",
    folder: cifar10::FOLDER,
    files: &cifar10::FILES,
}];

/// Returns the archive of a known data set.
pub fn known(name: &str) -> Result<Archive<'static>, FetchError> {
    KNOWN.into_iter().find(|archive| archive.name == name).ok_or_else(|| FetchError::Unknown {
        name: name.to_owned(),
        known: KNOWN.map(|archive| archive.name).join(", "),
    })
}

/// What [`fetch`] is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Receiving; bytes kept from an earlier try count as done.
    Downloading {
        /// Bytes here.
        done: u64,
        /// Bytes in all, where the server tells.
        total: Option<u64>,
    },
    /// Comparing the MD5.
    Verifying,
    /// Unpacking.
    Unpacking,
}

/// How [`fetch`] ended, with the data set's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// All files were there already and are the official ones.
    AlreadyThere(PathBuf),
    /// Downloaded and unpacked now.
    New(PathBuf),
}

/// A data set cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No archive of this name is known.
    #[error(
        "no download of `{name}` is known; known: {known} (`shapes` needs none, and other sets are read from your own folder)"
    )]
    Unknown {
        /// The name.
        name: String,
        /// The known ones.
        known: String,
    },
    /// The server cannot be reached.
    #[error("cannot reach {url}: {cause}")]
    Network {
        /// The archive.
        url: String,
        /// Why.
        cause: String,
    },
    /// The server refuses.
    #[error("the server answers {status} for {url}")]
    Status {
        /// The archive.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// The connection broke off and the server sends nothing more.
    #[error(
        "the download of {url} broke off after {done} bytes: {cause}; the same command goes on from there"
    )]
    BrokenOff {
        /// The archive.
        url: String,
        /// Bytes kept.
        done: u64,
        /// Why.
        cause: String,
    },
    /// What came is not the archive.
    #[error(
        "{url} came with MD5 {found} instead of {expected}; it is deleted, the same command downloads it anew"
    )]
    WrongMd5 {
        /// The archive.
        url: String,
        /// The official MD5.
        expected: String,
        /// That of the download.
        found: String,
    },
    /// The archive cannot be unpacked, or must not be.
    #[error("cannot unpack {url}: {cause}")]
    Unpack {
        /// The archive.
        url: String,
        /// Why.
        cause: String,
    },
    /// The folder exists and does not hold the official files.
    #[error("{file} is missing or differs from the official one: remove {folder} and fetch again", file = file.display(), folder = folder.display())]
    Damaged {
        /// The folder.
        folder: PathBuf,
        /// The first such file.
        file: PathBuf,
    },
    /// Another process fetches the same set into the same place.
    #[error("another process is downloading {path}: wait for it", path = path.display())]
    Busy {
        /// The partial file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot write {path}: {cause}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Its reason.
        cause: io::Error,
    },
}

/// Makes sure that `into` holds the archive's folder, whole and official.
///
/// A partial download stays beside it as `<archive>.part`, and the next call goes on with it.
pub fn fetch(
    archive: &Archive<'_>,
    into: &Path,
    tell: &mut dyn FnMut(Step),
) -> Result<Fetched, FetchError> {
    let folder = into.join(archive.folder);
    if folder.exists() {
        return match first_wrong_file(archive, &folder) {
            None => Ok(Fetched::AlreadyThere(folder)),
            Some(file) => Err(FetchError::Damaged { folder, file }),
        };
    }
    let io = |path: &Path| {
        let path = path.to_owned();
        |cause| FetchError::Io { path, cause }
    };
    fs::create_dir_all(into).map_err(io(into))?;
    let part = into.join(format!("{}.part", archive.url.rsplit('/').next().unwrap_or_default()));
    let mut file =
        File::options().read(true).append(true).create(true).open(&part).map_err(io(&part))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(FetchError::Busy { path: part }),
        Err(TryLockError::Error(cause)) => return Err(FetchError::Io { path: part, cause }),
    }
    download::download(archive.url, &mut file, &part, tell)?;

    tell(Step::Verifying);
    let found = file.rewind().and_then(|()| md5_of_rest(&mut file)).map_err(io(&part))?;
    if found != archive.md5 {
        fs::remove_file(&part).map_err(io(&part))?;
        let (url, expected) = (archive.url.to_owned(), archive.md5.to_owned());
        return Err(FetchError::WrongMd5 { url, expected, found });
    }

    tell(Step::Unpacking);
    let aside = tempfile::Builder::new().prefix(".unpack-").tempdir_in(into).map_err(io(into))?;
    let unpacked = aside.path().join(archive.folder);
    file.rewind().map_err(io(&part))?;
    let bad = |cause| FetchError::Unpack { url: archive.url.to_owned(), cause };
    unpack::unpack(&mut file, aside.path()).map_err(bad)?;
    if let Some(wrong) = first_wrong_file(archive, &unpacked) {
        let wrong = wrong.strip_prefix(aside.path()).unwrap_or(&wrong).display();
        return Err(bad(format!("{wrong} is missing in it or is not the official one")));
    }
    fs::rename(&unpacked, &folder).map_err(io(&folder))?;
    File::open(into).and_then(|into| into.sync_all()).map_err(io(into))?;
    fs::remove_file(&part).map_err(io(&part))?;
    Ok(Fetched::New(folder))
}

/// Returns the first file that is missing or not the official one.
fn first_wrong_file(archive: &Archive<'_>, folder: &Path) -> Option<PathBuf> {
    let is_wrong = |file: &PathBuf, md5: &str| md5_of(file).ok().as_deref() != Some(md5);
    archive
        .files
        .iter()
        .map(|(name, md5)| (folder.join(name), *md5))
        .find_map(|(file, md5)| is_wrong(&file, md5).then_some(file))
}

/// Returns a file's MD5 in lower-case hexadecimal.
pub(super) fn md5_of(path: &Path) -> io::Result<String> {
    md5_of_rest(&mut File::open(path)?)
}

fn md5_of_rest(file: &mut File) -> io::Result<String> {
    let mut hasher = Md5::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hasher.update(&buffer[..n]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
