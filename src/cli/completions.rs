//! `completions`: a shell's completion script.

use clap::CommandFactory;

use super::args::{Args, CompletionsArgs};
use super::exit::ExitCode;
use crate::ui::Ui;

pub(super) fn run(args: &CompletionsArgs, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "byol-sweep", &mut script);
    ui.print_bytes(&script)?;
    Ok(ExitCode::Success)
}
