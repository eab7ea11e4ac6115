//! What filters choose, what they refuse, and that no text breaks them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::plan::Label;
use crate::spec::run::RunSpec;
use crate::store::rows::{TrialRow, TrialState};

fn trial(ordinal: u32, state: TrialState, batch_size: u32) -> TrialRow {
    let mut run: RunSpec =
        serde_json::from_str(include_str!("../../tests/fixtures/run.json")).unwrap();
    run.batch_size = batch_size;
    let axes = BTreeMap::from([
        ("augment.remove".to_owned(), json!(["blur"])),
        ("batch_size".to_owned(), json!(batch_size)),
    ]);
    TrialRow {
        ordinal,
        train_key: run.train_key(),
        group_key: run.group_key(),
        labels: [Label { arm: None, published: None, axes }].into(),
        run,
        state,
        attempts: 1,
        verdict: None,
        failure: None,
        early_stop: None,
    }
}

/// A trial with what is known of it.
struct Sample {
    trial: TrialRow,
    finals: Option<BTreeMap<String, f64>>,
    is_held: bool,
    tags: Vec<String>,
}

impl Sample {
    fn of(trial: TrialRow, accuracy: Option<f64>) -> Self {
        let finals = accuracy.map(|value| BTreeMap::from([("linear_top1".to_owned(), value)]));
        Self { trial, finals, is_held: false, tags: Vec::new() }
    }

    fn facts(&self) -> Facts<'_> {
        let Self { trial, finals, is_held, tags } = self;
        let (finals, is_held) = (finals.as_ref(), *is_held);
        Facts { trial, finals, is_interrupted: false, is_held, tags }
    }
}

/// Done with 0.6, failed without a result, done with 0.4 under two labels.
static SAMPLES: LazyLock<[Sample; 3]> = LazyLock::new(|| {
    let mut second = Sample::of(trial(2, TrialState::Failed, 32), None);
    second.is_held = true;
    second.tags = vec!["night".into(), "paper".into()];
    let mut third = trial(3, TrialState::Done, 16);
    let mut other = third.labels[0].clone();
    other.arm = Some("remove color".into());
    third.labels = [third.labels[0].clone(), other].into();
    [Sample::of(trial(1, TrialState::Done, 64), Some(0.6)), second, Sample::of(third, Some(0.4))]
});

fn samples() -> Vec<Subject<'static>> {
    subjects(SAMPLES.iter().map(Sample::facts))
}

/// Returns the numbers of the chosen trials.
fn chosen(text: &str) -> Vec<usize> {
    let places = Filter::parse(text).unwrap().choose(&samples()).unwrap();
    places.into_iter().map(|place| place + 1).collect()
}

fn refused(text: &str) -> String {
    let fault = match Filter::parse(text) {
        Ok(filter) => filter.choose(&samples()).unwrap_err(),
        Err(fault) => fault,
    };
    let mut shown = String::new();
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none());
    handler.render_report(&mut shown, &fault).unwrap();
    shown
}

#[test]
fn what_nobody_is_at_is_interrupted_and_does_not_run() {
    let running = Sample::of(trial(1, TrialState::Running, 64), None);
    let subjects = subjects([running.facts(), Facts { is_interrupted: true, ..running.facts() }]);
    let chosen = |text| Filter::parse(text).unwrap().choose(&subjects).unwrap();
    assert_eq!(chosen("state == \"running\""), [0]);
    assert_eq!(chosen("state == \"interrupted\""), [1]);
}

