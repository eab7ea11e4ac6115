//! `status`: one screen a sweep.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::json;

use super::args::{Form, StatusArgs};
use super::exit::{ExitCode, NothingMatched};
use super::origin::several_workers;
use super::places::Places;
use super::reading::{self, Reading};
use super::trials::{self, Named};
use super::watch::{self, Life, Screen};
use super::{JSON_SCHEMA, json_text};
use crate::control::controller::Controller;
use crate::ids::TrainKey;
use crate::outcome::Verdict;
use crate::outlook::{Asked, Costs, Experience, Outlook};
use crate::protocol::folder::AttemptFolder;
use crate::protocol::{Progress, progress};
use crate::store::rows::{AttemptRow, SweepRow, TrialRow, TrialState};
use crate::store::{Overview, WorkerUse};
use crate::ui::style::{Role, Style};
use crate::ui::{Ui, words};

/// Failures that a screen has room for.
const FAILURES: usize = 5;

/// States in the order in which people ask for them.
const ORDER: [TrialState; 7] = [
    TrialState::Done,
    TrialState::Running,
    TrialState::Failed,
    TrialState::Pruned,
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
    /// Those of their attempts that have no end in the store.
    pub open: Vec<AttemptRow>,
    /// The binaries that finished trials.
    pub workers: Vec<WorkerUse>,
    pub cost: Outlook,
    /// Trials that are held.
    pub held: usize,
    /// Trials that count as running while neither their worker nor a controller is alive.
    pub interrupted: HashSet<TrainKey>,
    /// Where live attempts are, by their row ids.
    pub progress: HashMap<i64, Progress>,
}

impl Standing {
    /// Returns the attempts that somebody is at, or may be.
    fn running(&self) -> impl Iterator<Item = &AttemptRow> {
        self.open.iter().filter(|attempt| !self.interrupted.contains(&attempt.train_key))
    }

    /// Returns how many trials are in a state; those that were interrupted are not running.
    fn count(&self, state: TrialState) -> usize {
        let count = self.trials.iter().filter(|trial| trial.state == state).count();
        if state == TrialState::Running { count - self.interrupted.len() } else { count }
    }

    /// Returns how long the rest takes; `None` while nothing runs, or where not all is known.
    fn to_go(&self) -> Option<Duration> {
        let runs = self.running().next().is_some();
        self.cost.to_go().filter(|_| runs)
    }
}

pub(super) fn run(args: &StatusArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let style = ui.style();
    if args.watch {
        watch::watch(ui, || look(args, places, style))?;
    } else {
        ui.print(&look(args, places, style)?.text)?;
    }
    Ok(ExitCode::Success)
}

/// Returns the screen of this moment.
fn look(args: &StatusArgs, places: &Places, style: Style) -> anyhow::Result<Screen> {
    let now_ms = reading::now_ms();
    // First who is at work: what a run did before it ended is in the store.
    let controller = Controller::look(&places.state);
    let standings = gather(args.sweep.as_deref(), places, &controller)?;
    let text = match args.reader.form() {
        Form::Text => {
            let screens = standings.iter().map(|standing| text(standing, now_ms, style));
            let at_work = controller.text().map(|line| format!("{line}\n"));
            screens.chain(at_work).collect::<Vec<_>>().join("\n")
        }
        Form::Json => json_text(&json(&standings, &controller, now_ms)),
    };
    let runs = standings.iter().any(|standing| standing.running().next().is_some());
    let life = if runs || controller != Controller::None { Life::On } else { Life::Over };
    Ok(Screen { text, signature: signature(&standings, &controller), life })
}

/// Returns all that happens and nothing that only passes.
fn signature(standings: &[Standing], controller: &Controller) -> String {
    let mut text = format!("{controller:?}");
    for standing in standings {
        let Standing { sweep, trials, held, .. } = standing;
        text.push_str(&format!("{}:{}:{held}", sweep.name, sweep.revision));
        for trial in trials {
            text.push_str(&format!(";{}{}", trial.attempts, trial.state.as_str()));
        }
        text.push_str(&format!(";{}", standing.running().count()));
    }
    text
}

