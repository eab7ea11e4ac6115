//! What a run does when it is asked for something while it is at work.

use tokio::sync::oneshot;

use super::super::command::{Answer, Command, ENDING, Request, RunWish, StopHow, When};
use super::super::orphans::Elsewhere;
use super::*;
use crate::ids::TrainKey;
use crate::store::Edit;

/// Asks, when an event comes, what a script says for it.
struct Asker {
    events: Vec<RunEvent>,
    commands: mpsc::Sender<Command>,
    script: fn(&RunEvent, &Keys) -> Vec<Request>,
    keys: Keys,
    answers: Vec<oneshot::Receiver<Answer>>,
    // A stop source that is gone asks for nothing.
    _stops: UnboundedSender<StopRequest>,
}

type Keys = Vec<TrainKey>;

impl Observer for Asker {
    fn on(&mut self, event: &RunEvent) {
        self.events.push(event.clone());
        for request in (self.script)(event, &self.keys) {
            let (answer, answered) = oneshot::channel();
            self.commands.try_send(Command { request, answer }).unwrap();
            self.answers.push(answered);
        }
    }
}

/// Runs while somebody asks; returns what came of it and the answers.
async fn ask(
    bench: &Bench,
    plan: &Plan,
    executor: &ScriptedExecutor,
    script: fn(&RunEvent, &Keys) -> Vec<Request>,
) -> (RunSummary, Vec<RunEvent>, Vec<Answer>) {
    let (commands, inbox) = mpsc::channel(16);
    let (stop, stops) = ChannelStops::new();
    let keys = plan.trials.iter().map(|trial| trial.train_key.clone()).collect();
    let (events, answers) = (Vec::new(), Vec::new());
    let mut asker = Asker { events, commands, script, keys, answers, _stops: stop };
    let summary = bench.run_with(plan, executor, &mut asker, stops, inbox).await.unwrap();
    let mut answers = Vec::new();
    for answer in asker.answers {
        answers.push(answer.await.expect("every question that is heard is answered"));
    }
    (summary, asker.events, answers)
}

fn begins(event: &RunEvent) -> bool {
    matches!(event, RunEvent::AttemptStarted { .. })
}

fn wish(wish: RunWish) -> Request {
    Request::Run { wish }
}

fn edit(edit: Edit) -> Request {
    Request::Edit { edit }
}

fn stopping(asked: u64) -> Answer {
    Answer::Stopping { asked, elsewhere: Vec::new() }
}

fn granted(count: u64) -> Answer {
    Answer::Granted { count, when: When::Now }
}

#[tokio::test]
async fn it_tells_who_it_is_and_whether_it_is_paused() {
    let bench = Bench::new().await;
    let executor = ScriptedExecutor::new([waits_then(last_words()), finishes()]);
    let (summary, _, answers) = ask(&bench, &plan(2), &executor, |event, keys| match event {
        RunEvent::AttemptStarted { trial, .. } if trial.ordinal == 1 => vec![
            Request::Who,
            wish(RunWish::Pause),
            Request::Who,
            wish(RunWish::Resume),
            Request::Stop { trials: keys[..1].to_vec(), how: StopHow::Politely },
        ],
        _ => Vec::new(),
    })
    .await;
    // The scripted worker finishes when it is asked to stop.
    assert_eq!(summary, RunSummary { done: 2, ..RunSummary::default() });
    let here = |paused| Answer::Here { pid: std::process::id(), sweep: "sweep".into(), paused };
    assert_eq!(answers[..5], [here(false), granted(1), here(true), granted(1), stopping(1)]);
}

#[tokio::test]
async fn a_pause_starts_nothing_and_a_stop_ends_it() {
    let bench = Bench::new().await;
    let executor = ScriptedExecutor::new([waits_then(last_words())]);
    let (summary, events, _) = ask(&bench, &plan(2), &executor, |event, keys| match event {
        event if begins(event) => vec![
            wish(RunWish::Pause),
            Request::Stop { trials: keys.clone(), how: StopHow::Politely },
        ],
        RunEvent::AttemptEnded { .. } => vec![wish(RunWish::Stop)],
        _ => Vec::new(),
    })
    .await;
    assert_eq!(summary, RunSummary { done: 1, left: 1, interrupted: true, ..Default::default() });
    assert!(events.iter().any(|event| matches!(event, RunEvent::Paused)));
    assert_eq!(executor.calls(), ["launch", "soft"]);
}

