//! Why an attempt could not go on, and which failure that is for the controller.

use std::any::Any;
use std::io::ErrorKind;
use std::path::PathBuf;

use super::eval::EvalError;
use super::net::NetError;
use super::poll::Interrupted;
use crate::augment::AugmentError;
use crate::data::DataError;
use crate::outcome::FailureReason;

/// Why an attempt could not go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The images cannot be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// An image cannot become a view.
    #[error(transparent)]
    View(#[from] AugmentError),
    /// The features cannot be judged.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// The networks cannot be built.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The thread that makes views is gone.
    #[error("the image loader died; stderr.log tells why")]
    LoaderGone,
    /// The order asks for what its data cannot give.
    #[error("{0}")]
    Rejected(String),
    /// A file of the attempt folder.
    #[error("cannot {doing} {}: {source}", path.display())]
    File {
        /// `read`, `write`.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An event could not be appended.
    #[error("cannot append to events.jsonl: {0}")]
    Sink(#[from] std::io::Error),
    /// A checkpoint or weights file is damaged, or does not hold what the spec needs.
    #[error("{} is damaged or of another trial: {problem}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Somebody asked to stop while there was nothing to keep.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// libtorch refused an operation.
    #[error("libtorch: {0}")]
    Torch(String),
}

impl From<tch::TchError> for TrainError {
    fn from(error: tch::TchError) -> Self {
        Self::Torch(first_line(&error.to_string()))
    }
}

impl TrainError {
    /// Returns whether this is no failure but an answer to a request.
    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Interrupted(_) | Self::Eval(EvalError::Interrupted(_)))
    }

    /// Returns the class that decides whether to try again.
    pub fn reason(&self) -> FailureReason {
        match self {
            Self::Data(DataError::Io { cause, .. }) => match cause.kind() {
                // These are wrong for good, a share that does not answer is not.
                ErrorKind::NotFound | ErrorKind::PermissionDenied => FailureReason::SpecRejected,
                _ => reason_of_io(cause),
            },
            Self::Data(_) | Self::View(_) | Self::Net(_) | Self::Rejected(_) => {
                FailureReason::SpecRejected
            }
            Self::File { source: error, .. } | Self::Sink(error) => reason_of_io(error),
            Self::LoaderGone | Self::Checkpoint { .. } => FailureReason::Panicked,
            // The worker tells these as what they are.
            Self::Interrupted(_) => FailureReason::Killed,
            Self::Eval(error) => match error {
                EvalError::Interrupted(_) => FailureReason::Killed,
                EvalError::Torch(error) => reason_of_message(&error.to_string()),
                EvalError::NoHoldout => FailureReason::SpecRejected,
                EvalError::Shape { .. }
                | EvalError::Label { .. }
                | EvalError::Mismatch { .. }
                | EvalError::NoFiniteCandidate => FailureReason::Panicked,
            },
            Self::Torch(message) => reason_of_message(message),
        }
    }
}

/// Classifies what the system said of a file.
pub fn reason_of_io(error: &std::io::Error) -> FailureReason {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FailureReason::DiskFull,
        _ => FailureReason::IoError,
    }
}

/// Classifies what libtorch threw: it has no error codes, only texts.
pub fn reason_of_message(message: &str) -> FailureReason {
    let message = message.to_ascii_lowercase();
    let memory = ["out of memory", "can't allocate memory", "cannot allocate memory", "bad_alloc"];
    let disk = ["no space left on device", "disk quota exceeded"];
    if memory.iter().any(|sign| message.contains(sign)) {
        FailureReason::OutOfMemory
    } else if disk.iter().any(|sign| message.contains(sign)) {
        FailureReason::DiskFull
    } else {
        FailureReason::Panicked
    }
}

/// Returns what a panic said.
pub fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("unknown panic")
}

/// Returns the first line: libtorch appends a C++ backtrace to its messages.
pub fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_devices_ways_of_running_out_of_memory_are_known() {
        for text in [
            "CUDA out of memory. Tried to allocate 2.00 GiB",
            "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried",
            "std::bad_alloc",
        ] {
            assert_eq!(reason_of_message(text), FailureReason::OutOfMemory, "{text}");
        }
        assert_eq!(reason_of_message("shape mismatch"), FailureReason::Panicked);
    }

    #[test]
    fn images_that_cannot_be_read_now_may_be_readable_later_and_missing_ones_not() {
        let error = |errno| DataError::Io {
            path: "a.png".into(),
            cause: std::io::Error::from_raw_os_error(errno),
        };
        for errno in [libc::EIO, libc::ESTALE, libc::ETIMEDOUT] {
            let reason = TrainError::Data(error(errno)).reason();
            assert_eq!(reason, FailureReason::IoError);
            assert!(reason.is_retryable());
        }
        for errno in [libc::ENOENT, libc::EACCES] {
            let reason = TrainError::Data(error(errno)).reason();
            assert_eq!(reason, FailureReason::SpecRejected);
        }
    }

    #[test]
    fn a_full_disk_is_known_by_whoever_meets_it() {
        for errno in [libc::ENOSPC, libc::EDQUOT] {
            let error = std::io::Error::from_raw_os_error(errno);
            // What writes checkpoints has texts only.
            assert_eq!(reason_of_message(&error.to_string()), FailureReason::DiskFull);
            assert_eq!(TrainError::Sink(error).reason(), FailureReason::DiskFull);
        }
    }
}
