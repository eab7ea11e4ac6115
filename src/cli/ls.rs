//! `ls`: a row per trial, chosen and ordered by whatever is known of them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde_json::json;

use super::args::{Form, LsArgs};
use super::exit::{ExitCode, NothingMatched};
use super::places::Places;
use super::reading::{self, Reading};
use super::table::{Align, Table};
use super::trials::{self, Named};
use super::{JSON_SCHEMA, csv, json_text, target};
use crate::filter::{Filter, Order};
use crate::ids::TrainKey;
use crate::spec::SpecError;
use crate::store::rows::{Finals, TrialRow};
use crate::ui::style::Style;
use crate::ui::{Ui, words};

/// Final values by trial.
pub(super) type Results<'a> = HashMap<&'a TrainKey, &'a BTreeMap<String, f64>>;

/// Trials, and what came of them.
pub(super) struct Listed {
    /// Name of their sweep.
    pub sweep: String,
    pub rows: Vec<TrialRow>,
    pub finals: Vec<Finals>,
    /// Those that nobody is at, though the store has no end of their attempts.
    pub interrupted: HashSet<TrainKey>,
}

pub(super) fn run(args: &LsArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let listed = gather(args, places)?;
    ui.print(&match (args.reader.form(), args.csv) {
        (_, true) => csv::text(&listed)?,
        (Form::Text, false) => text(&listed, ui.style()),
        (Form::Json, false) => json_text(&json(&listed)),
    })?;
    Ok(ExitCode::Success)
}

/// Reads those of a sweep's trials that are asked for, in the order asked for, and their results.
fn gather(args: &LsArgs, places: &Places) -> anyhow::Result<Listed> {
    let reading = Reading::open_existing(places)?;
    let sweep = reading.sweep(&args.sweep)?;
    let mut rows = reading.wait(reading.store.trials(&sweep))?;
    let interrupted = reading.interrupted(&rows)?;
    let finals = reading.wait(reading.store.finals(&sweep.eval_key, &reading::keys(&rows)))?;
    if args.filter.is_none() && args.sort.is_none() {
        return Ok(Listed { sweep: sweep.name, rows, finals, interrupted });
    }
    let wished = reading.wait(reading.store.wished(&reading::keys(&rows)))?;
    let mut subjects = target::subjects(&rows, &finals, &wished, &interrupted);
    let mut places: Vec<usize> = (0..rows.len()).collect();
    if let Some(text) = &args.filter {
        let filter = Filter::parse(text).map_err(SpecError::from)?;
        places = filter.choose(&subjects).map_err(SpecError::from)?;
        if places.is_empty() {
            return Err(NothingMatched(format!("no trial of {} matches", sweep.name)).into());
        }
        subjects = at(&subjects, &places);
    }
    if let Some(key) = &args.sort {
        let order = Order::parse(key).sort(&subjects).map_err(SpecError::from)?;
        places = at(&places, &order);
    }
    rows = at(&rows, &places);
    Ok(Listed { sweep: sweep.name, rows, finals, interrupted })
}

/// Returns what is at these places, in their order.
fn at<T: Clone>(all: &[T], places: &[usize]) -> Vec<T> {
    places.iter().map(|place| all[*place].clone()).collect()
}

/// Returns the trials for people: what varies, and every accuracy that was measured.
pub(super) fn text(listed: &Listed, style: Style) -> String {
    let Listed { sweep: _, rows, finals, interrupted } = listed;
    let axes = trials::axes_of(rows);
    let arms = trials::has_arms(rows.iter().map(|row| row.labels.as_ref()));
    let accuracies = accuracies(finals);
    let results = results(finals);
    let mut columns = vec![("#", Align::Right), ("key", Align::Left), ("state", Align::Left)];
    columns.extend(arms.then_some(("arm", Align::Left)));
    columns.extend(axes.iter().map(|axis| (axis.as_str(), Align::Left)));
    columns.push(("seed", Align::Right));
    columns.extend(accuracies.iter().map(|name| (name.as_str(), Align::Right)));
    let mut table = Table::new(&columns);
    for row in rows {
        let named = Named::from(row);
        let mut cells = vec![row.ordinal.to_string(), row.train_key.short().to_owned()];
        cells.push(trials::standing(row, interrupted, style));
        cells.extend(arms.then(|| named.arm()));
        cells.extend(axes.iter().map(|axis| named.axis(axis)));
        cells.push(row.run.seed.to_string());
        cells.extend(accuracies.iter().map(|name| cell(&results, row, name)));
        table.push(cells);
    }
    table.text()
}

