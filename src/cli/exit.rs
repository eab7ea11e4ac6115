//! What the controller's exit codes mean, and the one mapping from errors to them.

use std::io;

use crate::data::DataError;
use crate::data::fetch::FetchError;
use crate::exec::devices::DeviceError;
use crate::export::ExportError;
use crate::import::ImportError;
use crate::plan::PlanError;
use crate::report::{BuildError, WriteError};
use crate::spec::SpecError;
use crate::store::BackupError;
use crate::verbs::VerbError;

/// Exit code of the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
    /// All that was asked for is finished; collapsed and diverged trials are results too.
    Success = 0,
    /// Internal or infrastructure error; or another controller holds the lock.
    Internal = 1,
    /// The command line or the sweep file was rejected.
    Usage = 2,
    /// What was compared is different.
    Different = 3,
    /// No sweep or trial matched.
    NothingMatched = 4,
    /// `wait` ended before the trials did.
    TimedOut = 5,
    /// The sweep ran to its end, but some trials failed.
    TrialsFailed = 100,
    /// The user interrupted.
    Interrupted = 130,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        std::process::ExitCode::from(code as u8)
    }
}

/// What was typed, or the sweep file, is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// No sweep or trial has that name.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NothingMatched(pub String);

/// Returns the exit code that an error ends the program with.
pub fn code_of(error: &anyhow::Error) -> ExitCode {
    let rejected = error.is::<UsageError>()
        || error.is::<PlanError>()
        || error.is::<SpecError>()
        || error.is::<DataError>()
        || error.is::<DeviceError>()
        || error.downcast_ref().is_some_and(BackupError::is_usage)
        || error.downcast_ref().is_some_and(ExportError::is_usage)
        || error.downcast_ref().is_some_and(ImportError::is_usage)
        || matches!(error.downcast_ref(), Some(FetchError::Unknown { .. }))
        || matches!(error.downcast_ref(), Some(BuildError::UnknownMetric { .. }))
        || matches!(error.downcast_ref(), Some(WriteError::NotAFolder(_)));
    if rejected {
        return ExitCode::Usage;
    }
    if error.is::<NothingMatched>()
        || error.is::<BuildError>()
        || error.downcast_ref().is_some_and(VerbError::is_nothing)
    {
        return ExitCode::NothingMatched;
    }
    let broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(broken_pipe) { ExitCode::Success } else { ExitCode::Internal }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn errors_keep_their_code_below_added_context() {
        let taken = BackupError::Exists { path: "copy.db".into() };
        let cases: [(anyhow::Error, ExitCode); 5] = [
            (taken.into(), ExitCode::Usage),
            (UsageError("no such file".into()).into(), ExitCode::Usage),
            (NothingMatched("no trial 9".into()).into(), ExitCode::NothingMatched),
            (io::Error::from(io::ErrorKind::BrokenPipe).into(), ExitCode::Success),
            (anyhow::anyhow!("disk on fire"), ExitCode::Internal),
        ];
        for (error, code) in cases {
            let text = error.to_string();
            let wrapped = Err::<(), _>(error).context("while reading").unwrap_err();
            assert_eq!(code_of(&wrapped), code, "{text}");
        }
    }
}