#[test]
fn everything_known_of_a_trial_has_a_name() {
    let cases: [(&str, &[usize]); 16] = [
        ("state == \"failed\"", &[2]),
        ("number in [1, 3]", &[1, 3]),
        ("batch_size >= 32 && batch_size < 64.5", &[1, 2]),
        ("\"blur\" in augment.remove", &[1, 2, 3]),
        ("augment.remove == []", &[]),
        ("optimizer.base_lr == 0.03", &[1, 2, 3]),
        ("run.target.kind == \"average\"", &[1, 2, 3]),
        ("method == \"byol\"", &[1, 2, 3]),
        ("arm.startsWith(\"remove\")", &[3]),
        ("arm == \"\"", &[1, 2, 3]),
        ("\"paper\" in tags", &[2]),
        ("tags.exists(t, t.matches(\"^ni\"))", &[2]),
        ("held", &[2]),
        ("metric.linear_top1 > 0.5", &[1]),
        ("metric[\"linear_top1\"] < 0.5", &[3]),
        ("update_batch_size / batch_size > 1 ? seed == 0 : false", &[2, 3]),
    ];
    for (text, expected) in cases {
        assert_eq!(chosen(text), expected, "{text}");
    }
}

#[test]
fn what_a_trial_lacks_is_neither_true_nor_false() {
    assert_eq!(chosen("!(metric.linear_top1 > 0.5)"), [3]);
    assert_eq!(chosen("metric.linear_top1 > 0.5 || state == \"failed\""), [1, 2]);
    assert_eq!(chosen("!has(metric.linear_top1)"), [2]);
}

#[test]
fn a_metric_that_nobody_measured_yet_is_no_error() {
    let fresh = Sample::of(trial(1, TrialState::Pending, 64), None);
    let fresh = subjects([fresh.facts()]);
    let filter = Filter::parse("metric.linear_top1 > 0.5").unwrap();
    assert_eq!(filter.choose(&fresh).unwrap(), [0; 0]);
}

#[test]
fn wrong_names_are_refused_with_the_nearest() {
    let cases = [
        ("stat == \"done\"", "did you mean `state`?"),
        ("batchsize == 64", "did you mean `batch_size`?"),
        ("metric.liner_top1 > 0.5", "did you mean `metric.linear_top1`?"),
        ("augment.remov == []", "did you mean `augment.remove`?"),
        ("state == done", "texts are quoted"),
        ("state.name == \"x\"", "no trial has `state.name`"),
        ("arm.startswith(\"x\")", "did you mean `startsWith`?"),
    ];
    for (text, expected) in cases {
        let said = refused(text);
        assert!(said.contains(expected), "{text}: {said}");
    }
}

#[test]
fn what_cannot_be_read_is_shown_at_its_place() {
    for text in ["state ==", "state = \"done\"", "(state", "state == 'x", "a and b", "é", ""] {
        let said = refused(text);
        assert!(said.contains("cannot be read") && said.contains("filter:1:"), "{text}: {said}");
    }
    assert!(refused("state = \"done\"").contains("write `==`"));
    assert!(refused("state == \"done\" &&\n  )").contains("filter:2:3"));
}

#[test]
fn what_is_no_yes_or_no_is_refused() {
    assert!(refused("batch_size").contains("is a int, not a yes or no"));
    assert!(refused("state > 1").contains("makes no sense of trial 1"));
    assert!(refused("batch_size / 0 > 1").contains("makes no sense of trial 1"));
    assert!(refused("[1].exists(x, [1].exists(y, x == y))").contains("loop within a loop"));
    assert!(refused(&"!".repeat(3000)).contains("longer than"));
}

#[test]
fn deep_expressions_end_in_an_answer() {
    for (open, close) in [("(", ")"), ("[", "]"), ("!", ""), ("-", ""), ("size(", ")"), ("1+", "")]
    {
        let text = format!("{}1{}", open.repeat(LONGEST / 12), close.repeat(LONGEST / 12));
        if let Ok(filter) = Filter::parse(&text) {
            let _answer = filter.choose(&samples());
        }
    }
}

#[test]
fn an_order_takes_what_filters_know_and_puts_what_lacks_it_last() {
    let sorted = |text| Order::parse(text).sort(&samples()).unwrap();
    assert_eq!(sorted("metric.linear_top1"), [2, 0, 1]);
    assert_eq!(sorted("-metric.linear_top1"), [0, 2, 1]);
    assert_eq!(sorted("batch_size"), [2, 1, 0]);
    assert_eq!(sorted("state"), [0, 2, 1]);
    let error = Order::parse("batchsize").sort(&samples()).unwrap_err();
    assert_eq!(error.to_string(), "no trial has `batchsize`");
}

