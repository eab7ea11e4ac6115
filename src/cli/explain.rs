//! `explain`: why a trial stands where it stands, and what the next run does with it. From facts
//! to sentences; decides nothing that the loop would decide otherwise.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use super::args::{Form, TrialArgs};
use super::exit::ExitCode;
use super::places::Places;
use super::reading::{self, Reading};
use super::trials::{self, Named};
use super::{JSON_SCHEMA, json_text};
use crate::control::controller::{AtWork, Controller};
use crate::drive::orphans::Elsewhere;
use crate::drive::{self, Ended, Options, RetryFailed, Standing};
use crate::ids::{AttemptNo, TrainKey};
use crate::outcome::{FailureReason, Outcome};
use crate::protocol::Work;
use crate::spec::early::METRIC;
use crate::store::InvocationRow;
use crate::store::rows::{
    AttemptKind, AttemptRow, EarlyStopRow, Known, SweepRow, TrialRow, TrialState,
};
use crate::ui::style::{Role, Style};
use crate::ui::{Ui, words};
use crate::verbs;

/// Everything that an explanation is made from.
pub(super) struct Facts {
    pub sweep: String,
    pub trial: TrialRow,
    pub known: Known,
    pub attempts: Vec<AttemptRow>,
    /// Failures of attempts up to this number are forgiven.
    pub pardoned: u32,
    pub invocations: BTreeMap<AttemptNo, InvocationRow>,
    /// All sweeps that ask for the trial.
    pub sweeps: Vec<String>,
    /// Trials that come before it and are not begun either.
    pub ahead: usize,
    /// Attempts that are alive, of whatever sweep.
    pub live: Vec<AttemptRow>,
    /// Of the last invocation.
    pub slots: Option<u32>,
    pub max_retries: u32,
    pub controller: Controller,
    /// The trial, where nobody is at it though the store has no end of its attempt.
    pub interrupted: HashSet<TrainKey>,
    /// Its attempt, where that is alive out of reach.
    pub elsewhere: Option<Elsewhere>,
    /// What an attempt would do now.
    pub work: Work,
    pub now_ms: i64,
}

/// A sentence, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Sentence {
    about: About,
    text: String,
}

/// What a sentence is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum About {
    /// Where it stands, and why.
    State,
    /// Something that keeps it from starting.
    Waits,
    /// An attempt.
    Attempt,
    /// Who else asks for it.
    Shared,
    /// What the next run does.
    Next,
}

pub(super) fn run(args: &TrialArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let reading = Reading::open_existing(places)?;
    let (sweep, trial) = reading.trial(&args.sweep, &args.trial)?;
    let facts = gather(&reading, &sweep, trial)?;
    let sentences = sentences(&facts);
    ui.print(&match args.reader.form() {
        Form::Text => text(&facts, &sentences, ui.style()),
        Form::Json => json_text(&json(&facts, &sentences)),
    })?;
    Ok(ExitCode::Success)
}

fn gather(reading: &Reading, sweep: &SweepRow, trial: TrialRow) -> anyhow::Result<Facts> {
    let store = &reading.store;
    let trials = reading.wait(store.trials(sweep))?;
    let all = reading.wait(store.known_to(
        &sweep.name,
        sweep.facts.early_stop.as_ref(),
        &sweep.eval_key,
        &reading::keys(&trials),
    ))?;
    let known = all.get(&trial.train_key).cloned().unwrap_or_default();
    let waits = |other: &&TrialRow| {
        let known = all.get(&other.train_key);
        is_open(other.state) && known.is_none_or(|known| known.held_ms.is_none())
    };
    let before = trials.iter().filter(|other| other.ordinal < trial.ordinal);
    let ahead = before.filter(waits).count();
    let interrupted = reading.interrupted(std::slice::from_ref(&trial))?;
    let open = reading.drive(verbs::open(store, std::slice::from_ref(&trial)))?;
    let elsewhere = open.elsewhere.into_iter().next();
    let last = reading.wait(store.last_invocation(sweep.id))?.map(|row| row.provenance);
    Ok(Facts {
        sweep: sweep.name.clone(),
        attempts: reading.wait(store.attempts(&trial.train_key))?,
        pardoned: reading.wait(store.pardoned(&trial.train_key))?,
        invocations: reading.wait(store.invocations_of(&trial.train_key))?,
        sweeps: reading.wait(store.sweeps_with(&trial.train_key))?,
        ahead,
        live: reading.wait(store.live_attempts())?,
        slots: last.as_ref().map(|made_with| made_with.slots),
        max_retries: last.map_or(DEFAULT_RETRIES, |made_with| made_with.max_retries),
        controller: Controller::look(store.state_dir()),
        work: drive::work(&known, Path::exists),
        now_ms: reading::now_ms(),
        interrupted,
        elsewhere,
        trial,
        known,
    })
}

