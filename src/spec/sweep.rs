//! What a sweep file says apart from its grid: identity for people, and how to run and report.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use super::early::EarlyStop;

/// Whether a sweep trains as its file says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// It does.
    #[default]
    Full,
    /// Every cell is tried for two epochs with one seed.
    Smoke,
}

/// Everything in a sweep file that is not part of a trial's training spec.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepMeta {
    /// Unique name.
    pub name: String,
    /// One line for people.
    pub description: String,
    /// Id of the published table that this sweep reproduces.
    pub reproduces: Option<String>,
    /// Whether it trains as the file says.
    pub scale: Scale,
    /// Where `eval.data` lies.
    pub eval_data_path: Option<PathBuf>,
    /// How trials run.
    pub resources: Resources,
    /// Attempts after the first that a retryable failure may have.
    pub max_retries: u32,
    /// Least time between checkpoints.
    pub checkpoint_every: Duration,
    /// Metric that reports lead with: `linear_top1`, `knn_top1`, ...
    pub report_metric: String,
    /// Which settings are stopped before their end.
    pub early_stop: Option<EarlyStop>,
    /// What stays of the training beside the weights.
    pub retention: Retention,
    /// What reports show behind a mean.
    pub report_spread: SpreadKind,
}

impl SweepMeta {
    /// Returns what a file that says only its name means.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            description: String::new(),
            reproduces: None,
            scale: Scale::Full,
            eval_data_path: None,
            resources: Resources::default(),
            max_retries: 2,
            checkpoint_every: Duration::from_mins(10),
            report_metric: "linear_top1".into(),
            early_stop: None,
            retention: Retention::default(),
            report_spread: SpreadKind::default(),
        }
    }
}

/// What a report shows behind a mean over seeds, in its tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpreadKind {
    /// Standard deviation over the seeds, with n - 1.
    #[default]
    Sd,
    /// 95 % interval of the mean by Student's t.
    T95,
    /// 95 % interval of the mean by the BCa bootstrap, from five seeds up.
    Bca95,
}

/// Longest silence of an attempt unless a sweep says otherwise.
pub const STALL_LIMIT: Duration = Duration::from_mins(30);

/// How trials run; changes no result.
#[derive(Clone, Debug, PartialEq)]
pub struct Resources {
    /// Trials at a time on one GPU.
    pub slots_per_device: u32,
    /// Longest time of one attempt.
    pub time_limit: Option<Duration>,
    /// Longest time that an attempt may tell nothing.
    pub stall_limit: Option<Duration>,
    /// Which kernels CUDA may use.
    pub kernels: Kernels,
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            slots_per_device: 1,
            time_limit: None,
            stall_limit: Some(STALL_LIMIT),
            kernels: Kernels::Fastest,
        }
    }
}

/// Which kernels libtorch may use on CUDA; on a CPU all are deterministic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernels {
    /// Whichever is fastest: sums may come in another order, and a resume may differ in its last
    /// bits.
    #[default]
    Fastest,
    /// Those that give the same bits in every run.
    Deterministic,
}

/// What stays of a training beside the encoder after its last update; changes no result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// The encoder at the epoch that the probe liked best.
    #[serde(skip_serializing_if = "super::run::is_default")]
    pub best: KeepBest,
    /// A checkpoint of every so many epochs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_epochs: Option<NonZeroU32>,
    /// What reports show of an attempt beside its numbers.
    #[serde(skip_serializing_if = "super::run::is_default")]
    pub exhibit: KeepExhibit,
}

/// Whether the best encoder by the probe is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepBest {
    /// It is not.
    #[default]
    No,
    /// It is.
    Yes,
}

/// Whether attempts leave images, features and neighbours for reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepExhibit {
    /// They do.
    #[default]
    Yes,
    /// They do not.
    No,
}
