//! `pause`, `resume` and `retry`, in words.

use serde_json::json;

use super::exit::ExitCode;
use super::places::Places;
use super::reading::{Reading, block_on};
use super::said::{Said, phrase};
use super::target::{HoldArgs, Target};
use crate::ui::{Ui, words};
use crate::verbs::{self, Doer, Eased, Edited};

pub(super) fn pause(args: &HoldArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let target = Target::find(&args.target, &Reading::open_existing(places)?)?;
    let (target, text, count) = match block_on(verbs::pause(&target.subject(places)))? {
        Eased::Run { alive } => {
            let text = format!(
                "paused {}: nothing more starts, {} running goes on; `byol-sweep resume` goes on",
                target.sweep.name,
                words::plural(usize::try_from(alive).unwrap_or(usize::MAX), "trial")
            );
            (target, text, alive)
        }
        Eased::Trials(Edited { trials, changed, by: _ }) => {
            let target = target.only(&trials);
            let text = format!(
                "{} held back: not started before `byol-sweep resume` names it again",
                phrase(&target)
            );
            (target, text, changed)
        }
    };
    let more = json!({ "count": count });
    Said { verb: "pause", target: &target, text, more }.tell(args.reader, ui)?;
    Ok(ExitCode::Success)
}

pub(super) fn resume(args: &HoldArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let target = Target::find(&args.target, &Reading::open_existing(places)?)?;
    let (text, count) = match block_on(verbs::resume(&target.subject(places)))? {
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
            (text, alive)
        }
        Eased::Trials(Edited { trials: _, changed, by }) => {
            let starts = starts(&by, &target);
            (format!("{} may start; {starts}", phrase(&target)), changed)
        }
    };
    let more = json!({ "count": count });
    Said { verb: "resume", target: &target, text, more }.tell(args.reader, ui)?;
    Ok(ExitCode::Success)
}

pub(super) fn retry(args: &HoldArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let target = Target::find(&args.target, &Reading::open_existing(places)?)?;
    let Edited { trials, changed, by } = block_on(verbs::retry(&target.subject(places)))?;
    let target = target.only(&trials);
    let text = format!("{} forgiven; {}", phrase(&target), starts(&by, &target));
    let more = json!({ "count": changed });
    Said { verb: "retry", target: &target, text, more }.tell(args.reader, ui)?;
    Ok(ExitCode::Success)
}

/// Returns when trials that may start again will.
fn starts(by: &Doer, target: &Target) -> &'static str {
    if by.is_run_of(&target.sweep.name) {
        "the run at work starts what is left to do"
    } else {
        "the next `byol-sweep run` starts what is left to do"
    }
}