/// What `retry.max` is where nothing else is known.
const DEFAULT_RETRIES: u32 = 2;

fn is_open(state: TrialState) -> bool {
    match state {
        TrialState::Pending | TrialState::Trained | TrialState::Stopped => true,
        TrialState::Running | TrialState::Done | TrialState::Failed | TrialState::Pruned => false,
    }
}

/// Explains the trial.
pub(super) fn sentences(facts: &Facts) -> Vec<Sentence> {
    let mut all = vec![state(facts)];
    all.extend(waits(facts));
    all.extend(facts.attempts.iter().map(|attempt| told(facts, attempt)));
    all.extend(shared(facts));
    all.push(next(facts));
    all
}

fn say(about: About, text: impl Into<String>) -> Sentence {
    Sentence { about, text: text.into() }
}

fn state(facts: &Facts) -> Sentence {
    let Facts { trial, known, .. } = facts;
    let text = match trial.state {
        TrialState::Pending => "it waits: no attempt was begun yet".to_owned(),
        TrialState::Stopped if known.failures == 0 && last_failed(facts) => {
            "it waits: its last attempt failed, and that was forgiven".to_owned()
        }
        TrialState::Stopped => "it waits: its last attempt was stopped on request".to_owned(),
        TrialState::Trained => {
            "it waits: it is trained, and not evaluated by this sweep's protocol".to_owned()
        }
        TrialState::Running => running(facts),
        TrialState::Pruned => pruned(facts),
        TrialState::Done => done(facts),
        TrialState::Failed => match &trial.failure {
            Some((reason, detail)) => format!("it failed: {}: {detail}", reason.as_str()),
            None => "it failed".to_owned(),
        },
    };
    say(About::State, text)
}

fn last_failed(facts: &Facts) -> bool {
    let last = facts.attempts.last().and_then(|attempt| attempt.outcome.as_ref());
    matches!(last, Some(Outcome::Failed { .. }))
}

/// Returns whether nobody is at it, though the store has no end of its attempt.
fn is_interrupted(facts: &Facts) -> bool {
    facts.interrupted.contains(&facts.trial.train_key)
}

/// Returns whether somebody is at it, as far as can be told.
fn is_alive(facts: &Facts) -> bool {
    facts.trial.state == TrialState::Running && !is_interrupted(facts)
}

fn running(facts: &Facts) -> String {
    let Some(live) = facts.attempts.iter().find(|attempt| attempt.outcome.is_none()) else {
        return "it runs".to_owned();
    };
    let since = words::duration(since(live.started_ms, facts.now_ms));
    if is_interrupted(facts) {
        return format!(
            "it was interrupted: attempt {} on {} began {since} ago and wrote no end, and nothing is at work on it",
            live.number, live.device
        );
    }
    if let Some(elsewhere) = &facts.elsewhere {
        return format!(
            "it runs out of reach: attempt {} began {since} ago, {}; stop it where it runs",
            live.number,
            elsewhere.place()
        );
    }
    let runs = format!("it runs: attempt {} on {} for {since}", live.number, live.device);
    match facts.controller {
        Controller::Alive { .. } => runs,
        Controller::None => {
            format!("{runs}, and no controller is alive to watch it; the next run adopts it")
        }
    }
}

