//! What `run` checks before anything starts: the images are there, they are the ones that were
//! planned with, they are enough for an update and can be judged.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::exit::UsageError;
use super::places::Places;
use crate::data::{self, DataError, Dataset, check};
use crate::plan::{Plan, PlannedTrial};
use crate::spec::run::Source;

/// Returns where a data set lies on this machine; `None` for sets that are made in memory.
pub(super) fn whereabouts(
    source: &Source,
    said: Option<&Path>,
    places: &Places,
) -> anyhow::Result<Option<PathBuf>> {
    let path = match source {
        Source::Shapes { .. } => return Ok(None),
        Source::Cifar10 => data::cifar10::folder(said.unwrap_or(&places.data)),
        Source::Idx { .. } | Source::ImageFolder { .. } => match said {
            Some(path) => path.to_owned(),
            None => return Err(DataError::PathNeeded { set: source.name() }.into()),
        },
    };
    Ok(Some(std::path::absolute(path)?))
}

/// Measures the digest of the images at a path, whatever kind of set they are.
pub(super) fn digest(path: &Path) -> Result<Option<String>, DataError> {
    let source = match check::Kind::detect(path) {
        check::Kind::Cifar10 => Source::Cifar10,
        check::Kind::Idx => Source::Idx { digest: None },
        check::Kind::ImageFolder => Source::ImageFolder { digest: None },
    };
    data::digest(&source, Some(path))
}

/// Checks every data set that the plan names.
pub(super) fn check_data(plan: &Plan, places: &Places) -> anyhow::Result<()> {
    let mut seen: HashMap<(Source, Option<PathBuf>), Facts> = HashMap::new();
    for trial in &plan.trials {
        let source = &trial.run.data.source;
        let path = whereabouts(source, trial.data_path.as_deref(), places)?;
        let key = (source.clone(), path);
        let facts = match seen.get(&key) {
            Some(facts) => *facts,
            None => {
                let facts = look(&key.0, key.1.as_deref(), Use::of(plan))?;
                *seen.entry(key).or_insert(facts)
            }
        };
        enough(trial, facts)?;
    }
    if let Some(source) = &plan.eval.data {
        let path = whereabouts(source, plan.meta.eval_data_path.as_deref(), places)?;
        look(source, path.as_deref(), Use::Judged)?;
    }
    Ok(())
}

/// What the images are for.
#[derive(Clone, Copy)]
enum Use {
    /// Training only: `eval.data` is judged.
    Trained,
    /// Evaluation, and maybe training.
    Judged,
}

impl Use {
    fn of(plan: &Plan) -> Self {
        match plan.eval.data {
            Some(_) => Self::Trained,
            None => Self::Judged,
        }
    }
}

/// What a look at a data set tells.
#[derive(Clone, Copy)]
struct Facts {
    /// Training images, where looking at them is cheap.
    images: Option<usize>,
}

fn look(source: &Source, path: Option<&Path>, purpose: Use) -> anyhow::Result<Facts> {
    match source {
        // Its size is the planner's to check, and it is labelled.
        Source::Shapes { .. } => Ok(Facts { images: None }),
        Source::Cifar10 | Source::Idx { .. } | Source::ImageFolder { .. } => {
            let set = data::load(source, path)?;
            if let Use::Judged = purpose {
                can_be_judged(&set, path)?;
            }
            Ok(Facts { images: Some(set.train.len()) })
        }
    }
}

fn can_be_judged(set: &Dataset, path: Option<&Path>) -> anyhow::Result<()> {
    let place = path.unwrap_or(Path::new("")).display();
    let refused = |cause: &str| {
        UsageError(format!("{place}: {cause}; or name another labelled set as eval.data"))
    };
    set.train.labels_to_judge().map_err(|error| refused(&error.to_string()))?;
    match &set.test {
        Some(_) => Ok(()),
        None => Err(refused("there are no test images: evaluation needs val/<class>/").into()),
    }
}

fn enough(trial: &PlannedTrial, facts: Facts) -> Result<(), UsageError> {
    let images = trial.run.data.subset.map(|subset| subset.images as usize).or(facts.images);
    let update = trial.run.update_batch_size;
    match images {
        Some(images) if images < update as usize => Err(UsageError(format!(
            "update_batch_size = {update} of {} is larger than its {images} training images: lower it, or train on more",
            trial.label_text()
        ))),
        Some(_) | None => Ok(()),
    }
}
