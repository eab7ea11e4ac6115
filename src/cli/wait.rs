//! `wait`: until every trial that was named is done or has failed for good, and nothing of it runs.

use std::time::{Duration, Instant};

use serde_json::json;

use super::exit::ExitCode;
use super::places::Places;
use super::reading::Reading;
use super::said::{Said, phrase};
use super::target::{Target, WaitArgs};
use crate::control::controller::Controller;
use crate::drive::orphans;
use crate::exec::local::LocalExecutor;
use crate::store::rows::{TrialRow, TrialState};
use crate::ui::{Ui, words};

/// Shortest time between two looks; a large sweep takes longer to look at, and is looked at less.
const LOOK: Duration = Duration::from_millis(200);

/// Who brings the trials forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worker {
    /// A run of their sweep; or somebody who may be one, at its start or its end.
    Run,
    /// Nobody watches, but attempts are alive.
    Attempts,
    /// Nobody at all.
    Nobody,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// More is to come.
    Open,
    /// All of it is over; so many failed.
    Over { failed: usize },
    /// So many trials are left, and nobody is at work on them; not all of these are held.
    Abandoned { left: usize, held: usize },
    /// Only trials that are held are left, and nobody is at work.
    Held { held: usize, failed: usize },
}

pub(super) fn run(args: &WaitArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let reading = Reading::open_existing(places)?;
    loop {
        let looked = Instant::now();
        let worker = worker(places, &reading, args)?;
        // In this order: what a run did before it ended is in the store.
        let target = Target::find(&args.target, &reading)?;
        let (code, text) = match standing(&target, worker) {
            Standing::Open if args.timeout.is_some_and(|limit| begun.elapsed() >= limit) => {
                let left = target.trials.iter().filter(|trial| is_open(trial)).count();
                let text = format!("{} after {}", left_of(left), words::duration(begun.elapsed()));
                (ExitCode::TimedOut, text)
            }
            Standing::Open => {
                let pause = LOOK.max(looked.elapsed() * 4);
                let rest = args.timeout.map(|limit| limit.saturating_sub(begun.elapsed()));
                std::thread::sleep(rest.map_or(pause, |rest| pause.min(rest)));
                continue;
            }
            Standing::Over { failed: 0 } => (ExitCode::Success, phrase(&target) + " done"),
            Standing::Over { failed } => {
                let over = target.trials.iter().filter(|trial| trial.state == TrialState::Done);
                let over = over.count();
                let text = format!("{}: {over} done, {failed} failed", phrase(&target));
                (ExitCode::TrialsFailed, text)
            }
            Standing::Abandoned { left, held } => {
                let held = if held > 0 { format!(" ({held} held back)") } else { String::new() };
                let text = format!(
                    "{}{held}, and no run of {} is at work on them: `byol-sweep run` goes on",
                    left_of(left),
                    target.sweep.name
                );
                (ExitCode::Internal, text)
            }
            Standing::Held { held, failed } => {
                (ExitCode::NothingMatched, only_held(held, failed, &target.sweep.name))
            }
        };
        let more = json!({ "text": text, "code": code as u8 });
        Said { verb: "wait", target: &target, text, more }.tell(args.reader, ui)?;
        return Ok(code);
    }
}

fn left_of(left: usize) -> String {
    format!("{} not done", words::plural(left, "trial"))
}

fn only_held(held: usize, failed: usize, sweep: &str) -> String {
    let failed = if failed > 0 { format!("{failed} failed, and ") } else { String::new() };
    format!(
        "{failed}{} held back, which nothing starts: `byol-sweep resume {sweep} -E held` lets go, then `byol-sweep run` goes on",
        words::plural(held, "trial")
    )
}

fn worker(places: &Places, reading: &Reading, args: &WaitArgs) -> anyhow::Result<Worker> {
    let target = Target::find(&args.target, reading)?;
    match Controller::look(&places.state) {
        Controller::Alive { run: Some(run), .. } if run.sweep == target.sweep.name => {
            return Ok(Worker::Run);
        }
        // One that hangs may be a run of this sweep.
        Controller::Alive { run: None, .. } => return Ok(Worker::Run),
        Controller::Alive { run: Some(_), .. } | Controller::None => {}
    }
    let executor = reading.within(LocalExecutor::without_worker)?;
    let open = reading.drive(orphans::open(&reading.store, &executor, &target.keys()))?;
    Ok(if open.alive.is_empty() && open.elsewhere.is_empty() {
        Worker::Nobody
    } else {
        Worker::Attempts
    })
}

