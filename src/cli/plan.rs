//! `plan`: what a sweep file expands to. Changes nothing on disk.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::Path;

use serde_json::json;

use super::args::{Form, PlanArgs};
use super::cost::{self, Fit};
use super::exit::ExitCode;
use super::places::Places;
use super::planning::{self, Changes};
use super::reading::Reading;
use super::room::{Hold, Room};
use super::sweep_file::{self, SweepFile};
use super::table::{Align, Table};
use super::trials::{self, Named};
use super::{JSON_SCHEMA, json_text, preflight, probe};
use crate::exec::devices::{self, DeviceChoice};
use crate::exec::{meters, nvml};
use crate::ids::{GroupKey, Slot, TrainKey};
use crate::outlook::{self, Asked, Here, Outlook};
use crate::plan::cost::{History, Past, Probed};
use crate::plan::{Limit, Plan, PlannedTrial, memory};
use crate::spec::early::METRIC;
use crate::store::Spent;
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
    let sources = gather(&file, &Changes::from(&args.changes), places)?;
    let here = cost::here(&slots(&sources.plan));
    let probed = match &here {
        Some(here) if args.probe => sources.probe(here, places, ui)?,
        Some(_) | None => Vec::new(),
    };
    let planned = sources.look_ahead(here.as_ref(), &probed, args);
    ui.print(&match args.reader.form() {
        Form::Text => text(&planned, ui.style()),
        Form::Json => json_text(&json(&planned)),
    })?;
    Ok(ExitCode::Success)
}

/// A plan, and what the store knows that concerns it.
struct Sources {
    plan: Plan,
    states: States,
    past: Vec<Past>,
    spent: Vec<Spent>,
}

/// Plans the file, and looks its trials up in the store where there is one.
fn gather(file: &SweepFile, changes: &Changes, places: &Places) -> anyhow::Result<Sources> {
    let Some(reading) = Reading::open(places)? else {
        let plan = planning::plan(file, changes, &|_| None, Limit::Million)?;
        return Ok(Sources { plan, states: States::new(), past: Vec::new(), spent: Vec::new() });
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
    let past = reading.wait(reading.store.past())?;
    let spent = reading.wait(reading.store.spent(&keys))?;
    Ok(Sources { plan, states, past, spent })
}

/// Returns where a run without further options would compute.
fn slots(plan: &Plan) -> Vec<Slot> {
    let gpus = nvml::visible_gpus();
    // `auto` makes do with what is there.
    let chosen = devices::choose(&DeviceChoice::Auto, &gpus).unwrap_or_default();
    let per_gpu = NonZeroU32::new(plan.meta.resources.slots_per_device).unwrap_or(NonZeroU32::MIN);
    devices::slots(&chosen, per_gpu, None, devices::cores())
}

/// Returns what the devices can hold that a run without further options would use.
fn room() -> Room {
    match nvml::visible_gpus().as_slice() {
        [] => Room::of(meters::memory_bytes()),
        gpus => Room::of(gpus.iter().map(|gpu| gpu.memory_bytes)),
    }
}

impl Sources {
    fn asked(&self) -> Vec<Asked<'_>> {
        let trials = self.plan.trials.iter();
        trials
            .map(|trial| Asked::planned(trial, state_of(&self.states, &trial.train_key)))
            .collect()
    }

    /// Tries what nothing comparable is known of.
    fn probe(&self, here: &Here, places: &Places, ui: &mut Ui) -> anyhow::Result<Vec<Probed>> {
        preflight::check_data(&self.plan, places)?;
        let history = History::new(&self.past, &[], &here.place);
        let asked = self.asked();
        let open = asked.iter().filter(|trial| cost::is_to_train(trial.state));
        let wanted = history.worth_probing(open.map(|trial| trial.run));
        let is_wanted =
            |trial: &&PlannedTrial| wanted.iter().any(|run| std::ptr::eq(*run, &trial.run));
        let trials: Vec<&PlannedTrial> = self.plan.trials.iter().filter(is_wanted).collect();
        probe::probe(&trials, &self.plan, &slots(&self.plan), places, ui)
    }

    /// Works out what the trials took and will take on this machine.
    fn look_ahead(self, here: Option<&Here>, probed: &[Probed], args: &PlanArgs) -> Planned {
        let (mut cost, mut fit) = (Outlook::default(), None);
        if let Some(here) = here {
            let history = History::new(&self.past, probed, &here.place);
            let asked = self.asked();
            let lefts = outlook::lefts(&asked, &self.plan.eval_key, &history, &self.spent);
            cost = outlook::outlook(&self.spent, Some((&lefts, here)));
            fit = args.budget.map(|budget| cost::fit(&asked, &lefts, budget));
        }
        Planned { plan: self.plan, states: self.states, room: room(), cost, fit }
    }
}

/// A plan, and what the store adds to it.
pub(super) struct Planned {
    pub plan: Plan,
    pub states: States,
    /// What the devices here can hold.
    pub room: Room,
    pub cost: Outlook,
    /// What a budget has room for, where one is given.
    pub fit: Option<Fit>,
}

/// Returns the plan for people.
pub(super) fn text(planned: &Planned, style: Style) -> String {
    let plan = &planned.plan;
    let memory = estimates(plan);
    let table = table(planned, &memory, style);
    [head(plan, style), rules(plan), table, needs(planned, &memory)].join("\n")
}

