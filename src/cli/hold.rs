//! `pause`, `resume` and `retry`, in words.

use serde_json::json;

use super::exit::ExitCode;
use super::places::Places;
use super::reading::{Reading, block_on};
use super::said::{Said, phrase};
use super::target::{HoldArgs, Target};
use crate::drive::command::When;
use crate::store::rows::{TrialRow, TrialState};
use crate::ui::{Ui, words};
use crate::verbs::{self, Eased, Edited};

pub(super) fn pause(args: &HoldArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let target = Target::find(&args.target, &Reading::open_existing(places)?)?;
    let (target, text, count) = match block_on(verbs::pause(&target.subject(places)))? {
        Eased::Run { alive } => {
            let text = format!(
                "paused {}: nothing more starts, {}; `byol-sweep resume` goes on",
                target.sweep.name,
                running_on(usize::try_from(alive).unwrap_or(usize::MAX), "trial")
            );
            (target, text, alive)
        }
        Eased::Trials(Edited { trials, changed, by: _, when: _ }) => {
            let target = target.only(&trials);
            let text = held_back(&target);
            (target, text, changed)
        }
    };
    let more = json!({ "count": count });
    Said { verb: "pause", target: &target, text, more }.tell(args.reader, ui)?;
    Ok(ExitCode::Success)
}

pub(super) fn resume(args: &HoldArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let target = Target::find(&args.target, &Reading::open_existing(places)?)?;
    let (target, text, count) = match block_on(verbs::resume(&target.subject(places)))? {
        Eased::Run { alive } => {
            let held = target.wished.values().filter(|wished| wished.held_ms.is_some()).count();
            let mut text = format!("resumed {}", target.sweep.name);
            if held > 0 {
                text.push_str(&format!(
                    "; {} held back: `byol-sweep resume {} -E held` lets go",
                    words::plural(held, "trial"),
                    target.sweep.name
                ));
            }
            (target, text, alive)
        }
        Eased::Trials(Edited { trials, changed, by: _, when }) => {
            let target = target.only(&trials);
            let text = format!("{} may start; {}", phrase(&target), starts(when));
            (target, text, changed)
        }
    };
    let more = json!({ "count": count });
    Said { verb: "resume", target: &target, text, more }.tell(args.reader, ui)?;
    Ok(ExitCode::Success)
}

pub(super) fn retry(args: &HoldArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let target = Target::find(&args.target, &Reading::open_existing(places)?)?;
    let Edited { trials, changed, by: _, when } = block_on(verbs::retry(&target.subject(places)))?;
    let target = target.only(&trials);
    let text = format!("{} forgiven{}; {}", phrase(&target), let_go(&target), starts(when));
    let more = json!({ "count": changed });
    Said { verb: "retry", target: &target, text, more }.tell(args.reader, ui)?;
    Ok(ExitCode::Success)
}

/// Returns `1 trial that runs goes on`.
fn running_on(number: usize, noun: &str) -> String {
    let goes = if number == 1 { "that runs goes on" } else { "that run go on" };
    format!("{} {goes}", words::plural(number, noun))
}

/// Says how many were held back before, since whoever is tried again is let go.
fn let_go(target: &Target) -> String {
    let is_held = |trial: &&TrialRow| {
        target.wished.get(&trial.train_key).is_some_and(|wished| wished.held_ms.is_some())
    };
    match target.trials.iter().filter(is_held).count() {
        0 => String::new(),
        held => format!(", {held} of them held back until now"),
    }
}

/// Says what a hold keeps from starting, and that it ends nothing.
fn held_back(target: &Target) -> String {
    let running = target.trials.iter().filter(|trial| trial.state == TrialState::Running).count();
    let goes_on = match (running, target.trials.len()) {
        (0, _) => {
            return format!(
                "{} held back: not started before `byol-sweep resume` names it again",
                phrase(target)
            );
        }
        (1, 1) => "its attempt goes on".to_owned(),
        (running, _) => running_on(running, "attempt"),
    };
    format!(
        "{} held back: {goes_on}, and nothing of it starts later before `byol-sweep resume` names it again; `byol-sweep stop` ends what runs",
        phrase(target)
    )
}

/// Returns when trials that may start again will.
fn starts(when: When) -> &'static str {
    match when {
        When::Now => "the run at work starts what is left to do",
        When::OnceResumed => {
            "the run at work is paused, and starts what is left to do after `byol-sweep resume`"
        }
        When::NextRun => "the next `byol-sweep run` starts what is left to do",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::samples;
    use super::super::target::Scope;
    use super::*;

    #[test]
    fn a_hold_of_what_runs_says_that_it_goes_on() {
        let said = |places: &[usize]| {
            let all = samples::trials();
            held_back(&Target {
                sweep: samples::sweep(),
                scope: Scope::Trials,
                trials: places.iter().map(|place| all[*place].clone()).collect(),
                wished: HashMap::new(),
            })
        };
        let name = samples::sweep().name;
        assert!(
            said(&[2]).starts_with(&format!("trial 3 of {name} held back: its attempt goes on,"))
        );
        assert!(
            said(&[2, 5])
                .contains("held back: 1 attempt that runs goes on, and nothing of it starts")
        );
        assert!(said(&[5]).ends_with("not started before `byol-sweep resume` names it again"));
    }
}
