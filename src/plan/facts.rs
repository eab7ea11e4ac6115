//! What reports and screens say about a sweep, kept with each revision: a `--set` is in it, which
//! the file's text does not show.

use serde::{Deserialize, Serialize};

use super::Plan;
use crate::spec::eval::EvalSpec;
use crate::spec::sweep::{EarlyStop, Scale, SpreadKind};

/// What a sweep is, apart from its trials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// One line for people.
    pub description: String,
    /// Id of the published table that the sweep reproduces.
    pub reproduces: Option<String>,
    /// Whether it trains as its file says.
    #[serde(default, skip_serializing_if = "crate::spec::run::is_default")]
    pub scale: Scale,
    /// Which settings are stopped before their end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stop: Option<EarlyStop>,
    /// Metric that reports lead with.
    pub report_metric: String,
    /// What reports show behind a mean.
    #[serde(default, skip_serializing_if = "crate::spec::run::is_default")]
    pub report_spread: SpreadKind,
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
            early_stop: plan.meta.early_stop,
            report_metric: plan.meta.report_metric.clone(),
            report_spread: plan.meta.report_spread,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::eval::{KnnSpec, LinearSpec};

    /// Stores that are older than smoke runs hold sweeps without a scale.
    #[test]
    fn a_smoke_run_stays_one_and_older_sweeps_are_none() {
        let facts = Facts {
            description: String::new(),
            reproduces: None,
            scale: Scale::Smoke,
            early_stop: None,
            report_metric: "linear_top1".to_owned(),
            report_spread: SpreadKind::Sd,
            axes: Vec::new(),
            eval: EvalSpec {
                semantics: 1,
                data: None,
                knn: KnnSpec { k: 1, temperature: 0.1 },
                linear: LinearSpec {
                    epochs: 1,
                    batch_size: 1,
                    learning_rates: vec![0.1],
                    holdout: 0.1,
                },
            },
        };
        let json = serde_json::to_string(&facts).unwrap();
        assert_eq!(Facts::try_from(json.clone()).unwrap(), facts);
        let older = json.replace(r#""scale":"smoke","#, "");
        assert_ne!(older, json);
        assert_eq!(Facts::try_from(older).unwrap().scale, Scale::Full);
    }
}