#[tokio::test]
async fn a_kill_kills() {
    let bench = Bench::new().await;
    let executor = ScriptedExecutor::new([waits_then(vec![])]);
    let (summary, ..) = ask(&bench, &plan(1), &executor, |event, _| {
        begins(event).then(|| wish(RunWish::Kill)).into_iter().collect()
    })
    .await;
    assert!(summary.interrupted);
    assert_eq!(executor.calls(), ["launch", "hard"]);
}

#[tokio::test]
async fn a_trial_that_was_stopped_is_left_and_the_others_go_on() {
    let bench = Bench::new().await;
    let executor = ScriptedExecutor::new([waits_then(vec![ended(End::Stopped)]), finishes()]);
    let (summary, _, answers) = ask(&bench, &plan(2), &executor, |event, keys| match event {
        RunEvent::AttemptStarted { trial, .. } if trial.ordinal == 1 => {
            vec![Request::Stop { trials: keys.clone(), how: StopHow::Politely }]
        }
        _ => Vec::new(),
    })
    .await;
    assert_eq!(summary, RunSummary { done: 1, left: 1, ..RunSummary::default() });
    assert_eq!(answers, [stopping(1)], "the other one was not alive");
}

#[tokio::test]
async fn held_trials_are_not_begun_until_somebody_releases_them() {
    let bench = Bench::new().await;
    let plan = plan(2);
    bench.store.sync_plan(&plan, 0).await.unwrap();
    let hold = Edit::Hold { trials: vec![plan.trials[0].train_key.clone()] };
    bench.store.edit(&hold, 1).await.unwrap();
    let (summary, _) = bench.run(&plan, &ScriptedExecutor::new([finishes()])).await;
    assert_eq!(summary, RunSummary { done: 1, left: 1, held: 1, ..RunSummary::default() });
    let (summary, _) = bench.run(&plan, &ScriptedExecutor::new([])).await;
    assert_eq!(summary.held, 1, "the next run holds it too");
    let release = Edit::Release { trials: vec![plan.trials[0].train_key.clone()] };
    bench.store.edit(&release, 2).await.unwrap();
    assert_eq!(bench.run(&plan, &ScriptedExecutor::new([finishes()])).await.0.done, 2);
}

#[tokio::test]
async fn a_hold_and_a_release_are_written_down_and_obeyed_at_once() {
    let bench = Bench::new().await;
    let executor = ScriptedExecutor::new([waits_then(last_words()), finishes(), finishes()]);
    let (summary, events, answers) = ask(&bench, &plan(3), &executor, |event, keys| match event {
        RunEvent::AttemptStarted { trial, .. } if trial.ordinal == 1 => vec![
            edit(Edit::Hold { trials: keys[1..2].to_vec() }),
            Request::Stop { trials: keys[..1].to_vec(), how: StopHow::Politely },
        ],
        RunEvent::AttemptStarted { trial, .. } if trial.ordinal == 3 => {
            vec![edit(Edit::Release { trials: keys[1..2].to_vec() })]
        }
        _ => Vec::new(),
    })
    .await;
    assert_eq!(summary.done + summary.held, 3);
    assert_eq!(answers[..2], [granted(1), stopping(1)]);
    let started = events.iter().filter_map(|event| match event {
        RunEvent::AttemptStarted { trial, .. } => Some(trial.ordinal),
        _ => None,
    });
    assert_eq!(started.take(2).collect::<Vec<_>>(), [1, 3]);
}

