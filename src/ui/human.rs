//! Watches a run for people: bars on a terminal, plain lines otherwise. Has no say in the run.

use std::io::Write;
use std::time::Instant;

use super::bars::Bars;
use super::lines::Lines;
use super::style::Style;
use super::{ProgressForm, Verbosity};
use crate::drive::Observer;
use crate::drive::event::RunEvent;

/// Shows a run on standard error.
pub struct HumanObserver {
    lines: Lines,
    screen: Screen,
}

/// Where it is shown.
enum Screen {
    Bars(Box<Bars>),
    Plain,
}

impl HumanObserver {
    pub(super) fn new(
        form: ProgressForm,
        verbosity: Verbosity,
        style: Style,
        metric: &str,
    ) -> Self {
        let screen = match (form, verbosity) {
            (_, Verbosity::Quiet) | (ProgressForm::Lines, _) => Screen::Plain,
            (ProgressForm::Bars, Verbosity::Normal | Verbosity::Verbose) => {
                Screen::Bars(Box::new(Bars::new()))
            }
        };
        Self { lines: Lines::new(verbosity, style, metric, Instant::now()), screen }
    }
}

impl Observer for HumanObserver {
    fn on(&mut self, event: &RunEvent) {
        let now = Instant::now();
        let line = self.lines.line(event, now);
        match &mut self.screen {
            Screen::Bars(bars) => {
                // The bars themselves tell where a trial is.
                let line = line.filter(|_| !matches!(event, RunEvent::Progressed { .. }));
                bars.show(event, line.as_deref(), &self.lines, now);
            }
            Screen::Plain => {
                if let Some(line) = line {
                    // A standard error that is gone must not end the run.
                    let _gone = writeln!(std::io::stderr(), "{line}");
                }
            }
        }
    }
}
