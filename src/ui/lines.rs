//! Events of a run as lines of text: which of them are worth one, and its words.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use super::pace::Pace;
use super::style::{Role, Style};
use super::{Verbosity, words};
use crate::drive::event::{RunEvent, RunSummary, TrialName};
use crate::ids::{AttemptNo, DeviceId};
use crate::outcome::{Outcome, Verdict};
use crate::protocol::{INEXACT_RESUME, Progress, Stage};
use crate::spec::early::METRIC;
use crate::store::rows::{AttemptKind, EarlyStopRow};

/// No trial says more often than this where it is,
const LEAST_GAP: Duration = Duration::from_secs(10);
/// unless it moved on by this share;
const STEP: f64 = 0.1;
/// a slow one still gives a sign of life.
const LARGEST_GAP: Duration = Duration::from_secs(300);

/// Turns events into lines.
pub(super) struct Lines {
    verbosity: Verbosity,
    style: Style,
    metric: String,
    trials: usize,
    pace: Pace,
    told: BTreeMap<u32, Told>,
    /// Trials that a policy stopped.
    early: BTreeSet<u32>,
}

/// What was last said of a running trial.
struct Told {
    at: Instant,
    stage: Stage,
    done: f64,
}

impl Lines {
    pub(super) fn new(verbosity: Verbosity, style: Style, metric: &str, now: Instant) -> Self {
        Self {
            verbosity,
            style,
            metric: metric.to_owned(),
            trials: 0,
            pace: Pace::start(0, now),
            told: BTreeMap::new(),
            early: BTreeSet::new(),
        }
    }

    /// Returns the line that an event deserves, if any.
    pub(super) fn line(&mut self, event: &RunEvent, now: Instant) -> Option<String> {
        self.count(event, now);
        let normal = self.verbosity >= Verbosity::Normal;
        match event {
            RunEvent::Started { sweep, trials, done, slots } => {
                normal.then(|| started(sweep, *trials, *done, *slots))
            }
            RunEvent::AttemptStarted { trial, attempt, kind, device, adopted } => {
                normal.then(|| {
                    let how = if *adopted { Begin::Adopted } else { Begin::Launched };
                    self.of(trial, &began(trial, *attempt, *kind, device, how))
                })
            }
            RunEvent::Progressed { trial, progress } => (normal
                && self.worth_telling(trial, progress, now))
            .then(|| self.of(trial, &self.style.paint(Role::Dim, &place(progress)))),
            RunEvent::Noted { trial, text } if text.starts_with(INEXACT_RESUME) => {
                normal.then(|| self.of(trial, &self.style.paint(Role::Warning, text)))
            }
            RunEvent::Noted { trial, text } => (self.verbosity >= Verbosity::Verbose)
                .then(|| self.of(trial, &self.style.paint(Role::Dim, text))),
            RunEvent::AttemptEnded { trial, attempt: _, outcome, metric, retried } => {
                self.told.remove(&trial.ordinal);
                let after = match retried {
                    true => After::Retried,
                    false if self.early.contains(&trial.ordinal) => After::Early,
                    false => After::Left,
                };
                let failed = matches!(outcome, Outcome::Failed { .. });
                (normal || failed)
                    .then(|| self.of(trial, &self.ended(trial, outcome, *metric, after)))
            }
            RunEvent::DiskFull { folder, free_bytes } => {
                Some(self.style.paint(Role::Bad, &disk_full(folder, *free_bytes)))
            }
            RunEvent::Stopping { times } => normal.then(|| stopping(*times).to_owned()),
            RunEvent::Paused => normal.then(|| PAUSED.to_owned()),
            RunEvent::Resumed => normal.then(|| "resumed: trials start again".to_owned()),
            RunEvent::DiskLow { folder, free_bytes, missing_bytes } => {
                let text = disk_low(folder, *free_bytes, *missing_bytes);
                Some(self.style.paint(Role::Warning, &text))
            }
            RunEvent::DiskRoom { folder } => normal.then(|| {
                format!("the disk of {} has room again: trials start again", folder.display())
            }),
            RunEvent::DeviceSuspected { device } => normal.then(|| {
                self.style.paint(Role::Warning, &format!("{device} rests: several trials in a row died there at once, and are tried elsewhere first"))
            }),
            RunEvent::DeviceCleared { device } => normal.then(|| {
                format!("{device} is used again: it was not to blame, as far as can be told")
            }),
            RunEvent::DeviceOut { device, left } => {
                Some(self.style.paint(Role::Bad, &device_out(device, *left)))
            }
            RunEvent::DeviceBusy { device, why } => normal.then(|| {
                self.style.paint(Role::Warning, &format!("nothing starts on {device} for now: {why}"))
            }),
            RunEvent::DeviceShared { device, why } => {
                normal.then(|| format!("{device} is shared, since it was asked for by name: {why}"))
            }
            RunEvent::DeviceFree { device } => {
                normal.then(|| format!("{device} is free: trials start there"))
            }
            RunEvent::BudgetSpent => normal.then(|| BUDGET_SPENT.to_owned()),
            RunEvent::StoppedEarly { trial, why } => {
                normal.then(|| self.of(trial, &self.stopped_early(trial, why)))
            }
            RunEvent::Finished(summary) => normal.then(|| self.finished(summary, now)),
        }
    }

