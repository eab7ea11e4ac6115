//! `diff`: what sets two trials, or two sweeps, apart. Pure, but for the reading at its beginning.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::json;

use super::args::{DiffArgs, Form};
use super::exit::{ExitCode, UsageError};
use super::places::Places;
use super::reading::{self, Reading};
use super::show::{self, Shown};
use super::table::{Align, Table};
use super::trials::{self, Named};
use super::{JSON_SCHEMA, json_text};
use crate::spec::run;
use crate::store::rows::{Finals, SweepRow, TrialRow};
use crate::ui::style::{Role, Style};
use crate::ui::{Ui, words};

/// What differs; all of it empty means that nothing does.
#[derive(Debug, Default, PartialEq, Serialize)]
pub(super) struct Differences {
    /// What is compared: names for people.
    sides: [String; 2],
    /// Cells that only one sweep has.
    only: [Vec<String>; 2],
    settings: Vec<Difference>,
    results: Vec<Change>,
    made_with: Vec<Difference>,
}

/// A fact with its values on both sides; `None` where a side has none.
#[derive(Debug, PartialEq, Serialize)]
struct Difference {
    name: String,
    sides: [Option<String>; 2],
}

/// A result with its values on both sides.
#[derive(Debug, PartialEq, Serialize)]
struct Change {
    /// The cell, in a comparison of sweeps.
    cell: Option<String>,
    metric: String,
    sides: [Option<f64>; 2],
}

impl Differences {
    fn is_empty(&self) -> bool {
        let Self { sides: _, only, settings, results, made_with } = self;
        only.iter().all(Vec::is_empty)
            && settings.is_empty()
            && results.is_empty()
            && made_with.is_empty()
    }
}

/// One side of a comparison of sweeps.
pub(super) struct SweepSide {
    pub sweep: SweepRow,
    pub trials: Vec<TrialRow>,
    pub finals: Vec<Finals>,
}

pub(super) fn run(args: &DiffArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let reading = Reading::open_existing(places)?;
    let differences = compare(args, &reading)?;
    ui.print(&match args.reader.form() {
        Form::Text => text(&differences, ui.style()),
        Form::Json => json_text(&json(&differences)),
    })?;
    Ok(if differences.is_empty() { ExitCode::Success } else { ExitCode::Different })
}

/// Compares what was named: two sweeps where both are names of sweeps, else two trials.
fn compare(args: &DiffArgs, reading: &Reading) -> anyhow::Result<Differences> {
    let is_trial = |name: &str| reading.trial(&args.sweep, name).is_ok();
    match (reading.sweep(&args.a), reading.sweep(&args.b)) {
        (Ok(a), Ok(b)) => Ok(sweeps(&side(reading, a)?, &side(reading, b)?)),
        (Err(_), Err(_)) => {
            let shown = |typed: &str| {
                let (sweep, trial) = reading.trial(&args.sweep, typed)?;
                show::gather(reading, &sweep, trial)
            };
            Ok(trials(&shown(&args.a)?, &shown(&args.b)?))
        }
        // Neither a sweep nor a trial: most likely a sweep that was mistyped.
        (Ok(_), Err(none)) if !is_trial(&args.b) => Err(none),
        (Err(none), Ok(_)) if !is_trial(&args.a) => Err(none),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => {
            let text = format!(
                "one of `{}` and `{}` is a sweep and the other is none: name two sweeps, or two trials",
                args.a, args.b
            );
            Err(UsageError(text).into())
        }
    }
}

fn side(reading: &Reading, sweep: SweepRow) -> anyhow::Result<SweepSide> {
    let trials = reading.wait(reading.store.trials(&sweep))?;
    let keys = reading::keys(&trials);
    let finals = reading.wait(reading.store.finals(&sweep.eval_key, &keys))?;
    Ok(SweepSide { sweep, trials, finals })
}

