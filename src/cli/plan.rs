//! `plan`: what a sweep file expands to. Changes nothing on disk.

use std::collections::HashMap;

use serde_json::json;

use super::args::{Form, PlanArgs};
use super::exit::ExitCode;
use super::places::Places;
use super::planning;
use super::sweep_file::{self, SweepFile};
use super::table::{Align, Table};
use super::trials::{self, Named};
use super::{JSON_SCHEMA, json_text};
use crate::ids::TrainKey;
use crate::plan::Plan;
use crate::store::rows::TrialState;
use crate::ui::Ui;
use crate::ui::style::{Role, Style};
use crate::ui::words;

/// States of the trials that the store knows already.
pub(super) type States = HashMap<TrainKey, TrialState>;

pub(super) fn run(args: &PlanArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let file = sweep_file::open(&args.file, ui)?;
    let (plan, states) = gather(&file, &args.set, places)?;
    ui.print(&match args.reader.form() {
        Form::Text => text(&plan, &states, ui.style()),
        Form::Json => json_text(&json(&plan, &states)),
    })?;
    Ok(ExitCode::Success)
}

/// Plans the file, and looks its trials up in the store where there is one.
fn gather(file: &SweepFile, set: &[String], _places: &Places) -> anyhow::Result<(Plan, States)> {
    let plan = planning::plan(file, set, &|_| None)?;
    Ok((plan, States::new()))
}

/// Returns the plan for people.
pub(super) fn text(plan: &Plan, states: &States, style: Style) -> String {
    [head(plan, style), rules(plan), table(plan, states, style)].join("\n")
}

fn head(plan: &Plan, style: Style) -> String {
    let meta = &plan.meta;
    let mut text = style.paint(Role::Strong, &meta.name);
    if !meta.description.is_empty() {
        text.push_str(&format!(": {}", meta.description));
    }
    text.push('\n');
    if let Some(table) = &meta.reproduces {
        text.push_str(&format!("reproduces the published table {table}\n"));
    }
    text
}

fn rules(plan: &Plan) -> String {
    let mut table = Table::new(&[("rule", Align::Left), ("cells", Align::Right)]);
    for step in &plan.steps {
        table.push(vec![step.rule.clone(), words::count(step.cells)]);
    }
    let merged = match merged(plan) {
        0 => String::new(),
        1 => " (1 cell came out twice and was merged)".to_owned(),
        n => format!(" ({n} cells came out twice and were merged)"),
    };
    format!("{}{}{merged}\n", table.text(), words::plural(plan.trials.len(), "trial"))
}

/// Returns how many cells were the same as an earlier one.
fn merged(plan: &Plan) -> usize {
    plan.trials.iter().map(|trial| trial.labels.len().saturating_sub(1)).sum()
}

fn table(plan: &Plan, states: &States, style: Style) -> String {
    let arms = trials::has_arms(plan.trials.iter().map(|trial| trial.labels.as_slice()));
    let mut columns = vec![("#", Align::Right), ("key", Align::Left)];
    columns.extend(arms.then_some(("arm", Align::Left)));
    columns.extend(plan.axes.iter().map(|axis| (axis.as_str(), Align::Left)));
    columns.extend([("seed", Align::Right), ("state", Align::Left)]);
    let mut table = Table::new(&columns);
    for trial in &plan.trials {
        let named = Named::from(trial);
        let state = state_of(states, &trial.train_key);
        let mut row = vec![trial.ordinal.to_string(), trial.train_key.short().to_owned()];
        row.extend(arms.then(|| named.arm()));
        row.extend(plan.axes.iter().map(|axis| named.axis(axis)));
        row.extend([trial.run.seed.to_string(), trials::state(state, None, style)]);
        table.push(row);
    }
    table.text()
}

fn state_of(states: &States, key: &TrainKey) -> TrialState {
    states.get(key).copied().unwrap_or(TrialState::Pending)
}

/// Returns the plan for programs.
pub(super) fn json(plan: &Plan, states: &States) -> serde_json::Value {
    let trials = plan.trials.iter().map(|trial| {
        json!({
            "number": trial.ordinal,
            "key": trial.train_key,
            "group": trial.group_key,
            "seed": trial.run.seed,
            "labels": trial.labels,
            "state": state_of(states, &trial.train_key),
            "data_path": trial.data_path,
            "run": trial.run,
        })
    });
    json!({
        "schema": JSON_SCHEMA,
        "sweep": plan.meta.name,
        "description": plan.meta.description,
        "reproduces": plan.meta.reproduces,
        "eval_key": plan.eval_key,
        "axes": plan.axes,
        "rules": plan.steps,
        "merged": merged(plan),
        "trials": trials.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_plan_shows_its_rules_and_trials() {
        let plan = samples::plan();
        let states = HashMap::from([(plan.trials[0].train_key.clone(), TrialState::Done)]);
        insta::assert_snapshot!(text(&plan, &states, Style::Plain));
    }

    #[test]
    fn programs_get_the_same_with_a_schema() {
        let document = json(&samples::plan(), &HashMap::new());
        assert_eq!(document["schema"], 1);
        assert_eq!(document["merged"], 1);
        assert_eq!(document["trials"][1]["labels"][0]["axes"]["batch_size"], 64);
        assert_eq!(document["trials"][1]["state"], "pending");
    }
}