    /// Returns the time left, as a phrase.
    pub(super) fn remaining(&self, now: Instant) -> Option<String> {
        self.pace.remaining(now).map(|time| format!("about {} left", words::duration(time)))
    }

    fn count(&mut self, event: &RunEvent, now: Instant) {
        match event {
            RunEvent::Started { trials, done, .. } => {
                self.trials = *trials;
                self.pace = Pace::start(trials.saturating_sub(*done), now);
            }
            RunEvent::Progressed { trial, progress } => {
                self.pace.progressed(trial.ordinal, fraction(progress));
            }
            RunEvent::AttemptEnded { trial, outcome, retried, .. } => match outcome {
                Outcome::Failed { .. } if *retried => self.pace.ended_early(trial.ordinal),
                Outcome::Stopped => self.pace.ended_early(trial.ordinal),
                Outcome::Finished { .. } | Outcome::Failed { .. } => {
                    self.pace.finished(trial.ordinal);
                }
            },
            RunEvent::AttemptStarted { .. }
            | RunEvent::Noted { .. }
            | RunEvent::DiskFull { .. }
            | RunEvent::Stopping { .. }
            | RunEvent::Finished(_)
            | RunEvent::Paused
            | RunEvent::Resumed
            | RunEvent::DiskLow { .. }
            | RunEvent::DiskRoom { .. }
            | RunEvent::DeviceSuspected { .. }
            | RunEvent::DeviceCleared { .. }
            | RunEvent::DeviceOut { .. }
            | RunEvent::DeviceBusy { .. }
            | RunEvent::DeviceShared { .. }
            | RunEvent::DeviceFree { .. }
            | RunEvent::BudgetSpent => {}
            RunEvent::StoppedEarly { trial, .. } => {
                self.early.insert(trial.ordinal);
            }
        }
    }

    fn worth_telling(&mut self, trial: &TrialName, progress: &Progress, now: Instant) -> bool {
        let done = fraction(progress);
        let worth = self.told.get(&trial.ordinal).is_none_or(|told| {
            let since = now.duration_since(told.at);
            told.stage != progress.stage
                || since >= LARGEST_GAP
                || (since >= LEAST_GAP && done - told.done >= STEP)
        });
        if worth {
            self.told.insert(trial.ordinal, Told { at: now, stage: progress.stage, done });
        }
        worth
    }

    fn of(&self, trial: &TrialName, text: &str) -> String {
        let width = self.trials.to_string().len();
        format!("[{:>width$}/{}] {text}", trial.ordinal, self.trials)
    }

    fn ended(
        &self,
        trial: &TrialName,
        outcome: &Outcome,
        metric: Option<f64>,
        after: After,
    ) -> String {
        let label = &trial.label;
        let metric = metric
            .map(|value| format!(", {} {}", self.metric, words::metric(&self.metric, value)))
            .unwrap_or_default();
        match outcome {
            Outcome::Finished { verdict: Verdict::Healthy } => {
                format!("{}      {label}{metric}", self.style.paint(Role::Good, "done"))
            }
            Outcome::Finished { verdict: Verdict::Diverged } => {
                format!("{}  {label}{metric}", self.style.paint(Role::Warning, "diverged"))
            }
            Outcome::Finished { verdict: Verdict::Collapsed } => {
                let (done, collapsed) = (
                    self.style.paint(Role::Good, "done"),
                    self.style.paint(Role::Warning, "collapsed"),
                );
                format!("{done}, {collapsed}  {label}{metric}")
            }
            Outcome::Stopped => {
                let stopped = self.style.paint(Role::Warning, "stopped");
                let next = match after {
                    After::Retried => "going on from its checkpoint",
                    After::Left => "run the sweep again to go on",
                    After::Early => "early",
                };
                format!("{stopped}   {label}, {next}")
            }
            Outcome::Failed { reason, detail } => {
                let failed = self.style.paint(Role::Bad, "failed");
                let next = match after {
                    After::Retried => "; trying again",
                    After::Left | After::Early => "",
                };
                format!("{failed}    {label}, {}: {detail}{next}", reason.as_str())
            }
        }
    }