fn pruned(facts: &Facts) -> String {
    match facts.trial.early_stop {
        Some(EarlyStopRow { epoch, value, bar, at_ms: _ }) => format!(
            "it was stopped early after epoch {epoch}: its setting had {METRIC} {} and needed {}",
            words::metric(METRIC, value),
            words::metric(METRIC, bar)
        ),
        None => "it was stopped early".to_owned(),
    }
}

fn done(facts: &Facts) -> String {
    let finished =
        |attempt: &&AttemptRow| matches!(attempt.outcome, Some(Outcome::Finished { .. }));
    let Some(attempt) = facts.attempts.iter().rev().find(finished) else {
        return "it is done".to_owned();
    };
    let by = match facts.invocations.get(&attempt.number) {
        Some(invocation) if invocation.sweep == facts.sweep => String::new(),
        Some(invocation) => {
            format!(
                ", begun by a run of the sweep {}: nothing was left to do here",
                invocation.sweep
            )
        }
        None => ", by a version that did not note for which sweep".to_owned(),
    };
    let verdict = match &attempt.outcome {
        Some(Outcome::Finished { verdict }) => verdict.as_str(),
        Some(Outcome::Stopped | Outcome::Failed { .. }) | None => "",
    };
    format!("it is done: attempt {} finished it, {verdict}{by}", attempt.number)
}

/// What keeps an open trial from starting.
fn waits(facts: &Facts) -> Vec<Sentence> {
    let Facts { trial, known, .. } = facts;
    let mut all = Vec::new();
    if let Some(held_ms) = known.held_ms {
        let held = words::duration(since(held_ms, facts.now_ms));
        let key = trial.train_key.short();
        let but = if is_alive(facts) {
            "its attempt goes on, and no other starts"
        } else {
            "nothing starts it"
        };
        all.push(say(
            About::Waits,
            format!("it has been held for {held}: {but} before `byol-sweep resume {key}`"),
        ));
        // Whatever else it would wait for, it waits for that first.
        return all;
    }
    let retried = trial.state == TrialState::Failed && will_run(facts);
    if !is_open(trial.state) && !retried {
        return all;
    }
    match &facts.controller {
        Controller::None => all.push(say(
            About::Waits,
            format!("no controller is alive: `byol-sweep run` of {} starts it", facts.sweep),
        )),
        Controller::Alive { who, run } => {
            all.push(say(About::Waits, format!("a controller is alive: {who}")));
            all.extend(run.as_ref().and_then(|run| otherwise_engaged(facts, run)));
            all.extend(back_off(facts));
            all.push(say(About::Waits, queue(facts)));
        }
    }
    all
}

/// A run that starts nothing, or nothing of this sweep.
fn otherwise_engaged(facts: &Facts, run: &AtWork) -> Option<Sentence> {
    let AtWork { sweep, paused } = run;
    let text = match (*sweep == facts.sweep, paused) {
        (true, false) => return None,
        (true, true) => "that run is paused: `byol-sweep resume` goes on".to_owned(),
        (false, _) => {
            format!("that is a run of {sweep}: one of {} starts it once that is over", facts.sweep)
        }
    };
    Some(say(About::Waits, text))
}

fn queue(facts: &Facts) -> String {
    let ahead = match facts.ahead {
        0 => "it is the next in the order of its sweep".to_owned(),
        1 => "1 trial comes before it in the order of its sweep".to_owned(),
        more => {
            format!("{} trials come before it in the order of its sweep", words::count(more as u64))
        }
    };
    let taken = facts.live.len();
    let mut devices: BTreeMap<String, usize> = BTreeMap::new();
    for attempt in &facts.live {
        *devices.entry(attempt.device.to_string()).or_default() += 1;
    }
    let on: Vec<String> =
        devices.iter().map(|(device, count)| format!("{count} on {device}")).collect();
    let on = if on.is_empty() { String::new() } else { format!(" ({})", on.join(", ")) };
    match facts.slots {
        Some(slots) => format!("{ahead}; {taken} of {slots} slots are taken{on}"),
        None => format!("{ahead}; {}{on}", words::plural(taken, "attempt") + " alive"),
    }
}

