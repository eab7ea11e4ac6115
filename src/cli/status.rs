//! `status`: one screen a sweep.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::args::{Form, StatusArgs};
use super::exit::ExitCode;
use super::origin::several_workers;
use super::places::Places;
use super::reading::{self, Reading};
use super::trials::{self, Named};
use super::{JSON_SCHEMA, json_text};
use crate::outcome::{Outcome, Verdict};
use crate::store::WorkerUse;
use crate::store::rows::{AttemptRow, SweepRow, TrialRow, TrialState};
use crate::ui::style::{Role, Style};
use crate::ui::{Ui, words};

/// Failures that a screen has room for.
const FAILURES: usize = 5;

/// States in the order in which people ask for them.
const ORDER: [TrialState; 6] = [
    TrialState::Done,
    TrialState::Running,
    TrialState::Failed,
    TrialState::Stopped,
    TrialState::Trained,
    TrialState::Pending,
];

/// Verdicts that are told beside the number of done trials.
const MARKED: [Verdict; 2] = [Verdict::Collapsed, Verdict::Diverged];

/// What is known of a sweep.
#[derive(Debug)]
pub(super) struct Standing {
    pub sweep: SweepRow,
    pub trials: Vec<TrialRow>,
    /// Attempts of these trials, ended or not.
    pub attempts: Vec<AttemptRow>,
    /// The binaries that finished trials.
    pub workers: Vec<WorkerUse>,
}

pub(super) fn run(args: &StatusArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let standings = gather(args.sweep.as_deref(), places)?;
    let now_ms = since_epoch(SystemTime::now());
    ui.print(&match args.reader.form() {
        Form::Text => {
            let screens = standings.iter().map(|standing| text(standing, now_ms, ui.style()));
            screens.collect::<Vec<_>>().join("\n")
        }
        Form::Json => json_text(&json(&standings, now_ms)),
    })?;
    Ok(ExitCode::Success)
}

/// Reads the sweep of that name, or all of them.
fn gather(sweep: Option<&str>, places: &Places) -> anyhow::Result<Vec<Standing>> {
    let reading = Reading::open_existing(places)?;
    let sweeps = match sweep {
        Some(name) => vec![reading.sweep(name)?],
        None => reading.wait(reading.store.sweeps())?,
    };
    let stand = |sweep: SweepRow| {
        let trials = reading.wait(reading.store.trials(&sweep))?;
        let attempts = reading.wait(reading.store.attempts_of(&reading::keys(&trials)))?;
        let workers = reading.wait(reading.store.workers_of(&reading::keys(&trials)))?;
        Ok(Standing { sweep, trials, attempts, workers })
    };
    sweeps.into_iter().map(stand).collect()
}

fn since_epoch(now: SystemTime) -> i64 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Returns a sweep's screen for people.
pub(super) fn text(standing: &Standing, now_ms: i64, style: Style) -> String {
    let Standing { sweep, trials, attempts, workers } = standing;
    let name = style.paint(Role::Strong, &sweep.name);
    let mut text =
        format!("{name}: {}, {}", words::plural(trials.len(), "trial"), counts(trials, style));
    if let Some(time) = remaining(trials, attempts) {
        text.push_str(&format!("; about {} left", words::duration(time)));
    }
    text.push('\n');
    let axes = trials::axes_of(trials);
    for attempt in attempts.iter().filter(|attempt| attempt.ended_ms.is_none()) {
        let Some(trial) = trials.iter().find(|trial| trial.train_key == attempt.train_key) else {
            continue;
        };
        let since = words::duration(milliseconds(now_ms - attempt.started_ms));
        let label = Named::from(trial).phrase(&axes);
        let running = style.paint(Role::Busy, "running");
        text.push_str(&format!(
            "  {running} {} {label} on {}, {since}\n",
            trial.ordinal, attempt.device
        ));
    }
    text.push_str(&failures(trials, &axes, style));
    if let Some(note) = several_workers(workers) {
        text.push_str(&format!("  {note}\n"));
    }
    text
}

fn counts(trials: &[TrialRow], style: Style) -> String {
    let of = |state| trials.iter().filter(|trial| trial.state == state).count();
    let counts = ORDER.iter().map(|state| (*state, of(*state))).filter(|(_, count)| *count > 0);
    let phrase = |(state, count): (TrialState, usize)| {
        let phrase =
            format!("{} {}", words::count(count as u64), trials::state(state, None, style));
        if state == TrialState::Done { phrase + &marks(trials, style) } else { phrase }
    };
    counts.map(phrase).collect::<Vec<_>>().join(", ")
}

/// Returns how many of the done trials turned out other than healthy: ` (1 collapsed)`.
fn marks(trials: &[TrialRow], style: Style) -> String {
    let phrase = |verdict: Verdict| match with_verdict(trials, verdict) {
        0 => None,
        count => {
            let word = style.paint(Role::Warning, verdict.as_str());
            Some(format!("{} {word}", words::count(count as u64)))
        }
    };
    let marks: Vec<String> = MARKED.into_iter().filter_map(phrase).collect();
    if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) }
}

fn with_verdict(trials: &[TrialRow], verdict: Verdict) -> usize {
    let has = |trial: &&TrialRow| trial.state == TrialState::Done && trial.verdict == Some(verdict);
    trials.iter().filter(has).count()
}

