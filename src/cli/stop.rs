//! `stop` and `kill`, in words.

use serde_json::json;

use super::exit::ExitCode;
use super::places::Places;
use super::reading::{Reading, block_on};
use super::said::{Said, phrase};
use super::target::{StopArgs, Target};
use crate::drive::command::StopHow;
use crate::drive::orphans::Stopped;
use crate::ui::{Ui, words};
use crate::verbs::{self, Halted};

pub(super) fn run(
    args: &StopArgs,
    how: StopHow,
    places: &Places,
    ui: &mut Ui,
) -> anyhow::Result<ExitCode> {
    let target = Target::find(&args.target, &Reading::open_existing(places)?)?;
    let halted = block_on(verbs::stop(&target.subject(places), how, args.wait))?;
    let fate = fate(how, halted.stopped());
    let name = target.sweep.name.clone();
    let more = json!({ "asked": halted.stopped().asked, "alive": halted.stopped().alive });
    let (target, text) = match halted {
        Halted::Run { pid, .. } => {
            (target, format!("the run of {name} (process {pid}) ends: {fate}"))
        }
        Halted::Attempts { .. } => (target, format!("{name}: {fate}")),
        Halted::Trials { trials, .. } => {
            let target = target.only(&trials);
            let what = phrase(&target);
            (target, format!("{what} held back until `byol-sweep resume` names it: {fate}"))
        }
    };
    let verb = match how {
        StopHow::Politely => "stop",
        StopHow::ByForce => "kill",
    };
    Said { verb, target: &target, text, more }.tell(args.reader, ui)?;
    Ok(ExitCode::Success)
}

/// Returns what becomes of the attempts.
fn fate(how: StopHow, Stopped { asked, alive }: Stopped) -> String {
    let attempts = |number| words::plural(number, "attempt");
    match (asked, alive, how) {
        (0, _, _) => "nothing of it is running".to_owned(),
        (_, 0, StopHow::Politely) => format!("{} stopped", attempts(asked)),
        (_, 0, StopHow::ByForce) => format!("{} killed", attempts(asked)),
        (_, _, StopHow::Politely) => {
            format!("{} asked to write a checkpoint and stop, {alive} still at it", attempts(asked))
        }
        (_, _, StopHow::ByForce) => format!("{} being killed", attempts(asked)),
    }
}
