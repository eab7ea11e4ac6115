//! How an attempt ended, decided in one place. Knows nothing of processes or files: the evidence
//! is handed in.

use serde::{Deserialize, Serialize};

/// What a finished training run turned out to be. Every verdict is a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Trained to the end with a finite loss, to an embedding that tells images apart.
    Healthy,
    /// The loss or a weight became infinite or NaN.
    Diverged,
    /// Trained to the end, and all images are embedded in nearly one place or along one line. Its
    /// encoder is evaluated like any other.
    Collapsed,
}

impl Verdict {
    /// Returns the name that the store, the CLI and the reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Diverged => "diverged",
            Self::Collapsed => "collapsed",
        }
    }
}

/// Why an attempt failed. The set is closed: a new reason forces a decision in
/// [`FailureReason::is_retryable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// The worker refused its order: data missing or wrong, a batch larger than the data set, ...
    SpecRejected,
    /// The process could not be started.
    LaunchFailed,
    /// The device or the host ran out of memory.
    OutOfMemory,
    /// The worker failed by its own fault.
    Panicked,
    /// It ran longer than `resources.time_limit`, and left a checkpoint beyond the one that it
    /// went on from.
    DeadlineHit,
    /// It ran longer than `resources.time_limit` without such a checkpoint.
    NoProgress,
    /// It told nothing for longer than `resources.stall_limit`.
    Stalled,
    /// Somebody else's signal ended it.
    Killed,
    /// The process is gone and left neither a last word nor an exit status.
    Lost,
    /// Its events could not be read.
    ProtocolBroken,
    /// The disk of its folder is full.
    DiskFull,
    /// The system could not read or write a file that is there.
    IoError,
}

impl FailureReason {
    /// Returns whether another attempt, resumed from the checkpoint, may end differently.
    pub fn is_retryable(self) -> bool {
        match self {
            Self::LaunchFailed
            | Self::DeadlineHit
            | Self::Stalled
            | Self::Killed
            | Self::Lost
            | Self::DiskFull
            | Self::IoError => true,
            // Each of these meets the same end from the same input.
            Self::SpecRejected
            | Self::OutOfMemory
            | Self::Panicked
            | Self::NoProgress
            | Self::ProtocolBroken => false,
        }
    }

    /// Returns whether the trial has one retry less after it. A full disk is nobody's fault but the
    /// disk's, and nothing starts before there is room again.
    pub fn is_charged(self) -> bool {
        match self {
            Self::DiskFull => false,
            Self::SpecRejected
            | Self::LaunchFailed
            | Self::OutOfMemory
            | Self::Panicked
            | Self::DeadlineHit
            | Self::NoProgress
            | Self::Stalled
            | Self::Killed
            | Self::Lost
            | Self::ProtocolBroken
            | Self::IoError => true,
        }
    }

    /// Returns the name that the store, the CLI and the reports use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SpecRejected => "spec_rejected",
            Self::LaunchFailed => "launch_failed",
            Self::OutOfMemory => "out_of_memory",
            Self::Panicked => "panicked",
            Self::DeadlineHit => "deadline_hit",
            Self::NoProgress => "no_progress",
            Self::Stalled => "stalled",
            Self::Killed => "killed",
            Self::Lost => "lost",
            Self::ProtocolBroken => "protocol_broken",
            Self::DiskFull => "disk_full",
            Self::IoError => "io_error",
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// Trained and evaluated.
    Finished {
        /// What the run turned out to be.
        verdict: Verdict,
    },
    /// Stopped on request after a checkpoint; it goes on when asked to.
    Stopped,
    /// Did not finish.
    Failed {
        /// The class of the failure.
        reason: FailureReason,
        /// The first failing line, for people.
        detail: String,
    },
}

/// How a process went away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// Nobody was there to see (an adopted process has no exit status).
    Unseen,
}

/// Why the controller ended an attempt, if it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The user asked for the sweep to stop.
    Requested,
    /// The attempt ran past its deadline.
    Deadline,
    /// The attempt told nothing for too long.
    Stalled,
    /// The disk is nearly full: it stops while a checkpoint still has room.
    NoRoom,
    /// The trial is not worth more.
    Early,
}

/// Whether an attempt left a checkpoint beyond the one that it went on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkpoint {
    /// It did.
    Moved,
    /// It did not: the same time would end at the same place.
    Stayed,
}

impl Checkpoint {
    /// Compares the updates of the attempt's newest checkpoint with those of the newest one before
    /// it.
    pub fn between(before: Option<u64>, now: Option<u64>) -> Self {
        if now > before { Self::Moved } else { Self::Stayed }
    }
}

/// Exit code of a worker that stopped on request after writing a checkpoint (`EX_TEMPFAIL`).
pub const EXIT_STOPPED: i32 = 75;

/// Exit code of a worker whose disk had no room even for its last word (`EX_IOERR`).
pub const EXIT_DISK_FULL: i32 = 74;

const SIGKILL: i32 = 9;