/// Compares two trials.
pub(super) fn trials(a: &Shown, b: &Shown) -> Differences {
    let both = [a, b];
    let name = |shown: &Shown| {
        let axes = trials::axes_of(std::slice::from_ref(&shown.trial));
        let label = Named::from(&shown.trial).phrase(&axes);
        format!("{} {label}", shown.trial.train_key.short())
    };
    let known = known_settings(both.map(|shown| std::slice::from_ref(&shown.trial)));
    let settings = both.map(|shown| whole_settings(&shown.trial, &known).collect());
    let none = BTreeMap::new();
    let results = both.map(|shown| shown.finals.as_ref().map_or(&none, |finals| &finals.values));
    Differences {
        sides: both.map(name),
        only: Default::default(),
        settings: differing(settings),
        results: changes(None, results),
        made_with: differing(both.map(last_facts)),
    }
}

/// Returns what the attempt that counts was made with. What was typed is no difference between
/// results.
fn last_facts(shown: &Shown) -> BTreeMap<String, String> {
    let Some(last) = shown.attempts.last() else { return BTreeMap::new() };
    let mut facts: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in shown.origins.facts(last.number) {
        if name == "typed" || name == "sweep" {
            continue;
        }
        facts.entry(name).and_modify(|known| *known = format!("{known}; {value}")).or_insert(value);
    }
    facts
}

/// Compares two sweeps. Cells are the same that have the same labels, whatever else they set.
pub(super) fn sweeps(a: &SweepSide, b: &SweepSide) -> Differences {
    let both = [a, b];
    let cells = both.map(cells);
    let known = known_settings(both.map(|side| side.trials.as_slice()));
    let mut differences = Differences {
        sides: both.map(|side| side.sweep.name.clone()),
        only: [(0, 1), (1, 0)].map(|(here, there): (usize, usize)| {
            let missing = |cell: &&String| !cells[there].contains_key(*cell);
            cells[here].keys().filter(missing).cloned().collect()
        }),
        settings: differing(both.map(|side| sweep_settings(side, &known))),
        ..Differences::default()
    };
    for (cell, values) in &cells[0] {
        if let Some(others) = cells[1].get(cell) {
            differences.results.extend(changes(Some(cell), [values, others]));
        }
    }
    differences
}

/// Returns the mean over the seeds of each result of each cell.
fn cells(side: &SweepSide) -> BTreeMap<String, BTreeMap<String, f64>> {
    let axes = trials::axes_of(&side.trials);
    let mut all: BTreeMap<String, BTreeMap<String, Vec<f64>>> = BTreeMap::new();
    for trial in &side.trials {
        let cell = all.entry(Named::from(trial).cell(&axes)).or_default();
        let finals = side.finals.iter().find(|finals| finals.train_key == trial.train_key);
        for (name, value) in finals.iter().flat_map(|finals| &finals.values) {
            cell.entry(name.clone()).or_default().push(*value);
        }
    }
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    let means = |cell: BTreeMap<String, Vec<f64>>| {
        cell.into_iter().map(|(name, values)| (name, mean(values))).collect()
    };
    all.into_iter().map(|(name, cell)| (name, means(cell))).collect()
}

/// Returns the names of all settings that some trial has.
fn known_settings(sides: [&[TrialRow]; 2]) -> BTreeSet<String> {
    sides.into_iter().flatten().flat_map(show::settings).map(|(name, _)| name).collect()
}

/// Returns a trial's settings. Where it has nothing in place of a whole table, such as an
/// augmentation, it has nothing for each setting that others have in it.
fn whole_settings(
    trial: &TrialRow,
    known: &BTreeSet<String>,
) -> impl Iterator<Item = (String, String)> {
    show::settings(trial).into_iter().flat_map(|(name, value)| {
        let inside = format!("{name}.");
        let of_table = known.range(inside.clone()..).take_while(|known| known.starts_with(&inside));
        let names: Vec<String> = of_table.cloned().collect();
        let names = if names.is_empty() { vec![name] } else { names };
        names.into_iter().map(move |name| (name, value.clone()))
    })
}

