//! The evaluation protocol: hashed apart from training, so that changing it evaluates again and
//! trains nothing. Knows nothing of networks.

use serde::{Deserialize, Serialize};

use super::run::{Source, canonical};
use crate::ids::EvalKey;

/// Version of what evaluation computes.
pub const EVAL_SEMANTICS: u32 = 1;

/// How frozen features are judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvalSpec {
    /// Version of the meaning of the rest.
    pub semantics: u32,
    /// The labelled set, where it is not the one that was trained on.
    pub data: Option<Source>,
    /// Weighted k nearest neighbours.
    pub knn: KnnSpec,
    /// Linear classifier.
    pub linear: LinearSpec,
}

/// Weighted kNN on l2-normalised features: each neighbour votes exp(cosine / temperature).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnnSpec {
    /// Neighbours; cut to the size of the bank.
    pub k: u32,
    /// Temperature of the votes.
    pub temperature: f64,
}

/// Linear classifier on frozen features: SGD with Nesterov momentum 0.9, cosine schedule, no
/// weight decay; its learning rate is chosen on held-out training images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearSpec {
    /// Passes over the training features.
    pub epochs: u32,
    /// Features per step.
    pub batch_size: u32,
    /// Candidates, each at 256 images a step.
    pub learning_rates: Vec<f64>,
    /// Share of the training images held out to choose among them, in (0, 1).
    pub holdout: f64,
}

impl EvalSpec {
    /// Returns the identity of this protocol.
    pub fn eval_key(&self) -> EvalKey {
        EvalKey::of_canonical_json(&canonical(self))
    }
}
