//! `show`: everything about one trial.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::args::{Form, TrialArgs};
use super::exit::ExitCode;
use super::origin::Origins;
use super::places::Places;
use super::reading::Reading;
use super::table::{Align, Table};
use super::trials::{self, Named};
use super::{JSON_SCHEMA, json_text, ls};
use crate::ids::TrainKey;
use crate::outcome::{Outcome, Verdict};
use crate::spec::early::METRIC;
use crate::spec::run;
use crate::store::rows::{
    AttemptKind, AttemptRow, EarlyStopRow, Finals, Known, NoteRow, SweepRow, TrialRow,
};
use crate::ui::style::{Role, Style};
use crate::ui::{Ui, words};

/// Everything about one trial.
pub(super) struct Shown {
    pub trial: TrialRow,
    pub attempts: Vec<AttemptRow>,
    /// What its workers left for people, in the order it was said.
    pub notes: Vec<NoteRow>,
    pub finals: Option<Finals>,
    pub origins: Origins,
    /// Files that the trial left.
    pub files: Vec<LeftFile>,
    /// It, where nobody is at it though the store has no end of its attempt.
    pub interrupted: HashSet<TrainKey>,
}

/// A file that an attempt left, and whether it is still there.
pub(super) struct LeftFile {
    pub what: &'static str,
    pub path: PathBuf,
    pub presence: Presence,
}

/// Whether a file is where the store has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Here,
    Gone,
}

pub(super) fn run(args: &TrialArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let reading = Reading::open_existing(places)?;
    let (sweep, trial) = reading.trial(&args.sweep, &args.trial)?;
    let shown = gather(&reading, &sweep, trial)?;
    ui.print(&match args.reader.form() {
        Form::Text => text(&shown, ui.style()),
        Form::Json => json_text(&json(&shown)),
    })?;
    Ok(ExitCode::Success)
}

/// Reads a trial's attempts in order, its results, and what it was made with.
pub(super) fn gather(
    reading: &Reading,
    sweep: &SweepRow,
    trial: TrialRow,
) -> anyhow::Result<Shown> {
    let store = &reading.store;
    let attempts = reading.wait(store.attempts(&trial.train_key))?;
    let notes = reading.wait(store.notes(&trial.train_key))?;
    let keys = std::slice::from_ref(&trial.train_key);
    let finals = reading.wait(store.finals(&sweep.eval_key, keys))?.pop();
    let invocations = reading.wait(store.invocations_of(&trial.train_key))?;
    let mut started = BTreeMap::new();
    for attempt in &attempts {
        let said = reading.wait(store.started(attempt.id))?;
        started.extend(said.map(|said| (attempt.number, said)));
    }
    let known = reading.wait(store.known(&sweep.eval_key, keys))?.remove(&trial.train_key);
    let files = known.map(|known| left_files(&known)).unwrap_or_default();
    let interrupted = reading.interrupted(std::slice::from_ref(&trial))?;
    let origins = Origins { invocations, started };
    Ok(Shown { trial, attempts, notes, finals, origins, files, interrupted })
}

/// Looks at the files that a trial left.
fn left_files(known: &Known) -> Vec<LeftFile> {
    let weights = known.weights.iter().map(|path| ("weights", path));
    let checkpoint = known.checkpoint.iter().map(|(path, _)| ("checkpoint", path));
    let file = |(what, path): (&'static str, &PathBuf)| {
        let presence = if path.exists() { Presence::Here } else { Presence::Gone };
        LeftFile { what, path: path.clone(), presence }
    };
    weights.chain(checkpoint).map(file).collect()
}

/// Returns the trial for people: state, results, attempts, what they were made with, settings.
pub(super) fn text(shown: &Shown, style: Style) -> String {
    let Shown { trial, attempts, notes, finals, origins, files, interrupted } = shown;
    let axes = trials::axes_of(std::slice::from_ref(trial));
    let label = style.paint(Role::Strong, &Named::from(trial).phrase(&axes));
    let state = trials::standing(trial, interrupted, style);
    let mut text = format!("{} {label}: {state}\n", trial.ordinal);
    if let Some((reason, detail)) = &trial.failure {
        text.push_str(&format!("{}: {detail}\n", reason.as_str()));
    }
    if let Some(decision) = &trial.early_stop {
        text.push_str(&early_stop(decision));
    }
    text.push_str(&format!("trial {}\ngroup {}\n", trial.train_key, trial.group_key));
    let settings: String =
        settings(trial).into_iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    let sections = [
        ("results", finals.as_ref().map(results).unwrap_or_default()),
        (
            "attempts",
            if attempts.is_empty() { String::new() } else { table(attempts, interrupted) },
        ),
        ("notes", notes.iter().map(note_line).collect()),
        ("files", files.iter().map(file_line).collect()),
        ("made with", origins.text()),
        ("settings", settings),
    ];
    for (title, body) in sections.iter().filter(|(_, body)| !body.is_empty()) {
        text.push_str(&section(title, style, body));
    }
    text
}

