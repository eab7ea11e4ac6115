//! What a trial's attempts amount to: the one place that derives a state. Knows no SQL.

use std::path::PathBuf;

use super::rows::{AttemptKind, EarlyStopRow, Known, TrialState};
use crate::ids::EvalKey;
use crate::outcome::{Outcome, Verdict};

/// What counts of an attempt.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) number: u32,
    pub(super) kind: AttemptKind,
    pub(super) eval_key: EvalKey,
    pub(super) outcome: Option<Outcome>,
    /// `None` where only the state is asked for.
    pub(super) kept: Option<Kept>,
}

/// What a next attempt takes over.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) threads: u32,
    pub(super) weights: Option<PathBuf>,
    pub(super) checkpoint: Option<(PathBuf, u64)>,
}

/// What people wish of a trial.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wishes {
    pub(super) held_ms: Option<i64>,
    /// Failures of attempts up to this number are forgiven.
    pub(super) pardoned: u32,
}

/// Sums up a trial's attempts, in the order of their numbers, with respect to `protocol`.
pub(super) fn stand(attempts: &[Facts], wishes: Wishes, protocol: &EvalKey) -> Known {
    let counting = counting(attempts, protocol);
    let mut known = Known {
        state: state(attempts, protocol, &counting, wishes.pardoned),
        attempts: u32::try_from(attempts.len()).unwrap_or(u32::MAX),
        threads: attempts.first().and_then(|first| Some(first.kept.as_ref()?.threads)),
        held_ms: wishes.held_ms,
        ..Known::default()
    };
    for attempt in attempts {
        let kept = attempt.kept.as_ref();
        if let Some(checkpoint) = kept.and_then(|kept| kept.checkpoint.clone()) {
            known.checkpoint = Some(checkpoint);
        }
        if let Some(verdict) = trained(attempt) {
            known.verdict = Some(verdict);
            known.weights = kept.and_then(|kept| kept.weights.clone());
        }
    }
    if let (TrialState::Failed, Some(Outcome::Failed { reason, detail })) =
        (known.state, counting.last().and_then(|last| last.outcome.as_ref()))
    {
        known.failure = Some((*reason, detail.clone()));
        known.failures = charged_in_a_row(&counting, wishes.pardoned);
    }
    known
}

/// Adds a policy's decision to what is known: it holds for a trial that is neither alive nor trained.
pub(super) fn stop_early(known: &mut Known, decision: EarlyStopRow) {
    match known.state {
        TrialState::Pending | TrialState::Stopped | TrialState::Failed | TrialState::Pruned => {
            known.state = TrialState::Pruned;
            known.early_stop = Some(decision);
            (known.failure, known.failures) = (None, 0);
        }
        TrialState::Running | TrialState::Trained | TrialState::Done => {}
    }
}

fn trained(attempt: &Facts) -> Option<Verdict> {
    match (attempt.kind, &attempt.outcome) {
        (AttemptKind::Train, Some(Outcome::Finished { verdict })) => Some(*verdict),
        (AttemptKind::Train, Some(Outcome::Stopped | Outcome::Failed { .. }) | None)
        | (AttemptKind::Eval, _) => None,
    }
}

/// Counts the failures since the last attempt that was none, less those that cost no retry and
/// those that are forgiven.
fn charged_in_a_row(counting: &[&Facts], pardoned: u32) -> u32 {
    let reason = |attempt: &&Facts| match &attempt.outcome {
        Some(Outcome::Failed { reason, .. }) => Some(*reason),
        Some(Outcome::Finished { .. } | Outcome::Stopped) | None => None,
    };
    let fresh = counting.iter().rev().take_while(|attempt| attempt.number > pardoned);
    let in_a_row = fresh.map_while(reason);
    let charged = in_a_row.filter(|reason| reason.is_charged()).count();
    u32::try_from(charged).unwrap_or(u32::MAX)
}

/// Returns the attempts at what is still to do: all of them until the trial is trained, from then
/// on those by this protocol.
fn counting<'a>(attempts: &'a [Facts], protocol: &EvalKey) -> Vec<&'a Facts> {
    match attempts.iter().rposition(|attempt| trained(attempt).is_some()) {
        None => attempts.iter().collect(),
        Some(place) => {
            attempts[place + 1..].iter().filter(|later| later.eval_key == *protocol).collect()
        }
    }
}