/// A pause after a failure, while it may still last.
fn back_off(facts: &Facts) -> Option<Sentence> {
    let failures = facts.known.failures;
    let ended = facts.attempts.last().filter(|_| failures > 0)?.ended_ms?;
    let backoff = Options::default().backoff;
    let longest = backoff.base.0.saturating_mul(1 << failures.saturating_sub(1).min(32));
    let longest = Duration::from_millis(longest.min(backoff.most.0));
    let passed = since(ended, facts.now_ms);
    (passed < longest).then(|| {
        let left = words::duration(longest - passed);
        say(About::Waits, format!("it waits out the pause after a failure, for {left} at most"))
    })
}

/// What became of an attempt, and what followed from it.
fn told(facts: &Facts, attempt: &AttemptRow) -> Sentence {
    let kind = match attempt.kind {
        AttemptKind::Train => "trained",
        AttemptKind::Eval => "evaluated",
    };
    let head = format!("attempt {} {kind} on {}", attempt.number, attempt.device);
    let last = facts.attempts.last().is_some_and(|last| last.number == attempt.number);
    let text = match &attempt.outcome {
        None if is_interrupted(facts) => format!("{head} and left no word of its end"),
        None => format!("{head} and is alive"),
        Some(Outcome::Finished { verdict }) => format!("{head} and finished, {}", verdict.as_str()),
        Some(Outcome::Stopped) => format!("{head} and was stopped on request, which costs nothing"),
        Some(Outcome::Failed { reason, detail }) => {
            let then = if last { "" } else { "; it was tried again" };
            let charge = charge(facts, attempt.number, *reason);
            format!("{head} and failed: {}: {detail}; {charge}{then}", reason.as_str())
        }
    };
    say(About::Attempt, text)
}

fn charge(facts: &Facts, number: AttemptNo, reason: FailureReason) -> &'static str {
    match (reason.is_retryable(), reason.is_charged()) {
        _ if number.0 <= facts.pardoned => "forgiven",
        (false, _) => "another attempt would end the same way",
        (true, true) => "charged as a retry",
        (true, false) => "not charged as a retry",
    }
}

fn shared(facts: &Facts) -> Option<Sentence> {
    let others: Vec<&str> =
        facts.sweeps.iter().map(String::as_str).filter(|name| *name != facts.sweep).collect();
    (!others.is_empty()).then(|| {
        say(About::Shared, format!("it is shared with other sweeps: {}", others.join(", ")))
    })
}

fn standing(facts: &Facts) -> Standing {
    drive::standing(&facts.known, facts.max_retries, RetryFailed::No, Ended::Watched)
}

fn will_run(facts: &Facts) -> bool {
    match standing(facts) {
        Standing::Open(_) => true,
        Standing::Done | Standing::Failed | Standing::Pruned => false,
    }
}

fn next(facts: &Facts) -> Sentence {
    let Facts { trial, known, .. } = facts;
    let text = match standing(facts) {
        Standing::Done => "the next run does nothing with it".to_owned(),
        Standing::Pruned => {
            "the next run leaves it stopped early; `--set early_stop.policy=none` lets it go on"
                .to_owned()
        }
        Standing::Failed => {
            let key = trial.train_key.short();
            let why = match &known.failure {
                Some((reason, _)) if reason.is_retryable() => format!(
                    "its {} are used up",
                    words::plural(facts.max_retries as usize, "retry").replace("retrys", "retries")
                ),
                Some(_) | None => "the same input would fail the same way".to_owned(),
            };
            format!(
                "the next run leaves it failed, since {why}; `byol-sweep retry {key}`, or `run --retry-failed`, tries it again"
            )
        }
        Standing::Open(_) if facts.elsewhere.is_some() => {
            "the next run leaves it alone as long as that is alive, and reads what it left then"
                .to_owned()
        }
        Standing::Open(_) if known.held_ms.is_some() && is_alive(facts) => {
            "the next run watches it to its end, and starts no other attempt while it is held"
                .to_owned()
        }
        Standing::Open(_) if known.held_ms.is_some() && is_interrupted(facts) => {
            "the next run reads what its attempt left, and starts no other while it is held"
                .to_owned()
        }
        Standing::Open(_) if is_interrupted(facts) => {
            "the next run reads what its attempt left, and goes on from there".to_owned()
        }
        Standing::Open(_) if known.held_ms.is_some() => {
            format!("the next run leaves it alone while it is held; then it {}", work(facts))
        }
        Standing::Open(_) if is_alive(facts) => "the next run watches it to its end".to_owned(),
        Standing::Open(_) => format!("the next run {}", work(facts)),
    };
    say(About::Next, text)
}