/// Returns each setting with all values that trials of the sweep have, and how they are evaluated.
fn sweep_settings(side: &SweepSide, known: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for trial in &side.trials {
        for (name, value) in whole_settings(trial, known) {
            all.entry(name).or_default().insert(value);
        }
    }
    let mut eval = Vec::new();
    let value = serde_json::to_value(&side.sweep.facts.eval).unwrap_or_default();
    run::flatten("eval", &value, &mut eval);
    let join = |values: BTreeSet<String>| values.into_iter().collect::<Vec<_>>().join(", ");
    all.into_iter().map(|(name, values)| (name, join(values))).chain(eval).collect()
}

fn differing(sides: [BTreeMap<String, String>; 2]) -> Vec<Difference> {
    let names: BTreeSet<&String> = sides.iter().flat_map(BTreeMap::keys).collect();
    let difference = |name: &String| Difference {
        name: name.clone(),
        sides: [0, 1].map(|side: usize| sides[side].get(name).cloned()),
    };
    let all = names.into_iter().map(difference);
    all.filter(|difference| difference.sides[0] != difference.sides[1]).collect()
}

fn changes(cell: Option<&String>, sides: [&BTreeMap<String, f64>; 2]) -> Vec<Change> {
    let metrics: BTreeSet<&String> = sides.iter().flat_map(|side| side.keys()).collect();
    let change = |metric: &String| Change {
        cell: cell.cloned(),
        metric: metric.clone(),
        sides: sides.map(|side| side.get(metric).copied()),
    };
    let all = metrics.into_iter().map(change);
    // The same bits are the same result; NaN is no news on both sides.
    all.filter(|change| change.sides[0].map(f64::to_bits) != change.sides[1].map(f64::to_bits))
        .collect()
}

/// Returns the differences for people.
pub(super) fn text(differences: &Differences, style: Style) -> String {
    let Differences { sides: [a, b], only, settings, results, made_with } = differences;
    if differences.is_empty() {
        return format!("{a} and {b} are equal\n");
    }
    let mut parts = vec![format!("a: {a}\nb: {b}\n")];
    for (cells, name) in only.iter().zip(["a", "b"]) {
        if !cells.is_empty() {
            let lines: String = cells.iter().map(|cell| format!("{cell}\n")).collect();
            parts.push(section(&format!("only in {name}"), style, &lines));
        }
    }
    for (title, facts) in [("settings", settings), ("made with", made_with)] {
        if !facts.is_empty() {
            parts.push(section(title, style, &facts_table(facts)));
        }
    }
    if !results.is_empty() {
        parts.push(section("results", style, &results_table(results)));
    }
    parts.join("\n")
}

fn section(title: &str, style: Style, body: &str) -> String {
    let body: String = body.lines().map(|line| format!("  {line}\n")).collect();
    format!("{}\n{body}", style.paint(Role::Strong, title))
}

fn facts_table(facts: &[Difference]) -> String {
    let mut table = Table::new(&[("", Align::Left), ("a", Align::Left), ("b", Align::Left)]);
    for Difference { name, sides } in facts {
        let [a, b] = sides.each_ref().map(|side| side.clone().unwrap_or_else(|| "-".to_owned()));
        table.push(vec![name.clone(), a, b]);
    }
    table.text()
}

fn results_table(results: &[Change]) -> String {
    let has_cells = results.iter().any(|change| change.cell.is_some());
    let mut columns = Vec::new();
    columns.extend(has_cells.then_some(("cell", Align::Left)));
    columns.extend([("metric", Align::Left), ("a", Align::Right), ("b", Align::Right)]);
    columns.push(("b - a", Align::Right));
    let mut table = Table::new(&columns);
    for Change { cell, metric, sides } in results {
        let mut row = Vec::new();
        row.extend(has_cells.then(|| cell.clone().unwrap_or_default()));
        row.push(metric.clone());
        let value = |value: Option<f64>| value.map_or("-".to_owned(), |v| words::metric(metric, v));
        row.extend(sides.map(value));
        let difference = sides[0].zip(sides[1]).map(|(a, b)| words::change(metric, b - a));
        row.push(difference.unwrap_or_default());
        table.push(row);
    }
    table.text()
}

