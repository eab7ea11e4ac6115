//! `rm` and `restore`: sweeps out of sight and back. No result is ever touched.

use serde_json::json;

use super::args::{Form, ReaderArgs};
use super::exit::{ExitCode, NothingMatched};
use super::places::Places;
use super::reading::{Reading, block_on};
use super::target::SweepArgs;
use super::{JSON_SCHEMA, json_text};
use crate::drive::orphans::Open;
use crate::store::Edit;
use crate::store::rows::TrialRow;
use crate::ui::{Ui, words};
use crate::verbs;

pub(super) fn remove(args: &SweepArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let reading = Reading::open_existing(places)?;
    let sweep = reading.sweep(&args.sweep)?;
    let trials = reading.wait(reading.store.trials(&sweep))?;
    let name = sweep.name;
    refuse_while_alive(&reading, &name, &trials)?;
    block_on(verbs::edit(&places.state, Edit::Remove { sweep: name.clone() }))?;
    let text = format!(
        "{name} is out of sight; its {} and their results stay, `byol-sweep restore {name}` shows it again, and `byol-sweep gc` is what deletes",
        words::plural(trials.len(), "trial")
    );
    tell("rm", &name, text, args.reader, ui)
}

/// Refuses to hide attempts that live on: no verb would find them any more.
fn refuse_while_alive(reading: &Reading, name: &str, trials: &[TrialRow]) -> anyhow::Result<()> {
    let Open { alive, elsewhere, gone: _ } = reading.drive(verbs::open(&reading.store, trials))?;
    let others = reading.wait(reading.store.sweeps())?;
    let is_seen = |sweep: &String| sweep != name && others.iter().any(|row| row.name == *sweep);
    let mut hidden = 0;
    for trial in alive.iter().chain(elsewhere.iter().map(|far| &far.trial)) {
        let sweeps = reading.wait(reading.store.sweeps_with(trial))?;
        hidden += usize::from(!sweeps.iter().any(is_seen));
    }
    anyhow::ensure!(
        hidden == 0,
        "{} of {name} still alive: stop it first (`byol-sweep stop {name}`), then remove it",
        words::plural(hidden, "attempt")
    );
    Ok(())
}

pub(super) fn restore(args: &SweepArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let reading = Reading::open_existing(places)?;
    let removed = reading.wait(reading.store.removed_sweeps())?;
    let found = match args.sweep.as_str() {
        // The one that was removed last.
        "@" => removed.first(),
        name => removed.iter().find(|removed| *removed == name),
    };
    let name = found.cloned().ok_or_else(|| {
        NothingMatched(match removed.as_slice() {
            [] => "no sweep is removed".to_owned(),
            names => format!("no removed sweep is `{}`: there is {}", args.sweep, names.join(", ")),
        })
    })?;
    block_on(verbs::edit(&places.state, Edit::Restore { sweep: name.clone() }))?;
    tell("restore", &name, format!("{name} is in sight again"), args.reader, ui)
}

fn tell(
    verb: &str,
    sweep: &str,
    text: String,
    reader: ReaderArgs,
    ui: &mut Ui,
) -> anyhow::Result<ExitCode> {
    ui.print(&match reader.form() {
        Form::Text => text,
        Form::Json => json_text(&document(verb, sweep)),
    })?;
    Ok(ExitCode::Success)
}

fn document(verb: &str, sweep: &str) -> serde_json::Value {
    json!({ "schema": JSON_SCHEMA, "verb": verb, "sweep": sweep })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_the_verb_and_the_sweep() {
        insta::assert_json_snapshot!(document("rm", "tiny"));
    }
}
