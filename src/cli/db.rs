//! `db`: looks after the database.

use std::path::Path;

use serde_json::json;

use super::args::{DbArgs, DbVerb, Form};
use super::exit::ExitCode;
use super::places::Places;
use super::reading::{Reading, runtime};
use super::{JSON_SCHEMA, json_text};
use crate::control::controller::Controller;
use crate::drive::lock::{StateLock, is_held};
use crate::protocol::folder::TrialFolder;
use crate::store::{DATABASE, Finding, Store, Weight};
use crate::ui::{Ui, words};

pub(super) fn run(args: &DbArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    match &args.verb {
        DbVerb::Check(reader) => check(reader.form(), places, ui),
        DbVerb::Backup { file, reader } => back_up(file, reader.form(), places, ui),
        DbVerb::Vacuum(reader) => vacuum(reader.form(), places, ui),
    }
}

/// Exit code 1 where anything is broken.
fn check(form: Form, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let reading = Reading::open_existing(places)?;
    let mut found = reading.wait(reading.store.check())?;
    let broken = found.iter().any(|finding| finding.weight == Weight::Broken);
    let sizes = if broken { Default::default() } else { reading.wait(reading.store.sizes())? };
    if !broken {
        found.extend(unwatched(&reading)?);
    }
    let file = reading.store.state_dir().join(DATABASE);
    ui.print(&match form {
        Form::Text => text(&file, &found, &sizes),
        Form::Json => json_text(&checked(&file, &found, &sizes)),
    })?;
    Ok(if broken { ExitCode::Internal } else { ExitCode::Success })
}

/// Finds attempts that count as alive while nobody can be at them.
fn unwatched(reading: &Reading) -> anyhow::Result<Vec<Finding>> {
    let state = reading.store.state_dir();
    if let Controller::Alive { .. } = Controller::glance(state) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for attempt in reading.wait(reading.store.live_attempts())? {
        let lock = TrialFolder::new(state, &attempt.train_key).lock();
        if !is_held(&lock).unwrap_or(true) {
            found.push(Finding::note(format!(
                "attempt {} of trial {} counts as running, and neither its worker nor a controller is alive: the next run settles it",
                attempt.number, attempt.train_key
            )));
        }
    }
    Ok(found)
}

fn text(
    file: &Path,
    found: &[Finding],
    sizes: &std::collections::BTreeMap<&'static str, u64>,
) -> String {
    let mut text = String::new();
    for finding in found {
        let word = match finding.weight {
            Weight::Broken => "broken",
            Weight::Note => "note",
        };
        text.push_str(&format!("{word}: {}\n", finding.text));
    }
    if found.iter().any(|finding| finding.weight == Weight::Broken) {
        text.push_str(&format!("{} is damaged; {}\n", file.display(), restore(file)));
    } else {
        let rows: Vec<String> = sizes.iter().map(|(name, count)| rows_of(name, *count)).collect();
        text.push_str(&format!("{} is sound: {}\n", file.display(), rows.join(", ")));
    }
    text
}

/// Returns `1 sweep` or `2 sweeps`.
fn rows_of(name: &str, count: u64) -> String {
    let noun = name.strip_suffix('s').unwrap_or(name);
    words::plural(usize::try_from(count).unwrap_or(usize::MAX), noun)
}

fn restore(file: &Path) -> String {
    crate::store::how_to_restore(file)
}

fn back_up(file: &Path, form: Form, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let reading = Reading::open_existing(places)?;
    let bytes = reading.wait(reading.store.back_up(file))?;
    match form {
        Form::Text => ui.note(&format!("wrote {}, {}", file.display(), words::bytes(bytes))),
        Form::Json => ui.print(&json_text(&backed_up(file, bytes)))?,
    }
    Ok(ExitCode::Success)
}

fn vacuum(form: Form, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    // A folder without a database is not made one.
    drop(Reading::open_existing(places)?);
    let _lock = StateLock::take(&places.state)?;
    let (before, after) = runtime()?.block_on(async {
        let store = Store::open(&places.state).await?;
        let sizes = store.vacuum().await?;
        store.close().await;
        anyhow::Ok(sizes)
    })?;
    match form {
        Form::Text => {
            ui.note(&format!("{} before, {} now", words::bytes(before), words::bytes(after)));
        }
        Form::Json => ui.print(&json_text(&vacuumed(before, after)))?,
    }
    Ok(ExitCode::Success)
}

fn checked(
    file: &Path,
    found: &[Finding],
    sizes: &std::collections::BTreeMap<&'static str, u64>,
) -> serde_json::Value {
    json!({
        "schema": JSON_SCHEMA,
        "database": file,
        "sound": found.iter().all(|finding| finding.weight != Weight::Broken),
        "rows": sizes,
        "findings": found,
    })
}

fn backed_up(file: &Path, bytes: u64) -> serde_json::Value {
    json!({ "schema": JSON_SCHEMA, "verb": "db backup", "file": file, "bytes": bytes })
}

fn vacuumed(before: u64, after: u64) -> serde_json::Value {
    json!({
        "schema": JSON_SCHEMA, "verb": "db vacuum", "bytes_before": before, "bytes_after": after,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_comes_with_the_way_out_and_a_sound_file_with_what_was_looked_at() {
        let file = Path::new("s/byol-sweep.db");
        let sizes = [("trials", 1234), ("sweeps", 1)].into();
        let note = Finding::note("an attempt");
        insta::assert_snapshot!("sound", text(file, std::slice::from_ref(&note), &sizes));
        insta::assert_json_snapshot!("checked", checked(file, &[note], &sizes));
        let broken = Finding { weight: Weight::Broken, text: "pages: row 3 missing".into() };
        insta::assert_snapshot!("broken", text(file, std::slice::from_ref(&broken), &sizes));
        assert_eq!(checked(file, &[broken], &sizes)["sound"], false);
    }

    #[test]
    fn programs_are_told_what_was_written_and_what_was_given_back() {
        insta::assert_json_snapshot!("backed_up", backed_up(Path::new("b/copy.db"), 4096));
        insta::assert_json_snapshot!("vacuumed", vacuumed(8192, 4096));
    }
}
