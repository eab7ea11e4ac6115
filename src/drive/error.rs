//! What ends a run before its time. Live attempts go on by themselves.

use std::io;
use std::path::PathBuf;

use crate::exec::ExecError;
use crate::protocol::tail::TailError;
use crate::schedule::phase::IllegalMove;
use crate::store::StoreError;

/// Why the controller gave up; the next `run` goes on where it was.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum DriveError {
    /// Another controller is at work.
    #[error(
        "another byol-sweep ({holder}) works on `{}`; wait for it, stop it, or choose another \
         folder with --state-dir", state.display()
    )]
    Locked { state: PathBuf, holder: String },
    /// The lock file cannot be used.
    #[error(
        "cannot lock `{}`: the state folder has to be one that you may write to; choose another \
         with --state-dir", path.display()
    )]
    Lock { path: PathBuf, source: io::Error },
    /// Somebody took the state folder away from under the run.
    #[error(
        "`{}` was removed, moved or replaced while a run was at work: what it still had to write is \
         lost, so its trials were killed; put the state folder back if you have it, and run again",
        path.display()
    )]
    Homeless { path: PathBuf },
    /// There is no place for any attempt.
    #[error("no device is left to run on; see --devices and --jobs")]
    NoSlots,
    /// An order could not be written.
    #[error("cannot write the order `{}`; is the disk full?", path.display())]
    Order { path: PathBuf, source: io::Error },
    /// An attempt folder could not be read or claimed.
    #[error("cannot examine `{}`", path.display())]
    Folder { path: PathBuf, source: io::Error },
    /// Events could not be read.
    #[error(transparent)]
    Events(#[from] TailError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The executor failed.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// Signals cannot be received.
    #[error("cannot listen to signals")]
    Signals { source: io::Error },
    /// A defect of the loop.
    #[error(transparent)]
    IllegalMove(#[from] IllegalMove),
}
