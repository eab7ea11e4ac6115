//! Asks a live controller. Blocks: whoever asks has nothing else to do.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::ControlError;
use super::door::{Door, SOCKET};
use super::message::{self, LONGEST};
use super::server::ANSWER;
use crate::drive::command::{Answer, Request};

/// How long to wait for an answer: longer than the other side waits for its loop.
const PATIENCE: Duration = ANSWER.saturating_add(Duration::from_secs(10));

/// Asks the controller that works in a state folder; `None` where none is alive.
///
/// # Errors
///
/// The socket belongs to somebody else, nothing came back in time, or what came back is no answer.
pub fn ask(state: &Path, request: &Request) -> Result<Option<Answer>, ControlError> {
    ask_within(state, request, PATIENCE)
}

/// Does the same, with less patience.
///
/// # Errors
///
/// Those of [`ask`].
pub(super) fn ask_within(
    state: &Path,
    request: &Request,
    patience: Duration,
) -> Result<Option<Answer>, ControlError> {
    match exchange(state, request, patience) {
        Ok(line) if line.is_empty() => Ok(None),
        Ok(line) => match message::read(&line) {
            Ok(answer) => Ok(Some(answer)),
            Err(what) => Err(ControlError::Answer { state: state.to_owned(), what }),
        },
        Err(error) if is_nobody(&error) => Ok(None),
        Err(error) if is_silence(&error) => Err(ControlError::Silent {
            state: state.to_owned(),
            lock: state.join("lock"),
            seconds: patience.as_secs(),
        }),
        Err(source) => Err(ControlError::Ask { state: state.to_owned(), source }),
    }
}

/// Sends the request and returns the line that comes back; an empty one where the other side left.
fn exchange(state: &Path, request: &Request, patience: Duration) -> io::Result<Vec<u8>> {
    let door = Door::of(state)?;
    let mut stream = UnixStream::connect(door.path(SOCKET))?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(&message::line(request))?;
    let mut line = Vec::new();
    BufReader::new(stream.take(LONGEST)).read_until(b'\n', &mut line)?;
    Ok(line)
}

/// A controller that is gone leaves no folder, no socket, one that nobody listens on, or a
/// connection that breaks.
fn is_nobody(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
    )
}

/// What a socket says of an answer that did not come in time.
fn is_silence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
