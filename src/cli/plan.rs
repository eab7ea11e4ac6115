//! `plan`: what a sweep file expands to. Changes nothing on disk.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::args::{Form, PlanArgs};
use super::exit::ExitCode;
use super::places::Places;
use super::planning::{self, Changes};
use super::reading::Reading;
use super::sweep_file::{self, SweepFile};
use super::table::{Align, Table};
use super::trials::{self, Named};
use super::{JSON_SCHEMA, json_text};
use crate::ids::TrainKey;
use crate::plan::cost::{self, Past};
use crate::plan::{Limit, Plan, memory};
use crate::spec::early::METRIC;
use crate::store::rows::TrialState;
use crate::ui::Ui;
use crate::ui::style::{Role, Style};
use crate::ui::words;

/// Trials that a person may want to see; more are counted, and printed for programs.
const ROWS_SHOWN: usize = 1000;

/// States of the trials that the store knows already.
pub(super) type States = HashMap<TrainKey, TrialState>;

pub(super) fn run(args: &PlanArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let file = sweep_file::open(&args.file, ui)?;
    let planned = gather(&file, &Changes::from(&args.changes), places)?;
    ui.print(&match args.reader.form() {
        Form::Text => text(&planned, ui.style()),
        Form::Json => json_text(&json(&planned)),
    })?;
    Ok(ExitCode::Success)
}

/// Plans the file, and looks its trials up in the store where there is one.
fn gather(file: &SweepFile, changes: &Changes, places: &Places) -> anyhow::Result<Planned> {
    let Some(reading) = Reading::open(places)? else {
        let plan = planning::plan(file, changes, &|_| None, Limit::Million)?;
        return Ok(Planned { plan, states: States::new(), seconds_left: None });
    };
    let digest = |path: &Path| {
        let path = std::path::absolute(path).ok()?;
        reading.wait(reading.store.dataset_digest(&path)).ok().flatten()
    };
    let plan = planning::plan(file, changes, &digest, Limit::Million)?;
    let keys: Vec<TrainKey> = plan.trials.iter().map(|trial| trial.train_key.clone()).collect();
    let known = reading.wait(reading.store.known_to(
        &plan.meta.name,
        plan.meta.early_stop.as_ref(),
        &plan.eval_key,
        &keys,
    ))?;
    let states: States = known.into_iter().map(|(key, known)| (key, known.state)).collect();
    let seconds_left = expected_seconds(&plan, &states, &reading)?;
    Ok(Planned { plan, states, seconds_left })
}

/// Returns what the trials that are not trained yet will take, from all that were.
fn expected_seconds(
    plan: &Plan,
    states: &States,
    reading: &Reading,
) -> anyhow::Result<Option<f64>> {
    let mut trained = HashMap::new();
    for sweep in reading.wait(reading.store.sweeps())? {
        for trial in reading.wait(reading.store.trials(&sweep))? {
            trained.insert(trial.train_key, trial.run);
        }
    }
    let keys: Vec<TrainKey> = trained.keys().cloned().collect();
    let seconds = reading.wait(reading.store.attempt_seconds(&keys))?;
    let past: Vec<Past<'_>> = seconds
        .iter()
        .filter_map(|(key, seconds)| Some(Past { run: trained.get(key)?, seconds: *seconds }))
        .collect();
    let left = plan.trials.iter().filter(|trial| match state_of(states, &trial.train_key) {
        TrialState::Pending | TrialState::Running | TrialState::Stopped | TrialState::Failed => {
            true
        }
        TrialState::Trained | TrialState::Done | TrialState::Pruned => false,
    });
    let left: Vec<_> = left.map(|trial| &trial.run).collect();
    Ok(cost::expected_seconds(&left, &past).filter(|_| !left.is_empty()))
}

/// A plan, and what the store adds to it.
pub(super) struct Planned {
    pub plan: Plan,
    pub states: States,
    /// What is left takes this long on one device, where comparable runs tell.
    pub seconds_left: Option<f64>,
}

/// Returns the plan for people.
pub(super) fn text(planned: &Planned, style: Style) -> String {
    let Planned { plan, states, .. } = planned;
    [head(plan, style), rules(plan), table(plan, states, style), needs(planned)].join("\n")
}

