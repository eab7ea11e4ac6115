//! `pause` and `resume`: of a run as a whole, or of trials, which are held and let go.

use serde_json::json;

use super::exit::{ExitCode, NothingMatched};
use super::places::Places;
use super::reach::{Live, Reached};
use super::reading::Reading;
use super::said::{Said, phrase};
use super::target::{HoldArgs, Scope, Target};
use crate::drive::command::RunWish;
use crate::store::Edit;
use crate::store::rows::TrialState;
use crate::ui::{Ui, words};

pub(super) fn pause(args: &HoldArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let target = Target::find(&args.target, &Reading::open_existing(places)?)?;
    let reached = Reached::reach(places)?;
    let (target, text, count) = match target.scope {
        Scope::Sweep => {
            let count = run_of(&reached, &target)?.wish(RunWish::Pause)?;
            let text = format!(
                "paused {}: nothing more starts, {} running goes on; `byol-sweep resume` goes on",
                target.sweep.name,
                words::plural(usize::try_from(count).unwrap_or(usize::MAX), "trial")
            );
            (target, text, count)
        }
        Scope::Trials => {
            let target = target.keep(
                |trial| trial.state != TrialState::Done,
                |name| format!("nothing to hold back: what was named of {name} is done"),
            )?;
            let count = reached.edit(Edit::Hold { trials: target.keys() })?;
            let text = format!(
                "{} held back: not started before `byol-sweep resume` names it again",
                phrase(&target)
            );
            (target, text, count)
        }
    };
    let more = json!({ "count": count });
    Said { verb: "pause", target: &target, text, more }.tell(args.reader, ui)?;
    Ok(ExitCode::Success)
}

pub(super) fn resume(args: &HoldArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let target = Target::find(&args.target, &Reading::open_existing(places)?)?;
    let reached = Reached::reach(places)?;
    let (text, count) = match target.scope {
        Scope::Sweep => {
            let count = run_of(&reached, &target)?.wish(RunWish::Resume)?;
            let held = target.wished.values().filter(|wished| wished.held_ms.is_some()).count();
            let mut text = format!("resumed {}", target.sweep.name);
            if held > 0 {
                text.push_str(&format!(
                    "; {} held back: `byol-sweep resume {} -E held` lets go",
                    words::plural(held, "trial"),
                    target.sweep.name
                ));
            }
            (text, count)
        }
        Scope::Trials => {
            let count = reached.edit(Edit::Release { trials: target.keys() })?;
            let starts = starts(&reached, &target);
            (format!("{} may start; {starts}", phrase(&target)), count)
        }
    };
    let more = json!({ "count": count });
    Said { verb: "resume", target: &target, text, more }.tell(args.reader, ui)?;
    Ok(ExitCode::Success)
}

/// Returns the run of the target's sweep.
fn run_of<'r>(reached: &'r Reached, target: &Target) -> Result<&'r Live, NothingMatched> {
    let name = &target.sweep.name;
    reached.at(name).ok_or_else(|| {
        NothingMatched(match reached {
            Reached::Live(live) => format!(
                "the run at work (process {}) is of {}, not of {name}",
                live.pid, live.sweep
            ),
            Reached::Own(_) => format!(
                "no run of {name} is at work: nothing starts before `byol-sweep run`; to hold back trials, choose them with -E"
            ),
        })
    })
}

/// Returns when trials that may start again will.
pub(super) fn starts(reached: &Reached, target: &Target) -> &'static str {
    if reached.at(&target.sweep.name).is_some() {
        "the run at work starts what is left to do"
    } else {
        "the next `byol-sweep run` starts what is left to do"
    }
}