/// Tells how trials stand. What failed may be tried again as long as a run is at work.
fn standing(target: &Target, worker: Worker) -> Standing {
    let Target { trials, wished, .. } = target;
    let count =
        |wanted: &dyn Fn(&TrialRow) -> bool| trials.iter().filter(|trial| wanted(trial)).count();
    let (open, failed) = (count(&is_open), count(&|trial| trial.state == TrialState::Failed));
    let is_held = |trial: &TrialRow| {
        wished.get(&trial.train_key).is_some_and(|wished| wished.held_ms.is_some())
    };
    let held = count(&|trial| is_open(trial) && is_held(trial));
    let undecided = count(&|trial| {
        let retryable = |(reason, _): &(crate::outcome::FailureReason, _)| reason.is_retryable();
        trial.failure.as_ref().is_some_and(retryable)
    });
    match (worker, open) {
        (Worker::Run, 0) if undecided > 0 => Standing::Open,
        (Worker::Run, 0) => Standing::Over { failed },
        (Worker::Run | Worker::Attempts, _) => Standing::Open,
        (Worker::Nobody, 0) => Standing::Over { failed },
        (Worker::Nobody, left) if left == held => Standing::Held { held, failed },
        (Worker::Nobody, left) => Standing::Abandoned { left, held },
    }
}

fn is_open(trial: &TrialRow) -> bool {
    match trial.state {
        TrialState::Pending | TrialState::Running | TrialState::Trained | TrialState::Stopped => {
            true
        }
        TrialState::Done | TrialState::Failed | TrialState::Pruned => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::samples;
    use super::super::target::Scope;
    use super::*;
    use crate::outcome::FailureReason;
    use crate::store::rows::Wished;

    fn target(trials: Vec<TrialRow>) -> Target {
        Target { sweep: samples::sweep(), scope: Scope::Sweep, trials, wished: HashMap::new() }
    }

    fn failed(reason: FailureReason) -> TrialRow {
        let mut trial = samples::trials().remove(3);
        trial.failure = Some((reason, String::new()));
        trial
    }

    #[test]
    fn a_failure_that_a_run_may_try_again_is_waited_for() {
        let done = samples::trials().remove(0);
        let lost = target(vec![done.clone(), failed(FailureReason::Lost)]);
        assert_eq!(standing(&lost, Worker::Run), Standing::Open);
        assert_eq!(standing(&lost, Worker::Nobody), Standing::Over { failed: 1 });
        let memory = target(vec![done, failed(FailureReason::OutOfMemory)]);
        assert_eq!(standing(&memory, Worker::Run), Standing::Over { failed: 1 });
    }

    #[test]
    fn what_nobody_works_on_is_not_waited_for() {
        let all = target(samples::trials());
        assert_eq!(standing(&all, Worker::Run), Standing::Open);
        assert_eq!(standing(&all, Worker::Attempts), Standing::Open);
        assert_eq!(standing(&all, Worker::Nobody), Standing::Abandoned { left: 3, held: 0 });
        let over = target(samples::trials()[..2].to_vec());
        assert_eq!(standing(&over, Worker::Nobody), Standing::Over { failed: 0 });
    }

    #[test]
    fn held_trials_are_told_from_those_that_a_run_would_start() {
        let mut all = target(samples::trials());
        let open: Vec<_> = all.trials.iter().filter(|trial| is_open(trial)).cloned().collect();
        let hold = |trial: &TrialRow| {
            (trial.train_key.clone(), Wished { held_ms: Some(1), ..Wished::default() })
        };
        all.wished.extend(open[..1].iter().map(hold));
        assert_eq!(standing(&all, Worker::Nobody), Standing::Abandoned { left: 3, held: 1 });
        all.wished.extend(open.iter().map(hold));
        let failed = all.trials.iter().filter(|trial| trial.state == TrialState::Failed).count();
        assert_eq!(standing(&all, Worker::Nobody), Standing::Held { held: 3, failed });
        assert_eq!(standing(&all, Worker::Run), Standing::Open, "somebody may let them go");
        let said = only_held(3, 0, "tiny");
        assert!(said.starts_with("3 trials held back") && said.contains("-E held"), "{said}");
    }
}