/// Reads the sweep of that name, or all of them.
fn gather(
    sweep: Option<&str>,
    places: &Places,
    controller: &Controller,
) -> anyhow::Result<Vec<Standing>> {
    let reading = Reading::open_existing(places)?;
    let sweeps = match sweep {
        Some(name) => vec![reading.sweep(name)?],
        None => reading.wait(reading.store.sweeps())?,
    };
    if sweeps.is_empty() && *controller == Controller::None {
        return Err(NothingMatched(reading.none_in_sight()?).into());
    }
    let all_open = reading.wait(reading.store.live_attempts())?;
    let stand = |sweep: SweepRow| {
        let store = &reading.store;
        // What does not depend on the trials is read while they are put together.
        let (Overview { trials, spent, workers }, experience, wishes) = reading.wait(async {
            tokio::try_join!(
                store.overview(&sweep),
                Experience::read(store, &sweep),
                store.all_wishes()
            )
        })?;
        let of_sweep =
            |attempt: &&AttemptRow| trials.iter().any(|trial| trial.train_key == attempt.train_key);
        let open: Vec<AttemptRow> = all_open.iter().filter(of_sweep).cloned().collect();
        let costs = Costs { spent, experience };
        let asked: Vec<Asked<'_>> = trials.iter().map(Asked::from).collect();
        let cost = costs.outlook(&asked, &sweep.eval_key);
        let is_held =
            |trial: &&TrialRow| wishes.get(&trial.train_key).is_some_and(|w| w.held_ms.is_some());
        let held = trials.iter().filter(is_held).count();
        let interrupted = reading.interrupted_beside(controller, &trials)?;
        let at = |live: &AttemptRow| progress::last_of(&AttemptFolder::at(&live.folder));
        let progress = open.iter().filter_map(|live| Some((live.id, at(live)?))).collect();
        Ok(Standing { sweep, trials, open, workers, cost, held, interrupted, progress })
    };
    sweeps.into_iter().map(stand).collect()
}

/// Returns a sweep's screen for people.
pub(super) fn text(standing: &Standing, now_ms: i64, style: Style) -> String {
    let Standing { sweep, trials, open: _, workers, cost, held, interrupted, progress } = standing;
    let name = style.paint(Role::Strong, &sweep.name);
    let mut text =
        format!("{name}: {}, {}", words::plural(trials.len(), "trial"), counts(standing, style));
    if *held > 0 {
        text.push_str(&format!("; {} held", words::count(*held as u64)));
    }
    if let Some(time) = standing.to_go() {
        text.push_str(&format!("; about {} left", words::duration(time)));
    }
    text.push('\n');
    let axes = trials::axes_of(trials);
    for trial in trials.iter().filter(|trial| interrupted.contains(&trial.train_key)) {
        let word = style.paint(Role::Warning, "interrupted");
        text.push_str(&format!(
            "  {word} {} {}: nothing is at work on it; `byol-sweep run` goes on\n",
            trial.ordinal,
            Named::from(trial).phrase(&axes)
        ));
    }
    for attempt in standing.running() {
        let Some(trial) = trials.iter().find(|trial| trial.train_key == attempt.train_key) else {
            continue;
        };
        let since = words::duration(milliseconds(now_ms - attempt.started_ms));
        let label = Named::from(trial).phrase(&axes);
        let running = style.paint(Role::Busy, "running");
        text.push_str(&format!(
            "  {running} {} {label} on {}, {since}{}\n",
            trial.ordinal,
            attempt.device,
            progress
                .get(&attempt.id)
                .map(|at| format!(", {}", words::progress(at)))
                .unwrap_or_default()
        ));
    }
    text.push_str(&failures(trials, &axes, style));
    let cost = cost.text();
    text.extend(cost.lines().map(|line| format!("  {line}\n")));
    if let Some(note) = several_workers(workers) {
        text.push_str(&format!("  {note}\n"));
    }
    text
}