fn state(attempts: &[Facts], protocol: &EvalKey, counting: &[&Facts], pardoned: u32) -> TrialState {
    if attempts.iter().any(|attempt| attempt.outcome.is_none()) {
        return TrialState::Running;
    }
    let is_evaluated = |attempt: &Facts| {
        attempt.eval_key == *protocol && matches!(attempt.outcome, Some(Outcome::Finished { .. }))
    };
    // What diverged left no encoder to evaluate, by whatever protocol.
    let has_diverged = |attempt: &Facts| trained(attempt) == Some(Verdict::Diverged);
    if attempts.iter().any(|attempt| is_evaluated(attempt) || has_diverged(attempt)) {
        return TrialState::Done;
    }
    let is_trained = attempts.iter().any(|attempt| trained(attempt).is_some());
    let last = counting.last();
    match (last.and_then(|last| last.outcome.as_ref()), is_trained) {
        (Some(Outcome::Failed { .. }), _) if last.is_some_and(|last| last.number > pardoned) => {
            TrialState::Failed
        }
        (Some(Outcome::Failed { .. }), true) => TrialState::Trained,
        (Some(Outcome::Failed { .. }), false) => TrialState::Stopped,
        (Some(Outcome::Stopped | Outcome::Finished { .. }) | None, true) => TrialState::Trained,
        (Some(Outcome::Stopped), false) => TrialState::Stopped,
        // An evaluation without training cannot have finished; to train is right all the same.
        (Some(Outcome::Finished { .. }) | None, false) => TrialState::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::FailureReason;

    fn protocol(text: &str) -> EvalKey {
        EvalKey::of_canonical_json(text)
    }

    fn attempt(kind: AttemptKind, outcome: Outcome) -> Facts {
        Facts { number: 1, kind, eval_key: protocol("{}"), outcome: Some(outcome), kept: None }
    }

    fn failed(reason: FailureReason) -> Facts {
        let outcome = Outcome::Failed { reason, detail: String::new() };
        attempt(AttemptKind::Train, outcome)
    }

    fn failures(attempts: &[Facts]) -> u32 {
        stand(attempts, Wishes::default(), &protocol("{}")).failures
    }

    #[test]
    fn failures_count_from_the_last_attempt_that_was_none() {
        let lost = || failed(FailureReason::Lost);
        let stopped = || attempt(AttemptKind::Train, Outcome::Stopped);
        assert_eq!(failures(&[lost(), lost()]), 2);
        assert_eq!(failures(&[lost(), lost(), stopped(), lost()]), 1);
        assert_eq!(failures(&[lost(), stopped()]), 0);
    }

    #[test]
    fn failed_evaluations_do_not_count_for_training_nor_the_other_way() {
        let lost = || failed(FailureReason::Lost);
        let trained = attempt(AttemptKind::Train, Outcome::Finished { verdict: Verdict::Healthy });
        let other = Facts { eval_key: protocol("other"), ..trained };
        let lost_evaluation = Facts { kind: AttemptKind::Eval, ..lost() };
        assert_eq!(failures(&[lost(), lost(), other, lost_evaluation]), 1);
    }

    #[test]
    fn a_pardon_forgives_what_came_before_it_and_nothing_after() {
        let attempts = |numbers: &[u32]| -> Vec<Facts> {
            let numbered = |&number| Facts { number, ..failed(FailureReason::Panicked) };
            numbers.iter().map(numbered).collect()
        };
        let stand = |numbers, pardoned| {
            stand(&attempts(numbers), Wishes { pardoned, held_ms: None }, &protocol("{}"))
        };
        assert_eq!(stand(&[1, 2], 1).failures, 1);
        assert_eq!(stand(&[1, 2], 1).state, TrialState::Failed);
        let forgiven = stand(&[1, 2], 2);
        assert_eq!((forgiven.state, forgiven.failures), (TrialState::Stopped, 0));
    }

    #[test]
    fn a_full_disk_costs_no_retry_and_pardons_none() {
        let full = || failed(FailureReason::DiskFull);
        let lost = || failed(FailureReason::Lost);
        assert_eq!(failures(&[full(), full()]), 0);
        assert_eq!(failures(&[lost(), full(), lost(), full()]), 2);
    }
}
