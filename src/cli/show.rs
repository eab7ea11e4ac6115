//! `show`: everything about one trial.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::args::{Form, TrialArgs};
use super::exit::ExitCode;
use super::places::Places;
use super::reading::Reading;
use super::table::{Align, Table};
use super::trials::{self, Named};
use super::{JSON_SCHEMA, json_text, ls};
use crate::outcome::{Outcome, Verdict};
use crate::spec::early::METRIC;
use crate::store::rows::{AttemptKind, AttemptRow, EarlyStopRow, Finals, TrialRow};
use crate::ui::style::{Role, Style};
use crate::ui::{Ui, words};

pub(super) fn run(args: &TrialArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let (trial, attempts, finals) = gather(args, places)?;
    ui.print(&match args.reader.form() {
        Form::Text => text(&trial, &attempts, finals.as_ref(), ui.style()),
        Form::Json => json_text(&json(&trial, &attempts, finals.as_ref())),
    })?;
    Ok(ExitCode::Success)
}

/// Reads a trial, its attempts in order, and its results.
fn gather(
    args: &TrialArgs,
    places: &Places,
) -> anyhow::Result<(TrialRow, Vec<AttemptRow>, Option<Finals>)> {
    let reading = Reading::open_existing(places)?;
    let (sweep, trial) = reading.trial(&args.sweep, &args.trial)?;
    let attempts = reading.wait(reading.store.attempts(&trial.train_key))?;
    let keys = std::slice::from_ref(&trial.train_key);
    let finals = reading.wait(reading.store.finals(&sweep.eval_key, keys))?.pop();
    Ok((trial, attempts, finals))
}

/// Returns the trial for people: state, results, attempts, settings.
pub(super) fn text(
    trial: &TrialRow,
    attempts: &[AttemptRow],
    finals: Option<&Finals>,
    style: Style,
) -> String {
    let axes = trials::axes_of(std::slice::from_ref(trial));
    let label = style.paint(Role::Strong, &Named::from(trial).phrase(&axes));
    let state = trials::state(trial.state, trial.verdict, style);
    let mut text = format!("{} {label}: {state}\n", trial.ordinal);
    if let Some((reason, detail)) = &trial.failure {
        text.push_str(&format!("{}: {detail}\n", reason.as_str()));
    }
    if let Some(decision) = &trial.early_stop {
        text.push_str(&early_stop(decision));
    }
    text.push_str(&format!("trial {}\ngroup {}\n", trial.train_key, trial.group_key));
    if let Some(finals) = finals {
        text.push_str(&section("results", style, &results(finals)));
    }
    if !attempts.is_empty() {
        text.push_str(&section("attempts", style, &table(attempts)));
    }
    let mut settings = Vec::new();
    flatten("", &serde_json::to_value(&trial.run).unwrap_or_default(), &mut settings);
    text.push_str(&section("settings", style, &settings.concat()));
    text
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

fn table(attempts: &[AttemptRow]) -> String {
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
            outcome(attempt.outcome.as_ref()),
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

/// Adds a line for every value below `value`: `optimizer.base_lr = 0.3`.
fn flatten(path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let dot = if path.is_empty() { "" } else { "." };
                flatten(&format!("{path}{dot}{key}"), value, lines);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            lines.push(format!("{path} = {value}\n"));
        }
    }
}

/// Returns the trial for programs.
pub(super) fn json(trial: &TrialRow, attempts: &[AttemptRow], finals: Option<&Finals>) -> Value {
    let attempts = attempts.iter().map(|attempt| {
        json!({
            "number": attempt.number,
            "kind": attempt.kind,
            "eval_key": attempt.eval_key,
            "device": attempt.device,
            "threads": attempt.threads,
            "folder": attempt.folder,
            "started_ms": attempt.started_ms,
            "ended_ms": attempt.ended_ms,
            "outcome": attempt.outcome,
        })
    });
    let mut document = ls::trial_json(trial, finals.map(|finals| &finals.values));
    document["schema"] = json!(JSON_SCHEMA);
    document["attempts"] = attempts.collect();
    document["run"] = json!(trial.run);
    document
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_trial_shows_its_results_attempts_and_settings() {
        let trial = &samples::trials()[0];
        let attempts =
            [samples::attempt(trial, Some(Outcome::Finished { verdict: Verdict::Healthy }))];
        let finals = samples::finals(trial);
        insta::assert_snapshot!(text(trial, &attempts, Some(&finals), Style::Plain));
        let document = json(trial, &attempts, Some(&finals));
        assert_eq!(document["schema"], 1);
        assert_eq!(document["attempts"][0]["ended_ms"], 1_700_000_060_000_i64);
        assert_eq!(document["run"]["epochs"], 3);
    }

    #[test]
    fn a_collapse_is_told_of_the_trial_and_of_its_attempt() {
        let trial = &samples::trials()[6];
        let attempt =
            samples::attempt(trial, Some(Outcome::Finished { verdict: Verdict::Collapsed }));
        let text = text(trial, std::slice::from_ref(&attempt), None, Style::Plain);
        assert!(text.lines().next().unwrap_or_default().ends_with(": collapsed"), "{text}");
        assert_eq!(text.matches("collapsed").count(), 2, "{text}");
        assert_eq!(json(trial, &[attempt], None)["attempts"][0]["outcome"]["verdict"], "collapsed");
    }

    #[test]
    fn what_a_policy_decided_is_told() {
        let trial = &samples::trials()[7];
        let text = text(trial, &[], None, Style::Plain);
        let mut lines = text.lines();
        assert!(lines.next().unwrap_or_default().ends_with(": stopped early"), "{text}");
        let why =
            "stopped early after epoch 9: its setting had knn_probe_top1 31.2 % and needed 45.0 %";
        assert_eq!(lines.next(), Some(why));
        assert_eq!(json(trial, &[], None)["state"], "pruned");
        assert_eq!(json(trial, &[], None)["early_stop"]["epoch"], 9);
    }

    #[test]
    fn a_failure_stands_above_everything_else() {
        let trial = &samples::trials()[3];
        let text = text(trial, &[], None, Style::Plain);
        assert_eq!(text.lines().nth(1), Some("out_of_memory: CUDA out of memory"));
    }
}
