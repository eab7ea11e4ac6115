//! `export`: copies of results for other programs.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::args::{ExportArgs, ExportFormat};
use super::exit::{ExitCode, NothingMatched, UsageError};
use super::places::Places;
use super::reading::{self, Reading};
use crate::export::table::Origin;
use crate::export::{self, weights};
use crate::export::{Existing, NewFile, NewFolder, SweepCopy, SweepFormat, SweepTable, TrialLine};
use crate::ids::TrainKey;
use crate::outcome::Verdict;
use crate::store::ArtifactRow;
use crate::store::rows::{AttemptRow, SweepRow, TrialRow, TrialState};
use crate::ui::Ui;

pub(super) fn run(args: &ExportArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let reading = Reading::open_existing(places)?;
    reading.wait(reading.store.freeze())?;
    match args.format {
        ExportFormat::Csv => sweep(args, SweepFormat::Csv, &reading, ui),
        ExportFormat::Jsonl => sweep(args, SweepFormat::JsonLines, &reading, ui),
        ExportFormat::Parquet => sweep(args, SweepFormat::Parquet, &reading, ui),
        ExportFormat::Tensorboard => sweep(args, SweepFormat::TensorBoard, &reading, ui),
        ExportFormat::Safetensors => encoder(args, &reading, ui),
        ExportFormat::Npy => features(args, &reading, places, ui),
    }
}

/// What `--force` means.
fn existing(args: &ExportArgs) -> Existing {
    if args.force { Existing::Replaced } else { Existing::Kept }
}

/// Where an export goes that nobody named a place for.
fn shelf() -> &'static Path {
    Path::new("exports")
}

fn sweep(
    args: &ExportArgs,
    format: SweepFormat,
    reading: &Reading,
    ui: &mut Ui,
) -> anyhow::Result<ExitCode> {
    let sweep = reading.sweep(&args.what)?;
    let default = || shelf().join(format!("{}-{}", sweep.name, format.name()));
    let out = args.out.clone().unwrap_or_else(default);
    // Before anything is read: a place that will not do is told at once.
    let folder = NewFolder::begin(&out, existing(args))?;
    let table = table(reading, &sweep)?;
    let mut copy = SweepCopy::begin(format, folder.path(), &table)?;
    for line in &table.trials {
        copy.begin_trial(line)?;
        let key = std::slice::from_ref(line.key());
        // A metric of a trial at a time: memory does not grow with the sweep.
        for metric in reading.wait(reading.store.metric_names(key))? {
            for series in reading.wait(reading.store.series(&metric, key))? {
                copy.series(line, &metric, &series.points)?;
            }
        }
    }
    let points = copy.finish()?;
    folder.commit()?;
    ui.print(&out.display().to_string())?;
    ui.note(&format!("{} trials and {points} points of {}", table.trials.len(), sweep.name));
    if let Some(missing) = missing(&table) {
        ui.note(&missing);
    }
    Ok(ExitCode::Success)
}

/// Reads a sweep's trials and what came out of them.
fn table(reading: &Reading, sweep: &SweepRow) -> anyhow::Result<SweepTable> {
    let store = &reading.store;
    let trials = reading.wait(store.trials(sweep))?;
    let keys = reading::keys(&trials);
    let finals = reading.wait(store.finals(&sweep.eval_key, &keys))?;
    let mut finals: HashMap<TrainKey, _> =
        finals.into_iter().map(|finals| (finals.train_key, finals.values)).collect();
    let attempts = reading.wait(store.attempts_of(&keys))?;
    let mut of_trial: HashMap<&TrainKey, Vec<&AttemptRow>> = HashMap::new();
    for attempt in &attempts {
        of_trial.entry(&attempt.train_key).or_default().push(attempt);
    }
    let seconds = reading.wait(store.attempt_seconds(&keys))?;
    let line = |trial: TrialRow| {
        let key = &trial.train_key;
        let attempts = of_trial.remove(key).unwrap_or_default();
        let (values, seconds) = (finals.remove(key).unwrap_or_default(), seconds.get(key).copied());
        TrialLine::new(trial, values, &attempts, seconds)
    };
    let lines = trials.into_iter().map(line).collect();
    let origin = Origin {
        sweep: sweep.name.clone(),
        revision: sweep.revision,
        description: sweep.facts.description.clone(),
        eval_key: sweep.eval_key.clone(),
    };
    Ok(SweepTable::new(origin, sweep.facts.axes.clone(), lines))
}

