//! Rows as plain structs; nothing but fields.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{AttemptNo, DeviceId, EvalKey, GroupKey, TrainKey};
use crate::outcome::{FailureReason, Verdict};
use crate::plan::{Facts, Label};
use crate::spec::run::RunSpec;

/// A sweep.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct SweepRow {
    /// Row id.
    pub id: i64,
    /// Unique name.
    pub name: String,
    /// Rises by one with each changed file.
    pub revision: u32,
    /// Text of the newest revision.
    pub source_toml: String,
    /// Its evaluation protocol.
    #[sqlx(try_from = "String")]
    pub eval_key: EvalKey,
    /// What reports say about it.
    #[sqlx(rename = "facts_json", try_from = "String")]
    pub facts: Facts,
    /// Milliseconds since 1970.
    pub created_ms: i64,
}

/// State of a trial with respect to one evaluation protocol; never stored, always derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialState {
    /// No attempt yet.
    Pending,
    /// An attempt is alive.
    Running,
    /// Trained, but not evaluated by this protocol.
    Trained,
    /// Trained and evaluated; or diverged, which leaves nothing to evaluate.
    Done,
    /// The last attempt was stopped on request, or its failure was forgiven.
    Stopped,
    /// The last attempt at training, or at this protocol's evaluation, failed.
    Failed,
    /// A policy of this sweep stopped it early; for others it is merely interrupted.
    Pruned,
}

impl TrialState {
    /// Returns the name that tables, filters and JSON use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Trained => "trained",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Pruned => "pruned",
        }
    }
}

/// A trial as a sweep sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialRow {
    /// Number in the sweep, from 1.
    pub ordinal: u32,
    /// Identity.
    pub train_key: TrainKey,
    /// Identity without the seed.
    pub group_key: GroupKey,
    /// What to train.
    pub run: RunSpec,
    /// How the sweep asks for it.
    pub labels: Arc<[Label]>,
    /// Where it stands.
    pub state: TrialState,
    /// Attempts so far, of both kinds.
    pub attempts: u32,
    /// Of the finished training attempt.
    pub verdict: Option<Verdict>,
    /// Of the last failed attempt, while the state is `Failed`.
    pub failure: Option<(FailureReason, String)>,
    /// Why it was stopped early, while the state is `Pruned`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stop: Option<EarlyStopRow>,
}

/// Why a policy stopped a trial early.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EarlyStopRow {
    /// Epochs after which it was decided.
    pub epoch: u32,
    /// What the trial's group had.
    pub value: f64,
    /// What it would have needed.
    pub bar: f64,
    /// Milliseconds since 1970.
    pub at_ms: i64,
}

/// What is known of a trial, whoever asks for it; nothing at all by default.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// Where it stands with respect to the protocol that was asked about.
    pub state: TrialState,
    /// Attempts so far, of both kinds.
    pub attempts: u32,
    /// Intra-op threads of the first attempt, which all later ones keep.
    pub threads: Option<u32>,
    /// Newest checkpoint, and the updates it holds.
    pub checkpoint: Option<(PathBuf, u64)>,
    /// Encoder of the finished training attempt.
    pub weights: Option<PathBuf>,
    /// Of the finished training attempt.
    pub verdict: Option<Verdict>,
    /// Of the last failed attempt, while the state is `Failed`.
    pub failure: Option<(FailureReason, String)>,
    /// Attempts that failed in a row since the last pardon, while the state is `Failed`.
    pub failures: u32,
    /// Since when it is held, in milliseconds since 1970; `None` while it may start.
    pub held_ms: Option<i64>,
    /// Why it was stopped early, while the state is `Pruned`.
    pub early_stop: Option<EarlyStopRow>,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            state: TrialState::Pending,
            attempts: 0,
            threads: None,
            checkpoint: None,
            weights: None,
            verdict: None,
            failure: None,
            failures: 0,
            held_ms: None,
            early_stop: None,
        }
    }
}

/// Kind of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptKind {
    /// Trains and evaluates.
    Train,
    /// Evaluates kept weights.
    Eval,
}

/// An attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRow {
    /// Row id.
    pub id: i64,
    /// The trial.
    pub train_key: TrainKey,
    /// What it does.
    pub kind: AttemptKind,
    /// Protocol it evaluates by.
    pub eval_key: EvalKey,
    /// Number within the trial.
    pub number: AttemptNo,
    /// Where it computes.
    pub device: DeviceId,
    /// Intra-op threads.
    pub threads: u32,
    /// Its folder.
    pub folder: PathBuf,
    /// How the executor finds it again; `None` between the row and the spawn.
    pub handle_json: Option<String>,
    /// Bytes of its event file that are stored.
    pub events_offset: u64,
    /// `seq` of the last stored event; 0 before the first.
    pub events_seq: u64,
    /// Milliseconds since 1970.
    pub started_ms: i64,
    /// The clock of its last stored event, milliseconds since 1970; `None` before the first.
    pub heard_ms: Option<i64>,
    /// Milliseconds since 1970; `None` while it lives. Where nobody watched, when it was heard of
    /// last.
    pub ended_ms: Option<i64>,
    /// `finished`, `stopped`, `failed`; `None` while it lives.
    pub outcome: Option<crate::outcome::Outcome>,
}

/// A sentence that a worker left for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteRow {
    /// The attempt that said it.
    pub attempt: AttemptNo,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// The sentence.
    pub text: String,
}

/// A metric of one trial over its updates, from its highest accepted attempt at each update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// The trial.
    pub train_key: TrainKey,
    /// Update and value, rising.
    pub points: Vec<(u64, f64)>,
}

/// A trial's final values under one evaluation protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finals {
    /// The trial.
    pub train_key: TrainKey,
    /// Name to value: `knn_top1`, `linear_top1`, `floor_linear_top1`, ...
    pub values: std::collections::BTreeMap<String, f64>,
}

/// What people wish of a trial, and call it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wished {
    /// Since when it is held, in milliseconds since 1970; `None` while it may start.
    pub held_ms: Option<i64>,
    /// Its names, in order.
    pub tags: Vec<String>,
}
