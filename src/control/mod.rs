//! The door to a live controller: a Unix socket in its state folder, for its owner only. One line
//! of JSON asks, one line answers. Knows nothing of what requests mean.

mod client;
pub mod controller;
mod door;
mod message;
mod server;

pub use client::ask;
pub use door::SOCKET;
pub use server::Server;

use std::io;
use std::path::PathBuf;

/// Why a controller could not be asked, or cannot listen.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum ControlError {
    /// The socket cannot be made.
    #[error(
        "cannot listen on `{}`; is --state-dir on a disk of this machine?", path.display()
    )]
    Listen { path: PathBuf, source: io::Error },
    /// The socket is there and cannot be used.
    #[error("cannot ask the run that works in `{}`", state.display())]
    Ask { state: PathBuf, source: io::Error },
    /// Nothing came back in time.
    #[error(
        "the run that works in `{}` has not answered for {seconds} s: it hangs, or its process is \
         stopped; `{}` tells which process it is, and no trial is lost if you kill it",
        state.display(), lock.display()
    )]
    Silent { state: PathBuf, lock: PathBuf, seconds: u64 },
    /// What came back is no answer.
    #[error(
        "the run that works in `{}` gave an answer that this version cannot read: {what}; \
         is it another version of byol-sweep?", state.display()
    )]
    Answer { state: PathBuf, what: String },
}

#[cfg(test)]
mod tests;