#[tokio::test]
async fn what_is_asked_at_the_last_moment_is_written_down_and_answered() {
    let bench = Bench::new().await;
    let executor = ScriptedExecutor::new([fails(FailureReason::OutOfMemory)]);
    let (summary, _, answers) = ask(&bench, &plan(1), &executor, |event, keys| match event {
        RunEvent::AttemptEnded { .. } => vec![edit(Edit::Pardon { trials: keys.clone() })],
        _ => Vec::new(),
    })
    .await;
    let written = Answer::Granted { count: 1, when: When::NextRun };
    assert_eq!((summary.failed, answers), (1, vec![written]));
    assert_eq!(bench.run(&plan(1), &ScriptedExecutor::new([finishes()])).await.0.done, 1);
}

#[tokio::test]
async fn what_is_asked_of_a_run_that_is_over_is_refused_unless_it_can_be_written_down() {
    let bench = Bench::new().await;
    let executor = ScriptedExecutor::new([finishes()]);
    let (summary, _, answers) = ask(&bench, &plan(1), &executor, |event, keys| match event {
        RunEvent::AttemptEnded { .. } => vec![
            Request::Who,
            wish(RunWish::Pause),
            wish(RunWish::Stop),
            Request::Stop { trials: keys.clone(), how: StopHow::ByForce },
            edit(Edit::Remove { sweep: "sweep".into() }),
        ],
        _ => Vec::new(),
    })
    .await;
    assert!(!summary.interrupted, "nobody stopped it before its end");
    assert_eq!(answers, vec![Answer::Refused { why: ENDING.into() }; 5]);
}

#[tokio::test]
async fn a_run_that_starts_nothing_more_promises_no_start() {
    let mut bench = Bench::new().await;
    bench.options.max_failed = std::num::NonZeroU32::new(1);
    bench.cpu_slots = 2;
    let executor =
        ScriptedExecutor::new([fails(FailureReason::OutOfMemory), waits_then(last_words())]);
    let (summary, _, answers) = ask(&bench, &plan(3), &executor, |event, keys| match event {
        RunEvent::AttemptEnded { trial, .. } if trial.ordinal == 1 => vec![
            wish(RunWish::Pause),
            wish(RunWish::Resume),
            edit(Edit::Release { trials: keys[..1].to_vec() }),
            edit(Edit::Pardon { trials: keys[..1].to_vec() }),
            wish(RunWish::Stop),
        ],
        _ => Vec::new(),
    })
    .await;
    assert_eq!((summary.failed, summary.left), (1, 1));
    for refused in &answers[..2] {
        assert!(matches!(refused, Answer::Refused { why } if why.contains("nothing more starts")));
    }
    let next = |count| Answer::Granted { count, when: When::NextRun };
    assert_eq!(answers[2..], [next(0), next(1), stopping(1)]);
}

#[tokio::test]
async fn a_paused_run_promises_a_start_once_it_is_resumed_and_none_of_what_is_not_its() {
    let mut bench = Bench::new().await;
    bench.options.limit = Some(1);
    let executor = ScriptedExecutor::new([waits_then(last_words())]);
    let (_, _, answers) = ask(&bench, &plan(2), &executor, |event, keys| match event {
        event if begins(event) => vec![
            edit(Edit::Release { trials: keys[1..].to_vec() }),
            wish(RunWish::Pause),
            edit(Edit::Release { trials: keys[..1].to_vec() }),
            wish(RunWish::Stop),
        ],
        _ => Vec::new(),
    })
    .await;
    assert_eq!(answers[0], Answer::Granted { count: 0, when: When::NextRun }, "beyond the limit");
    assert_eq!(answers[2], Answer::Granted { count: 0, when: When::OnceResumed });
}

#[tokio::test]
async fn a_failed_trial_that_is_forgiven_runs_again_in_the_same_run() {
    let bench = Bench::new().await;
    let executor = ScriptedExecutor::new([
        fails(FailureReason::OutOfMemory),
        waits_then(last_words()),
        finishes(),
    ]);
    let (summary, _, answers) = ask(&bench, &plan(2), &executor, |event, keys| match event {
        RunEvent::AttemptStarted { trial, .. } if trial.ordinal == 2 => vec![
            edit(Edit::Pardon { trials: keys[..1].to_vec() }),
            Request::Stop { trials: keys[1..].to_vec(), how: StopHow::Politely },
        ],
        _ => Vec::new(),
    })
    .await;
    assert_eq!(summary, RunSummary { done: 2, ..RunSummary::default() });
    assert_eq!(answers[0], granted(1));
    assert_eq!(bench.attempts(&plan(2)).await.len(), 2);
}