fn failures(trials: &[TrialRow], axes: &[String], style: Style) -> String {
    let failed = || trials.iter().filter_map(|trial| Some((trial, trial.failure.as_ref()?)));
    let mut text = String::new();
    for (trial, (reason, detail)) in failed().take(FAILURES) {
        let label = Named::from(trial).phrase(axes);
        let word = style.paint(Role::Bad, "failed");
        text.push_str(&format!(
            "  {word}  {} {label}, {}: {detail}\n",
            trial.ordinal,
            reason.as_str()
        ));
        text.push_str(&format!("          byol-sweep logs {}\n", trial.train_key.short()));
    }
    match failed().count().saturating_sub(FAILURES) {
        0 => {}
        more => text.push_str(&format!("  and {more} more: byol-sweep ls\n")),
    }
    text
}

/// Returns how long the rest takes when trials go on taking as long as the finished ones did, as
/// many at a time as now; `None` when nothing runs or nothing finished.
fn remaining(trials: &[TrialRow], attempts: &[AttemptRow]) -> Option<Duration> {
    let live = attempts.iter().filter(|attempt| attempt.ended_ms.is_none()).count();
    let took = |attempt: &AttemptRow| match (&attempt.outcome, attempt.ended_ms) {
        (Some(Outcome::Finished { .. }), Some(end)) => Some(milliseconds(end - attempt.started_ms)),
        (Some(Outcome::Finished { .. } | Outcome::Stopped | Outcome::Failed { .. }) | None, _) => {
            None
        }
    };
    let times: Vec<Duration> = attempts.iter().filter_map(took).collect();
    let left = trials.iter().filter(|trial| is_left(trial.state)).count();
    if live == 0 || times.is_empty() {
        return None;
    }
    let mean = times.iter().sum::<Duration>().div_f64(times.len() as f64);
    Some(mean.mul_f64(left as f64 / live as f64))
}

fn is_left(state: TrialState) -> bool {
    match state {
        TrialState::Pending | TrialState::Running | TrialState::Trained | TrialState::Stopped => {
            true
        }
        TrialState::Done | TrialState::Failed => false,
    }
}

fn milliseconds(time: i64) -> Duration {
    Duration::from_millis(u64::try_from(time).unwrap_or(0))
}

fn worker(used: &WorkerUse) -> serde_json::Value {
    json!({ "digest": used.worker.digest, "about": used.worker.about, "trials": used.trials })
}

/// Returns the sweeps for programs.
pub(super) fn json(standings: &[Standing], now_ms: i64) -> serde_json::Value {
    let sweep = |standing: &Standing| {
        let Standing { sweep, trials, attempts, workers } = standing;
        let counts: serde_json::Map<String, serde_json::Value> = ORDER
            .iter()
            .map(|state| (*state, trials.iter().filter(|trial| trial.state == *state).count()))
            .map(|(state, count)| (trials::state_name(state).to_owned(), json!(count)))
            .collect();
        let verdicts: serde_json::Map<String, serde_json::Value> = MARKED
            .iter()
            .map(|v| (v.as_str().to_owned(), json!(with_verdict(trials, *v))))
            .collect();
        let live = attempts.iter().filter(|attempt| attempt.ended_ms.is_none());
        let running = live.map(|attempt| {
            json!({
                "key": attempt.train_key,
                "attempt": attempt.number,
                "device": attempt.device.to_string(),
                "seconds": milliseconds(now_ms - attempt.started_ms).as_secs_f64(),
            })
        });
        json!({
            "sweep": sweep.name,
            "trials": trials.len(),
            "counts": counts,
            "verdicts": verdicts,
            "running": running.collect::<Vec<_>>(),
            "workers": workers.iter().map(worker).collect::<Vec<_>>(),
            "seconds_left": remaining(trials, attempts).map(|time| time.as_secs_f64()),
        })
    };
    json!({ "schema": JSON_SCHEMA, "sweeps": standings.iter().map(sweep).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn standing() -> Standing {
        let trials = samples::trials();
        let finished = Outcome::Finished { verdict: Verdict::Healthy };
        let attempts =
            vec![samples::attempt(&trials[0], Some(finished)), samples::attempt(&trials[2], None)];
        Standing { sweep: samples::sweep(), trials, attempts, workers: Vec::new() }
    }

    #[test]
    fn one_screen_says_what_runs_what_failed_and_how_long_it_takes() {
        let now_ms = 1_700_000_030_000;
        insta::assert_snapshot!(text(&standing(), now_ms, Style::Plain));
        let document = json(&[standing()], now_ms);
        assert_eq!(document["schema"], 1);
        assert_eq!(document["sweeps"][0]["counts"]["done"], 3);
        assert_eq!(document["sweeps"][0]["verdicts"], json!({ "collapsed": 1, "diverged": 1 }));
        assert_eq!(document["sweeps"][0]["running"][0]["seconds"], 30.0);
        assert_eq!(document["sweeps"][0]["seconds_left"], 180.0);
    }

    #[test]
    fn nothing_is_promised_while_nothing_runs() {
        let mut standing = standing();
        standing.attempts.truncate(1);
        assert_eq!(remaining(&standing.trials, &standing.attempts), None);
    }
}
