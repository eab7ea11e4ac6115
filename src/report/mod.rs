//! From rows to tables and charts: gather, analyse, render. A report is a pure function of its
//! rows: the same rows give the same bytes, and it holds no time of day.

pub mod analysis;
mod bootstrap;
pub mod cell;
pub mod chart;
pub mod check;
mod digits;
mod entry;
pub mod estimate;
pub mod exhibits;
pub mod figure;
pub mod floor;
mod gather;
pub mod gathered;
mod html;
mod imports;
mod latex;
mod leftover;
mod metric;
mod page;
mod png_text;
pub mod provenance;
mod rank;
pub mod records;
pub mod reference;
pub mod reproduction;
mod results;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod scipy;
mod settings;
mod significance;
mod summary;
pub mod table;
pub mod terminal;
pub mod trials;
mod words;
pub mod write;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

pub use chart::Columns;
pub use check::{CheckError, Checked, Fault, FaultKind, check, kept};
pub use figure::Figure;
pub use gather::{exhibits as exhibits_of, gather};
pub use gathered::{Gathered, RowsError, SpentOn, SweepFacts};
pub use provenance::Provenance;
pub use records::Records;
pub use table::TableInfo;
pub use trials::Trials;
pub use write::{Format, WriteError, Written, write};

use crate::ids::TrainKey;
use crate::spec::smoke::tried_by;
use crate::spec::sweep::Scale;
use crate::store::rows::TrialState;

/// Version of `figures.json`.
const FIGURES_SCHEMA: u32 = 1;

/// Everything that a report shows, before it is set.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Words.
    pub text: Text,
    /// Results first.
    pub tables: Vec<TableInfo>,
    /// Charts.
    pub figures: Vec<Figure>,
    /// Every trial by itself.
    pub trials: Trials,
    /// The results for programs.
    pub records: Records,
    /// The rows that it was drawn from, as [`Gathered::to_jsonl`] writes them.
    pub rows: String,
    /// Where all of it comes from.
    pub provenance: Provenance,
}

impl Report {
    /// Returns what the charts show as JSON, for programs that draw them otherwise.
    pub fn figures_json(&self) -> String {
        let figures = serde_json::to_value(&self.figures).expect("plain data serialises");
        let document = json!({
            "schema": FIGURES_SCHEMA,
            "provenance": self.provenance.to_json(),
            "figures": digits::rounded(figures),
        });
        format!("{document:#}\n")
    }
}

/// The words of a report.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Text {
    /// Name of the sweep.
    pub title: String,
    /// What a reader must know before all else, where there is such a thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// One line about it.
    pub description: String,
    /// What one types to make it, a command a line.
    pub commands: Vec<String>,
    /// What came out, a sentence each.
    pub summary: Vec<String>,
}

/// A sweep that no report can be made of.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BuildError {
    /// No trial has a value of the report metric.
    #[error(
        "the sweep `{sweep}` has no `{metric}` yet: of {trials} trials, {states}; `byol-sweep run` goes on with it"
    )]
    NothingToReport {
        /// Name of the sweep.
        sweep: String,
        /// Its report metric.
        metric: String,
        /// Trials in its plan.
        trials: usize,
        /// How they stand, in words.
        states: String,
    },
    /// Trials have results, and none of this name.
    #[error("the sweep `{sweep}` has no metric `{metric}`: it has {known}{hint}")]
    UnknownMetric {
        /// Name of the sweep.
        sweep: String,
        /// What was asked for.
        metric: String,
        /// What there is, in words.
        known: String,
        /// The nearest name, in words.
        hint: String,
    },
}

/// Builds a report. A sweep that is half done gives one that says what is missing.
///
/// # Errors
/// No trial has a value of the report metric.
pub fn build(gathered: &Gathered) -> Result<Report, BuildError> {
    let analysis = analysis::analyse(gathered);
    if analysis.with_result == 0 {
        if let Some(error) = unknown_metric(gathered, &analysis.metric) {
            return Err(error);
        }
        return Err(BuildError::NothingToReport {
            sweep: gathered.sweep.name.clone(),
            metric: analysis.metric,
            trials: gathered.trials.len(),
            states: states(gathered),
        });
    }
    let rows = gathered.to_jsonl();
    let provenance = Provenance::of(gathered, &rows, report_command(&gathered.sweep));
    Ok(Report {
        text: Text {
            title: gathered.sweep.name.clone(),
            notice: notice(gathered.sweep.scale),
            description: gathered.sweep.description.clone(),
            commands: commands(&gathered.sweep),
            summary: summary(gathered, &analysis),
        },
        tables: results::tables(gathered, &analysis),
        figures: figure::figures(gathered, &analysis),
        trials: Trials::of(gathered),
        records: Records::of(gathered, &analysis, &provenance),
        rows,
        provenance,
    })
}

/// How near a name must be to be what was meant.
const NEAR: f64 = 0.6;

