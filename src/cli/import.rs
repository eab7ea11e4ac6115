//! `import`: other people's results, to be set beside ours.

use std::path::Path;

use anyhow::Context;

use super::args::ImportArgs;
use super::exit::ExitCode;
use super::places::Places;
use super::reading::Reading;
use crate::import::{self, Existing, Imported};
use crate::store::rows::TrialRow;
use crate::ui::Ui;

pub(super) fn run(args: &ImportArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(&args.file)
        .map_err(|source| import::ImportError::Read { file: args.file.clone(), source })?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => stem(&args.file)?,
    };
    let existing = if args.force { Existing::Replaced } else { Existing::Kept };
    let rows = import::keep(&places.state, &name, &args.file, &text, existing)?;
    ui.note(&format!("{} rows as {name}", rows.len()));
    tell_matches(&rows, places, ui)?;
    Ok(ExitCode::Success)
}

fn stem(file: &Path) -> anyhow::Result<String> {
    let stem = file.file_stem().context("the file has no name: name the import with --name")?;
    Ok(stem.to_string_lossy().into_owned())
}

/// Says which sweeps have cells that the rows are of.
fn tell_matches(rows: &[Imported], places: &Places, ui: &mut Ui) -> anyhow::Result<()> {
    let Some(reading) = Reading::open(places)? else { return Ok(()) };
    let mut matched = false;
    for sweep in reading.wait(reading.store.sweeps())? {
        let trials = reading.wait(reading.store.trials(&sweep))?;
        let count = rows.iter().filter(|row| is_of_any(row, &trials)).count();
        if count > 0 {
            ui.note(&format!("{count} of them are of cells of {}", sweep.name));
            matched = true;
        }
    }
    if !matched {
        ui.note("none of them is of a cell of any sweep here, by its arm and settings");
    }
    Ok(())
}

fn is_of_any(row: &Imported, trials: &[TrialRow]) -> bool {
    trials.iter().flat_map(|trial| trial.labels.iter()).any(|label| row.is_of(label))
}
