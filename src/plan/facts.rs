//! What reports and screens say about a sweep, kept with each revision: a `--set` is in it, which
//! the file's text does not show.

use serde::{Deserialize, Serialize};

use super::Plan;
use crate::spec::eval::EvalSpec;
use crate::spec::sweep::Scale;

/// What a sweep is, apart from its trials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// One line for people.
    pub description: String,
    /// Id of the published table that the sweep reproduces.
    pub reproduces: Option<String>,
    /// Whether it trains as its file says.
    #[serde(default, skip_serializing_if = "Scale::is_full")]
    pub scale: Scale,
    /// Metric that reports lead with.
    pub report_metric: String,
    /// The settings that grids name, in the order of the file.
    pub axes: Vec<String>,
    /// How trials are evaluated.
    pub eval: EvalSpec,
}

impl From<&Plan> for Facts {
    fn from(plan: &Plan) -> Self {
        Self {
            description: plan.meta.description.clone(),
            reproduces: plan.meta.reproduces.clone(),
            scale: plan.meta.scale,
            report_metric: plan.meta.report_metric.clone(),
            axes: plan.axes.clone(),
            eval: plan.eval.clone(),
        }
    }
}

impl TryFrom<String> for Facts {
    type Error = serde_json::Error;

    /// Reads what the store keeps.
    fn try_from(json: String) -> Result<Self, serde_json::Error> {
        serde_json::from_str(&json)
    }
}