fn note_line(note: &NoteRow) -> String {
    format!("attempt {}: {}\n", note.attempt, note.text)
}

fn file_line(file: &LeftFile) -> String {
    let path = file.path.display();
    match file.presence {
        Presence::Here => format!("{}: {path}\n", file.what),
        Presence::Gone => format!("{}: cleaned away, was {path}\n", file.what),
    }
}

/// Returns the settings of a trial, by their paths: `optimizer.base_lr` and `0.3`.
pub(super) fn settings(trial: &TrialRow) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    run::flatten("", &serde_json::to_value(&trial.run).unwrap_or_default(), &mut settings);
    settings
}

/// Says why a policy stopped it.
fn early_stop(decision: &EarlyStopRow) -> String {
    let EarlyStopRow { epoch, value, bar, at_ms: _ } = *decision;
    format!(
        "stopped early after epoch {epoch}: its setting had {METRIC} {} and needed {}\n",
        words::metric(METRIC, value),
        words::metric(METRIC, bar)
    )
}

fn section(title: &str, style: Style, body: &str) -> String {
    let body: String = body.lines().map(|line| format!("  {line}\n")).collect();
    format!("\n{}\n{body}", style.paint(Role::Strong, title))
}

fn results(finals: &Finals) -> String {
    let mut table = Table::new(&[("metric", Align::Left), ("value", Align::Right)]);
    for (name, value) in &finals.values {
        table.push(vec![name.clone(), words::metric(name, *value)]);
    }
    table.text()
}

fn table(attempts: &[AttemptRow], interrupted: &HashSet<TrainKey>) -> String {
    let mut table = Table::new(&[
        ("#", Align::Right),
        ("kind", Align::Left),
        ("device", Align::Left),
        ("threads", Align::Right),
        ("started", Align::Left),
        ("took", Align::Right),
        ("outcome", Align::Left),
        ("folder", Align::Left),
    ]);
    for attempt in attempts {
        let kind = match attempt.kind {
            AttemptKind::Train => "train",
            AttemptKind::Eval => "eval",
        };
        let took =
            attempt.ended_ms.map(|end| words::duration(since_epoch(end - attempt.started_ms)));
        let started = SystemTime::UNIX_EPOCH + since_epoch(attempt.started_ms);
        table.push(vec![
            attempt.number.to_string(),
            kind.to_owned(),
            attempt.device.to_string(),
            attempt.threads.to_string(),
            humantime::format_rfc3339_seconds(started).to_string(),
            took.unwrap_or_default(),
            match &attempt.outcome {
                None if interrupted.contains(&attempt.train_key) => "interrupted".to_owned(),
                known => outcome(known.as_ref()),
            },
            attempt.folder.display().to_string(),
        ]);
    }
    table.text()
}

fn outcome(outcome: Option<&Outcome>) -> String {
    match outcome {
        None => "running".to_owned(),
        Some(Outcome::Finished { verdict: Verdict::Healthy }) => "finished".to_owned(),
        Some(Outcome::Finished { verdict: verdict @ (Verdict::Diverged | Verdict::Collapsed) }) => {
            verdict.as_str().to_owned()
        }
        Some(Outcome::Stopped) => "stopped".to_owned(),
        Some(Outcome::Failed { reason, .. }) => reason.as_str().to_owned(),
    }
}

fn since_epoch(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}

