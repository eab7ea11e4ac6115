//! `stop` and `kill`, in words.

use serde_json::{Value, json};

use super::exit::ExitCode;
use super::places::Places;
use super::reading::{Reading, block_on};
use super::said::{Said, phrase};
use super::target::{StopArgs, Target};
use crate::drive::command::StopHow;
use crate::drive::orphans::{Elsewhere, Stopped};
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
    let stopped = halted.stopped().clone();
    let fate = fate(how, &stopped, &target);
    let name = target.sweep.name.clone();
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
    let Stopped { asked, alive, elsewhere } = &stopped;
    let out_of_reach: Vec<Value> = elsewhere
        .iter()
        .map(|Elsewhere { trial, attempt, host, pid }| {
            json!({ "key": trial, "attempt": attempt, "host": host, "pid": pid })
        })
        .collect();
    let more = json!({ "asked": asked, "alive": alive, "out_of_reach": out_of_reach });
    Said { verb, target: &target, text, more }.tell(args.reader, ui)?;
    Ok(if elsewhere.is_empty() { ExitCode::Success } else { ExitCode::Internal })
}

/// Returns what becomes of the attempts.
fn fate(how: StopHow, stopped: &Stopped, target: &Target) -> String {
    let Stopped { asked, alive, elsewhere } = stopped;
    let attempts = words::plural(*asked, "attempt");
    let here = match (asked, alive, how) {
        (0, _, _) if !elsewhere.is_empty() => return out_of_reach(elsewhere, target),
        (0, _, _) => "nothing of it is running".to_owned(),
        (_, 0, StopHow::Politely) => format!("{attempts} stopped"),
        (_, 0, StopHow::ByForce) => format!("{attempts} killed"),
        (_, _, StopHow::Politely) => {
            format!("{attempts} asked to write a checkpoint and stop, {alive} still at it")
        }
        (_, _, StopHow::ByForce) => format!("{attempts} being killed"),
    };
    if elsewhere.is_empty() { here } else { format!("{here}; {}", out_of_reach(elsewhere, target)) }
}

/// Says where attempts are that could not be stopped from here.
fn out_of_reach(elsewhere: &[Elsewhere], target: &Target) -> String {
    let place = |elsewhere: &Elsewhere| {
        let Elsewhere { trial, attempt, .. } = elsewhere;
        let number = target.trials.iter().find(|row| row.train_key == *trial);
        let number = number.map_or_else(|| trial.short().to_owned(), |row| row.ordinal.to_string());
        format!("attempt {attempt} of trial {number}, {}", elsewhere.place())
    };
    let places: Vec<String> = elsewhere.iter().map(place).collect();
    format!(
        "{} alive out of reach, stop it where it runs: {}",
        words::plural(elsewhere.len(), "attempt"),
        places.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::samples;
    use super::super::target::Scope;
    use super::*;
    use crate::ids::AttemptNo;

    #[test]
    fn what_is_out_of_reach_is_named_and_never_called_nothing() {
        let target = Target {
            sweep: samples::sweep(),
            scope: Scope::Sweep,
            trials: samples::trials(),
            wished: HashMap::new(),
        };
        let far = Elsewhere {
            trial: target.trials[2].train_key.clone(),
            attempt: AttemptNo(1),
            host: Some("other".into()),
            pid: Some(77),
        };
        let one = Stopped { asked: 0, alive: 0, elsewhere: vec![far.clone()] };
        assert_eq!(
            fate(StopHow::Politely, &one, &target),
            "1 attempt alive out of reach, stop it where it runs: \
             attempt 1 of trial 3, process 77 of host other"
        );
        let nameless = Elsewhere { host: None, pid: None, ..far };
        let both = Stopped { asked: 2, alive: 0, elsewhere: vec![nameless] };
        assert_eq!(
            fate(StopHow::ByForce, &both, &target),
            "2 attempts killed; 1 attempt alive out of reach, stop it where it runs: \
             attempt 1 of trial 3, a process unknown of a host unknown"
        );
    }
}
