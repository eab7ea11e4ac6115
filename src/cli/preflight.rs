//! What `run` checks before anything starts: the images are there, they are the ones that were
//! planned with, they are enough for an update and can be judged.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::exit::UsageError;
use super::places::Places;
use crate::data::{self, DataError, Dataset, check};
use crate::plan::{Plan, PlannedTrial};
use crate::provenance::DataSet;
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

/// Checks every data set that the plan names, and returns what they turned out to be, each once.
pub(super) fn check_data(plan: &Plan, places: &Places) -> anyhow::Result<Vec<DataSet>> {
    let mut sets: Vec<DataSet> = Vec::new();
    let mut seen: HashMap<(Source, Option<PathBuf>), usize> = HashMap::new();
    for trial in &plan.trials {
        let source = &trial.run.data.source;
        let key = (source.clone(), whereabouts(source, trial.data_path.as_deref(), places)?);
        let place = match seen.get(&key) {
            Some(place) => *place,
            None => {
                sets.push(look(&key.0, key.1.as_deref(), Use::of(plan))?);
                *seen.entry(key).or_insert(sets.len() - 1)
            }
        };
        enough(trial, &sets[place])?;
    }
    if let Some(source) = &plan.eval.data {
        let path = whereabouts(source, plan.meta.eval_data_path.as_deref(), places)?;
        let judged = look(source, path.as_deref(), Use::Judged)?;
        if !seen.contains_key(&(source.clone(), path)) {
            sets.push(judged);
        }
    }
    Ok(sets)
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

fn look(source: &Source, path: Option<&Path>, purpose: Use) -> anyhow::Result<DataSet> {
    let (digest, train, test) = match source {
        // Made from these numbers, which are all that could differ.
        Source::Shapes { train, test, .. } => (None, u64::from(*train), Some(u64::from(*test))),
        Source::Cifar10 | Source::Idx { .. } | Source::ImageFolder { .. } => {
            let set = data::load(source, path)?;
            if let Use::Judged = purpose {
                can_be_judged(&set, path)?;
            }
            let digest = match source {
                Source::Idx { digest } | Source::ImageFolder { digest } => digest.clone(),
                Source::Cifar10 => path.map(data::cifar10::digest).transpose()?,
                Source::Shapes { .. } => None,
            };
            (digest, set.train.len() as u64, set.test.as_ref().map(|test| test.len() as u64))
        }
    };
    Ok(DataSet {
        name: source.name().to_owned(),
        path: path.map(|path| path.display().to_string()),
        digest,
        train: Some(train),
        test,
    })
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

fn enough(trial: &PlannedTrial, set: &DataSet) -> Result<(), UsageError> {
    let images = trial.run.data.subset.map(|subset| u64::from(subset.images)).or(set.train);
    let update = trial.run.update_batch_size;
    match images {
        Some(images) if images < u64::from(update) => Err(UsageError(format!(
            "update_batch_size = {update} of {} is larger than its {images} training images: lower it, or train on more",
            trial.label_text()
        ))),
        Some(_) | None => Ok(()),
    }
}
