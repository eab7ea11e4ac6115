//! `report`: charts and tables of a sweep.

use std::path::PathBuf;

use super::args::ReportArgs;
use super::exit::ExitCode;
use super::places::Places;
use crate::ui::Ui;

pub(super) fn run(args: &ReportArgs, _places: &Places, _ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let folder = folder(args, &args.sweep);
    anyhow::bail!("{}: reports are not built in", folder.display())
}

/// Returns where a sweep's report goes.
fn folder(args: &ReportArgs, sweep: &str) -> PathBuf {
    args.out.clone().unwrap_or_else(|| PathBuf::from("reports").join(sweep))
}
