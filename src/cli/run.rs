//! `run`: plans, then executes what is not done yet.

use super::args::RunArgs;
use super::exit::ExitCode;
use super::places::Places;
use super::sweep_file::{self, SweepFile};
use crate::drive::event::RunSummary;
use crate::ui::Ui;

pub(super) fn run(args: &RunArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let file = sweep_file::open(&args.file, ui)?;
    let summary = execute(&file, args, places)?;
    Ok(code(&summary))
}

/// Plans the file and drives it to its end.
fn execute(file: &SweepFile, _args: &RunArgs, places: &Places) -> anyhow::Result<RunSummary> {
    let _worker = places.worker()?;
    anyhow::bail!("{}: running is not built in", file.path.display())
}

/// Returns how a run's end is told to scripts.
fn code(summary: &RunSummary) -> ExitCode {
    let RunSummary { done: _, failed, left: _, interrupted } = *summary;
    if interrupted {
        ExitCode::Interrupted
    } else if failed > 0 {
        ExitCode::TrialsFailed
    } else {
        ExitCode::Success
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_can_tell_an_interrupt_from_failures() {
        let end = |failed, interrupted| code(&RunSummary { done: 1, failed, left: 0, interrupted });
        assert_eq!(end(0, false), ExitCode::Success);
        assert_eq!(end(2, false), ExitCode::TrialsFailed);
        assert_eq!(end(2, true), ExitCode::Interrupted);
    }
}
