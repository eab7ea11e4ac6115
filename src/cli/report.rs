//! `report`: charts and tables of a sweep.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::args::{ReportArgs, ReportColumns, ReportFormat};
use super::exit::ExitCode;
use super::places::Places;
use super::planning::Changes;
use super::reading::{self, Reading};
use super::sweep_file::SweepFile;
use super::{planning, shipped};
use crate::plan::Limit;
use crate::report::{self, Columns, Format, Gathered, SweepFacts};
use crate::spec::run::Source;
use crate::store::WorkerUse;
use crate::store::rows::{SweepRow, TrialRow};
use crate::ui::Ui;

/// Metrics whose course is drawn.
const CURVES: [&str; 4] = ["loss", "knn_probe_top1", "embedding_std_relative", "effective_rank"];

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
    let store = &reading.store;
    let trials = reading.wait(store.trials(&sweep))?;
    let keys = reading::keys(&trials);
    let finals = reading.wait(store.finals(&sweep.eval_key, &keys))?;
    let mut curves = BTreeMap::new();
    for metric in CURVES {
        let series = reading.wait(store.series(metric, &keys))?;
        if !series.is_empty() {
            curves.insert(metric.to_owned(), series);
        }
    }
    let facts = SweepFacts {
        file: shipped_file(&sweep, &trials),
        scale: sweep.facts.scale,
        name: sweep.name,
        description: sweep.facts.description,
        reproduces: sweep.facts.reproduces,
        report_metric: sweep.facts.report_metric,
        report_spread: sweep.facts.report_spread,
        axes: sweep.facts.axes,
        classes: classes(sweep.facts.eval.data.as_ref(), &trials),
        eval: sweep.facts.eval,
        workers: several(&reading.wait(store.workers_of(&keys))?),
        version: Some(env!("CARGO_PKG_VERSION").to_owned()),
    };
    Ok(Gathered::new(facts, trials, finals, curves))
}

/// Returns the workers in words, where there is more than one.
fn several(workers: &[WorkerUse]) -> Vec<String> {
    match workers {
        [] | [_] => Vec::new(),
        several => several.iter().map(|used| used.worker.words()).collect(),
    }
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

/// Returns how many classes the evaluation tells apart, where the data set alone says so.
fn classes(evaluated_on: Option<&Source>, trials: &[TrialRow]) -> Option<u32> {
    let source = evaluated_on.or_else(|| trials.first().map(|trial| &trial.run.data.source))?;
    match source {
        Source::Shapes { .. } | Source::Cifar10 => Some(10),
        Source::Idx { .. } | Source::ImageFolder { .. } => None,
    }
}
