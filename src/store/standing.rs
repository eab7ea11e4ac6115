//! What a trial's attempts amount to: the one place that derives a state. Knows no SQL.

use std::path::PathBuf;

use super::rows::{AttemptKind, Known, TrialState};
use crate::ids::EvalKey;
use crate::outcome::Outcome;

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
    let mut known = Known {
        state: state(attempts, protocol),
        attempts: u32::try_from(attempts.len()).unwrap_or(u32::MAX),
        threads: attempts.first().map(|first| first.threads),
        ..Known::default()
    };
    for attempt in attempts {
        if attempt.checkpoint.is_some() {
            known.checkpoint.clone_from(&attempt.checkpoint);
        }
        if let (AttemptKind::Train, Some(Outcome::Finished { verdict })) =
            (attempt.kind, &attempt.outcome)
        {
            known.verdict = Some(*verdict);
            known.weights.clone_from(&attempt.weights);
        }
    }
    if let (TrialState::Failed, Some(Outcome::Failed { reason, detail })) =
        (known.state, attempts.last().and_then(|last| last.outcome.as_ref()))
    {
        known.failure = Some((*reason, detail.clone()));
    }
    known
}

fn state(attempts: &[Facts], protocol: &EvalKey) -> TrialState {
    let finished = |attempt: &&Facts| matches!(attempt.outcome, Some(Outcome::Finished { .. }));
    if attempts.iter().any(|attempt| attempt.outcome.is_none()) {
        return TrialState::Running;
    }
    if attempts.iter().filter(finished).any(|attempt| attempt.eval_key == *protocol) {
        return TrialState::Done;
    }
    if attempts.iter().filter(finished).any(|attempt| attempt.kind == AttemptKind::Train) {
        return TrialState::Trained;
    }
    match attempts.last().and_then(|last| last.outcome.as_ref()) {
        Some(Outcome::Stopped) => TrialState::Stopped,
        Some(Outcome::Failed { .. }) => TrialState::Failed,
        // An evaluation without training cannot have finished; to train is right all the same.
        Some(Outcome::Finished { .. }) | None => TrialState::Pending,
    }
}