fn work(facts: &Facts) -> String {
    match (&facts.work, &facts.known.checkpoint) {
        (Work::Evaluate { .. }, _) => "evaluates the encoder that it kept".to_owned(),
        (Work::Train { resume: Some(_) }, Some((_, update))) => {
            format!("goes on from the checkpoint of update {}", words::count(*update))
        }
        (Work::Train { resume: Some(_) }, None) => "goes on from its checkpoint".to_owned(),
        (Work::Train { resume: None }, Some(_)) => {
            "trains it from the start, since its checkpoint was cleaned away".to_owned()
        }
        (Work::Train { resume: None }, None) => "trains it from the start".to_owned(),
    }
}

fn since(then_ms: i64, now_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(now_ms - then_ms).unwrap_or(0))
}

/// Returns the explanation for people.
pub(super) fn text(facts: &Facts, sentences: &[Sentence], style: Style) -> String {
    let trial = &facts.trial;
    let axes = trials::axes_of(std::slice::from_ref(trial));
    let label = style.paint(Role::Strong, &Named::from(trial).phrase(&axes));
    let state = trials::standing(trial, &facts.interrupted, style);
    let lines: String = sentences.iter().map(|sentence| format!("  {}\n", sentence.text)).collect();
    format!("{} {label} of {}: {state}\n{lines}", trial.ordinal, facts.sweep)
}