    fn stopped_early(&self, trial: &TrialName, why: &EarlyStopRow) -> String {
        let EarlyStopRow { epoch, value, bar, at_ms: _ } = *why;
        format!(
            "{}     {}: after epoch {epoch} its setting had {METRIC} {} and needed {}",
            self.style.paint(Role::Warning, "early"),
            trial.label,
            words::metric(METRIC, value),
            words::metric(METRIC, bar)
        )
    }

    fn finished(&self, summary: &RunSummary, now: Instant) -> String {
        let RunSummary { done, failed, left, limited: _, held, over_budget, pruned, interrupted } =
            summary;
        let mut text = format!("{done} done");
        if *failed > 0 {
            text.push_str(&self.style.paint(Role::Bad, &format!(", {failed} failed")));
        }
        if *pruned > 0 {
            text.push_str(&format!(", {pruned} stopped early"));
        }
        if *left > 0 {
            text.push_str(&format!(", {left} left"));
        }
        if *held > 0 {
            text.push_str(&format!(" ({held} held)"));
        }
        if *over_budget > 0 {
            text.push_str(&format!(" ({over_budget} over budget)"));
        }
        text.push_str(&format!(" after {}", words::duration(self.pace.elapsed(now))));
        if *interrupted {
            text.push_str("; stopped on request, run the sweep again to go on");
        }
        text
    }
}

/// How an attempt came to this controller.
#[derive(Clone, Copy)]
pub(super) enum Begin {
    /// It was started.
    Launched,
    /// It was found alive.
    Adopted,
}

/// What follows an ended attempt.
#[derive(Clone, Copy)]
enum After {
    /// Another attempt.
    Retried,
    /// Nothing.
    Left,
    /// Nothing in this sweep: its policy stopped it.
    Early,
}

fn started(sweep: &str, trials: usize, done: usize, slots: usize) -> String {
    let mut text = format!("{sweep}: {}", words::plural(trials, "trial"));
    if done > 0 {
        text.push_str(&format!(", {done} done already"));
    }
    if done < trials {
        text.push_str(&format!(", {} at a time", slots.min(trials - done)));
    }
    text
}

fn began(
    trial: &TrialName,
    attempt: AttemptNo,
    kind: AttemptKind,
    device: &DeviceId,
    how: Begin,
) -> String {
    let verb = match (how, kind) {
        (Begin::Launched, AttemptKind::Train) => "start   ",
        (Begin::Launched, AttemptKind::Eval) => "evaluate",
        (Begin::Adopted, _) => "running ",
    };
    let again = match (how, attempt.0) {
        (Begin::Adopted, _) => format!(", attempt {attempt} of an earlier controller"),
        (Begin::Launched, 1) => String::new(),
        (Begin::Launched, _) => format!(", attempt {attempt}"),
    };
    format!("{verb}  {} on {device}{again}", trial.label)
}

/// Returns where a trial is: `epoch 3/10, loss 1.234, 3,120 images/s`.
pub(super) fn place(progress: &Progress) -> String {
    match progress.stage {
        Stage::Load => "loading images".to_owned(),
        Stage::Evaluate => "evaluating".to_owned(),
        Stage::Train => {
            let Progress { epoch, epochs, loss, images_per_s, .. } = progress;
            let loss = loss.map(|loss| format!(", loss {loss:.4}")).unwrap_or_default();
            let speed = words::count(images_per_s.max(0.0).round() as u64);
            format!("epoch {epoch}/{epochs}{loss}, {speed} images/s")
        }
    }
}

/// Returns how much of a trial's training is done, in [0, 1].
pub(super) fn fraction(progress: &Progress) -> f64 {
    match progress.stage {
        Stage::Load => 0.0,
        Stage::Train => progress.update as f64 / progress.updates.max(1) as f64,
        Stage::Evaluate => 1.0,
    }
}

fn disk_full(folder: &Path, free_bytes: Option<u64>) -> String {
    let free = free_bytes.map(|free| format!(" ({} free)", words::bytes(free))).unwrap_or_default();
    format!(
        "the disk of {} is full{free}: nothing new starts; free some space and run the sweep again",
        folder.display()
    )
}

const PAUSED: &str = "paused: nothing new starts, running trials go on (`byol-sweep resume`)";

const BUDGET_SPENT: &str =
    "the budget has no room for the next trial: nothing new starts, running trials go on";

fn disk_low(folder: &Path, free_bytes: u64, missing_bytes: u64) -> String {
    format!(
        "the disk of {} has only {} free: nothing new starts until {} more are",
        folder.display(),
        words::bytes(free_bytes),
        words::bytes(missing_bytes)
    )
}

