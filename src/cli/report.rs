//! `report`: charts and tables of a sweep.

use std::path::{Path, PathBuf};

use super::args::{ReportArgs, ReportColumns, ReportFormat};
use super::exit::ExitCode;
use super::places::Places;
use super::planning::Changes;
use super::reading::Reading;
use super::sweep_file::SweepFile;
use super::{planning, shipped};
use crate::plan::Limit;
use crate::report::{self, Columns, Format, Gathered};
use crate::store::rows::{SweepRow, TrialRow};
use crate::ui::Ui;

pub(super) fn run(args: &ReportArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let reading = Reading::open_existing(places)?;
    let sweep = reading.sweep(&args.sweep)?;
    let folder = args.out.clone().unwrap_or_else(|| PathBuf::from("reports").join(&sweep.name));
    let report = report::build(&gather(&reading, sweep)?)?;
    let files = report::write(&report, &folder, &formats(&args.format), columns(args.columns))?;
    ui.print(&report::terminal::text(&report))?;
    ui.note("");
    for file in files {
        ui.note(&format!("wrote {}", file.display()));
    }
    Ok(ExitCode::Success)
}

fn formats(asked: &[ReportFormat]) -> Vec<Format> {
    if asked.is_empty() {
        return Format::USUAL.to_vec();
    }
    let format = |format: &ReportFormat| match format {
        ReportFormat::Png => Format::Png,
        ReportFormat::Svg => Format::Svg,
        ReportFormat::Md => Format::Markdown,
        ReportFormat::Tex => Format::Tex,
        ReportFormat::Csv => Format::Csv,
        ReportFormat::Json => Format::Json,
        ReportFormat::Rows => Format::Rows,
    };
    asked.iter().map(format).collect()
}

fn columns(asked: ReportColumns) -> Columns {
    match asked {
        ReportColumns::One => Columns::One,
        ReportColumns::Two => Columns::Two,
    }
}

/// Reads all rows that the sweep's report is a function of.
fn gather(reading: &Reading, sweep: SweepRow) -> anyhow::Result<Gathered> {
    let mut gathered = reading.wait(report::gather(&reading.store, sweep.clone()))?;
    gathered.sweep.file = shipped_file(&sweep, &gathered.trials);
    Ok(gathered)
}

/// Returns the file of the sweep as `run` takes it, where it ships and was run as it is: a `--set`
/// would have made other trials.
fn shipped_file(sweep: &SweepRow, trials: &[TrialRow]) -> Option<String> {
    let shipped = shipped::ALL.iter().find(|shipped| shipped.text == sweep.source_toml)?;
    let path = Path::new("sweeps").join(shipped.path);
    let file = SweepFile { path, text: shipped.text.to_owned() };
    let changes = Changes { set: Vec::new(), scale: sweep.facts.scale };
    let plan = planning::plan(&file, &changes, &|_| None, Limit::Million).ok()?;
    let planned = plan.trials.iter().map(|trial| &trial.train_key);
    let same = plan.eval_key == sweep.eval_key && planned.eq(trials.iter().map(|t| &t.train_key));
    same.then(|| file.path.display().to_string())
}