/// Tells what metrics there are, where there are any.
fn unknown_metric(gathered: &Gathered, metric: &str) -> Option<BuildError> {
    let values = gathered.finals.iter().flat_map(|row| &row.values);
    let known: BTreeSet<&str> =
        values.filter(|(_, value)| value.is_finite()).map(|(name, _)| name.as_str()).collect();
    if known.is_empty() || known.contains(metric) {
        return None;
    }
    let nearest = known
        .iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(metric, name), name))
        .filter(|(similarity, _)| *similarity >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    Some(BuildError::UnknownMetric {
        sweep: gathered.sweep.name.clone(),
        metric: metric.to_owned(),
        known: known.iter().copied().collect::<Vec<_>>().join(", "),
        hint: nearest.map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?")),
    })
}

/// What came out, and what no picture shows.
fn summary(gathered: &Gathered, analysis: &analysis::Analysis) -> Vec<String> {
    let name = |key: &TrainKey| {
        let cell = analysis.cells.iter().find(|cell| cell.train_keys.contains(key))?;
        Some(cell.name())
    };
    let mut sentences = summary::sentences(analysis);
    sentences.extend(exhibits::sentences(&gathered.exhibits, name));
    sentences
}

/// What a report of a smoke run begins with.
const SMOKE_NOTICE: &str = "A smoke run of two epochs with one seed: it shows that every cell runs, and its numbers tell nothing.";

fn notice(scale: Scale) -> Option<String> {
    match scale {
        Scale::Full => None,
        Scale::Smoke => Some(SMOKE_NOTICE.to_owned()),
    }
}

fn commands(sweep: &SweepFacts) -> Vec<String> {
    let (name, smoke) = match sweep.scale {
        Scale::Full => (sweep.name.as_str(), ""),
        Scale::Smoke => (tried_by(&sweep.name), " --smoke"),
    };
    let set: String = sweep.set.iter().map(|setting| format!(" --set '{setting}'")).collect();
    let run = match &sweep.file {
        Some(file) => format!("byol-sweep run {file}{smoke}{set}"),
        None => format!("byol-sweep run FILE{smoke}  # whose name is {name:?}"),
    };
    vec![run, report_command(sweep)]
}

fn report_command(sweep: &SweepFacts) -> String {
    let metric = sweep.asked_metric.as_ref().map(|metric| format!(" --metric {metric}"));
    format!("byol-sweep report {}{}", sweep.name, metric.unwrap_or_default())
}