/// Returns the explanation for programs.
pub(super) fn json(facts: &Facts, sentences: &[Sentence]) -> serde_json::Value {
    let next = match standing(facts) {
        Standing::Done => "nothing",
        Standing::Failed => "left_failed",
        Standing::Pruned => "left_stopped_early",
        Standing::Open(_) if facts.known.held_ms.is_some() => "held",
        Standing::Open(_) if facts.elsewhere.is_some() => "out_of_reach",
        Standing::Open(_) if is_alive(facts) => "watch",
        Standing::Open(_) if is_interrupted(facts) => "recover",
        Standing::Open(_) => match &facts.work {
            Work::Evaluate { .. } => "evaluate",
            Work::Train { resume: Some(_) } => "resume",
            Work::Train { resume: None } => "train",
        },
    };
    json!({
        "schema": JSON_SCHEMA,
        "sweep": facts.sweep,
        "number": facts.trial.ordinal,
        "key": facts.trial.train_key,
        "state": facts.trial.state,
        "interrupted": is_interrupted(facts),
        "held_ms": facts.known.held_ms,
        "ahead": facts.ahead,
        "sweeps": facts.sweeps,
        "next": next,
        "sentences": sentences,
    })
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::outcome::Verdict;

    fn facts(place: usize) -> Facts {
        let trial = samples::trials().swap_remove(place);
        Facts {
            sweep: "tiny".into(),
            known: Known { state: trial.state, ..Known::default() },
            attempts: Vec::new(),
            pardoned: 0,
            invocations: BTreeMap::new(),
            sweeps: vec!["tiny".into()],
            ahead: 2,
            live: Vec::new(),
            slots: Some(2),
            max_retries: 2,
            controller: Controller::None,
            interrupted: HashSet::new(),
            elsewhere: None,
            work: Work::Train { resume: None },
            now_ms: 1_700_000_120_000,
            trial,
        }
    }

    fn alive() -> Controller {
        let run = Some(AtWork { sweep: "tiny".into(), paused: false });
        Controller::Alive { who: "host here, process 7".into(), run }
    }

    fn failed(reason: FailureReason) -> Option<Outcome> {
        Some(Outcome::Failed { reason, detail: "gone".into() })
    }

    /// Attempts of the trial with these ends.
    fn attempts(facts: &Facts, ends: Vec<Option<Outcome>>) -> Vec<AttemptRow> {
        let one = |(number, end): (u32, Option<Outcome>)| AttemptRow {
            number: AttemptNo(number),
            ..samples::attempt(&facts.trial, end)
        };
        (1..).zip(ends).map(one).collect()
    }

    #[test]
    fn every_reason_has_its_sentence() {
        let mut told = String::new();
        let mut tell = |title: &str, facts: &Facts| {
            let sentences = sentences(facts);
            told.push_str(&format!("# {title}\n{}\n", text(facts, &sentences, Style::Plain)));
        };
        tell("nobody runs it", &facts(5));

        let running = samples::attempt(&samples::trials()[2], None);
        let waiting = Facts { controller: alive(), live: vec![running.clone()], ..facts(5) };
        tell("it waits for a slot", &waiting);
        let paused = |sweep: &str| Controller::Alive {
            who: "host here, process 7".into(),
            run: Some(AtWork { sweep: sweep.into(), paused: true }),
        };
        tell("the run is paused", &Facts { controller: paused("tiny"), ..facts(5) });
        tell("another sweep runs", &Facts { controller: paused("big"), ..facts(5) });
        let held = Known { held_ms: Some(1_700_000_000_000), ..facts(5).known };
        tell(
            "it is held",
            &Facts { known: held.clone(), controller: alive(), ahead: 0, ..facts(5) },
        );
        tell("it is held, and nobody is at work", &Facts { known: held, ..facts(5) });

        let mut lost = facts(3);
        lost.trial.failure = Some((FailureReason::Lost, "gone".into()));
        lost.known.failure.clone_from(&lost.trial.failure);
        lost.known.failures = 1;
        lost.known.checkpoint = Some(("c".into(), 1200));
        lost.work = Work::Train { resume: Some("c".into()) };
        lost.attempts = attempts(
            &lost,
            vec![
                failed(FailureReason::Panicked),
                failed(FailureReason::DiskFull),
                failed(FailureReason::Lost),
            ],
        );
        lost.pardoned = 1;
        lost.controller = alive();
        lost.now_ms = lost.attempts[0].ended_ms.unwrap() + 1500;
        tell("it will be retried", &lost);
        lost.known.failures = 3;
        tell("its retries are used up", &lost);

        let mut memory = facts(3);
        memory.known.failure.clone_from(&memory.trial.failure);
        tell("it would fail the same way", &memory);

        let mut done = facts(0);
        let finished = Outcome::Finished { verdict: Verdict::Healthy };
        done.attempts = attempts(&done, vec![Some(Outcome::Stopped), Some(finished)]);
        done.sweeps = vec!["tiny".into(), "big".into()];
        let row = samples::origins().invocations.into_values().next().unwrap();
        done.invocations = [(AttemptNo(2), InvocationRow { sweep: "big".into(), ..row })].into();
        tell("another sweep did it", &done);

        let mut trained = facts(5);
        trained.trial.state = TrialState::Trained;
        trained.known.state = TrialState::Trained;
        trained.work = Work::Evaluate { weights: "w".into() };
        tell("another protocol", &trained);

        let mut runs = facts(2);
        runs.attempts = vec![running];
        tell("nobody watches it", &runs);
        runs.interrupted = [runs.trial.train_key.clone()].into();
        tell("nobody is at it", &runs);
        runs.interrupted.clear();
        runs.elsewhere = Some(Elsewhere {
            trial: runs.trial.train_key.clone(),
            attempt: AttemptNo(1),
            host: Some("other".into()),
            pid: Some(77),
        });
        tell("it runs on another machine", &runs);
        runs.elsewhere = None;
        runs.controller = alive();
        tell("it runs", &runs);
        runs.known.held_ms = Some(1_700_000_000_000);
        tell("it runs and is held", &runs);
        insta::assert_snapshot!(told);
    }

    #[test]
    fn programs_get_the_decision_as_a_word() {
        let facts = facts(5);
        let document = json(&facts, &sentences(&facts));
        insta::assert_json_snapshot!("for_programs", document);
    }
}
