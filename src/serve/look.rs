//! How a trial looks: a word, a sign and a class of the style sheet, so that no state is told by
//! colour alone. Pure.

use crate::outcome::Verdict;
use crate::store::rows::{TrialRow, TrialState};

/// How a trial looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    Done,
    Collapsed,
    Diverged,
    Running,
    Interrupted,
    Failed,
    Pruned,
    Stopped,
    Trained,
    Held,
    Pending,
}

impl Look {
    /// All, in the order in which people ask for them.
    #[cfg(test)]
    const ALL: [Self; 11] = [
        Self::Done,
        Self::Collapsed,
        Self::Diverged,
        Self::Running,
        Self::Interrupted,
        Self::Failed,
        Self::Pruned,
        Self::Stopped,
        Self::Trained,
        Self::Held,
        Self::Pending,
    ];

    /// Returns how a trial looks; one that waits may be held, and one whose attempt has no end may
    /// have no process either.
    pub(super) fn of(trial: &TrialRow, is_held: bool, is_interrupted: bool) -> Self {
        match (trial.state, trial.verdict) {
            (TrialState::Done, Some(Verdict::Collapsed)) => Self::Collapsed,
            (TrialState::Done, Some(Verdict::Diverged)) => Self::Diverged,
            (TrialState::Done, Some(Verdict::Healthy) | None) => Self::Done,
            (TrialState::Running, _) if is_interrupted => Self::Interrupted,
            (TrialState::Running, _) => Self::Running,
            (TrialState::Failed, _) => Self::Failed,
            (TrialState::Pruned, _) => Self::Pruned,
            (TrialState::Pending | TrialState::Stopped | TrialState::Trained, _) if is_held => {
                Self::Held
            }
            (TrialState::Stopped, _) => Self::Stopped,
            (TrialState::Trained, _) => Self::Trained,
            (TrialState::Pending, _) => Self::Pending,
        }
    }

    /// Returns its word: its class, but for what nobody says.
    pub(super) fn word(self) -> &'static str {
        if self == Self::Pruned { "stopped early" } else { self.class() }
    }

    /// Returns its sign.
    pub(super) fn sign(self) -> &'static str {
        match self {
            Self::Done => "✓",
            Self::Collapsed => "≈",
            Self::Diverged => "†",
            Self::Running => "▸",
            Self::Interrupted => "⚡︎",
            Self::Failed => "✕",
            Self::Pruned => "§",
            Self::Stopped => "■",
            Self::Trained => "◇",
            Self::Held => "‖",
            Self::Pending => "·",
        }
    }

    /// Returns its class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Collapsed => "collapsed",
            Self::Diverged => "diverged",
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
            Self::Pruned => "pruned",
            Self::Stopped => "stopped",
            Self::Trained => "trained",
            Self::Held => "held",
            Self::Pending => "pending",
        }
    }

    /// Returns the filter that chooses those who look so.
    pub(super) fn filter(self) -> &'static str {
        match self {
            Self::Done => "state == \"done\" && verdict == \"healthy\"",
            Self::Collapsed => "verdict == \"collapsed\"",
            Self::Diverged => "verdict == \"diverged\"",
            Self::Running => "state == \"running\"",
            Self::Interrupted => "state == \"interrupted\"",
            Self::Failed => "state == \"failed\"",
            Self::Pruned => "state == \"pruned\"",
            Self::Stopped => "state == \"stopped\" && !held",
            Self::Trained => "state == \"trained\" && !held",
            Self::Held => "held && state in [\"pending\", \"stopped\", \"trained\"]",
            Self::Pending => "state == \"pending\" && !held",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_looks_share_a_word_a_sign_or_a_class() {
        for told in [Look::word, Look::sign, Look::class] {
            let distinct: BTreeSet<_> = Look::ALL.into_iter().map(told).collect();
            assert_eq!(distinct.len(), Look::ALL.len(), "{distinct:?}");
        }
    }
}