/// Pieces of the grammar and of what does not belong to it.
const PIECES: [&str; 46] = [
    "state",
    "metric",
    ".linear_top1",
    ".",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    "?",
    ":",
    "&&",
    "||",
    "!",
    "-",
    "+",
    "*",
    "/",
    "%",
    "==",
    "!=",
    "<",
    ">=",
    " in ",
    " ",
    "'s'",
    "\"",
    "`",
    "1",
    "1u",
    "1.5",
    "1e999",
    "0x",
    "9223372036854775808",
    "true",
    "null",
    "has(",
    "size(",
    ".exists(x,",
    ".map(x,",
    "x",
    "\\",
    "é🦀",
    "\0",
];

proptest! {
    #[test]
    fn any_text_is_a_filter_or_an_error(text in "\\PC{0,60}") {
        answers(&text);
    }

    #[test]
    fn any_row_of_pieces_is_a_filter_or_an_error(
        pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..24)
    ) {
        answers(&pieces.concat());
    }
}

fn answers(text: &str) {
    let begun = Instant::now();
    if let Ok(filter) = Filter::parse(text) {
        let _answer = filter.choose(&samples());
    }
    // A bound against hanging, not a measure: far above what a busy machine needs.
    assert!(begun.elapsed() < Duration::from_secs(20), "{text:?}");
}

#[test]
fn a_list_that_is_compared_with_a_text_is_no_silent_miss() {
    for text in ["tags == \"paper\"", "\"paper\" != tags"] {
        let said = refused(text);
        assert!(said.contains("`tags` is a list"), "{said}");
        assert!(said.contains("did you mean `\"paper\" in tags`?"), "{said}");
    }
    assert!(
        refused("state == \"done\" && augment.remove == \"blur\"")
            .contains("\"blur\" in augment.remove")
    );
    assert_eq!(chosen("tags.exists(tags, tags == \"paper\")"), [2], "its variable is no list");
    assert_eq!(chosen("tags == [\"night\", \"paper\"]"), [2]);
}

#[test]
fn trials_of_a_group_share_their_settings_but_for_the_seed() {
    let seeded = |ordinal, seed| {
        let mut trial = trial(ordinal, TrialState::Done, 64);
        trial.run.seed = seed;
        Sample::of(trial, None)
    };
    let group = [seeded(1, 7), seeded(2, 8)];
    assert_eq!(group[0].trial.group_key, group[1].trial.group_key);
    let subjects = subjects(group.iter().map(Sample::facts));
    let chosen = |text| Filter::parse(text).unwrap().choose(&subjects).unwrap();
    for text in ["seed == 8", "run.seed == 8", "run[\"seed\"] == 8", "run.exists(k, run[k] == 8)"] {
        assert_eq!(chosen(text), [1], "{text}");
    }
    assert_eq!(chosen("run.batch_size == 64 && batch_size == 64"), [0, 1]);
}

#[test]
fn settings_that_nobody_asks_for_are_not_made() {
    let subjects = samples();
    let made = || subjects.iter().filter(|subject| subject.has_made_settings()).count();
    let choose = |text: &str| Filter::parse(text).unwrap().choose(&subjects).unwrap().len();
    assert_eq!(choose("state == \"done\" && batch_size >= 16 && metric.linear_top1 > 0.1"), 2);
    assert_eq!(choose("seed == 0 && arm == \"\" && !held && tags == []"), 2);
    assert_eq!(made(), 0);
    assert_eq!(choose("epochs > 0"), 3);
    assert_eq!(made(), 3);
}

