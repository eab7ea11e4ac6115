//! Appends events to the attempt folder, one JSON line each. Knows nothing of who reads them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::protocol::folder::AttemptFolder;
use crate::protocol::{EventLine, WorkerEvent};

/// The writing end of `events.jsonl`.
#[derive(Debug)]
pub struct Sink {
    file: File,
    seq: u64,
}

impl Sink {
    /// Creates the event file.
    ///
    /// # Errors
    /// Fails when it exists already: an attempt is run once.
    pub fn create(folder: &AttemptFolder) -> io::Result<Self> {
        let file = File::options().append(true).create_new(true).open(folder.events())?;
        Ok(Self { file, seq: 0 })
    }

    /// Appends an event in one write, so that only a crash of the machine can tear a line.
    pub fn send(&mut self, event: WorkerEvent) -> io::Result<()> {
        self.seq += 1;
        let line = EventLine { seq: self.seq, at_ms: now_ms(), event };
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        self.file.write_all(&bytes)
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

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