fn states(gathered: &Gathered) -> String {
    let mut counts: BTreeMap<TrialState, usize> = BTreeMap::new();
    for trial in &gathered.trials {
        *counts.entry(trial.state).or_default() += 1;
    }
    let words = |state| match state {
        TrialState::Pending => "not started",
        TrialState::Running => "running",
        TrialState::Trained => "trained but not evaluated",
        TrialState::Done => "done without it",
        TrialState::Stopped => "stopped",
        TrialState::Failed => "failed",
        TrialState::Pruned => "stopped early",
    };
    if counts.is_empty() {
        return "none at all".to_owned();
    }
    counts.iter().map(|(state, n)| format!("{n} {}", words(*state))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table<'r>(report: &'r Report, id: &str) -> &'r TableInfo {
        report.tables.iter().find(|table| table.id == id).unwrap()
    }

    #[test]
    fn the_batch_report() {
        let report = build(&samples::batch_sweep()).unwrap();
        insta::assert_snapshot!(page::markdown(&report, page::Pictures::Linked("png")));
    }

    #[test]
    fn the_augmentation_results_on_a_terminal() {
        let report = build(&samples::augmentation_sweep(2)).unwrap();
        insta::assert_snapshot!(table(&report, "results").to_terminal(100));
    }

    #[test]
    fn one_seed_is_never_given_a_spread() {
        let report = build(&samples::augmentation_sweep(1)).unwrap();
        let results = table(&report, "results");
        let paper = results.columns.iter().position(|c| c.name == "paper (%)").unwrap();
        for entry in results.rows.iter().flat_map(|row| &row[..paper]) {
            assert!(!entry.contains('±') && !entry.contains('['), "{entry}");
        }
        assert!(
            report.text.summary.iter().any(|s| s.starts_with("Every setting has one seed only"))
        );
    }

    #[test]
    fn a_report_is_rebuilt_from_the_rows_that_it_carries() {
        let report = build(&samples::tau_sweep()).unwrap();
        assert_eq!(build(&Gathered::from_jsonl(&report.rows).unwrap()).unwrap(), report);
    }

    #[test]
    fn nothing_finished_is_an_error_that_counts() {
        let mut gathered = samples::batch_sweep();
        gathered.finals.clear();
        let error = build(&gathered).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the sweep `cifar10-batch` has no `linear_top1` yet: of 30 trials, 1 not started, \
             28 done without it, 1 failed; `byol-sweep run` goes on with it"
        );
    }

    #[test]
    fn another_metric_leads_where_it_is_asked_for() {
        let mut gathered = samples::batch_sweep();
        gathered.sweep.asked_metric = Some("knn_top1".to_owned());
        let report = build(&gathered).unwrap();
        assert_eq!(table(&report, "results").title, "Results: kNN top-1");
        assert_eq!(report.provenance.command, "byol-sweep report cifar10-batch --metric knn_top1");
        assert_eq!(build(&Gathered::from_jsonl(&report.rows).unwrap()).unwrap(), report);
    }

    #[test]
    fn a_metric_that_nothing_has_is_told_with_the_nearest_name() {
        let mut gathered = samples::batch_sweep();
        gathered.sweep.asked_metric = Some("linear_topl".to_owned());
        let error = build(&gathered).unwrap_err().to_string();
        let told =
            "the sweep `cifar10-batch` has no metric `linear_topl`: it has floor_calibrated_";
        assert!(error.starts_with(told), "{error}");
        assert!(error.ends_with("; did you mean `linear_top1`?"), "{error}");
        gathered.sweep.asked_metric = Some("zzz".to_owned());
        assert!(!build(&gathered).unwrap_err().to_string().contains("did you mean"));
    }

    #[test]
    fn what_was_stopped_early_is_marked_and_in_no_mean() {
        let gathered = samples::stopped_early_sweep();
        let report = build(&gathered).unwrap();
        assert_eq!(report.text.summary[0], "13 of 15 trials have a result; 2 stopped early.");
        let results = table(&report, "results");
        let row = results.rows.iter().find(|row| row[0] == "1").unwrap();
        assert!(row.contains(&"1 of 3 ¶, 2 stopped early §".to_owned()), "{row:?}");
        assert!(row.contains(&"62.0".to_owned()), "one seed is left: {row:?}");
        let note = results.footnotes.iter().find(|note| note.starts_with('§')).unwrap();
        assert!(note.contains("(2 of 3 seeds)"), "{note}");
        let why =
            "stopped early after epoch 9: its setting had 31.2 % on the probe and needed 45.0 %";
        let told = &table(&report, "missing").rows;
        assert_eq!(told.iter().filter(|row| row.last().is_some_and(|last| last == why)).count(), 2);
        let json: serde_json::Value = serde_json::from_str(&report.records.to_json()).unwrap();
        let cells = json["cells"].as_array().unwrap();
        let stopped: Vec<_> = cells.iter().map(|cell| cell["stopped_early"].as_u64()).collect();
        assert_eq!(stopped, [0, 0, 0, 0, 2].map(Some));
    }

    #[test]
    fn the_course_of_what_was_stopped_early_is_left_out() {
        let mut gathered = samples::stopped_early_sweep();
        let course = |trial: &crate::store::rows::TrialRow| crate::store::rows::Series {
            train_key: trial.train_key.clone(),
            points: vec![(1, 1.0), (1000, f64::from(trial.ordinal))],
        };
        let all = gathered.trials.iter().map(course).collect();
        gathered.curves = [("loss".to_owned(), all)].into();
        let report = build(&gathered).unwrap();
        let curves = serde_json::to_value(&report.figures).unwrap().to_string();
        assert!(curves.contains("Trials that were stopped early are left out."), "{curves}");
        // Of the last setting only the first seed, trial 5, is left.
        assert!(curves.contains("\"y\":5.0") && !curves.contains("\"y\":10.0"), "{curves}");
    }

    #[test]
    fn records_are_fractions_for_programs() {
        let report = build(&samples::batch_sweep()).unwrap();
        let csv = String::from_utf8(report.records.to_csv().unwrap()).unwrap();
        let mut lines = csv.lines();
        insta::assert_snapshot!(format!("{}\n{}", lines.next().unwrap(), lines.next().unwrap()));
        let json: serde_json::Value = serde_json::from_str(&report.records.to_json()).unwrap();
        let cell = &json["cells"][4];
        assert_eq!((&cell["method"], &cell["batch_size"]), (&"byol".into(), &64.into()));
        assert_eq!(cell["paper_top1"], 0.597);
        assert_eq!(cell["linear_top1_n"], 3);
        assert_eq!(json["cells"].as_array().unwrap().len(), 10);
    }

    #[test]
    fn a_smoke_run_says_so_before_all_else() {
        let mut gathered = samples::tau_sweep();
        assert_eq!(build(&gathered).unwrap().text.notice, None);
        gathered.sweep.name = "tau-smoke".to_owned();
        gathered.sweep.scale = Scale::Smoke;
        let report = build(&gathered).unwrap();
        let first = |text: &str| {
            text.lines().find(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned)
        };
        for text in [terminal::text(&report), page::markdown(&report, page::Pictures::Omitted)] {
            let line = first(&text).unwrap();
            assert!(line.starts_with("A smoke run of two epochs with one seed: "), "{line}");
        }
        assert_eq!(crate::spec::smoke::SMOKE_EPOCHS, 2);
        let run = &report.text.commands[0];
        assert_eq!(run, "byol-sweep run FILE --smoke  # whose name is \"tau\"");
        let again = Gathered::from_jsonl(&gathered.to_jsonl()).unwrap();
        assert_eq!(again.sweep.scale, Scale::Smoke, "a report that is kept still says so");
    }
}