#[test]
fn what_the_sweep_varies_lies_over_the_settings() {
    let mut varied = trial(1, TrialState::Done, 64);
    let axes = [
        ("batch_size", json!("small")),
        ("encoder", json!("tiny")),
        ("optimizer.base_lr", json!(0.25)),
        ("projector.kind.depth", json!(3)),
        ("state", json!("odd")),
        ("views", json!({"t": 1})),
        ("views.t.blur", json!(true)),
    ];
    Arc::make_mut(&mut varied.labels)[0].axes =
        axes.map(|(path, value)| (path.to_owned(), value)).into();
    let sample = Sample::of(varied, None);
    let subjects = subjects([sample.facts()]);
    for (path, value) in [
        ("batch_size", json!("small")),
        ("run.batch_size", json!(64)),
        ("encoder", json!("tiny")),
        ("optimizer.base_lr", json!(0.25)),
        ("projector.kind.depth", json!(3)),
        ("state", json!("done")),
        ("views", json!({"t": {"blur": true}})),
        ("epochs", json!(sample.trial.run.epochs)),
    ] {
        let path: Vec<&str> = path.split('.').collect();
        assert_eq!(subjects[0].get(&path), Some(value), "{path:?}");
    }
    // What is varied lies beside what is not.
    let weight_decay = subjects[0].get(&["optimizer", "weight_decay"]);
    assert_eq!(weight_decay, subjects[0].get(&["run", "optimizer", "weight_decay"]));
    assert!(weight_decay.is_some());
    assert_eq!(subjects[0].get(&["encoder", "name"]), None);
}

#[test]
fn every_name_leads_to_a_value() {
    let names = Subject::names(&samples(), &[]);
    assert!(names.contains(&"run".to_owned()) && names.contains(&"augment".to_owned()));
    for name in names {
        assert!(samples().iter().any(|subject| subject.has(&[&name])), "{name}");
    }
}

/// Returns what an evaluation says that is given all names whole, before it begins.
fn eagerly(filter: &Filter, subject: &Subject<'_>) -> Vec<Result<Value, ExecutionError>> {
    let names = Subject::names(std::slice::from_ref(subject), &[]);
    let value = |face: subject::Face<'_, '_>| {
        let mut context = Context::default();
        for name in &names {
            if let Some(json) = face.get(&[name]) {
                context.add_variable_from_value(name.as_str(), value::of(&json));
            }
        }
        filter.program.execute(&context)
    };
    subject.faces().map(value).collect()
}

/// Returns what an evaluation says that looks names up.
fn lazily(filter: &Filter, subject: &Subject<'_>) -> Vec<Result<Value, ExecutionError>> {
    let names = check::asked(filter.program.expression());
    let value = |face| {
        let scope = Scope::of(&names, face);
        let mut context = Context::with_env(Arc::new(Env::stdlib()));
        context.set_variable_resolver(&scope);
        filter.program.execute(&context)
    };
    subject.faces().map(value).collect()
}

/// Parts of expressions, as people write them and as they do not.
const PARTS: [&str; 26] = [
    "state",
    "state == 'done'",
    "state.name",
    "number",
    "held",
    "tags",
    "tags.exists(t, t == 'night')",
    "tags.exists(run, run == 'night')",
    "metric",
    "metric.linear_top1",
    "metric['linear_top1']",
    "metric.linear_top1.more",
    "metric.`linear_top1`",
    "has(metric.linear_top1)",
    "has(metric.none)",
    "run.target.kind == 'average'",
    "run.target['kind']",
    "run['target'].kind",
    "has(run.target.none)",
    "size(run)",
    "run.exists(k, k == 'seed' && run[k] == 0)",
    "augment.remove",
    "augment.none",
    "batch_size",
    "0.5",
    "'done'",
];

proptest! {
    #[test]
    fn looking_names_up_changes_no_answer(
        parts in prop::collection::vec(prop::sample::select(&PARTS[..]), 1..5),
        joints in prop::collection::vec(
            prop::sample::select(&[" && ", " || ", " == ", " < ", " in ", " + ", "||!"][..]), 4)
    ) {
        let mut text = String::new();
        for (part, joint) in parts.iter().zip([""].iter().chain(&joints)) {
            text.push_str(joint);
            text.push_str(part);
        }
        if let Ok(filter) = Filter::parse(&text) {
            for subject in samples() {
                let (one, other) = (lazily(&filter, &subject), eagerly(&filter, &subject));
                assert_eq!(format!("{one:?}"), format!("{other:?}"), "{text}");
            }
        }
    }
}
