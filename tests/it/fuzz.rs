//! Nonsense, by the thousand: whatever a sweep file, an event file or an order holds, the answer is
//! an error or a result, in bounded time, and never a panic.

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use byol_sweep::cli::shipped;
use byol_sweep::plan::{Limit, PlanError, Request, expand};
use byol_sweep::protocol::tail::Tail;
use byol_sweep::spec;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::Config;

use crate::process::Bench;

/// Far more than any of it takes, on a machine that is busy with other things.
const BOUND: Duration = Duration::from_secs(60);

/// Runs something that must come to an end; what hangs is left to the end of the tests.
fn bounded<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let worker = std::thread::spawn(move || {
        // Nobody listens any more where it took too long.
        let _ = sender.send(work());
    });
    match receiver.recv_timeout(BOUND) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match worker.join() {
            Ok(()) => unreachable!("it sends before it ends"),
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}

/// A change to a text, at places that suit its length.
#[derive(Clone, Debug)]
enum Change {
    Flip(Index, u8),
    Cut(Index, Index),
    Repeat(Index, Index),
    Insert(Index, String),
    Truncate(Index),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let end = bytes.len() + 1;
        let range = |one: &Index, other: &Index| {
            let (one, other) = (one.index(end), other.index(end).min(one.index(end) + 40));
            one.min(other)..one.max(other)
        };
        match self {
            Self::Flip(_, _) if bytes.is_empty() => {}
            Self::Flip(at, bits) => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Self::Cut(one, other) => drop(bytes.drain(range(one, other))),
            Self::Repeat(one, other) => {
                let range = range(one, other);
                let copy = bytes[range.clone()].to_vec();
                bytes.splice(range.start..range.start, copy);
            }
            Self::Insert(at, text) => {
                let at = at.index(end);
                bytes.splice(at..at, text.bytes());
            }
            Self::Truncate(at) => bytes.truncate(at.index(end)),
        }
    }
}

fn change(words: &'static [&'static str]) -> impl Strategy<Value = Change> {
    let index = any::<Index>;
    prop_oneof![
        3 => (index(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits)),
        2 => (index(), index()).prop_map(|(one, other)| Change::Cut(one, other)),
        2 => (index(), index()).prop_map(|(one, other)| Change::Repeat(one, other)),
        4 => (index(), select(words)).prop_map(|(at, word)| Change::Insert(at, word.to_owned())),
        1 => index().prop_map(Change::Truncate),
    ]
}

fn changed(text: &str, changes: &[Change]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for change in changes {
        change.apply(&mut bytes);
    }
    bytes
}

/// What sweep files are made of, and what they should not be made of.
const TOML: &[&str] = &[
    "[base]\n",
    "[grid]\n",
    "[[grid]]\n",
    "[[zip]]\n",
    "[[when]]\n",
    "[[arm]]\n",
    "[[exclude]]\n",
    "[[include]]\n",
    "[replicates]\n",
    "[eval]\n",
    "[resources]\n",
    "[retry]\n",
    "[budget]\n",
    "[early_stop]\n",
    "schema = 1\n",
    "name = \"x\"\n",
    "seeds = [0, 0]\n",
    "method",
    "batch_size",
    "update_batch_size = \"same\"\n",
    "tau_base",
    "augment.remove",
    "augment.t.blur.p",
    "data.name = \"shapes\"\n",
    " = ",
    "[",
    "]",
    "{ ",
    " }",
    ", ",
    "\"",
    "'''",
    "\n",
    ".",
    "-",
    "#",
    "{ range = [1, 8], step = \"*2\" }",
    "{ linspace = [0.9, 1.0, 5] }",
    "{ logspace = [0, 1, 3] }",
    "nan",
    "inf",
    "-0.0",
    "1e308",
    "1e-320",
    "9223372036854775807",
    "18446744073709551616",
    "0",
    "true",
    "1979-05-27",
    "\u{0}",
    "\u{feff}",
    "\u{202e}",
    "é",
    "𝔘",
];

