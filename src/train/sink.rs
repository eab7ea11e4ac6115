//! Appends events to the attempt folder, one JSON line each. Knows nothing of who reads them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::failpoint::{self, Point};
use crate::protocol::folder::AttemptFolder;
use crate::protocol::{EventLine, WorkerEvent};

/// The writing end of `events.jsonl`.
#[derive(Debug)]
pub struct Sink {
    file: File,
    /// Bytes of whole lines.
    length: u64,
    seq: u64,
}

impl Sink {
    /// Creates the event file.
    ///
    /// # Errors
    /// Fails when it exists already: an attempt is run once.
    pub fn create(folder: &AttemptFolder) -> io::Result<Self> {
        let file = File::options().append(true).create_new(true).open(folder.events())?;
        Ok(Self { file, length: 0, seq: 0 })
    }

    /// Appends an event in one write, so that only a crash of the machine can tear a line.
    ///
    /// # Errors
    /// Fails when the disk is full; the file then ends with the last whole line, so that what is
    /// appended later can be read.
    pub fn send(&mut self, event: WorkerEvent) -> io::Result<()> {
        let line = EventLine { seq: self.seq + 1, at_ms: now_ms(), event };
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        append(&self.file, self.length, |mut file| {
            if failpoint::is_due(Point::LineHalfWritten) {
                file.write_all(&bytes[..bytes.len() / 2])?;
                failpoint::die();
            }
            file.write_all(&bytes)
        })?;
        self.length += bytes.len() as u64;
        self.seq += 1;
        Ok(())
    }

    /// Appends values at an update; those that are not finite are left out, since JSON has none.
    pub fn metrics(&mut self, update: u64, values: BTreeMap<String, f64>) -> io::Result<()> {
        let values = values.into_iter().filter(|(_, value)| value.is_finite()).collect();
        self.send(WorkerEvent::Metrics { update, values })
    }

    /// Makes all that was sent survive a power cut.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Writes to the end of a file of `length` bytes, or leaves it as it was.
fn append(file: &File, length: u64, write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let written = write(file);
    if written.is_err() {
        // Should this fail too, what the write said counts.
        let _ = file.set_len(length);
    }
    written
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::tail::Tail;

    #[test]
    fn a_torn_line_is_taken_back_and_the_last_word_stays_readable() {
        let folder = tempfile::tempdir().unwrap();
        let folder = AttemptFolder::at(folder.path());
        let mut sink = Sink::create(&folder).unwrap();
        let note = |text: &str| WorkerEvent::Note { text: text.into() };
        sink.send(note("whole")).unwrap();
        let torn = append(&sink.file, sink.length, |mut file| {
            file.write_all(b"{\"seq\":2,\"at")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(torn.unwrap_err().kind(), io::ErrorKind::StorageFull);
        sink.send(note("last")).unwrap();
        let lines = Tail::new(folder.events(), 0, 0).read().unwrap().lines;
        let seqs: Vec<_> = lines.iter().map(|line| line.seq).collect();
        assert_eq!(seqs, [1, 2]);
        assert_eq!(lines[1].event, note("last"));
    }
}
