//! Where the socket lies. A socket's path may have 107 bytes and a state folder's may have more, so
//! the folder is opened and the socket named through it.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// Name of the socket in the state folder.
pub const SOCKET: &str = "control.sock";

/// An opened state folder.
#[derive(Debug)]
pub(super) struct Door(File);

impl Door {
    pub(super) fn of(state: &Path) -> io::Result<Self> {
        File::open(state).map(Self)
    }

    /// Returns a short path of a file in the folder; it is good for as long as this value lives.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{file}", self.0.as_raw_fd()))
    }
}