/// Judges an attempt whose process is gone. The worker's own last word beats the exit status;
/// neither of them means lost.
pub fn judge(
    last_word: Option<&Outcome>,
    exit: Exit,
    stop: Option<StopReason>,
    checkpoint: Checkpoint,
) -> Outcome {
    if let Some(outcome @ (Outcome::Finished { .. } | Outcome::Failed { .. })) = last_word {
        return outcome.clone();
    }
    let failed = |reason, detail: String| Outcome::Failed { reason, detail };
    match (stop, last_word, exit) {
        (Some(StopReason::Deadline), _, _) => match checkpoint {
            Checkpoint::Moved => failed(
                FailureReason::DeadlineHit,
                "ran longer than resources.time_limit, and left a checkpoint".into(),
            ),
            Checkpoint::Stayed => failed(
                FailureReason::NoProgress,
                "ran longer than resources.time_limit without a new checkpoint; raise the limit".into(),
            ),
        },
        (Some(StopReason::Stalled), _, _) => failed(
            FailureReason::Stalled,
            "told nothing for longer than resources.stall_limit; its stderr may tell why".into(),
        ),
        (Some(StopReason::Requested | StopReason::NoRoom | StopReason::Early), _, _) => {
            Outcome::Stopped
        }
        // It obeyed an earlier controller, or a machine that goes down, and left a checkpoint.
        (None, Some(_), _) => Outcome::Stopped,
        (None, None, Exit::Code(EXIT_STOPPED)) => failed(
            FailureReason::Killed,
            "stopped by a signal from outside".into(),
        ),
        (None, None, Exit::Signal(SIGKILL)) => failed(
            FailureReason::Killed,
            "killed by signal 9 from outside, which is also how Linux ends a process when memory runs out".into(),
        ),
        (None, None, Exit::Signal(signal @ (4 | 6 | 7 | 8 | 11))) => {
            failed(FailureReason::Panicked, format!("crashed with signal {signal}"))
        }
        (None, None, Exit::Signal(signal)) => {
            failed(FailureReason::Killed, format!("killed by signal {signal} from outside"))
        }
        (None, None, Exit::Code(EXIT_DISK_FULL)) => failed(
            FailureReason::DiskFull,
            "the disk had no room even for the last word".into(),
        ),
        (None, None, Exit::Code(code)) => failed(
            FailureReason::Panicked,
            format!("exited with code {code} without a last word; its stderr may tell why"),
        ),
        (None, None, Exit::Unseen) => {
            failed(FailureReason::Lost, "the process is gone without a last word".into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges where checkpoints do not matter.
    fn judge(last_word: Option<&Outcome>, exit: Exit, stop: Option<StopReason>) -> Outcome {
        super::judge(last_word, exit, stop, Checkpoint::Stayed)
    }

    fn reason(outcome: Outcome) -> Option<FailureReason> {
        match outcome {
            Outcome::Failed { reason, .. } => Some(reason),
            Outcome::Finished { .. } | Outcome::Stopped => None,
        }
    }

    #[test]
    fn the_last_word_beats_the_exit_status() {
        let finished = Outcome::Finished { verdict: Verdict::Healthy };
        assert_eq!(judge(Some(&finished), Exit::Signal(9), None), finished);
        assert_eq!(judge(Some(&finished), Exit::Signal(9), Some(StopReason::Requested)), finished);
    }

    #[test]
    fn every_ending_without_a_last_word_has_its_reason() {
        let cases = [
            (Exit::Code(0), FailureReason::Panicked),
            (Exit::Code(1), FailureReason::Panicked),
            (Exit::Code(EXIT_STOPPED), FailureReason::Killed),
            (Exit::Code(EXIT_DISK_FULL), FailureReason::DiskFull),
            (Exit::Signal(9), FailureReason::Killed),
            (Exit::Signal(15), FailureReason::Killed),
            (Exit::Signal(11), FailureReason::Panicked),
            (Exit::Unseen, FailureReason::Lost),
        ];
        for (exit, expected) in cases {
            assert_eq!(reason(judge(None, exit, None)), Some(expected), "{exit:?}");
        }
    }

    #[test]
    fn a_stop_that_we_asked_for_is_not_a_failure() {
        let stop = Some(StopReason::Requested);
        assert_eq!(judge(Some(&Outcome::Stopped), Exit::Code(75), stop), Outcome::Stopped);
        assert_eq!(judge(None, Exit::Signal(9), stop), Outcome::Stopped);
    }

    #[test]
    fn a_deadline_is_a_failure_even_when_obeyed_and_worth_a_retry_only_with_progress() {
        let stop = Some(StopReason::Deadline);
        let cases = [
            (None, None, FailureReason::NoProgress),
            (Some(7), None, FailureReason::NoProgress),
            (Some(7), Some(7), FailureReason::NoProgress),
            (Some(7), Some(8), FailureReason::DeadlineHit),
            (None, Some(8), FailureReason::DeadlineHit),
        ];
        for (before, now, expected) in cases {
            let moved = Checkpoint::between(before, now);
            let judged = super::judge(Some(&Outcome::Stopped), Exit::Code(75), stop, moved);
            assert_eq!(reason(judged), Some(expected), "{before:?} {now:?}");
            assert_eq!(expected.is_retryable(), now == Some(8));
        }
    }

    #[test]
    fn a_silence_is_a_failure_even_when_it_ends_politely_and_worth_a_retry() {
        let stop = Some(StopReason::Stalled);
        for (last_word, exit) in [(None, Exit::Signal(9)), (Some(Outcome::Stopped), Exit::Code(75))]
        {
            assert_eq!(reason(judge(last_word.as_ref(), exit, stop)), Some(FailureReason::Stalled));
        }
        assert!(FailureReason::Stalled.is_retryable() && FailureReason::Stalled.is_charged());
    }

    #[test]
    fn what_stops_for_the_disk_or_a_policy_has_not_failed() {
        for why in [StopReason::NoRoom, StopReason::Early] {
            assert_eq!(judge(None, Exit::Signal(9), Some(why)), Outcome::Stopped);
        }
    }

    #[test]
    fn a_stop_that_somebody_else_asked_for_is_not_a_failure_either() {
        assert_eq!(judge(Some(&Outcome::Stopped), Exit::Unseen, None), Outcome::Stopped);
    }
}
