//! One bar for something long that is not a run: a download, a look at many files. Hidden where
//! there is no terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{ProgressForm, Verbosity};

/// The bar. May be told from any thread.
pub struct Transfer(ProgressBar);

impl Transfer {
    pub(super) fn new(form: ProgressForm, verbosity: Verbosity) -> Self {
        let target = match (form, verbosity) {
            (ProgressForm::Bars, Verbosity::Normal | Verbosity::Verbose) => {
                ProgressDrawTarget::stderr()
            }
            (ProgressForm::Bars, Verbosity::Quiet) | (ProgressForm::Lines, _) => {
                ProgressDrawTarget::hidden()
            }
        };
        Self(ProgressBar::with_draw_target(None, target))
    }

    /// Shows bytes received, of how many where that is known.
    pub fn received(&self, done: u64, total: Option<u64>) {
        let template = match total {
            Some(_) => "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left",
            None => "{spinner} {bytes}, {bytes_per_sec}",
        };
        self.show(template, done, total);
    }

    /// Shows files read.
    pub fn read(&self, done: usize, all: usize) {
        self.show("{bar:30} {pos} of {len} images", done as u64, Some(all as u64));
    }

    /// Shows a step whose length nobody knows.
    pub fn says(&self, step: &'static str) {
        self.show("{spinner} {msg}", 0, None);
        self.0.set_message(step);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }

    fn show(&self, template: &str, done: u64, total: Option<u64>) {
        // A template is a literal of this file; the default bar is shown if one is ever wrong.
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.0.set_style(style);
        }
        if let Some(total) = total {
            self.0.set_length(total);
        }
        self.0.set_position(done);
    }
}