/// Says what the trials need: memory, and time where it can be told.
fn needs(planned: &Planned) -> String {
    let estimates = planned.plan.trials.iter().map(|trial| memory::estimate(&trial.run));
    let mut text = match (estimates.clone().min(), estimates.max()) {
        (Some(least), Some(most)) if words::bytes(least) == words::bytes(most) => {
            format!("memory: about {} a trial (estimated)\n", words::bytes(most))
        }
        (Some(least), Some(most)) => format!(
            "memory: about {} to {} a trial (estimated)\n",
            words::bytes(least),
            words::bytes(most)
        ),
        (None, _) | (_, None) => String::new(),
    };
    if let Some(seconds) = planned.seconds_left {
        let time = words::duration(Duration::from_secs_f64(seconds));
        text.push_str(&format!(
            "time: about {time} on one device for what is not trained yet (from comparable runs)\n"
        ));
    }
    text
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
    text.extend(early_stop(plan));
    text
}

/// Says by which policy settings are stopped early, and when, where there is one.
fn early_stop(plan: &Plan) -> Option<String> {
    const SHOWN: usize = 6;
    let (policy, first) = (plan.meta.early_stop?, plan.trials.first()?);
    let rungs = policy.rungs(first.run.epochs);
    let shown: Vec<String> = rungs.iter().take(SHOWN).map(u32::to_string).collect();
    let more = if rungs.len() > SHOWN { ", ..." } else { "" };
    Some(format!(
        "early stopping: {} by {METRIC} after epochs {}{more} of {}\n",
        policy.name(),
        shown.join(", "),
        first.run.epochs
    ))
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
    for trial in plan.trials.iter().take(ROWS_SHOWN) {
        let named = Named::from(trial);
        let state = state_of(states, &trial.train_key);
        let mut row = vec![trial.ordinal.to_string(), trial.train_key.short().to_owned()];
        row.extend(arms.then(|| named.arm()));
        row.extend(plan.axes.iter().map(|axis| named.axis(axis)));
        row.extend([trial.run.seed.to_string(), trials::state(state, None, style)]);
        table.push(row);
    }
    match plan.trials.len().saturating_sub(ROWS_SHOWN) {
        0 => table.text(),
        more => {
            format!("{}and {} more, which --json prints\n", table.text(), words::count(more as u64))
        }
    }
}

fn state_of(states: &States, key: &TrainKey) -> TrialState {
    states.get(key).copied().unwrap_or(TrialState::Pending)
}

/// Returns the plan for programs.
pub(super) fn json(planned: &Planned) -> serde_json::Value {
    let Planned { plan, states, seconds_left } = planned;
    let trials = plan.trials.iter().map(|trial| {
        json!({
            "number": trial.ordinal,
            "key": trial.train_key,
            "group": trial.group_key,
            "seed": trial.run.seed,
            "labels": trial.labels,
            "state": state_of(states, &trial.train_key),
            "data_path": trial.data_path,
            "memory_bytes": memory::estimate(&trial.run),
            "run": trial.run,
        })
    });
    json!({
        "schema": JSON_SCHEMA,
        "sweep": plan.meta.name,
        "description": plan.meta.description,
        "reproduces": plan.meta.reproduces,
        "early_stop": plan.meta.early_stop,
        "eval_key": plan.eval_key,
        "axes": plan.axes,
        "rules": plan.steps,
        "merged": merged(plan),
        "seconds_left": seconds_left,
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
        let planned = Planned { plan, states, seconds_left: Some(5400.0) };
        insta::assert_snapshot!(text(&planned, Style::Plain));
    }

    #[test]
    fn a_policy_is_told_with_its_rungs() {
        use crate::spec::sweep::EarlyStop;
        let mut plan = samples::plan();
        let told = |plan: &Plan| head(plan, Style::Plain).lines().nth(2).map(str::to_owned);
        assert_eq!(told(&plan), None);
        plan.trials[0].run.epochs = 80;
        plan.meta.early_stop = Some(EarlyStop::Asha { min_epochs: 3, reduction: 3 });
        let line = "early stopping: asha by knn_probe_top1 after epochs 3, 9, 27 of 80";
        assert_eq!(told(&plan).as_deref(), Some(line));
        plan.meta.early_stop = Some(EarlyStop::Median { warmup: 10, every: 5 });
        let line = "early stopping: median by knn_probe_top1 after epochs 10, 15, 20, 25, 30, 35, ... of 80";
        assert_eq!(told(&plan).as_deref(), Some(line));
    }

    #[test]
    fn programs_get_the_same_with_a_schema() {
        let plan = samples::plan();
        let planned = Planned { plan, states: States::new(), seconds_left: None };
        let document = json(&planned);
        assert_eq!(document["schema"], 1);
        assert_eq!(document["merged"], 1);
        assert_eq!(document["trials"][1]["labels"][0]["axes"]["batch_size"], 64);
        assert_eq!(document["trials"][1]["state"], "pending");
    }
}