/// Reads and plans a text; everything that is wrong with it can be shown.
fn plan(text: &str) {
    let render = |error: &dyn Diagnostic| {
        let mut shown = String::new();
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor());
        handler.render_report(&mut shown, error).expect("an error can be shown");
        assert!(!shown.trim().is_empty());
    };
    let sweep = match spec::parse("fuzz.toml", text) {
        Ok(sweep) => sweep,
        Err(error) => return error.faults().for_each(|fault| render(fault)),
    };
    let request = Request { overrides: &[], digests: &|_| None, limit: Limit::Million };
    match expand(&sweep, &request) {
        Ok(plan) => assert!(plan.trials.iter().zip(1..).all(|(trial, n)| trial.ordinal == n)),
        Err(PlanError::Spec(error)) => error.faults().for_each(|fault| render(fault)),
        Err(error @ PlanError::TooMany { .. }) => render(&error),
    }
}

/// A shipped sweep that is small enough to be planned hundreds of times.
fn shipped_sweep() -> impl Strategy<Value = String> {
    const NAMES: &[&str] =
        &["quickstart", "batch_ablation", "augmentation_ablation", "tau_ablation"];
    select(NAMES).prop_map(|name| shipped::find(name).expect("it ships").text.to_owned())
}

proptest! {
    #![proptest_config(Config::with_cases(96))]

    #[test]
    fn a_sweep_file_of_any_words_is_planned_or_refused(
        words in prop::collection::vec(select(TOML), 0..40),
    ) {
        let text = words.concat();
        bounded(move || plan(&text));
    }

    #[test]
    fn a_sweep_that_ships_is_planned_or_refused_however_it_is_spoilt(
        text in shipped_sweep(),
        changes in prop::collection::vec(change(TOML), 1..6),
    ) {
        let bytes = changed(&text, &changes);
        // What is no text is refused when the file is read.
        let text = String::from_utf8_lossy(&bytes).into_owned();
        bounded(move || plan(&text));
    }
}

/// What event files are made of, and what they should not be made of.
const EVENTS: &[&str] = &[
    "\n",
    "{",
    "}",
    "\"",
    "{\"seq\":1,",
    "\"seq\":3",
    "\"at_ms\":-1",
    "null",
    "1e999",
    "NaN",
    "\"kind\":\"ended\"",
    "\"kind\":\"metrics\"",
    "\"update\":18446744073709551615",
    "\u{0}",
    "𝔘",
    "{\"seq\":2,\"at_ms\":1,\"event\":{\"kind\":\"metrics\",\"update\":9223372036854775808,\"values\":{\"loss\":1}}}\n",
    "{\"seq\":2,\"at_ms\":1,\"event\":{\"kind\":\"checkpointed\",\"update\":1,\"file\":\"../../../x\"}}\n",
    "{\"seq\":2,\"at_ms\":1,\"event\":{\"kind\":\"ended\",\"end\":{\"how\":\"finished\",\"verdict\":\"healthy\"}}}\n",
];

/// The lines of a whole attempt.
fn events() -> String {
    let started = r#"{"kind":"started","host":"h","pid":1,"start_ticks":1,"boot_id":"b","version":"1","libtorch":"2","device":"cpu","threads":1,"resumed":false}"#;
    let lines = [
        started,
        r#"{"kind":"note","text":"ready"}"#,
        r#"{"kind":"progress","stage":"train","update":1,"updates":4,"epoch":1,"epochs":2,"loss":1.5,"images_per_s":9.5}"#,
        r#"{"kind":"metrics","update":2,"values":{"loss":1.25,"lr":0.5}}"#,
        r#"{"kind":"checkpointed","update":2,"file":"checkpoint.safetensors"}"#,
        r#"{"kind":"metrics","update":4,"values":{"loss":1.0,"lr":0.25}}"#,
        r#"{"kind":"artifact","artifact":"weights","file":"weights.safetensors","digest":"00"}"#,
        r#"{"kind":"evaluated","values":{"linear_top1":0.75}}"#,
        r#"{"kind":"ended","end":{"how":"finished","verdict":"healthy"}}"#,
    ];
    let line = |(event, seq): (&str, u64)| {
        format!("{{\"seq\":{seq},\"at_ms\":{seq},\"event\":{event}}}\n")
    };
    lines.into_iter().zip(1..).map(line).collect()
}

