//! A `.tar.gz` into an empty folder: plain files and folders only, none outside of it.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;
use tar::EntryType;

/// Unpacks all entries below `into` and syncs them; the error is a sentence.
pub(super) fn unpack(archive: &mut File, into: &Path) -> Result<(), String> {
    let mut archive = tar::Archive::new(GzDecoder::new(BufReader::new(archive)));
    for entry in archive.entries().map_err(|error| error.to_string())? {
        let mut entry = entry.map_err(|error| error.to_string())?;
        let name = entry.path().map_err(|error| error.to_string())?.into_owned();
        let told = |what: &str| format!("entry `{}` {what}", name.display());
        let path = into.join(inside(&name).ok_or_else(|| told("leads out of the folder"))?);
        let written = match entry.header().entry_type() {
            EntryType::Directory => fs::create_dir_all(&path),
            EntryType::Regular => write(&mut entry, &path),
            _ => return Err(told("is neither a file nor a folder")),
        };
        written.map_err(|error| told(&format!("cannot be written: {error}")))?;
    }
    Ok(())
}

/// Returns the path if it goes down only.
fn inside(name: &Path) -> Option<PathBuf> {
    let step = |step| match step {
        Component::Normal(name) => Some(name),
        Component::CurDir => Some("".as_ref()),
        Component::Prefix(_) | Component::RootDir | Component::ParentDir => None,
    };
    name.components().map(step).collect()
}

fn write(entry: &mut impl Read, path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = File::create_new(path)?;
    io::copy(entry, &mut file)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// Unpacks an archive of one entry into a folder within a folder.
    fn unpacked(
        kind: EntryType,
        name: &[u8],
        body: &[u8],
    ) -> (Result<(), String>, tempfile::TempDir) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(body.len() as u64);
        header.set_mode(0o644);
        // Names are set as bytes, since the builder refuses those that are tested here.
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        header.set_cksum();
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        tar.append(&header, body).unwrap();
        let bytes = tar.into_inner().unwrap().finish().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file.rewind().unwrap();
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("in")).unwrap();
        (unpack(&mut file, &root.path().join("in")), root)
    }

    #[test]
    fn files_come_out_below_the_folder() {
        let (result, root) = unpacked(EntryType::Regular, b"./a/b.bin", b"bytes");
        result.unwrap();
        assert_eq!(fs::read(root.path().join("in/a/b.bin")).unwrap(), b"bytes");
    }

    #[test]
    fn nothing_gets_out_of_the_folder() {
        for name in [&b"../out"[..], b"a/../../out", b"/tmp/byol-sweep-out"] {
            let (result, root) = unpacked(EntryType::Regular, name, b"bytes");
            assert!(result.unwrap_err().ends_with("leads out of the folder"));
            assert!(!root.path().join("out").exists());
        }
        for kind in [EntryType::Symlink, EntryType::Link, EntryType::Fifo] {
            let (result, _root) = unpacked(kind, b"link", b"");
            assert_eq!(result.unwrap_err(), "entry `link` is neither a file nor a folder");
        }
    }
}
