//! A bar for the sweep and one for each running trial, redrawn in place on standard error.

use std::collections::BTreeMap;
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::lines::{Lines, fraction, place};
use crate::drive::event::{RunEvent, TrialName};
use crate::ids::DeviceId;
use crate::outcome::Outcome;

/// Steps of a trial's bar: it moves by fractions, whatever the number of updates.
const STEPS: u64 = 1000;

/// The bars; lines that stay scroll above them.
pub(super) struct Bars {
    all: MultiProgress,
    sweep: ProgressBar,
    trials: BTreeMap<u32, Running>,
}

/// A running trial's bar.
struct Running {
    bar: ProgressBar,
    device: DeviceId,
}

impl Bars {
    pub(super) fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        let sweep = all.add(ProgressBar::new(0));
        sweep.set_style(style("{bar:24} {pos}/{len} trials  {wide_msg}"));
        Self { all, sweep, trials: BTreeMap::new() }
    }

    /// Moves the bars, and shows `line` above them if the event deserves one.
    pub(super) fn show(
        &mut self,
        event: &RunEvent,
        line: Option<&str>,
        words: &Lines,
        now: Instant,
    ) {
        match event {
            RunEvent::Started { trials, done, .. } => {
                self.sweep.set_length(*trials as u64);
                self.sweep.set_position(*done as u64);
            }
            RunEvent::AttemptStarted { trial, device, .. } => self.add(trial, device),
            RunEvent::Progressed { trial, progress } => {
                if let Some(Running { bar, device }) = self.trials.get(&trial.ordinal) {
                    bar.set_position((fraction(progress) * STEPS as f64) as u64);
                    bar.set_prefix(format!("{device}, {}", place(progress)));
                }
            }
            RunEvent::AttemptEnded { trial, outcome, retried, .. } => {
                self.remove(trial);
                match outcome {
                    Outcome::Finished { .. } => self.sweep.inc(1),
                    Outcome::Failed { .. } if !retried => self.sweep.inc(1),
                    Outcome::Failed { .. } | Outcome::Stopped => {}
                }
            }
            RunEvent::Finished(_) => {
                for Running { bar, .. } in self.trials.values() {
                    bar.finish_and_clear();
                }
                self.sweep.finish_and_clear();
            }
            RunEvent::Noted { .. }
            | RunEvent::DiskFull { .. }
            | RunEvent::Stopping { .. }
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
            | RunEvent::BudgetSpent
            | RunEvent::StoppedEarly { .. } => {}
        }
        if let Some(remaining) = words.remaining(now) {
            self.sweep.set_message(remaining);
        }
        if let Some(line) = line {
            // A terminal that is gone shows nothing; the run goes on.
            let _gone = self.all.println(line);
        }
    }

    fn add(&mut self, trial: &TrialName, device: &DeviceId) {
        let bar = self.all.insert_before(&self.sweep, ProgressBar::new(STEPS));
        // The label is last, because it may be cut at the edge of the screen.
        bar.set_style(style("{bar:24} {prefix}  {wide_msg}"));
        bar.set_prefix(format!("{device}, starting"));
        bar.set_message(trial.label.clone());
        self.trials.insert(trial.ordinal, Running { bar, device: device.clone() });
    }

    fn remove(&mut self, trial: &TrialName) {
        if let Some(Running { bar, .. }) = self.trials.remove(&trial.ordinal) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸ ")
}