/// Says what a sweep that is not done lacks.
fn missing(table: &SweepTable) -> Option<String> {
    let done = table.trials.iter().filter(|line| line.trial.state == TrialState::Done).count();
    match table.trials.len() - done {
        0 => None,
        left if done == 0 => {
            Some(format!("none of the {left} trials is done: the export has no results yet"))
        }
        left => Some(format!("{left} trials are not done: they have no results yet")),
    }
}

fn encoder(args: &ExportArgs, reading: &Reading, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let (sweep, trial) = trial(args, reading)?;
    let left = left_weights(reading, &sweep, &trial)?;
    let name = format!("{}-{}.safetensors", sweep.name, trial.train_key.short());
    let out: PathBuf = args.out.clone().unwrap_or_else(|| shelf().join(name));
    let mut file = NewFile::begin(&out, existing(args))?;
    let kept = weights::read(&left.path, &left.digest)?;
    let named = weights::renamed(&kept, &left.path)?;
    let facts = weights::facts(&trial, &sweep.name);
    weights::write(&mut file, &named, &facts)?;
    file.commit()?;
    ui.print(&out.display().to_string())?;
    for sentence in weights::differences(&trial.run.encoder) {
        ui.note(&sentence);
    }
    Ok(ExitCode::Success)
}

fn features(
    args: &ExportArgs,
    reading: &Reading,
    places: &Places,
    ui: &mut Ui,
) -> anyhow::Result<ExitCode> {
    let (sweep, trial) = trial(args, reading)?;
    let left = left_weights(reading, &sweep, &trial)?;
    let name = format!("{}-{}-npy", sweep.name, trial.train_key.short());
    let out = args.out.clone().unwrap_or_else(|| shelf().join(name));
    let folder = NewFolder::begin(&out, existing(args))?;
    let worker = places.worker()?;
    weights::read(&left.path, &left.digest)?;
    let attempt = left.path.parent().unwrap_or(Path::new("."));
    ui.note("computing the features of all images");
    export::features::compute(&worker, attempt, folder.path())?;
    let images = export::features::describe(folder.path(), &trial)?;
    folder.commit()?;
    ui.print(&out.display().to_string())?;
    ui.note(&format!("features of {images} images"));
    Ok(ExitCode::Success)
}

/// Finds what training left.
fn left_weights(
    reading: &Reading,
    sweep: &SweepRow,
    trial: &TrialRow,
) -> anyhow::Result<ArtifactRow> {
    let left = reading.wait(reading.store.artifact(&trial.train_key, "weights"))?;
    Ok(left.ok_or_else(|| no_weights(trial, sweep))?)
}

/// Finds the trial that was named.
fn trial(args: &ExportArgs, reading: &Reading) -> anyhow::Result<(SweepRow, TrialRow)> {
    if args.what == "@" {
        return Err(UsageError(
            "this format is of one trial: name it by its number or key, as `byol-sweep ls` has them"
                .to_owned(),
        )
        .into());
    }
    reading.trial(&args.sweep, &args.what)
}

fn no_weights(trial: &TrialRow, sweep: &SweepRow) -> NothingMatched {
    let number = trial.ordinal;
    let cause = match (trial.state, trial.verdict) {
        (TrialState::Pending | TrialState::Running | TrialState::Stopped, _) => {
            "is not trained yet"
        }
        (TrialState::Failed, _) => "failed before it was trained",
        (TrialState::Pruned, _) => "was stopped early",
        (TrialState::Trained | TrialState::Done, Some(Verdict::Diverged)) => {
            "diverged, which leaves no encoder"
        }
        (
            TrialState::Trained | TrialState::Done,
            Some(Verdict::Healthy | Verdict::Collapsed) | None,
        ) => "is trained, but its worker told of no weights that it kept",
    };
    NothingMatched(format!("trial {number} of {} {cause}", sweep.name))
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn only_what_diverged_is_said_to_have() {
        let said = |place: usize| no_weights(&samples::trials()[place], &samples::sweep()).0;
        assert_eq!(said(1), "trial 2 of tiny diverged, which leaves no encoder");
        for healthy_or_collapsed in [0, 6] {
            let said = said(healthy_or_collapsed);
            assert!(said.ends_with("told of no weights that it kept"), "{said}");
        }
        assert_eq!(said(5), "trial 6 of tiny is not trained yet");
    }
}
