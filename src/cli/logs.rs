//! `logs`: what a trial's worker wrote to its standard output and error.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use super::JSON_SCHEMA;
use super::args::{Form, LogsArgs};
use super::exit::{ExitCode, NothingMatched};
use super::places::Places;
use super::reading::Reading;
use crate::exec::logs::earlier;
use crate::protocol::folder::AttemptFolder;
use crate::store::rows::AttemptRow;
use crate::ui::Ui;

/// Time between two looks at growing files.
const LOOK: Duration = Duration::from_millis(250);

pub(super) fn run(args: &LogsArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let newest = newest_attempt(args, places)?;
    let mut logs = Logs::of(&AttemptFolder::at(newest.folder));
    loop {
        // Asked before reading, so that the last lines of an ended attempt are read too.
        let go_on = args.follow && newest_attempt(args, places)?.ended_ms.is_none();
        logs.pass_on(args.reader.form(), ui)?;
        if !go_on {
            return Ok(ExitCode::Success);
        }
        std::thread::sleep(LOOK);
    }
}

/// Reads the trial's newest attempt.
fn newest_attempt(args: &LogsArgs, places: &Places) -> anyhow::Result<AttemptRow> {
    let reading = Reading::open_existing(places)?;
    let (sweep, trial) = reading.trial(&args.sweep, &args.trial)?;
    let newest = reading.wait(reading.store.attempts(&trial.train_key))?.pop();
    newest.ok_or_else(|| {
        NothingMatched(format!("trial {} of {} was never started", trial.ordinal, sweep.name))
            .into()
    })
}

/// The two logs of an attempt, and how much of each has been shown.
struct Logs {
    logs: [Log; 2],
}

/// A log: what was cut from it last, then what it holds.
struct Log {
    path: PathBuf,
    shown: u64,
    /// Whether what was cut before the first look is shown.
    begun: bool,
}

impl Logs {
    fn of(attempt: &AttemptFolder) -> Self {
        let log = |path| Log { path, shown: 0, begun: false };
        Self { logs: [log(attempt.stdout()), log(attempt.stderr())] }
    }

    /// Prints what was written since the last call.
    fn pass_on(&mut self, form: Form, ui: &mut Ui) -> anyhow::Result<()> {
        for (stream, log) in ["stdout", "stderr"].into_iter().zip(&mut self.logs) {
            let bytes =
                log.fresh().with_context(|| format!("cannot read {}", log.path.display()))?;
            match form {
                Form::Text => ui.print_bytes(&bytes)?,
                Form::Json if bytes.is_empty() => {}
                Form::Json => ui.print_bytes(piece(stream, &bytes).as_bytes())?,
            }
        }
        Ok(())
    }
}

/// Returns a line of JSON about what was read; bytes that are no text are replaced.
fn piece(stream: &str, bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    format!("{}\n", json!({ "schema": JSON_SCHEMA, "stream": stream, "text": text }))
}

impl Log {
    /// Returns what was written since the last call. Of a log that was cut since, what stood before
    /// the cut and was not shown may be in the part that was kept aside.
    fn fresh(&mut self) -> io::Result<Vec<u8>> {
        let length = std::fs::metadata(&self.path).map_or(0, |file| file.len());
        let mut bytes = Vec::new();
        if !self.begun || length < self.shown {
            let kept = read_from(&earlier(&self.path), 0)?;
            // How long the log was when it was cut is not known; at least as long as this.
            let shown = if self.begun { self.shown.min(kept.len() as u64) } else { 0 };
            bytes.extend(&kept[usize::try_from(shown).unwrap_or(kept.len())..]);
            self.shown = 0;
            self.begun = true;
        }
        let rest = read_from(&self.path, self.shown)?;
        self.shown += rest.len() as u64;
        bytes.extend(rest);
        Ok(bytes)
    }
}

/// Returns the bytes from `offset`; none where there is no file yet.
fn read_from(path: &Path, offset: u64) -> io::Result<Vec<u8>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_of_a_log_is_one_line_of_json_whatever_its_bytes() {
        insta::assert_snapshot!(piece("stderr", b"one \"two\"\n\xff three\n"));
    }

    #[test]
    fn a_growing_file_is_read_from_where_it_was_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stdout.log");
        assert_eq!(read_from(&path, 0).unwrap(), b"");
        std::fs::write(&path, "one\ntwo\n").unwrap();
        assert_eq!(read_from(&path, 4).unwrap(), b"two\n");
        assert_eq!(read_from(&path, 8).unwrap(), b"");
    }

    #[test]
    fn what_was_cut_is_shown_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stderr.log");
        let write = |path: &Path, text: &str| std::fs::write(path, text).unwrap();
        let mut log = Log { path: path.clone(), shown: 0, begun: false };
        write(&earlier(&path), "one ");
        write(&path, "two three ");
        assert_eq!(log.fresh().unwrap(), b"one two three ");
        assert_eq!(log.fresh().unwrap(), b"");
        write(&earlier(&path), "two three four ");
        write(&path, "five");
        assert_eq!(log.fresh().unwrap(), b"four five");
    }
}
