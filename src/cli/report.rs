//! `report`: charts and tables of a sweep.

use std::path::{Path, PathBuf};

use super::args::{ReportArgs, ReportColumns, ReportFormat};
use super::exit::{ExitCode, NothingMatched};
use super::places::Places;
use super::planning::Changes;
use super::reading::Reading;
use super::sweep_file::SweepFile;
use super::{planning, shipped};
use crate::import;
use crate::plan::Limit;
use crate::report::{
    self, CheckError, Checked, Columns, Fault, FaultKind, Format, Gathered, SweepFacts,
};
use crate::store::rows::{SweepRow, TrialRow};
use crate::ui::Ui;

pub(super) fn run(args: &ReportArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    if let Some(folder) = &args.check {
        return check(folder, ui);
    }
    let reading = Reading::open_existing(places)?;
    let imported = import::imported(&places.state)?;
    let mut gathered = gather(&reading, reading.sweep(&args.sweep)?)?.beside(imported);
    let sweep = &mut gathered.sweep;
    sweep.asked_metric = args.metric.clone().filter(|metric| *metric != sweep.report_metric);
    let folder =
        args.out.clone().unwrap_or_else(|| PathBuf::from("reports").join(usual_name(sweep)));
    let report = report::build(&gathered)?;
    let written = report::write(&report, &folder, &formats(&args.format), columns(args.columns))?;
    ui.print(&report::terminal::text(&report))?;
    ui.note("");
    for file in written.files {
        ui.note(&format!("wrote {}", file.display()));
    }
    if !written.removed.is_empty() {
        let removed: Vec<String> =
            written.removed.iter().map(|path| path.display().to_string()).collect();
        ui.note(&format!("removed figures of an earlier report: {}", removed.join(", ")));
    }
    Ok(ExitCode::Success)
}

/// A report of another metric stands beside the one that the sweep file asks for.
fn usual_name(sweep: &SweepFacts) -> String {
    match &sweep.asked_metric {
        Some(metric) => format!("{}-{}", sweep.name, metric.replace('_', "-")),
        None => sweep.name.clone(),
    }
}

/// Compares kept reports with their rows.
fn check(folder: &Path, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    if !folder.is_dir() {
        return Err(NothingMatched(format!("there is no folder {}", folder.display())).into());
    }
    let kept = report::kept(folder)?;
    if kept.is_empty() {
        let text = format!(
            "{} holds no report: a report that is kept has its rows.jsonl beside it",
            folder.display()
        );
        return Err(NothingMatched(text).into());
    }
    let mut code = ExitCode::Success;
    for folder in kept {
        let (said, followed) = match report::check(&folder) {
            Ok(checked) => verdict(&folder, &checked),
            Err(error @ CheckError::Read { .. }) => return Err(error.into()),
            Err(error) => (format!("{error}\n"), false),
        };
        ui.print(&said)?;
        if !followed {
            code = ExitCode::Different;
        }
    }
    Ok(code)
}

/// Says what came of a check, and whether all was well.
fn verdict(folder: &Path, checked: &Checked) -> (String, bool) {
    let place = folder.display();
    if checked.faults.is_empty() {
        return (format!("{place}: {} files follow from their rows\n", checked.followed), true);
    }
    let line = |fault: &Fault| {
        let what = match fault.kind {
            FaultKind::Differs => "does not follow from the rows",
            FaultKind::Missing => "is missing",
            FaultKind::LeftOver => "is of an earlier report: the rows give no such figure",
        };
        format!("{place}/{} {what}\n", fault.name)
    };
    (checked.faults.iter().map(line).collect(), false)
}

fn formats(asked: &[ReportFormat]) -> Vec<Format> {
    if asked.is_empty() {
        return Format::USUAL.to_vec();
    }
    let format = |format: &ReportFormat| match format {
        ReportFormat::Png => Format::Png,
        ReportFormat::Svg => Format::Svg,
        ReportFormat::Md => Format::Markdown,
        ReportFormat::Html => Format::Html,
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
    let exhibits = report::exhibits_of(&reading.store, &sweep, &gathered);
    gathered.exhibits = reading.wait(exhibits)?;
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
