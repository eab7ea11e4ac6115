//! Reads the rows that a report is a function of. Knows the store, and nothing of what is drawn.

use std::collections::BTreeMap;

use super::exhibits::choice::Wanted;
use super::exhibits::{self, ExhibitRow, Found, read};
use super::gathered::{Gathered, SpentOn, SweepFacts};
use crate::ids::TrainKey;
use crate::plan::cost::DeviceKind;
use crate::spec::run::Source;
use crate::store::rows::{Series, SweepRow, TrialRow, TrialState};
use crate::store::{Spent, Store, StoreError, WorkerUse};

/// Metrics whose course is drawn.
const CURVES: [&str; 4] = ["loss", "knn_probe_top1", "embedding_std_relative", "effective_rank"];

/// Reads all rows of a sweep's report but those of [`exhibits()`]. Which file it was planned from is
/// left open: the store keeps the text and not the name.
///
/// # Errors
///
/// SQLite's own, or a stored value that this version cannot read.
pub async fn gather(store: &Store, sweep: SweepRow) -> Result<Gathered, StoreError> {
    let trials = store.trials(&sweep).await?;
    let keys: Vec<TrainKey> = trials.iter().map(|trial| trial.train_key.clone()).collect();
    let [first, second, third, fourth] = CURVES.map(|metric| store.series(metric, &keys));
    let (finals, first, second, third, fourth) =
        tokio::try_join!(store.finals(&sweep.eval_key, &keys), first, second, third, fourth)?;
    let curves: BTreeMap<String, Vec<Series>> = CURVES
        .iter()
        .zip([first, second, third, fourth])
        .filter(|(_, series)| !series.is_empty())
        .map(|(metric, series)| ((*metric).to_owned(), series))
        .collect();
    let facts = SweepFacts {
        file: None,
        set: Vec::new(),
        scale: sweep.facts.scale,
        name: sweep.name,
        description: sweep.facts.description,
        reproduces: sweep.facts.reproduces,
        report_metric: sweep.facts.report_metric,
        report_spread: sweep.facts.report_spread,
        axes: sweep.facts.axes,
        classes: classes(sweep.facts.eval.data.as_ref(), &trials),
        eval: sweep.facts.eval,
        workers: several(&store.workers_of(&keys).await?),
        asked_metric: None,
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
    };
    let spent = spent(store, &trials).await?;
    Ok(Gathered::new(facts, trials, finals, curves).with_spent(spent))
}

/// Returns what the trained trials took. Their training is over, so that no time of now counts.
async fn spent(store: &Store, trials: &[TrialRow]) -> Result<Vec<SpentOn>, StoreError> {
    let is_trained =
        |trial: &&TrialRow| matches!(trial.state, TrialState::Trained | TrialState::Done);
    let trained: Vec<TrainKey> =
        trials.iter().filter(is_trained).map(|trial| trial.train_key.clone()).collect();
    let spent_on = |spent: Spent| SpentOn {
        train_key: spent.train_key,
        device: match spent.kind {
            DeviceKind::Cpu => "cpu".to_owned(),
            DeviceKind::Gpu => "gpu".to_owned(),
        },
        train_s: spent.train_ms as f64 / 1000.0,
    };
    Ok(store.spent(&trained).await?.into_iter().map(spent_on).collect())
}

/// Reads what the sweep's trials show beside numbers, reduced to what figures draw. What is missing
/// or damaged is told in the rows.
///
/// # Errors
///
/// SQLite's own.
pub async fn exhibits(
    store: &Store,
    sweep: &SweepRow,
    gathered: &Gathered,
) -> Result<Vec<ExhibitRow>, StoreError> {
    let wanted = Wanted::of(gathered);
    let mut found = Found::new();
    for key in wanted.all() {
        let left = store.exhibit(key, &sweep.eval_key).await?;
        let left = left.ok_or_else(|| read::NONE_LEFT.to_owned());
        let read = left.and_then(|left| read::read(&left.path, &left.digest));
        found.insert(key.clone(), read);
    }
    Ok(exhibits::rows(&wanted, &found))
}

/// Returns the workers in words, where there is more than one.
fn several(workers: &[WorkerUse]) -> Vec<String> {
    match workers {
        [] | [_] => Vec::new(),
        several => several.iter().map(|used| used.worker.words()).collect(),
    }
}

/// Returns how many classes the evaluation tells apart, where the data set alone says so.
fn classes(evaluated_on: Option<&Source>, trials: &[TrialRow]) -> Option<u32> {
    let source = evaluated_on.or_else(|| trials.first().map(|trial| &trial.run.data.source))?;
    match source {
        Source::Shapes { .. } | Source::Cifar10 => Some(10),
        Source::Idx { .. } | Source::ImageFolder { .. } => None,
    }
}