fn cell(results: &Results<'_>, row: &TrialRow, name: &str) -> String {
    let value = results.get(&row.train_key).and_then(|values| values.get(name));
    value.map(|value| words::metric(name, *value)).unwrap_or_default()
}

pub(super) fn results(finals: &[Finals]) -> Results<'_> {
    finals.iter().map(|finals| (&finals.train_key, &finals.values)).collect()
}

/// Returns the accuracies of the trained encoder; those of the untrained one are left to `show`.
pub(super) fn accuracies(finals: &[Finals]) -> Vec<String> {
    let names: BTreeSet<&String> = finals.iter().flat_map(|finals| finals.values.keys()).collect();
    let shown = |name: &&String| name.ends_with("_top1") && !name.starts_with("floor_");
    names.into_iter().filter(shown).cloned().collect()
}

/// Returns the trials for programs.
pub(super) fn json(listed: &Listed) -> serde_json::Value {
    let Listed { sweep, rows, finals, interrupted } = listed;
    let results = results(finals);
    let trial = |row: &TrialRow| trial_json(row, interrupted, results.get(&row.train_key).copied());
    let trials = rows.iter().map(trial);
    json!({ "schema": JSON_SCHEMA, "sweep": sweep, "trials": trials.collect::<Vec<_>>() })
}

/// Returns one trial for programs.
pub(super) fn trial_json(
    row: &TrialRow,
    interrupted: &HashSet<TrainKey>,
    values: Option<&BTreeMap<String, f64>>,
) -> serde_json::Value {
    let failure =
        row.failure.as_ref().map(|(reason, detail)| json!({ "reason": reason, "detail": detail }));
    json!({
        "number": row.ordinal,
        "key": row.train_key,
        "group": row.group_key,
        "seed": row.run.seed,
        "labels": row.labels,
        "state": row.state,
        "interrupted": interrupted.contains(&row.train_key),
        "verdict": row.verdict,
        "failure": failure,
        "early_stop": row.early_stop,
        "attempts": row.attempts,
        "results": values,
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    /// Trials of each state; the one that runs was interrupted.
    fn listed() -> Listed {
        let rows = samples::trials();
        let finals = vec![samples::finals(&rows[0])];
        let interrupted = [rows[2].train_key.clone()].into();
        Listed { sweep: "tiny".into(), rows, finals, interrupted }
    }

    #[test]
    fn a_row_per_trial_with_what_varies_and_what_came_out() {
        let listed = Listed { interrupted: HashSet::new(), ..listed() };
        insta::assert_snapshot!(text(&listed, Style::Plain));
    }

    #[test]
    fn what_nobody_is_at_does_not_run() {
        let shown = text(&listed(), Style::Plain);
        assert!(shown.contains("interrupted") && !shown.contains("running"), "{shown}");
        let document = json(&listed());
        let trial = &document["trials"][2];
        assert_eq!((&trial["state"], &trial["interrupted"]), (&json!("running"), &json!(true)));
        assert_eq!(document["trials"][3]["interrupted"], false);
    }

    #[test]
    fn programs_get_fractions_and_reasons() {
        let document = json(&listed());
        insta::assert_json_snapshot!("ls_for_programs", document);
        assert_eq!((&document["schema"], &document["sweep"]), (&json!(1), &json!("tiny")));
        assert_eq!(document["trials"][0]["results"]["linear_top1"], 0.6125);
        assert_eq!(document["trials"][3]["failure"]["reason"], "out_of_memory");
        assert_eq!(document["trials"][5]["results"], serde_json::Value::Null);
        assert_eq!(document["trials"][6]["verdict"], "collapsed");
    }
}