fn counts(standing: &Standing, style: Style) -> String {
    let trials = &standing.trials;
    let counts = ORDER.iter().map(|state| (*state, standing.count(*state)));
    let counts = counts.filter(|(_, count)| *count > 0);
    let phrase = |(state, count): (TrialState, usize)| {
        let phrase =
            format!("{} {}", words::count(count as u64), trials::state(state, None, style));
        if state == TrialState::Done { phrase + &marks(trials, style) } else { phrase }
    };
    let mut phrases: Vec<String> = counts.map(phrase).collect();
    if !standing.interrupted.is_empty() {
        let word = style.paint(Role::Warning, "interrupted");
        phrases.push(format!("{} {word}", words::count(standing.interrupted.len() as u64)));
    }
    phrases.join(", ")
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

fn milliseconds(time: i64) -> Duration {
    Duration::from_millis(u64::try_from(time).unwrap_or(0))
}

fn worker(used: &WorkerUse) -> serde_json::Value {
    json!({ "digest": used.worker.digest, "about": used.worker.about, "trials": used.trials })
}

/// Returns the sweeps for programs.
pub(super) fn json(
    standings: &[Standing],
    controller: &Controller,
    now_ms: i64,
) -> serde_json::Value {
    let sweep = |standing: &Standing| {
        let Standing { sweep, trials, open: _, workers, cost, held, interrupted, progress } =
            standing;
        let counts: serde_json::Map<String, serde_json::Value> = ORDER
            .iter()
            .map(|state| (*state, standing.count(*state)))
            .map(|(state, count)| (state.as_str().to_owned(), json!(count)))
            .collect();
        let verdicts: serde_json::Map<String, serde_json::Value> = MARKED
            .iter()
            .map(|v| (v.as_str().to_owned(), json!(with_verdict(trials, *v))))
            .collect();
        let running = standing.running().map(|attempt| {
            json!({
                "key": attempt.train_key,
                "attempt": attempt.number,
                "device": attempt.device.to_string(),
                "seconds": milliseconds(now_ms - attempt.started_ms).as_secs_f64(),
                "progress": progress.get(&attempt.id),
            })
        });
        json!({
            "sweep": sweep.name,
            "trials": trials.len(),
            "counts": counts,
            "verdicts": verdicts,
            "held": held,
            "interrupted": interrupted.len(),
            "running": running.collect::<Vec<_>>(),
            "workers": workers.iter().map(worker).collect::<Vec<_>>(),
            "seconds_left": standing.to_go().map(|time| time.as_secs_f64()),
            "cost": cost.json(),
        })
    };
    let at_work = controller;
    json!({ "schema": JSON_SCHEMA, "at_work": at_work, "sweeps": standings.iter().map(sweep).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::outlook::{self, Here, Left};
    use crate::plan::cost::{Basis, DeviceKind, Place};
    use crate::protocol::Stage;
    use crate::store::Spent;

    fn standing() -> Standing {
        let trials = samples::trials();
        let open = vec![samples::attempt(&trials[2], None)];
        let kind = DeviceKind::Cpu;
        let train_key = trials[0].train_key.clone();
        let spent = Spent { train_key, kind, train_ms: 7_200_000, eval_ms: 600_000 };
        let known = Left::Known { seconds: 90.0, basis: Basis::SameClass };
        let lefts = vec![known; trials.len()];
        let place = Place { kind, model: "a".into(), threads: 1 };
        let here = Here { place, slots: 2 };
        let cost = outlook::outlook(&[spent], Some((&lefts, &here)));
        let progress = Progress {
            stage: Stage::Train,
            update: 3,
            updates: 12,
            epoch: 1,
            epochs: 3,
            loss: None,
            images_per_s: 1234.0,
        };
        Standing {
            sweep: samples::sweep(),
            progress: [(open[0].id, progress)].into(),
            trials,
            open,
            workers: Vec::new(),
            cost,
            held: 1,
            interrupted: HashSet::new(),
        }
    }

    #[test]
    fn one_screen_says_what_runs_what_failed_and_how_long_it_takes() {
        let now_ms = 1_700_000_030_000;
        insta::assert_snapshot!(text(&standing(), now_ms, Style::Plain));
        let document = json(&[standing()], &Controller::None, now_ms);
        insta::assert_json_snapshot!("status_for_programs", document);
        assert_eq!(document["schema"], 1);
        assert_eq!(document["sweeps"][0]["counts"]["done"], 3);
        assert_eq!(document["sweeps"][0]["verdicts"], json!({ "collapsed": 1, "diverged": 1 }));
        assert_eq!(document["sweeps"][0]["running"][0]["seconds"], 30.0);
        assert_eq!(document["sweeps"][0]["seconds_left"], 360.0);
    }

    #[test]
    fn what_nobody_is_at_is_interrupted_and_does_not_run() {
        let mut standing = standing();
        standing.interrupted.insert(standing.trials[2].train_key.clone());
        insta::assert_snapshot!(text(&standing, 1_700_000_030_000, Style::Plain));
        let document = json(&[standing], &Controller::None, 1_700_000_030_000);
        let sweep = &document["sweeps"][0];
        assert_eq!((&sweep["counts"]["running"], &sweep["interrupted"]), (&json!(0), &json!(1)));
        assert_eq!(sweep["running"], json!([]));
        assert_eq!(sweep["seconds_left"], json!(null));
    }

    #[test]
    fn nothing_is_promised_while_nothing_runs() {
        let mut standing = standing();
        standing.open.clear();
        assert_eq!(standing.to_go(), None);
    }
}