/// Returns the differences for programs.
pub(super) fn json(differences: &Differences) -> serde_json::Value {
    let mut document = json!(differences);
    document["schema"] = json!(JSON_SCHEMA);
    document["equal"] = json!(differences.is_empty());
    document
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use super::super::origin::Origins;
    use super::super::samples;
    use super::*;
    use crate::outcome::{Outcome, Verdict};
    use crate::spec::run::Flip;

    fn shown(place: usize) -> Shown {
        let trial = samples::trials().swap_remove(place);
        let finished = Outcome::Finished { verdict: Verdict::Healthy };
        Shown {
            attempts: vec![samples::attempt(&trial, Some(finished))],
            notes: Vec::new(),
            finals: Some(samples::finals(&trial)),
            origins: samples::origins(),
            files: Vec::new(),
            interrupted: HashSet::new(),
            trial,
        }
    }

    #[test]
    fn a_trial_equals_itself_and_two_differ_in_what_they_set_gave_and_were_made_with() {
        assert!(trials(&shown(0), &shown(0)).is_empty());
        let mut other = shown(1);
        if let Some(finals) = &mut other.finals {
            finals.values.insert("linear_top1".into(), 0.5);
            finals.values.remove("loss");
        }
        other.origins.invocations.values_mut().for_each(|row| {
            row.provenance.worker.digest = "beef".repeat(16);
            row.provenance.argv = vec!["other".into()];
        });
        let differences = trials(&shown(0), &other);
        insta::assert_snapshot!("two_trials", text(&differences, Style::Plain));
        insta::assert_json_snapshot!("two_trials_for_programs", json(&differences));
    }

    #[test]
    fn a_removed_augmentation_has_none_of_its_settings() {
        let flips = |trial: &mut TrialRow, flip| Arc::make_mut(&mut trial.run.views).t.flip = flip;
        let words = |words: &str| Some(words.to_owned());
        let mut flipped = shown(0);
        flips(&mut flipped.trial, Some(Flip { p: 0.5 }));
        let all = trials(&flipped, &shown(0)).settings;
        let [Difference { name, sides }] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((name.as_str(), sides), ("views.t.flip.p", &[words("0.5"), words("null")]));

        // One of two sweeps has trials with and without it.
        let mut mixed = side("one", &[0, 1], 0.5);
        flips(&mut mixed.trials[0], Some(Flip { p: 0.5 }));
        let all = sweeps(&mixed, &side("two", &[0, 1], 0.5)).settings;
        let [Difference { name, sides }] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!(
            (name.as_str(), sides),
            ("views.t.flip.p", &[words("0.5, null"), words("null")])
        );
    }

    #[test]
    fn attempts_of_earlier_versions_are_compared_by_what_is_known() {
        let mut old = shown(0);
        old.origins = Origins::default();
        let differences = trials(&shown(0), &old);
        assert!(differences.settings.is_empty());
        assert!(differences.made_with.iter().all(|difference| difference.sides[1].is_none()));
    }

    fn side(name: &str, places: &[usize], result: f64) -> SweepSide {
        let all = samples::trials();
        let trials: Vec<TrialRow> = places.iter().map(|place| all[*place].clone()).collect();
        let mut finals = samples::finals(&trials[0]);
        finals.values.insert("linear_top1".into(), result);
        SweepSide {
            sweep: SweepRow { name: name.into(), ..samples::sweep() },
            trials,
            finals: vec![finals],
        }
    }

    #[test]
    fn two_sweeps_differ_in_cells_settings_and_results() {
        let one = side("one", &[0, 1], 0.5);
        assert!(sweeps(&one, &side("two", &[0, 1], 0.5)).is_empty());
        let mut two = side("two", &[0, 2], 0.625);
        two.sweep.facts.eval.linear.epochs = 80;
        insta::assert_snapshot!("two_sweeps", text(&sweeps(&one, &two), Style::Plain));
    }
}
