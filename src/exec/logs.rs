//! Keeps a worker that floods its logs from filling the disk: what is beyond the limit is cut, and
//! its end kept aside. Workers append, so a log may be cut under them. Knows nothing of what is
//! written.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::files::write_atomically;
use crate::protocol::folder::AttemptFolder;

/// Bytes of a log above which it is cut. Two parts of two logs stay below four times as much.
pub const LIMIT: u64 = 16 << 20;

/// What is to be done about a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Nothing.
    Leave,
    /// Keep aside what follows `from`, and cut it.
    Cut { from: u64 },
}

/// Decides what is to be done about a log of this length.
fn turn(length: u64, limit: u64) -> Turn {
    if length <= limit { Turn::Leave } else { Turn::Cut { from: length - limit } }
}

/// Opens a log for a worker: empty, and for appending, so that what is written after a cut begins
/// where the log ends.
///
/// # Errors
///
/// The file cannot be made.
pub fn open(path: &Path) -> io::Result<File> {
    File::create(path)?;
    File::options().append(true).open(path)
}

/// Cuts the logs of an attempt where they are longer than [`LIMIT`]. To be called now and then while
/// it lives.
///
/// # Errors
///
/// A log cannot be read, or its end not be kept.
pub fn tidy(folder: &AttemptFolder) -> io::Result<()> {
    for log in [folder.stdout(), folder.stderr()] {
        cut(&log, LIMIT)?;
    }
    Ok(())
}

/// Returns where the end of a log is kept that was cut last.
pub fn earlier(log: &Path) -> PathBuf {
    let mut name = log.file_name().unwrap_or_default().to_owned();
    name.push(".1");
    log.with_file_name(name)
}

fn cut(log: &Path, limit: u64) -> io::Result<()> {
    let length = match fs::metadata(log) {
        Ok(file) => file.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let from = match turn(length, limit) {
        Turn::Leave => return Ok(()),
        Turn::Cut { from } => from,
    };
    let mut file = File::options().read(true).write(true).open(log)?;
    file.seek(SeekFrom::Start(from))?;
    let mut end = Vec::new();
    (&mut file).take(limit).read_to_end(&mut end)?;
    // At once: what a worker writes in between is lost. On a full disk the end cannot be kept, and
    // the cut is what matters.
    file.set_len(0)?;
    write_atomically(&earlier(log), &end)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_log_is_cut_only_beyond_the_limit_and_no_more_than_the_limit_kept() {
        assert_eq!(turn(0, 10), Turn::Leave);
        assert_eq!(turn(10, 10), Turn::Leave);
        assert_eq!(turn(11, 10), Turn::Cut { from: 1 });
        assert_eq!(turn(1000, 10), Turn::Cut { from: 990 });
    }

    #[test]
    fn a_writer_goes_on_at_the_beginning_of_a_log_that_was_cut_under_it() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("stderr.log");
        let mut writer = open(&log).unwrap();
        writer.write_all(b"first second third ").unwrap();
        cut(&log, 6).unwrap();
        writer.write_all(b"fourth").unwrap();
        assert_eq!(fs::read(earlier(&log)).unwrap(), b"third ");
        assert_eq!(fs::read(&log).unwrap(), b"fourth");
        cut(&log, 6).unwrap();
        assert_eq!(fs::read(earlier(&log)).unwrap(), b"third ", "it is not longer than the limit");
    }

    #[test]
    fn a_log_that_is_not_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        tidy(&AttemptFolder::at(folder.path())).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_log_that_is_opened_again_begins_empty() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("stdout.log");
        fs::write(&log, "of a launch that failed").unwrap();
        open(&log).unwrap();
        assert_eq!(fs::read(&log).unwrap(), b"");
    }
}
