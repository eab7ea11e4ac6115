//! `stop` and `kill`: of a run with all its attempts, or of trials, which are held then. Attempts
//! that live on without a run are stopped too.

use serde_json::json;

use super::exit::{ExitCode, NothingMatched};
use super::places::Places;
use super::reach::Reached;
use super::reading::Reading;
use super::said::{Said, phrase};
use super::target::{Scope, StopArgs, Target};
use crate::drive::command::{RunWish, StopHow};
use crate::drive::orphans::Stopped;
use crate::store::Edit;
use crate::store::rows::TrialState;
use crate::ui::{Ui, words};

pub(super) fn run(
    args: &StopArgs,
    how: StopHow,
    places: &Places,
    ui: &mut Ui,
) -> anyhow::Result<ExitCode> {
    let target = Target::find(&args.target, &Reading::open_existing(places)?)?;
    let reached = Reached::reach(places)?;
    let (target, text, stopped) = match (target.scope, reached.at(&target.sweep.name)) {
        (Scope::Sweep, Some(live)) => {
            let wish = match how {
                StopHow::Politely => RunWish::Stop,
                StopHow::ByForce => RunWish::Kill,
            };
            let asked = usize::try_from(live.wish(wish)?).unwrap_or(usize::MAX);
            let text = format!(
                "the run of {} (process {}) ends: {}",
                target.sweep.name,
                live.pid,
                fate(how, Stopped { asked, alive: asked })
            );
            (target, text, Stopped { asked, alive: asked })
        }
        (Scope::Sweep, None) => {
            let stopped = reached.stop(target.keys(), how, args.wait)?;
            if stopped.asked == 0 {
                let text = format!("nothing of {} is running", target.sweep.name);
                return Err(NothingMatched(text).into());
            }
            let text = format!("{}: {}", target.sweep.name, fate(how, stopped));
            (target, text, stopped)
        }
        (Scope::Trials, _) => {
            let target = target.keep(
                |trial| trial.state != TrialState::Done,
                |name| format!("nothing to stop: what was named of {name} is done"),
            )?;
            // First the wish, so that nothing starts anew in between.
            reached.edit(Edit::Hold { trials: target.keys() })?;
            let stopped = reached.stop(target.keys(), how, args.wait)?;
            let text = format!(
                "{} held back until `byol-sweep resume` names it: {}",
                phrase(&target),
                fate(how, stopped)
            );
            (target, text, stopped)
        }
    };
    let verb = match how {
        StopHow::Politely => "stop",
        StopHow::ByForce => "kill",
    };
    let more = json!({ "asked": stopped.asked, "alive": stopped.alive });
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
