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
    if let Some((file, set)) = shipped_run(&sweep, &gathered.trials) {
        (gathered.sweep.file, gathered.sweep.set) = (Some(file), set);
    }
    Ok(gathered)
}

/// Returns the file of the sweep as `run` takes it, and what was set: where it ships, and was run as
/// it is or with other seeds. Any other `--set` would have made other trials.
fn shipped_run(sweep: &SweepRow, trials: &[TrialRow]) -> Option<(String, Vec<String>)> {
    let shipped = shipped::ALL.iter().find(|shipped| shipped.text == sweep.source_toml)?;
    let path = Path::new("sweeps").join(shipped.path);
    let file = SweepFile { path, text: shipped.text.to_owned() };
    let makes_them = |set: &Vec<String>| {
        let changes = Changes { set: set.clone(), scale: sweep.facts.scale };
        planning::plan(&file, &changes, &|_| None, Limit::Million).is_ok_and(|plan| {
            let planned = plan.trials.iter().map(|trial| &trial.train_key);
            plan.eval_key == sweep.eval_key && planned.eq(trials.iter().map(|t| &t.train_key))
        })
    };
    let set = [Vec::new(), vec![seeds(trials)]].into_iter().find(makes_them)?;
    Some((file.path.display().to_string(), set))
}

/// Returns the setting that gives a sweep the seeds of these trials.
fn seeds(trials: &[TrialRow]) -> String {
    let mut seeds: Vec<String> = Vec::new();
    for seed in trials.iter().map(|trial| trial.run.seed.to_string()) {
        if !seeds.contains(&seed) {
            seeds.push(seed);
        }
    }
    format!("replicates.seeds=[{}]", seeds.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::sweep::Scale;
    use crate::store::Store;

    #[tokio::test]
    async fn a_sweep_that_ships_is_named_with_the_seeds_it_was_run_with() {
        let text = shipped::find("shapes/byol_simclr_variants").unwrap().text.to_owned();
        let file = SweepFile { path: "x.toml".into(), text };
        let run = |set: &'static [&'static str]| {
            let set = set.iter().map(|setting| (*setting).to_owned()).collect();
            let changes = Changes { set, scale: Scale::Full };
            let plan = planning::plan(&file, &changes, &|_| None, Limit::Million).unwrap();
            async move {
                let store = Store::in_memory().await.unwrap();
                store.sync_plan(&plan, 1).await.unwrap();
                let sweep = store.latest_sweep().await.unwrap().unwrap();
                let trials = store.trials(&sweep).await.unwrap();
                shipped_run(&sweep, &trials)
            }
        };
        let path = "sweeps/shapes/byol_simclr_variants.toml".to_owned();
        assert_eq!(run(&[]).await, Some((path.clone(), vec![])));
        let seeds = vec!["replicates.seeds=[4,2]".to_owned()];
        assert_eq!(run(&["replicates.seeds=[4, 2]"]).await, Some((path, seeds)));
        assert_eq!(run(&["epochs=3", "warmup_epochs=1"]).await, None);
    }
}
