//! `rm` and `restore`: sweeps out of sight and back. No result is ever touched.

use serde_json::json;

use super::args::{Form, ReaderArgs};
use super::exit::{ExitCode, NothingMatched};
use super::places::Places;
use super::reading::{Reading, block_on};
use super::target::SweepArgs;
use super::{JSON_SCHEMA, json_text};
use crate::store::Edit;
use crate::ui::{Ui, words};
use crate::verbs;

pub(super) fn remove(args: &SweepArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let reading = Reading::open_existing(places)?;
    let sweep = reading.sweep(&args.sweep)?;
    let trials = reading.wait(reading.store.trials(&sweep))?.len();
    let name = sweep.name;
    block_on(verbs::edit(&places.state, Edit::Remove { sweep: name.clone() }))?;
    let text = format!(
        "{name} is out of sight; its {} and their results stay, `byol-sweep restore {name}` shows it again, and `byol-sweep gc` is what deletes",
        words::plural(trials, "trial")
    );
    tell("rm", &name, text, args.reader, ui)
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
        Form::Json => json_text(&json!({ "schema": JSON_SCHEMA, "verb": verb, "sweep": sweep })),
    })?;
    Ok(ExitCode::Success)
}