fn device_out(device: &DeviceId, left: usize) -> String {
    let then = match left {
        0 => "no device is left, so the run ends once what runs has ended".to_owned(),
        left => format!("its trials go to the {} left", words::plural(left, "device")),
    };
    format!("{device} is out of service for this run: {then}")
}

fn stopping(times: u32) -> &'static str {
    match times {
        0 | 1 => {
            "stopping: nothing new starts, running trials write a checkpoint (again: kill them)"
        }
        2 => "killing the running trials (again: leave them running and go)",
        _ => "leaving; running trials go on, and the next run finds them",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::TrainKey;
    use crate::outcome::FailureReason;

    fn trial(ordinal: u32) -> TrialName {
        let key = TrainKey::of_canonical_json("{}");
        TrialName { ordinal, key, label: format!("method=byol batch_size=64 seed={ordinal}") }
    }

    fn at(update: u64, stage: Stage) -> RunEvent {
        let progress = Progress {
            stage,
            update,
            updates: 100,
            epoch: 3,
            epochs: 10,
            loss: Some(1.25),
            images_per_s: 3120.4,
        };
        RunEvent::Progressed { trial: trial(7), progress }
    }

    fn lines(verbosity: Verbosity, events: &[(u64, RunEvent)]) -> String {
        let start = Instant::now();
        let mut lines = Lines::new(verbosity, Style::Plain, "linear_top1", start);
        let line = |(second, event): &(u64, RunEvent)| {
            lines.line(event, start + Duration::from_secs(*second))
        };
        events.iter().filter_map(line).collect::<Vec<_>>().join("\n")
    }

    /// A note as a worker writes it.
    const INEXACT: &str = "inexact resume: worker binary was aaaaaaaa and is bbbbbbbb";

    fn story() -> Vec<(u64, RunEvent)> {
        let attempt = AttemptNo(1);
        let ended = |outcome, metric, retried| RunEvent::AttemptEnded {
            trial: trial(7),
            attempt,
            outcome,
            metric,
            retried,
        };
        let begun = |attempt, adopted| RunEvent::AttemptStarted {
            trial: trial(7),
            attempt,
            kind: AttemptKind::Train,
            device: DeviceId::Cpu,
            adopted,
        };
        let lost =
            Outcome::Failed { reason: FailureReason::Lost, detail: "the process is gone".into() };
        vec![
            (0, RunEvent::Started { sweep: "batch".into(), trials: 42, done: 3, slots: 2 }),
            (0, begun(attempt, true)),
            (1, at(0, Stage::Load)),
            (2, at(1, Stage::Train)),
            (3, at(30, Stage::Train)),
            (13, at(31, Stage::Train)),
            (14, at(32, Stage::Train)),
            (15, RunEvent::Noted { trial: trial(7), text: "8 images left over".into() }),
            (20, ended(lost, None, true)),
            (21, begun(AttemptNo(2), false)),
            (21, RunEvent::Noted { trial: trial(7), text: INEXACT.into() }),
            (22, at(100, Stage::Evaluate)),
            (60, ended(Outcome::Finished { verdict: Verdict::Healthy }, Some(0.6125), false)),
            (60, ended(Outcome::Finished { verdict: Verdict::Collapsed }, Some(0.1), false)),
            (61, RunEvent::Stopping { times: 1 }),
            (
                62,
                RunEvent::Finished(RunSummary {
                    done: 4,
                    left: 38,
                    interrupted: true,
                    ..RunSummary::default()
                }),
            ),
        ]
    }

    #[test]
    fn a_run_reads_as_a_story() {
        insta::assert_snapshot!(lines(Verbosity::Normal, &story()));
    }

    #[test]
    fn quiet_leaves_failures_and_verbose_adds_notes() {
        let quiet = lines(Verbosity::Quiet, &story());
        assert_eq!(
            quiet,
            "[ 7/42] failed    method=byol batch_size=64 seed=7, lost: the process is gone; trying again"
        );
        assert!(lines(Verbosity::Verbose, &story()).contains("8 images left over"));
    }

    #[test]
    fn a_full_disk_is_named_even_when_quiet() {
        let full = RunEvent::DiskFull { folder: "/data/state".into(), free_bytes: Some(4096) };
        let line = lines(Verbosity::Quiet, &[(0, full)]);
        assert!(line.starts_with("the disk of /data/state is full (4.1 kB free)"), "{line}");
    }

    #[test]
    fn a_slow_trial_gives_a_sign_of_life() {
        let events =
            [(0, at(1, Stage::Train)), (299, at(2, Stage::Train)), (301, at(3, Stage::Train))];
        assert_eq!(lines(Verbosity::Normal, &events).lines().count(), 2);
    }
}
