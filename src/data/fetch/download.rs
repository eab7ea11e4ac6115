//! One file over HTTP, going on where an earlier try broke off (RFC 9110, section 14).

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use ureq::http::{StatusCode, header};
use ureq::{Agent, Body, http::Response};

use super::{FetchError, Step};

/// Longest silence of a server that is not taken for a broken connection.
const SILENCE: Duration = Duration::from_secs(60);

/// How one request ended.
enum Attempt {
    /// The file is whole.
    Complete,
    /// The connection broke off.
    BrokenOff(String),
    /// The server cannot go on from what is here.
    NotFromHere,
}

/// Appends to `file` (at `part`, opened for appending) until it is whole. Asks again as long as
/// each answer brings more than there was.
pub(super) fn download(
    url: &str,
    file: &mut File,
    part: &Path,
    tell: &mut dyn FnMut(Step),
) -> Result<(), FetchError> {
    let io = |cause| FetchError::Io { path: part.to_owned(), cause };
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .build()
        .into();
    loop {
        let have = file.metadata().map_err(io)?.len();
        match attempt(&agent, url, file, have, &io, tell)? {
            Attempt::Complete => return file.sync_all().map_err(io),
            Attempt::NotFromHere => file.set_len(0).map_err(io)?,
            Attempt::BrokenOff(cause) => {
                let done = file.metadata().map_err(io)?.len();
                if done <= have {
                    return Err(FetchError::BrokenOff { url: url.to_owned(), done, cause });
                }
            }
        }
    }
}

fn attempt(
    agent: &Agent,
    url: &str,
    file: &mut File,
    have: u64,
    io: &dyn Fn(io::Error) -> FetchError,
    tell: &mut dyn FnMut(Step),
) -> Result<Attempt, FetchError> {
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header(header::RANGE, format!("bytes={have}-"));
    }
    let response = request
        .call()
        .map_err(|error| FetchError::Network { url: url.to_owned(), cause: error.to_string() })?;
    let range = content_range(&response);
    match response.status() {
        StatusCode::OK => {
            file.set_len(0).map_err(io)?;
            let total = response.body().content_length();
            receive(response, file, 0, total, io, tell)
        }
        StatusCode::PARTIAL_CONTENT if have > 0 => match range {
            Some(ContentRange { start: Some(start), total }) if start == have => {
                receive(response, file, have, total, io, tell)
            }
            Some(_) | None => Ok(Attempt::NotFromHere),
        },
        // All of it is here, or it became shorter than what is.
        StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => match range {
            Some(ContentRange { total: Some(total), .. }) if total == have => Ok(Attempt::Complete),
            Some(_) | None => Ok(Attempt::NotFromHere),
        },
        status => Err(FetchError::Status { url: url.to_owned(), status: status.as_u16() }),
    }
}

/// Appends a response's body.
fn receive(
    response: Response<Body>,
    file: &mut File,
    mut done: u64,
    total: Option<u64>,
    io: &dyn Fn(io::Error) -> FetchError,
    tell: &mut dyn FnMut(Step),
) -> Result<Attempt, FetchError> {
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0; 1 << 16];
    loop {
        tell(Step::Downloading { done, total });
        match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                file.write_all(&buffer[..n]).map_err(io)?;
                done += n as u64;
            }
            Err(error) => return Ok(Attempt::BrokenOff(error.to_string())),
        }
    }
    match total {
        Some(total) if done < total => {
            Ok(Attempt::BrokenOff(format!("the server closed at {done} of {total} bytes")))
        }
        Some(_) | None => Ok(Attempt::Complete),
    }
}

/// `bytes <start>-<end>/<total>` or `bytes */<total>`; `*` for an unknown total.
#[derive(Debug, PartialEq, Eq)]
struct ContentRange {
    start: Option<u64>,
    total: Option<u64>,
}

fn content_range(response: &Response<Body>) -> Option<ContentRange> {
    parse_content_range(response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?)
}

fn parse_content_range(value: &str) -> Option<ContentRange> {
    let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let start = range.split_once('-').and_then(|(start, _)| start.trim().parse().ok());
    Some(ContentRange { start, total: total.trim().parse().ok() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read() {
        let range = |start, total| Some(ContentRange { start, total });
        assert_eq!(parse_content_range("bytes 5-9/10"), range(Some(5), Some(10)));
        assert_eq!(parse_content_range("bytes 5-9/*"), range(Some(5), None));
        assert_eq!(parse_content_range("bytes */10"), range(None, Some(10)));
        assert_eq!(parse_content_range("lines 5-9/10"), None);
    }
}
