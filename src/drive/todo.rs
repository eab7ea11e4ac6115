//! The plan against what is known: which trials need work. Pure.

use crate::schedule::Job;
use crate::store::rows::{Known, TrialState};

/// Whether trials whose failure would only repeat are tried again (`--retry-failed`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryFailed {
    /// They stay failed.
    #[default]
    No,
    /// They are tried again, with all their retries.
    Yes,
}

/// Where a trial stands before a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Trained and evaluated.
    Done,
    /// Failed, and no attempt follows by itself.
    Failed,
    /// Stopped early by this plan's policy.
    Pruned,
    /// Needs an attempt, or has one alive.
    Open(Job),
}

/// How the trial's last attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Under an earlier controller's eyes.
    Watched,
    /// While nobody watched: it is not charged for what it met there.
    Unwatched,
}

/// Tells where a trial stands.
pub fn standing(
    known: &Known,
    max_retries: u32,
    retry_failed: RetryFailed,
    ended: Ended,
) -> Standing {
    let open = |failures| Standing::Open(Job { failures, ..Job::default() });
    let fresh = open(0);
    match known.state {
        TrialState::Done => Standing::Done,
        TrialState::Pruned => Standing::Pruned,
        TrialState::Pending | TrialState::Running | TrialState::Trained | TrialState::Stopped => {
            fresh
        }
        TrialState::Failed => {
            let retryable = known.failure.as_ref().is_some_and(|(why, _)| why.is_retryable());
            match (retry_failed, ended) {
                (RetryFailed::Yes, Ended::Watched | Ended::Unwatched) => fresh,
                (RetryFailed::No, Ended::Unwatched) if retryable => fresh,
                (RetryFailed::No, Ended::Watched) if retryable && known.failures <= max_retries => {
                    open(known.failures)
                }
                (RetryFailed::No, Ended::Watched | Ended::Unwatched) => Standing::Failed,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::FailureReason;

    fn failed(reason: FailureReason, failures: u32) -> Known {
        Known {
            state: TrialState::Failed,
            // Others were stopped or did other work: nobody is charged for them.
            attempts: 9,
            failures,
            failure: Some((reason, String::new())),
            ..Known::default()
        }
    }

    #[test]
    fn what_is_done_is_not_done_again() {
        let done = Known { state: TrialState::Done, ..Known::default() };
        assert_eq!(standing(&done, 2, RetryFailed::Yes, Ended::Watched), Standing::Done);
    }

    #[test]
    fn failures_go_on_only_while_another_attempt_may_help() {
        let open = |failures| Standing::Open(Job { failures, ..Job::default() });
        let (lost, crash) = (FailureReason::Lost, FailureReason::Panicked);
        let cases = [
            (lost, 1, RetryFailed::No, Ended::Watched, open(1)),
            (lost, 2, RetryFailed::No, Ended::Watched, open(2)),
            (lost, 3, RetryFailed::No, Ended::Watched, Standing::Failed),
            (lost, 3, RetryFailed::No, Ended::Unwatched, open(0)),
            (lost, 3, RetryFailed::Yes, Ended::Watched, open(0)),
            (crash, 1, RetryFailed::No, Ended::Watched, Standing::Failed),
            (crash, 1, RetryFailed::No, Ended::Unwatched, Standing::Failed),
            (crash, 1, RetryFailed::Yes, Ended::Watched, open(0)),
        ];
        for (reason, failures, retry, ended, expected) in cases {
            let known = failed(reason, failures);
            let found = standing(&known, 2, retry, ended);
            assert_eq!(found, expected, "{reason:?} {failures} {retry:?} {ended:?}");
        }
    }

    #[test]
    fn all_else_needs_an_attempt() {
        for state in
            [TrialState::Pending, TrialState::Running, TrialState::Trained, TrialState::Stopped]
        {
            let known = Known { state, attempts: 9, ..Known::default() };
            let found = standing(&known, 2, RetryFailed::No, Ended::Watched);
            assert_eq!(found, Standing::Open(Job::default()), "{state:?}");
        }
    }
}
