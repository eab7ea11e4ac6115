//! What people see: style, verbosity and streams, chosen once at the start. Results go to standard
//! output, everything else to standard error. Knows nothing of how anything is computed.

mod bars;
pub mod human;
mod lines;
mod pace;
pub mod style;
pub mod transfer;
pub mod words;

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;

use self::style::{Role, Style};

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On terminals that can, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How much to say on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors and failures.
    Quiet,
    /// Notes and progress too.
    Normal,
    /// Details too.
    Verbose,
}

/// How a run's progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProgressForm {
    /// Moving bars: standard error is a terminal.
    Bars,
    /// One line an event: it is a file or a pipe.
    Lines,
}

/// The two streams and how to write to them.
pub struct Ui {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    out_style: Style,
    err_style: Style,
    verbosity: Verbosity,
    progress: ProgressForm,
}

impl Ui {
    /// Looks at the environment and the terminals once.
    pub fn new(color: ColorChoice, verbosity: Verbosity) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let refused = dumb || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let style = |terminal: bool| match color {
            ColorChoice::Always => Style::Colored,
            ColorChoice::Auto if terminal && !refused => Style::Colored,
            ColorChoice::Auto | ColorChoice::Never => Style::Plain,
        };
        let moving = io::stderr().is_terminal() && !dumb;
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            out_style: style(io::stdout().is_terminal()),
            err_style: style(io::stderr().is_terminal()),
            verbosity,
            progress: if moving { ProgressForm::Bars } else { ProgressForm::Lines },
        }
    }

    /// Writes to the given streams, without colours or bars.
    pub fn plain(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>) -> Self {
        Self {
            out,
            err,
            out_style: Style::Plain,
            err_style: Style::Plain,
            verbosity: Verbosity::Normal,
            progress: ProgressForm::Lines,
        }
    }

    /// Returns the style of standard output, for texts made to be [printed](Self::print).
    pub fn style(&self) -> Style {
        self.out_style
    }

    /// Returns how much to say.
    pub fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    /// Writes a result to standard output; adds the line end where it lacks.
    pub fn print(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        if !text.ends_with('\n') {
            self.out.write_all(b"\n")?;
        }
        self.out.flush()
    }

    /// Writes bytes to standard output as they are.
    pub fn print_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.out.flush()
    }

    /// Writes a line to standard error, unless quiet.
    pub fn note(&mut self, text: &str) {
        if self.verbosity >= Verbosity::Normal {
            self.say(text);
        }
    }

    /// Writes a line to standard error, if verbose.
    pub fn detail(&mut self, text: &str) {
        if self.verbosity >= Verbosity::Verbose {
            self.say(text);
        }
    }

    /// Writes an error with its causes.
    pub fn error(&mut self, error: &anyhow::Error) {
        let head = self.err_style.paint(Role::Bad, "error:");
        let mut text = format!("{head} {error}");
        for cause in error.chain().skip(1).map(ToString::to_string) {
            // Many messages quote their cause already.
            if !text.contains(&cause) {
                text.push_str("\n  because: ");
                text.push_str(&cause);
            }
        }
        self.say(&text);
    }

    /// Writes an error that points into a file, with the line and a caret.
    pub fn diagnostic(&mut self, error: &dyn miette::Diagnostic) {
        let theme = match self.err_style {
            Style::Plain => miette::GraphicalTheme::unicode_nocolor(),
            Style::Colored => miette::GraphicalTheme::unicode(),
        };
        let mut text = String::new();
        let handler = miette::GraphicalReportHandler::new_themed(theme).with_links(false);
        if handler.render_report(&mut text, error).is_err() {
            text = error.to_string();
        }
        self.say(text.trim_end());
    }

    /// Returns an observer of a run. `metric` names what [`AttemptEnded`] reports.
    ///
    /// [`AttemptEnded`]: crate::drive::event::RunEvent::AttemptEnded
    pub fn watch(&self, metric: &str) -> human::HumanObserver {
        human::HumanObserver::new(self.progress, self.verbosity, self.err_style, metric)
    }

    /// Returns a bar for something long that is not a run.
    pub fn transfer(&self) -> transfer::Transfer {
        transfer::Transfer::new(self.progress, self.verbosity)
    }

    /// A standard error that is gone takes no message, and that must not end the program.
    fn say(&mut self, text: &str) {
        let _gone = writeln!(self.err, "{text}").and_then(|()| self.err.flush());
    }
}
