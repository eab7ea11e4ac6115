//! What controller and worker say to each other: an order in, one event a line out, all of it in
//! an attempt folder. Knows nothing of who writes or reads.

pub mod exhibit;
pub mod folder;
pub mod lock;
pub mod process;
pub mod progress;
pub mod tail;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::ids::{AttemptNo, EvalKey, TrainKey};
use crate::outcome::{FailureReason, Verdict};
use crate::spec::eval::EvalSpec;
use crate::spec::run::RunSpec;
use crate::spec::sweep::{Kernels, Retention};

/// Version of orders and events. A reader refuses a newer one.
pub const FORMAT: u32 = 1;

/// Environment variable in which a worker is told the BLAKE3 of its own binary; unset where the
/// controller does not know it.
pub const BINARY_VARIABLE: &str = "BYOL_SWEEP_WORKER_DIGEST";

/// How the note begins that says why a resume may not end with the numbers of an undisturbed run.
pub const INEXACT_RESUME: &str = "inexact resume: ";

/// A worker's order, `spec.json` in the attempt folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkOrder {
    /// [`FORMAT`] of the writer.
    pub format: u32,
    /// The trial.
    pub train_key: TrainKey,
    /// The protocol to evaluate with.
    pub eval_key: EvalKey,
    /// Which attempt this is.
    pub attempt: AttemptNo,
    /// Train and evaluate, or evaluate only.
    pub work: Work,
    /// What to train.
    pub run: RunSpec,
    /// How to evaluate.
    pub eval: EvalSpec,
    /// Where the training images lie; `None` for sets that are made in memory.
    pub data_path: Option<PathBuf>,
    /// Where `eval.data` lies, if it is named.
    pub eval_data_path: Option<PathBuf>,
    /// Where to compute. The controller has already masked all other devices.
    pub device: WorkDevice,
    /// Intra-op threads, frozen at the trial's first attempt since they change float sums.
    pub threads: u32,
    /// Which kernels CUDA may use.
    #[serde(default)]
    pub kernels: Kernels,
    /// Least time between two checkpoints in milliseconds.
    pub checkpoint_every_ms: u64,
    /// What to keep beside the weights.
    #[serde(default, skip_serializing_if = "crate::spec::run::is_default")]
    pub retention: Retention,
    /// The trial's lock file, held by the worker while it lives.
    pub lock: PathBuf,
}

/// What an attempt does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Work {
    /// Trains to the end, evaluates, keeps the weights.
    Train {
        /// Checkpoint of an earlier attempt to go on from.
        resume: Option<PathBuf>,
    },
    /// Evaluates kept weights.
    Evaluate {
        /// `weights.safetensors` of a finished training attempt.
        weights: PathBuf,
    },
}

/// Where a worker computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkDevice {
    /// The host's cores.
    Cpu,
    /// The only CUDA device that the mask leaves visible.
    Cuda,
}

/// One line of `events.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventLine {
    /// Rises by one from 1: a gap or a repeat is a broken protocol.
    pub seq: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub at_ms: i64,
    /// What happened.
    pub event: WorkerEvent,
}

/// What a worker tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WorkerEvent {
    /// The first line: who runs.
    Started(Started),
    /// Where training is; for progress bars.
    Progress(Progress),
    /// Values at an update; finite ones only, since JSON has no others.
    Metrics {
        /// Updates done.
        update: u64,
        /// Name to value.
        values: BTreeMap<String, f64>,
    },
    /// Results of the evaluation protocol; accuracies are fractions in [0, 1].
    Evaluated {
        /// Name to value.
        values: BTreeMap<String, f64>,
    },
    /// A checkpoint is complete on disk.
    Checkpointed {
        /// Updates that it holds.
        update: u64,
        /// File, relative to the attempt folder.
        file: PathBuf,
    },
    /// A file for reports and exports is complete on disk.
    Artifact {
        /// What it is: `weights`, `best`, `checkpoint`, `exhibit`.
        artifact: String,
        /// File, relative to the attempt folder.
        file: PathBuf,
        /// BLAKE3 of its bytes.
        digest: String,
    },
    /// A sentence for the log: variants in use, images that an epoch leaves over.
    Note {
        /// The sentence.
        text: String,
    },
    /// The last line.
    Ended {
        /// How.
        end: End,
    },
}

impl WorkerEvent {
    /// Returns who runs, where this is the line that says so.
    pub fn into_started(self) -> Option<Started> {
        match self {
            Self::Started(started) => Some(started),
            Self::Progress(_)
            | Self::Metrics { .. }
            | Self::Evaluated { .. }
            | Self::Checkpointed { .. }
            | Self::Artifact { .. }
            | Self::Note { .. }
            | Self::Ended { .. } => None,
        }
    }
}

/// Identity of the worker process and of what it computes with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Host name.
    pub host: String,
    /// Process id.
    pub pid: u32,
    /// Start time of the process in clock ticks since boot, from `/proc/self/stat`: a pid that
    /// was used again has another.
    pub start_ticks: u64,
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: String,
    /// Number of the namespace that `pid` counts in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid_namespace: Option<u64>,
    /// Version of byol-sweep.
    pub version: String,
    /// BLAKE3 of the worker's binary, from [`BINARY_VARIABLE`]; `None` where nobody told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary: Option<String>,
    /// Version of libtorch.
    pub libtorch: String,
    /// Model of the device.
    pub device: String,
    /// Intra-op threads.
    pub threads: u32,
    /// Which kernels CUDA may use.
    #[serde(default)]
    pub kernels: Kernels,
    /// Whether it goes on from the checkpoint of an earlier attempt.
    pub resumed: bool,
}

/// Where training is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What is going on.
    pub stage: Stage,
    /// Updates done.
    pub update: u64,
    /// Updates in all.
    pub updates: u64,
    /// Epoch in progress, from 1.
    pub epoch: u32,
    /// Epochs in all.
    pub epochs: u32,
    /// Loss of the last update, if finite.
    pub loss: Option<f64>,
    /// Source images a second, each giving two views, since the last report.
    pub images_per_s: f64,
}

impl Progress {
    /// Returns a report of a stage before or after training.
    pub fn at(stage: Stage, run: &RunSpec) -> Self {
        let epochs = run.epochs;
        Self { stage, update: 0, updates: 0, epoch: 0, epochs, loss: None, images_per_s: 0.0 }
    }
}

/// What a worker is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Reading images.
    Load,
    /// Training.
    Train,
    /// Evaluating.
    Evaluate,
}

/// A worker's last word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum End {
    /// All done.
    Finished {
        /// What the run turned out to be.
        verdict: Verdict,
    },
    /// Stopped on request; a checkpoint is there.
    Stopped,
    /// Failed.
    Failed {
        /// Class of the failure.
        reason: FailureReason,
        /// One line for people.
        detail: String,
    },
}
