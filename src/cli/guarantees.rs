//! `help guarantees`: the crash contract in plain words, each point with the tests that hold it.

use super::exit::ExitCode;
use crate::ui::Ui;

/// What is promised; the README says the same.
pub(super) const TEXT: &str = include_str!("guarantees.txt");

pub(super) fn run(ui: &mut Ui) -> anyhow::Result<ExitCode> {
    ui.print(TEXT)?;
    Ok(ExitCode::Success)
}
