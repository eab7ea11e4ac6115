//! Reads an event file from a byte offset. Never returns half a line. Knows nothing of who writes
//! the file, nor of where its lines go.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::EventLine;

/// Most bytes that one [`Tail::read`] takes, which is also the longest line.
pub const READ_LIMIT: usize = 4 << 20;

/// Characters of a bad line that an error shows.
const EXCERPT: usize = 80;

/// An event file that cannot be read or does not keep to the protocol. Lines count from 1.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// The file cannot be read.
    #[error("cannot read events from `{}`", path.display())]
    Io {
        /// The event file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A complete line is not an event.
    #[error("`{}` line {line} (byte {offset}) is not an event: `{excerpt}`", path.display())]
    NotAnEvent {
        /// The event file.
        path: PathBuf,
        /// Where the line begins.
        offset: u64,
        /// Number of the line.
        line: u64,
        /// How the line begins.
        excerpt: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A line was repeated or is missing.
    #[error(
        "`{}` line {expected} (byte {offset}) has seq {found} where {expected} follows: \
         two workers wrote to it, or lines were lost",
        path.display()
    )]
    OutOfOrder {
        /// The event file.
        path: PathBuf,
        /// Where the line begins.
        offset: u64,
        /// The seq that follows the last one, which is also the number of the line.
        expected: u64,
        /// The seq of the line.
        found: u64,
    },
    /// A line has no end within [`READ_LIMIT`].
    #[error("`{}` line {line} (byte {offset}) is longer than {limit} bytes", path.display())]
    LineTooLong {
        /// The event file.
        path: PathBuf,
        /// Where the line begins.
        offset: u64,
        /// Number of the line.
        line: u64,
        /// The longest that is read.
        limit: usize,
    },
    /// The file ends before the place that was read up to.
    #[error("`{}` has {length} bytes, but {offset} were read before: it was cut", path.display())]
    Cut {
        /// The event file.
        path: PathBuf,
        /// Bytes read before.
        offset: u64,
        /// Bytes it has now.
        length: u64,
    },
}

/// Lines that were complete, and where they end.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// In the order of the file.
    pub lines: Vec<EventLine>,
    /// Bytes of the file up to the end of the last line.
    pub offset: u64,
    /// `seq` of the last line; 0 before the first.
    pub last_seq: u64,
}

/// A place in an event file.
#[derive(Clone, Debug)]
pub struct Tail {
    path: PathBuf,
    offset: u64,
    last_seq: u64,
    limit: usize,
}

impl Tail {
    /// Continues after `offset` bytes, whose last line has `last_seq`; 0 and 0 for a new file.
    /// Touches no file.
    pub fn new(path: impl Into<PathBuf>, offset: u64, last_seq: u64) -> Self {
        Self { path: path.into(), offset, last_seq, limit: READ_LIMIT }
    }

    /// Returns the event file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the lines that were completed since the last call, at most [`READ_LIMIT`] bytes of
    /// them, and moves on behind them. No lines mean that nothing more is there for now. A last
    /// line without its newline is left for later; a file that does not exist is empty.
    ///
    /// # Errors
    ///
    /// Good lines before a bad one are returned first; the bad one is the error of this and of
    /// every later call once it comes first.
    pub fn read(&mut self) -> Result<Batch, TailError> {
        let bytes = self.bytes()?;
        let Some(end) = bytes.iter().rposition(|&byte| byte == b'\n') else {
            if bytes.len() == self.limit {
                return Err(self.too_long());
            }
            return Ok(self.batch(Vec::new()));
        };
        let mut lines = Vec::new();
        for text in bytes[..=end].split_inclusive(|&byte| byte == b'\n') {
            match self.parse(text) {
                Ok(line) => {
                    self.offset += text.len() as u64;
                    self.last_seq = line.seq;
                    lines.push(line);
                }
                Err(error) if lines.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(self.batch(lines))
    }

    fn batch(&self, lines: Vec<EventLine>) -> Batch {
        Batch { lines, offset: self.offset, last_seq: self.last_seq }
    }

    fn bytes(&self) -> Result<Vec<u8>, TailError> {
        let failed = |source| TailError::Io { path: self.path.clone(), source };
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let length = file.metadata().map_err(failed)?.len();
        if length < self.offset {
            return Err(TailError::Cut { path: self.path.clone(), offset: self.offset, length });
        }
        file.seek(SeekFrom::Start(self.offset)).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(self.limit as u64).read_to_end(&mut bytes).map_err(failed)?;
        Ok(bytes)
    }

    fn parse(&self, text: &[u8]) -> Result<EventLine, TailError> {
        let expected = self.last_seq.saturating_add(1);
        let line: EventLine =
            serde_json::from_slice(text).map_err(|source| TailError::NotAnEvent {
                path: self.path.clone(),
                offset: self.offset,
                line: expected,
                excerpt: excerpt(text),
                source,
            })?;
        if line.seq == expected {
            Ok(line)
        } else {
            Err(TailError::OutOfOrder {
                path: self.path.clone(),
                offset: self.offset,
                expected,
                found: line.seq,
            })
        }
    }

    fn too_long(&self) -> TailError {
        TailError::LineTooLong {
            path: self.path.clone(),
            offset: self.offset,
            line: self.last_seq.saturating_add(1),
            limit: self.limit,
        }
    }
}

/// Returns how a line begins, fit for a terminal.
fn excerpt(text: &[u8]) -> String {
    let shown = String::from_utf8_lossy(&text[..text.len().min(4 * EXCERPT)]);
    shown.trim_end().chars().take(EXCERPT).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;
    use crate::protocol::{End, WorkerEvent};

    fn note(seq: u64, text: &str) -> EventLine {
        EventLine { seq, at_ms: 7, event: WorkerEvent::Note { text: text.into() } }
    }

    fn encode(line: &EventLine) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(line).unwrap();
        bytes.push(b'\n');
        bytes
    }

    /// An event file of its own.
    struct Events(tempfile::TempDir);

    impl Events {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self) -> PathBuf {
            self.0.path().join("events.jsonl")
        }

        fn write(&self, bytes: &[u8]) {
            let mut file = File::options().create(true).append(true).open(self.path()).unwrap();
            file.write_all(bytes).unwrap();
        }

        fn tail(&self) -> Tail {
            Tail::new(self.path(), 0, 0)
        }
    }

