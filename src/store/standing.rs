//! What a trial's attempts amount to: the one place that derives a state. Knows no SQL.

use std::path::PathBuf;

use super::rows::{AttemptKind, Known, TrialState};
use crate::ids::EvalKey;
use crate::outcome::{Outcome, Verdict};

/// What counts of an attempt.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) kind: AttemptKind,
    pub(super) eval_key: EvalKey,
    pub(super) threads: u32,
    pub(super) outcome: Option<Outcome>,
    pub(super) weights: Option<PathBuf>,
    pub(super) checkpoint: Option<(PathBuf, u64)>,
}

/// Sums up a trial's attempts, in the order of their numbers, with respect to `protocol`.
pub(super) fn stand(attempts: &[Facts], protocol: &EvalKey) -> Known {
    let counting = counting(attempts, protocol);
    let mut known = Known {
        state: state(attempts, protocol, &counting),
        attempts: u32::try_from(attempts.len()).unwrap_or(u32::MAX),
        threads: attempts.first().map(|first| first.threads),
        ..Known::default()
    };
    for attempt in attempts {
        if attempt.checkpoint.is_some() {
            known.checkpoint.clone_from(&attempt.checkpoint);
        }
        if let Some(verdict) = trained(attempt) {
            known.verdict = Some(verdict);
            known.weights.clone_from(&attempt.weights);
        }
    }
    if let (TrialState::Failed, Some(Outcome::Failed { reason, detail })) =
        (known.state, counting.last().and_then(|last| last.outcome.as_ref()))
    {
        known.failure = Some((*reason, detail.clone()));
        let in_a_row = counting.iter().rev().take_while(|attempt| has_failed(attempt)).count();
        known.failures = u32::try_from(in_a_row).unwrap_or(u32::MAX);
    }
    known
}

fn trained(attempt: &Facts) -> Option<Verdict> {
    match (attempt.kind, &attempt.outcome) {
        (AttemptKind::Train, Some(Outcome::Finished { verdict })) => Some(*verdict),
        (AttemptKind::Train, Some(Outcome::Stopped | Outcome::Failed { .. }) | None)
        | (AttemptKind::Eval, _) => None,
    }
}

fn has_failed(attempt: &Facts) -> bool {
    matches!(attempt.outcome, Some(Outcome::Failed { .. }))
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

fn state(attempts: &[Facts], protocol: &EvalKey, counting: &[&Facts]) -> TrialState {
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
    match (counting.last().and_then(|last| last.outcome.as_ref()), is_trained) {
        (Some(Outcome::Failed { .. }), _) => TrialState::Failed,
        (Some(Outcome::Stopped | Outcome::Finished { .. }) | None, true) => TrialState::Trained,
        (Some(Outcome::Stopped), false) => TrialState::Stopped,
        // An evaluation without training cannot have finished; to train is right all the same.
        (Some(Outcome::Finished { .. }) | None, false) => TrialState::Pending,
    }
}