/// Returns the trial for programs.
pub(super) fn json(shown: &Shown) -> Value {
    let Shown { trial, attempts, notes, finals, origins, files, interrupted } = shown;
    let attempts = attempts.iter().map(|attempt| {
        let mut document = json!({
            "number": attempt.number,
            "kind": attempt.kind,
            "eval_key": attempt.eval_key,
            "device": attempt.device,
            "threads": attempt.threads,
            "folder": attempt.folder,
            "started_ms": attempt.started_ms,
            "ended_ms": attempt.ended_ms,
            "outcome": attempt.outcome,
        });
        let said = notes.iter().filter(|note| note.attempt == attempt.number);
        document["notes"] =
            said.map(|note| json!({ "at_ms": note.at_ms, "text": note.text })).collect();
        origins.add_to(attempt.number, &mut document);
        document
    });
    let files = files.iter().map(|file| {
        json!({
            "what": file.what,
            "path": file.path,
            "here": file.presence == Presence::Here,
        })
    });
    let mut document =
        ls::trial_json(trial, interrupted, finals.as_ref().map(|finals| &finals.values));
    document["schema"] = json!(JSON_SCHEMA);
    document["attempts"] = attempts.collect();
    document["files"] = files.collect();
    document["run"] = json!(trial.run);
    document
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::ids::AttemptNo;

    fn shown(place: usize, outcome: Option<Outcome>) -> Shown {
        let trial = samples::trials().swap_remove(place);
        let attempts = outcome.map(|outcome| samples::attempt(&trial, Some(outcome)));
        let origins = Origins::default();
        Shown {
            attempts: attempts.into_iter().collect(),
            trial,
            notes: Vec::new(),
            finals: None,
            origins,
            files: Vec::new(),
            interrupted: HashSet::new(),
        }
    }

    #[test]
    fn a_trial_shows_its_results_attempts_and_settings() {
        let mut shown = shown(0, Some(Outcome::Finished { verdict: Verdict::Healthy }));
        shown.finals = Some(samples::finals(&shown.trial));
        shown.origins = samples::origins();
        shown.notes = vec![NoteRow {
            attempt: AttemptNo(1),
            at_ms: 1_700_000_000_500,
            text: "inexact resume: worker binary was c0ffee00 and is 0ddba110".into(),
        }];
        shown.files = vec![
            LeftFile { what: "weights", path: "w".into(), presence: Presence::Here },
            LeftFile { what: "checkpoint", path: "c".into(), presence: Presence::Gone },
        ];
        insta::assert_snapshot!(text(&shown, Style::Plain));
        let document = json(&shown);
        assert_eq!(document["schema"], 1);
        assert_eq!(document["run"]["epochs"], 3);
        insta::assert_json_snapshot!("show_for_programs", document);
        assert_eq!(document["files"][1]["here"], false);
    }

    #[test]
    fn a_collapse_is_told_of_the_trial_and_of_its_attempt() {
        let shown = shown(6, Some(Outcome::Finished { verdict: Verdict::Collapsed }));
        let text = text(&shown, Style::Plain);
        assert!(text.lines().next().unwrap_or_default().ends_with(": collapsed"), "{text}");
        assert_eq!(text.matches("collapsed").count(), 2, "{text}");
        assert_eq!(json(&shown)["attempts"][0]["outcome"]["verdict"], "collapsed");
    }

    #[test]
    fn what_a_policy_decided_is_told() {
        let shown = shown(7, None);
        let text = text(&shown, Style::Plain);
        let mut lines = text.lines();
        assert!(lines.next().unwrap_or_default().ends_with(": stopped early"), "{text}");
        let why =
            "stopped early after epoch 9: its setting had knn_probe_top1 31.2 % and needed 45.0 %";
        assert_eq!(lines.next(), Some(why));
        assert_eq!(json(&shown)["state"], "pruned");
        assert_eq!(json(&shown)["early_stop"]["epoch"], 9);
    }

    #[test]
    fn an_attempt_that_nobody_is_at_does_not_run() {
        let mut shown = shown(2, None);
        shown.attempts = vec![samples::attempt(&shown.trial, None)];
        assert_eq!(text(&shown, Style::Plain).matches("running").count(), 2);
        shown.interrupted = [shown.trial.train_key.clone()].into();
        let text = text(&shown, Style::Plain);
        assert_eq!((text.matches("running").count(), text.matches("interrupted").count()), (0, 2));
        let document = json(&shown);
        assert_eq!(
            (&document["state"], &document["interrupted"]),
            (&json!("running"), &json!(true))
        );
    }

    #[test]
    fn a_failure_stands_above_everything_else() {
        let text = text(&shown(3, None), Style::Plain);
        assert_eq!(text.lines().nth(1), Some("out_of_memory: CUDA out of memory"));
    }
}