proptest! {
    #![proptest_config(Config::with_cases(256))]

    #[test]
    fn a_spoilt_event_file_is_read_up_to_where_it_is_spoilt(
        changes in prop::collection::vec(change(EVENTS), 0..5),
    ) {
        let bytes = changed(&events(), &changes);
        let (read, file) = bounded(move || {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("events.jsonl");
            fs::write(&path, &bytes).expect("a file");
            let mut tail = Tail::new(path, 0, 0);
            let (mut lines, mut place) = (Vec::new(), 0);
            while let Ok(batch) = tail.read() && !batch.lines.is_empty() {
                assert!(batch.offset > place, "it goes on");
                place = batch.offset;
                lines.extend(batch.lines);
            }
            assert!(place == 0 || bytes[place as usize - 1] == b'\n', "it ends with a line");
            (lines, bytes)
        });
        // What was read is what the file says, line by line from the first.
        for ((line, text), seq) in read.iter().zip(file.split(|&b| b == b'\n')).zip(1..) {
            prop_assert_eq!(line.seq, seq);
            prop_assert_eq!(line, &serde_json::from_slice(text).expect("it was read"));
        }
    }
}

proptest! {
    #![proptest_config(Config::with_cases(24))]

    #[test]
    fn a_controller_that_finds_a_spoilt_event_file_brings_the_trial_to_an_end(
        changes in prop::collection::vec(change(EVENTS), 1..5),
    ) {
        let bytes = changed(&events(), &changes);
        bounded(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let bench = Bench::new().await;
                bench.leave_an_attempt(&bytes).await;
                let (summary, _) = bench.run("finishes.sh", |_| None).await;
                assert_eq!((summary.done + summary.failed, summary.left), (1, 0), "{summary:?}");
                assert!(bench.attempts().await.iter().all(|attempt| attempt.outcome.is_some()));
            });
        });
    }
}

#[cfg(feature = "torch")]
mod orders {
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use super::*;

    /// What orders are made of, and what they should not be made of.
    const ORDERS: &[&str] = &[
        "{",
        "}",
        "[",
        "]",
        "\"",
        ",",
        ":",
        "null",
        "-1",
        "1e999",
        "0",
        "\u{0}",
        "true",
        "\"format\":1,",
        "\"format\":2,",
        "\"run\":{}",
        "\"work\":{\"kind\":\"train\"}",
        "\"threads\":0",
        "\"lock\":\"\"",
    ];

    /// An order that is right but for its lock, which lies in a folder that is not there.
    fn order() -> String {
        let run = include_str!("../fixtures/run.json");
        format!(
            r#"{{"format":1,"train_key":"00000000000000000000000000000000","eval_key":"00000000000000000000000000000000","attempt":1,
            "work":{{"kind":"train","resume":null}},"run":{run},
            "eval":{{"semantics":1,"data":null,"knn":{{"k":5,"temperature":0.1}},"linear":{{"epochs":1,"batch_size":8,"learning_rates":[0.1],"holdout":0.1}}}},
            "data_path":null,"eval_data_path":null,"device":"cpu","threads":1,"checkpoint_every_ms":1000,"lock":"nowhere/lock"}}"#
        )
    }

    /// Returns what a worker says to an order, with its exit code.
    fn answer(order: &[u8]) -> (Option<i32>, String) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("spec.json"), order).expect("an order");
        let mut worker = Command::new(env!("CARGO_BIN_EXE_byol-sweep-worker"))
            .arg(folder.path())
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("stderr")).expect("a log"))
            .spawn()
            .expect("a worker");
        let begun = Instant::now();
        let code = loop {
            if let Some(status) = worker.try_wait().expect("it can be asked") {
                break status.code();
            }
            if begun.elapsed() > BOUND {
                worker.kill().expect("it can be killed");
                panic!("the worker hangs");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        (code, fs::read_to_string(folder.path().join("stderr")).unwrap_or_default())
    }

    #[test]
    fn the_order_that_is_spoilt_below_was_right() {
        let (code, said) = answer(order().as_bytes());
        // It is read, and fails at the lock.
        assert_eq!(code, Some(1), "{said}");
        assert!(!said.contains("cannot read the order"), "{said}");
    }

    proptest! {
        #![proptest_config(Config::with_cases(12))]

        #[test]
        fn a_spoilt_order_is_refused_in_words(
            changes in prop::collection::vec(change(ORDERS), 1..4),
        ) {
            let (code, said) = answer(&changed(&order(), &changes));
            prop_assert!(matches!(code, Some(1 | 2)), "{:?}: {}", code, said);
            prop_assert!(!said.contains("panicked at"), "{}", said);
            prop_assert!(said.starts_with("byol-sweep-worker: "), "{}", said);
        }
    }
}