#[tokio::test]
async fn the_sweep_at_work_is_not_removed_and_others_are() {
    let bench = Bench::new().await;
    let mut other = plan(0);
    other.meta.name = "other".into();
    bench.store.sync_plan(&other, 0).await.unwrap();
    let executor = ScriptedExecutor::new([waits_then(last_words())]);
    let (_, _, answers) = ask(&bench, &plan(1), &executor, |event, keys| {
        let remove = |sweep: &str| edit(Edit::Remove { sweep: sweep.into() });
        let stop = Request::Stop { trials: keys.clone(), how: StopHow::Politely };
        if begins(event) { vec![remove("sweep"), remove("other"), stop] } else { Vec::new() }
    })
    .await;
    assert!(matches!(&answers[0], Answer::Refused { why } if why.contains("at work")));
    assert_eq!(answers[1], granted(1));
    let left: Vec<_> =
        bench.store.sweeps().await.unwrap().into_iter().map(|sweep| sweep.name).collect();
    assert_eq!(left, ["sweep"]);
}

#[tokio::test]
async fn what_is_out_of_reach_of_a_run_is_told_by_it_with_its_place() {
    let bench = Bench::new().await;
    let (far, _lock) = bench.leave_a_far_worker(&plan(1)).await;
    let executor = ScriptedExecutor::new([waits_then(last_words())]);
    let (summary, events, answers) = ask(&bench, &plan(2), &executor, |event, keys| {
        let how = StopHow::Politely;
        let stop = |keys: &[TrainKey]| Request::Stop { trials: keys.to_vec(), how };
        let requests = || vec![stop(&keys[..1]), stop(&[]), wish(RunWish::Stop)];
        begins(event).then(requests).unwrap_or_default()
    })
    .await;
    let elsewhere =
        Elsewhere { trial: far.train_key.clone(), attempt: far.number, host: None, pid: Some(77) };
    let stopping = |asked, elsewhere| Answer::Stopping { asked, elsewhere };
    assert_eq!(answers[0], stopping(0, vec![elsewhere.clone()]));
    assert_eq!(answers[1], stopping(0, Vec::new()), "it was not asked for");
    assert_eq!(answers[2], stopping(1, vec![elsewhere]));
    assert_eq!((summary.done, summary.left), (1, 1));
    let is_told = |event: &RunEvent| matches!(event, RunEvent::Noted { text, .. } if text.contains("process 77"));
    assert!(events.iter().any(is_told));
}

#[tokio::test]
async fn what_was_out_of_reach_and_has_ended_since_is_not_called_alive() {
    let bench = Bench::new().await;
    let (far, lock) = bench.leave_a_far_worker(&plan(1)).await;
    let executor = ScriptedExecutor::new([waits_then(last_words())]);
    let (commands, inbox) = mpsc::channel(2);
    let (answer, answered) = oneshot::channel();
    let request = Request::Stop { trials: vec![far.train_key], how: StopHow::Politely };
    let first = Command { request, answer };
    let then = Command { request: wish(RunWish::Stop), answer: oneshot::channel().0 };
    let mut released = Some((lock, [first, then]));
    let mut watch = Watch(|event: &RunEvent| {
        if let Some((lock, asked)) = released.take_if(|_| begins(event)) {
            drop(lock);
            asked.into_iter().for_each(|command| commands.try_send(command).unwrap());
        }
    });
    let (_stop, stops) = ChannelStops::new();
    bench.run_with(&plan(2), &executor, &mut watch, stops, inbox).await.unwrap();
    assert_eq!(answered.await.unwrap(), stopping(0));
}