/// Returns how many bytes each trial takes; those of a group take the same.
fn estimates(plan: &Plan) -> Vec<u64> {
    let mut known: HashMap<&GroupKey, u64> = HashMap::new();
    let trials = plan.trials.iter();
    let estimates = trials.map(|PlannedTrial { group_key, run, .. }| {
        *known.entry(group_key).or_insert_with(|| memory::estimate(run))
    });
    estimates.collect()
}

/// Says what the trials need: memory, and time where it can be told.
fn needs(planned: &Planned, memory: &[u64]) -> String {
    let mut text = match (memory.iter().min(), memory.iter().max()) {
        (Some(&least), Some(&most)) if words::bytes(least) == words::bytes(most) => {
            format!("memory: about {} a trial (estimated)\n", words::bytes(most))
        }
        (Some(&least), Some(&most)) => format!(
            "memory: about {} to {} a trial (estimated)\n",
            words::bytes(least),
            words::bytes(most)
        ),
        (None, _) | (_, None) => String::new(),
    };
    text.extend(too_large_text(planned.room, memory));
    text.push_str(&planned.cost.text());
    text.extend(planned.fit.iter().map(Fit::text));
    text
}

/// Counts the trials that no device here can hold.
fn too_large(room: Room, memory: &[u64]) -> usize {
    memory.iter().filter(|bytes| room.holds(**bytes) == Hold::TooLarge).count()
}

fn too_large_text(room: Room, memory: &[u64]) -> Option<String> {
    let (count, largest) = (too_large(room, memory), room.largest?);
    (count > 0).then(|| {
        format!(
            "{} likely too large for every device here, the largest of which has {}: a smaller batch_size with the same update_batch_size takes less\n",
            words::plural(count, "trial"),
            words::bytes(largest)
        )
    })
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

fn table(planned: &Planned, memory: &[u64], style: Style) -> String {
    let Planned { plan, states, room, .. } = planned;
    let marks = too_large(*room, memory) > 0;
    let arms = trials::has_arms(plan.trials.iter().map(|trial| trial.labels.as_ref()));
    let mut columns = vec![("#", Align::Right), ("key", Align::Left)];
    columns.extend(arms.then_some(("arm", Align::Left)));
    columns.extend(plan.axes.iter().map(|axis| (axis.as_str(), Align::Left)));
    columns.extend([("seed", Align::Right), ("state", Align::Left)]);
    columns.extend(marks.then_some(("memory", Align::Left)));
    let mut table = Table::new(&columns);
    for (trial, bytes) in plan.trials.iter().zip(memory).take(ROWS_SHOWN) {
        let named = Named::from(trial);
        let state = state_of(states, &trial.train_key);
        let mut row = vec![trial.ordinal.to_string(), trial.train_key.short().to_owned()];
        row.extend(arms.then(|| named.arm()));
        row.extend(plan.axes.iter().map(|axis| named.axis(axis)));
        row.extend([trial.run.seed.to_string(), trials::state(state, None, style)]);
        row.extend(marks.then(|| held(*room, *bytes, style)));
        table.push(row);
    }
    match plan.trials.len().saturating_sub(ROWS_SHOWN) {
        0 => table.text(),
        more => {
            format!("{}and {} more, which --json prints\n", table.text(), words::count(more as u64))
        }
    }
}

/// Says how much a trial takes, and marks it where that is too much.
fn held(room: Room, bytes: u64, style: Style) -> String {
    let text = words::bytes(bytes);
    match room.holds(bytes) {
        Hold::TooLarge => style.paint(Role::Warning, &format!("{text}, too large")),
        Hold::Fits | Hold::Unknown => text,
    }
}

fn state_of(states: &States, key: &TrainKey) -> TrialState {
    states.get(key).copied().unwrap_or(TrialState::Pending)
}

/// Returns the plan for programs.
pub(super) fn json(planned: &Planned) -> serde_json::Value {
    let Planned { plan, states, room, cost, fit } = planned;
    let memory = estimates(plan);
    let trials = plan.trials.iter().zip(&memory).map(|(trial, bytes)| {
        json!({
            "number": trial.ordinal,
            "key": trial.train_key,
            "group": trial.group_key,
            "seed": trial.run.seed,
            "labels": trial.labels,
            "state": state_of(states, &trial.train_key),
            "data_path": trial.data_path,
            "memory_bytes": bytes,
            "memory": room.holds(*bytes),
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
        "device_memory_bytes": room.largest,
        "too_large": too_large(*room, &memory),
        "seconds_left": cost.rest.as_ref().and_then(|rest| rest.seconds_to_go),
        "cost": cost.json(),
        "budget": fit,
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
        let mut planned =
            Planned { plan, states, room: Room::default(), cost: Outlook::default(), fit: None };
        insta::assert_snapshot!(text(&planned, Style::Plain));
        planned.room = Room::of([200_000_000]);
        insta::assert_snapshot!("plan_too_large", text(&planned, Style::Plain));
        let document = json(&planned);
        insta::assert_json_snapshot!("plan_for_programs", document);
        assert_eq!(
            (&document["too_large"], &document["trials"][0]["memory"]),
            (&json!(1), &json!("too_large"))
        );
        assert_eq!(document["trials"][1]["memory"], "fits");
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
        let planned = Planned {
            plan,
            states: States::new(),
            room: Room::default(),
            cost: Outlook::default(),
            fit: None,
        };
        let document = json(&planned);
        assert_eq!(document["schema"], 1);
        assert_eq!(document["merged"], 1);
        assert_eq!(document["trials"][1]["labels"][0]["axes"]["batch_size"], 64);
        assert_eq!(document["trials"][1]["state"], "pending");
    }
}
