//! What a worker wrote to its standard output and error, piece by piece, for a page that follows
//! it. Which file that is says the store, never the address.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use axum::extract::{Path as Address, Query, State};
use axum::http::header::{self, HeaderName};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::error::Refusal;
use super::house::{House, aside};
use crate::protocol::folder::AttemptFolder;
use crate::store::rows::AttemptRow;

/// Bytes of a piece: what a page has room for, and what is shown of a log at first.
pub(super) const PIECE: u64 = 64 << 10;

/// Says where the next piece begins.
const NEXT: HeaderName = HeaderName::from_static("x-next");

/// One of a worker's two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
}

impl Stream {
    pub(super) const ALL: [Self; 2] = [Self::Err, Self::Out];

    /// Returns its name in addresses.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Out => "stdout",
            Self::Err => "stderr",
        }
    }

    /// Returns its name for people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Out => "standard output",
            Self::Err => "standard error",
        }
    }

    fn file(self, folder: &AttemptFolder) -> PathBuf {
        match self {
            Self::Out => folder.stdout(),
            Self::Err => folder.stderr(),
        }
    }
}

/// What a page asks for.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    /// Where the piece begins; the end of the log without it.
    from: Option<u64>,
}

/// A piece of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Piece {
    /// What it says, whatever bytes it is made of.
    pub(super) text: String,
    /// Where it begins, and where the next one does.
    pub(super) from: u64,
    pub(super) next: u64,
}

/// Answers with a piece of a log.
pub(super) async fn serve(
    State(house): State<House>,
    Address((sweep, key, attempt, stream)): Address<(String, String, u32, String)>,
    Query(asked): Query<Asked>,
) -> Result<Response, Refusal> {
    let missing = || {
        let title = format!("there is no log {stream} of attempt {attempt}");
        Refusal::not_found(title, "the page of the trial names those there are")
    };
    let stream =
        Stream::ALL.into_iter().find(|known| known.name() == stream).ok_or_else(missing)?;
    let (roster, place) = house.trial(&sweep, &key).await?;
    let attempts = house.store.attempts(&roster.rows[place].trial.train_key).await?;
    let attempt = attempts.into_iter().find(|row| row.number.0 == attempt).ok_or_else(missing)?;
    let piece = aside(move || piece(&attempt, stream, asked.from)).await??;
    let kind = "text/plain; charset=utf-8".to_owned();
    let headers = [(header::CONTENT_TYPE, kind), (NEXT, piece.next.to_string())];
    Ok((headers, piece.text).into_response())
}

/// Reads a piece of an attempt's log: from there, or its end.
pub(super) fn piece(
    attempt: &AttemptRow,
    stream: Stream,
    from: Option<u64>,
) -> Result<Piece, Refusal> {
    let path = stream.file(&AttemptFolder::at(&attempt.folder));
    read(&path, from).map_err(|error| Refusal::internal(&error))
}

fn read(path: &Path, from: Option<u64>) -> io::Result<Piece> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Piece::default()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    // A log that was cut since is shown from its new beginning.
    let from = from.filter(|from| *from <= length).unwrap_or(match from {
        Some(_) => 0,
        None => length.saturating_sub(PIECE),
    });
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(PIECE).read_to_end(&mut bytes)?;
    let whole = whole(&bytes);
    let text = String::from_utf8_lossy(&bytes[..whole]).into_owned();
    Ok(Piece { text, from, next: from + whole as u64 })
}

/// Returns how many bytes end with a whole character: the rest of it may not be written yet.
fn whole(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => error.valid_up_to(),
        Ok(_) | Err(_) => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stderr.log");
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    #[test]
    fn a_log_is_followed_from_where_it_was_left() {
        let (_folder, path) = log("naïve".as_bytes());
        let first = read(&path, None).unwrap();
        assert_eq!((first.text.as_str(), first.next), ("naïve", 6));
        assert_eq!(read(&path, Some(6)).unwrap().text, "");
        std::fs::write(&path, "cut").unwrap();
        assert_eq!(read(&path, Some(6)).unwrap().text, "cut", "it was cut since");
    }

    #[test]
    fn the_end_of_a_long_log_is_shown_first() {
        let (_folder, path) = log(&[b'x'; 100_000]);
        let piece = read(&path, None).unwrap();
        assert_eq!((piece.from, piece.next), (100_000 - PIECE, 100_000));
    }

    #[test]
    fn half_a_character_waits_for_its_rest_and_bytes_that_are_none_do_not() {
        let (_folder, path) = log(&"aï".as_bytes()[..2]);
        let piece = read(&path, None).unwrap();
        assert_eq!((piece.text.as_str(), piece.next), ("a", 1));
        std::fs::write(&path, b"a\xff").unwrap();
        assert_eq!(read(&path, None).unwrap().text, "a\u{fffd}");
        assert_eq!(read(Path::new("nowhere"), None).unwrap(), Piece::default());
    }
}