    #[test]
    fn a_missing_file_is_empty() {
        let batch = Events::new().tail().read().unwrap();
        assert_eq!(batch, Batch { lines: vec![], offset: 0, last_seq: 0 });
    }

    #[test]
    fn a_torn_line_waits_for_its_end() {
        let events = Events::new();
        let (first, second) = (encode(&note(1, "a")), encode(&note(2, "b")));
        let mut tail = events.tail();
        events.write(&first);
        events.write(&second[..10]);
        let batch = tail.read().unwrap();
        assert_eq!((batch.lines.len(), batch.offset), (1, first.len() as u64));
        assert!(tail.read().unwrap().lines.is_empty());
        events.write(&second[10..]);
        assert_eq!(tail.read().unwrap().lines, [note(2, "b")]);
    }

    #[test]
    fn reading_goes_on_from_a_stored_place() {
        let events = Events::new();
        let first = encode(&note(1, "a"));
        events.write(&first);
        events.write(&encode(&note(2, "b")));
        let mut tail = Tail::new(events.path(), first.len() as u64, 1);
        assert_eq!(tail.read().unwrap().lines, [note(2, "b")]);
    }

    #[test]
    fn good_lines_come_before_the_bad_one_and_the_error_stays() {
        let events = Events::new();
        let first = encode(&note(1, "a"));
        events.write(&first);
        events.write(b"Segmentation fault\n");
        let mut tail = events.tail();
        assert_eq!(tail.read().unwrap().lines.len(), 1);
        for _ in 0..2 {
            let error = tail.read().unwrap_err().to_string();
            let place =
                format!("line 2 (byte {}) is not an event: `Segmentation fault`", first.len());
            assert!(error.contains(&place) && error.contains("events.jsonl"), "{error}");
        }
    }

    #[test]
    fn repeats_and_gaps_are_errors() {
        for (seq, found) in [(1, "seq 1 where 2 follows"), (3, "seq 3 where 2 follows")] {
            let events = Events::new();
            events.write(&encode(&note(1, "a")));
            events.write(&encode(&note(seq, "b")));
            let mut tail = events.tail();
            tail.read().unwrap();
            let error = tail.read().unwrap_err().to_string();
            assert!(error.contains(found), "{error}");
        }
    }

    #[test]
    fn a_line_without_end_is_an_error_and_not_a_standstill() {
        let events = Events::new();
        events.write(&[b'x'; 100]);
        let mut tail = Tail { limit: 100, ..events.tail() };
        assert!(matches!(tail.read(), Err(TailError::LineTooLong { line: 1, .. })));
    }

    #[test]
    fn a_cut_file_is_an_error() {
        let events = Events::new();
        events.write(b"x");
        let mut tail = Tail::new(events.path(), 9, 1);
        assert!(matches!(tail.read(), Err(TailError::Cut { offset: 9, length: 1, .. })));
    }

    fn any_event() -> impl Strategy<Value = WorkerEvent> {
        prop_oneof![
            ".{0,40}".prop_map(|text| WorkerEvent::Note { text }),
            (0..1u64 << 40, -1e300..1e300f64).prop_map(|(update, value)| WorkerEvent::Metrics {
                update,
                values: [("loss".to_owned(), value)].into(),
            }),
            Just(WorkerEvent::Ended { end: End::Stopped }),
        ]
    }

    proptest! {
        #[test]
        fn however_writes_are_chopped_the_events_are_the_same(
            events in prop::collection::vec(any_event(), 0..20),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
            spare in 0..200usize,
        ) {
            let lines: Vec<EventLine> = events
                .into_iter()
                .zip(1..)
                .map(|(event, seq)| EventLine { seq, at_ms: 0, event })
                .collect();
            let texts: Vec<Vec<u8>> = lines.iter().map(encode).collect();
            let bytes = texts.concat();
            let mut places: Vec<usize> =
                cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            places.extend([0, bytes.len()]);
            places.sort_unstable();

            let file = Events::new();
            // The least limit that can hold every line, and somewhat more.
            let limit = texts.iter().map(Vec::len).max().unwrap_or(1) + 1 + spare;
            let mut tail = Tail { limit, ..file.tail() };
            let mut seen = Vec::new();
            for pair in places.windows(2) {
                file.write(&bytes[pair[0]..pair[1]]);
                loop {
                    let batch = tail.read().unwrap();
                    prop_assert!(batch.offset == 0 || bytes[batch.offset as usize - 1] == b'\n');
                    if batch.lines.is_empty() {
                        break;
                    }
                    seen.extend(batch.lines);
                }
            }
            prop_assert_eq!(seen, lines);
        }

        #[test]
        fn arbitrary_bytes_end_in_an_error_or_in_silence(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'{')], 0..300),
            limit in 1..64usize,
        ) {
            let file = Events::new();
            file.write(&bytes);
            let mut tail = Tail { limit, ..file.tail() };
            while let Ok(batch) = tail.read() {
                if batch.lines.is_empty() {
                    break;
                }
            }
        }
    }
}
