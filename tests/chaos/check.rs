//! What must hold after a sweep, whatever was done to it. Each sentence that comes back is a
//! promise that was broken.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::arena::{Arena, Limit};
use crate::fake;
use crate::kept::{Attempt, Kept, Series, Trial};
use crate::power::{TORN, folders};
use crate::processes;

/// Ends of attempts that the evils here explain; no other may come up.
fn explained(limit: Limit) -> &'static [&'static str] {
    match limit {
        Limit::None => &["killed", "lost"],
        Limit::Time(_) => &["killed", "lost", "deadline_hit"],
        Limit::Silence(_) => &["killed", "lost", "stalled"],
    }
}

/// Compares a sweep that was disturbed with one that was not.
pub(crate) fn broken(arena: &Arena, kept: &Kept, undisturbed: &Kept) -> Vec<String> {
    let mut broken = kept.damage.clone();
    if kept.trials.len() != undisturbed.trials.len() {
        broken.push(format!("{} trials are kept", kept.trials.len()));
    }
    for (trial, reference) in kept.trials.iter().zip(&undisturbed.trials) {
        let name = &trial.key[..8];
        let said = |text: String| format!("trial {name}: {text}");
        broken.extend(attempts(trial, arena.shape.limit).into_iter().map(said));
        broken.extend(lines(trial).into_iter().map(said));
        broken.extend(results(trial, reference).into_iter().map(said));
        broken.extend(workers(&arena.state(), trial).into_iter().map(said));
    }
    broken.extend(product(arena, kept));
    broken.extend(left_behind(&arena.state()));
    broken
}

/// One accepted result, attempts 1, 2, 3, ..., each with a row, an end and a reason.
fn attempts(trial: &Trial, limit: Limit) -> Vec<String> {
    let mut broken = Vec::new();
    let finished = trial.attempts.iter().filter(|a| a.outcome.as_deref() == Some("finished"));
    if finished.count() != 1 {
        broken.push(format!("not one accepted result: {:?}", outcomes(trial)));
    }
    if trial.attempts.iter().zip(1..).any(|(attempt, number)| attempt.number != number) {
        broken.push("its attempts are not numbered 1, 2, 3, ...".into());
    }
    for attempt in &trial.attempts {
        let reason = attempt.reason.as_deref();
        if attempt.outcome.is_none() || reason.is_some_and(|r| !explained(limit).contains(&r)) {
            let (number, detail) = (attempt.number, &attempt.detail);
            broken.push(format!("attempt {number} ended as {reason:?}, {detail:?}"));
        }
    }
    let rows: Vec<&Path> = trial.attempts.iter().map(|a| a.folder.as_path()).collect();
    let on_disk = trial.attempts.first().map(|a| folders(a.folder.parent().unwrap()));
    for folder in on_disk.into_iter().flatten().filter(|f| !rows.contains(&f.as_path())) {
        broken.push(format!("{} has no row", folder.display()));
    }
    broken
}

fn outcomes(trial: &Trial) -> Vec<&str> {
    trial.attempts.iter().map(|attempt| attempt.outcome.as_deref().unwrap_or("none")).collect()
}

/// Every metric of every event file is stored, and nothing else is.
fn lines(trial: &Trial) -> Vec<String> {
    let mut broken = Vec::new();
    for attempt in &trial.attempts {
        let (written, stored) = (written(attempt), &attempt.series);
        let agrees = if attempt.folder.join(TORN).exists() {
            // The store had read what the power cut took from the file.
            written.iter().all(|(name, points)| {
                stored.get(name).is_some_and(|s| points.iter().all(|(u, v)| s.get(u) == Some(v)))
            })
        } else {
            written == *stored
        };
        if !agrees {
            let number = attempt.number;
            broken.push(format!("attempt {number} wrote {written:?} and {stored:?} is stored"));
        }
    }
    broken
}

/// Returns the metrics in an attempt's event file, its whole lines.
fn written(attempt: &Attempt) -> Series {
    let mut series = Series::new();
    let bytes = fs::read(attempt.folder.join("events.jsonl")).unwrap_or_default();
    let whole = bytes.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"));
    for line in whole {
        let line: Value = serde_json::from_slice(line).unwrap_or_default();
        let event = &line["event"];
        if event["kind"] != "metrics" {
            continue;
        }
        for (name, value) in event["values"].as_object().into_iter().flatten() {
            let update = event["update"].as_i64().unwrap_or(-1);
            let bits = value.as_f64().unwrap_or(f64::NAN).to_bits();
            series.entry(name.clone()).or_default().insert(update, bits);
        }
    }
    series
}

/// Bit for bit what an undisturbed run gives.
fn results(trial: &Trial, reference: &Trial) -> Vec<String> {
    let mut broken = Vec::new();
    if trial.key != reference.key {
        broken.push(format!("stands where {} should", reference.key));
    }
    if trial.finals != reference.finals {
        broken.push(format!("results {:?}, not {:?}", trial.finals, reference.finals));
    }
    if trial.weights != reference.weights {
        broken.push(format!("weights {:?}, not {:?}", trial.weights, reference.weights));
    }
    let (found, wanted) = (trial.series(), reference.series());
    for (name, points) in &wanted {
        if found.get(name) != Some(points) {
            broken.push(format!("{name} is {:?}, not {points:?}", found.get(name)));
        }
    }
    broken
}

/// No two workers at a time, as they told themselves.
fn workers(state: &Path, trial: &Trial) -> Vec<String> {
    let path = state.join("trials").join(&trial.key).join(fake::WORKERS);
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().filter(|line| line.starts_with(fake::OVERLAP)).map(str::to_owned).collect()
}

/// What the product itself says of its trials.
fn product(arena: &Arena, kept: &Kept) -> Vec<String> {
    let mut command = arena.command(&["ls", "chaos", "--json"]);
    let output = command.stdout(std::process::Stdio::piped()).output().unwrap();
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let rows = listed["trials"].as_array().cloned().unwrap_or_default();
    let mut broken = Vec::new();
    if rows.len() != kept.trials.len() {
        broken.push(format!("`ls` shows {} trials: {listed}", rows.len()));
    }
    for (row, trial) in rows.iter().zip(&kept.trials) {
        let values = row["results"].as_object().into_iter().flatten();
        let results = values.filter_map(|(name, v)| Some((name.clone(), v.as_f64()?.to_bits())));
        if row["state"] != "done"
            || results.collect::<std::collections::BTreeMap<_, _>>() != trial.finals
        {
            broken.push(format!("`ls` shows {row}"));
        }
    }
    broken
}

/// No process that names the state folder is there for long.
fn left_behind(state: &Path) -> Vec<String> {
    let begun = Instant::now();
    loop {
        let left = processes::named(state);
        if left.is_empty() || begun.elapsed() > Duration::from_secs(15) {
            return left.into_iter().map(|process| format!("left behind: {process:?}")).collect();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
