//! The product as people use it: both programs, real training on a few procedural shapes. What
//! survives Ctrl-C and kills is compared, bit for bit, with a run that nobody disturbed.
#![cfg(feature = "torch")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use byol_sweep::ids::TrainKey;
use byol_sweep::outcome::{FailureReason, Outcome, Verdict};
use byol_sweep::protocol::{EventLine, Stage, WorkerEvent};
use byol_sweep::store::Store;
use byol_sweep::store::rows::{AttemptKind, AttemptRow, TrialState};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::Value;

use crate::terminal::{Terminal, assert_code, stderr, stdout};

/// Far more than anything here takes, on a machine that is busy with other things.
const BOUND: Duration = Duration::from_secs(300);

/// Two trials at once would be faster and no different; one keeps other tests going.
const RUN: &str = "run sweep.toml --devices cpu -j 1";

/// Returns a sweep of seconds: few small images, a narrow encoder, a checkpoint at every turn.
pub(crate) fn sweep(epochs: u32, grid: &str) -> String {
    format!(
        r#"
        schema = 1
        name = "tiny"
        [base]
        data.name = "shapes"
        data.shapes.train = 64
        data.shapes.test = 40
        encoder.name = "convnet"
        encoder.width = 0.125
        projector.hidden = 16
        projector.out = 8
        epochs = {epochs}
        update_batch_size = 32
        batch_size = 32
        optimizer.base_lr = 0.2
        augment.preset = "byol_small"
        {grid}
        [eval]
        linear = {{ epochs = 2, batch_size = 32, learning_rates = [0.1] }}
        knn = {{ k = 5, temperature = 0.1 }}
        [checkpoint]
        every = "1ms"
        "#
    )
}

/// What the store holds after some runs.
struct Kept {
    attempts: Vec<AttemptRow>,
    states: Vec<TrialState>,
    finals: Values,
    series: BTreeMap<&'static str, Vec<Vec<(u64, u64)>>>,
}

/// The final values of each trial, as bits.
type Values = Vec<BTreeMap<String, u64>>;

impl Kept {
    fn of(terminal: &Terminal) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let state = terminal.path().join(".byol-sweep");
            let store = Store::open_read_only(&state).await.unwrap().unwrap();
            let sweep = store.latest_sweep().await.unwrap().unwrap();
            let trials = store.trials(&sweep).await.unwrap();
            let keys: Vec<TrainKey> = trials.iter().map(|trial| trial.train_key.clone()).collect();
            let finals = store.finals(&sweep.eval_key, &keys).await.unwrap();
            let bits = |values: &BTreeMap<String, f64>| {
                values.iter().map(|(name, value)| (name.clone(), value.to_bits())).collect()
            };
            let mut series = BTreeMap::new();
            for metric in ["loss", "lr", "tau"] {
                let found = store.series(metric, &keys).await.unwrap();
                let points = found.iter().map(|series| {
                    series.points.iter().map(|(update, value)| (*update, value.to_bits())).collect()
                });
                series.insert(metric, points.collect());
            }
            Self {
                attempts: store.attempts_of(&keys).await.unwrap(),
                states: trials.iter().map(|trial| trial.state).collect(),
                finals: finals.iter().map(|finals| bits(&finals.values)).collect(),
                series,
            }
        })
    }

    fn kinds(&self) -> Vec<AttemptKind> {
        self.attempts.iter().map(|attempt| attempt.kind).collect()
    }
}

fn healthy() -> Option<Outcome> {
    Some(Outcome::Finished { verdict: Verdict::Healthy })
}

fn json(terminal: &Terminal, line: &str) -> Value {
    let output = terminal.type_in(line);
    assert_code(&output, 0);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], 1, "{line}");
    document
}

#[test]
fn a_file_becomes_charts_and_nothing_is_done_twice() {
    let terminal = Terminal::new();
    let grid = "[grid]\nmethod = [\"byol\", \"simclr\"]\nbatch_size = [32, 16]\n";
    terminal.write("sweep.toml", sweep(2, grid));
    assert_code(&terminal.type_in(RUN), 0);
    let first = Kept::of(&terminal);
    assert_eq!(first.kinds(), [AttemptKind::Train; 4]);
    assert!(first.attempts.iter().all(|attempt| attempt.outcome == healthy()));
    assert_eq!(first.finals.len(), 4);
    verbs_that_read_answer(&terminal);
    a_report_is_drawn(&terminal);

    let again = terminal.type_in(RUN);
    assert_code(&again, 0);
    assert_eq!(Kept::of(&terminal).attempts, first.attempts, "{}", stderr(&again));

    // One more value: its cells alone are trained.
    terminal.write("sweep.toml", sweep(2, &grid.replace("[32, 16]", "[32, 8, 16]")));
    assert_code(&terminal.type_in(RUN), 0);
    let more = Kept::of(&terminal);
    assert_eq!(more.attempts[..4], first.attempts);
    assert_eq!((more.attempts.len(), more.states), (6, vec![TrialState::Done; 6]));

    // Another protocol: everything is evaluated, nothing is trained.
    assert_code(&terminal.type_in(&format!("{RUN} --set eval.knn.k=9")), 0);
    let other = Kept::of(&terminal);
    assert_eq!(other.attempts[..6], more.attempts);
    assert_eq!(other.kinds()[6..], [AttemptKind::Eval; 6]);
    assert_eq!((other.states, other.finals.len()), (vec![TrialState::Done; 6], 6));
    // The linear classifier sees the encoder that training evaluated.
    for (before, after) in more.finals.iter().zip(&other.finals) {
        assert_eq!(before["linear_top1"], after["linear_top1"]);
    }
}

fn verbs_that_read_answer(terminal: &Terminal) {
    let status = json(terminal, "status --json");
    assert_eq!(status["sweeps"][0]["sweep"], "tiny", "{status}");
    let ls = json(terminal, "ls --json");
    let trials = ls["trials"].as_array().unwrap();
    assert_eq!(trials.len(), 4);
    for trial in trials {
        assert_eq!(trial["state"], "done");
        for metric in ["knn_top1", "linear_top1", "floor_knn_top1"] {
            let accuracy = trial["results"][metric].as_f64().unwrap();
            assert!((0.0..=1.0).contains(&accuracy), "{metric} {accuracy}");
        }
    }
    let key = trials[2]["key"].as_str().unwrap();
    let show = json(terminal, &format!("show {} --json", &key[..8]));
    assert_eq!(show["key"], key, "{show}");
    assert_code(&terminal.type_in("logs 1"), 0);
    assert_code(&terminal.type_in("logs 99"), 4);
}

fn a_report_is_drawn(terminal: &Terminal) {
    let output = terminal.type_in("report --out charts");
    assert_code(&output, 0);
    assert!(stdout(&output).contains("BYOL"), "{}", stdout(&output));
    let charts = terminal.path().join("charts");
    let page = fs::read_to_string(charts.join("report.md")).unwrap();
    let rows = csv::Reader::from_path(charts.join("results.csv")).unwrap().into_records().count();
    assert_eq!(rows, 4, "{page}");
    let files = fs::read_dir(&charts).unwrap().map(|entry| entry.unwrap().path());
    let pictures: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|end| end == "png")).collect();
    assert!(!pictures.is_empty());
    for name in ["views.png", "embedding-map.png", "neighbours.png"] {
        assert!(pictures.contains(&charts.join(name)), "{name}: {page}");
    }
    for picture in pictures {
        assert!(image::open(&picture).unwrap().width() > 100);
        assert!(page.contains(picture.file_name().unwrap().to_str().unwrap()), "{page}");
    }
}

#[test]
fn a_report_without_exhibits_says_so_and_one_damaged_file_costs_its_own_part() {
    let terminal = Terminal::new();
    terminal
        .write("sweep.toml", sweep(1, "[grid]\naugment.remove = [[], [\"flip\"], [\"crop\"]]\n"));
    assert_code(&terminal.type_in(RUN), 0);
    let report = || {
        assert_code(&terminal.type_in("report --out charts --format md,json,rows"), 0);
        let read =
            |name: &str| fs::read_to_string(terminal.path().join("charts").join(name)).unwrap();
        (read("report.md"), read("figures.json"), read("rows.jsonl"))
    };
    let whole = report();
    assert!(!whole.0.contains("eft out"), "{}", whole.0);
    assert_eq!(whole, report(), "the same files give the same rows");
    assert!(whole.2.len() < 1 << 20, "{}", whole.2.len());
    let trials = terminal.path().join(".byol-sweep/trials");
    let mut exhibits: Vec<_> = fs::read_dir(trials)
        .unwrap()
        .map(|trial| trial.unwrap().path().join("0001/exhibit.safetensors"))
        .collect();
    exhibits.sort();
    assert_eq!(exhibits.len(), 3);
    fs::write(&exhibits[0], "damaged").unwrap();
    let (page, figures, _) = report();
    assert!(page.contains("which have a damaged exhibit.safetensors: its bytes are not"), "{page}");
    let figures: Value = serde_json::from_str(&figures).unwrap();
    let of = |file: &str| {
        let all = figures["figures"].as_array().unwrap();
        all.iter().find(|figure| figure["heading"]["file"] == file).unwrap().clone()
    };
    assert_eq!(of("views")["strips"].as_array().unwrap().len(), 2);
    assert_eq!(of("embedding-map")["maps"].as_array().unwrap().len(), 2);
    assert_eq!(of("neighbours")["blocks"].as_array().unwrap().len(), 2);
    for exhibit in &exhibits {
        fs::remove_file(exhibit).unwrap();
    }
    let (page, figures, _) = report();
    assert!(
        page.contains("are left out: the trials have no exhibit.safetensors any more."),
        "{page}"
    );
    assert!(!figures.contains("embedding-map"));
}

/// One trial, long enough to be disturbed in its midst.
fn long() -> Terminal {
    let terminal = Terminal::new();
    terminal.write("sweep.toml", sweep(30, ""));
    terminal
}

/// What comes out of [`long`] where nobody disturbs it.
static UNDISTURBED: LazyLock<Kept> = LazyLock::new(|| {
    let terminal = long();
    assert_code(&terminal.type_in(RUN), 0);
    Kept::of(&terminal)
});

#[track_caller]
fn assert_as_undisturbed(kept: &Kept) {
    assert_eq!(kept.states, [TrialState::Done]);
    assert_eq!(kept.finals, UNDISTURBED.finals);
    assert_eq!(kept.series["loss"][0].len(), 30);
    assert_eq!(kept.series, UNDISTURBED.series);
}

/// A controller in a process group of its own, as a shell makes one; killed when dropped.
struct Controller(Child);

impl Controller {
    fn start(terminal: &Terminal) -> Self {
        let mut command = terminal.command(RUN);
        command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.0.id().cast_signed())
    }

    fn exit_code(mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// The events of the only trial's attempt of that number, as far as it has written them.
fn events(terminal: &Terminal, attempt: u32) -> Vec<WorkerEvent> {
    let Ok(mut trials) = fs::read_dir(terminal.path().join(".byol-sweep/trials")) else {
        return Vec::new();
    };
    let Some(trial) = trials.next() else { return Vec::new() };
    let file = trial.unwrap().path().join(format!("{attempt:04}/events.jsonl"));
    let text = fs::read_to_string(file).unwrap_or_default();
    // The last line may be half written.
    text.lines()
        .filter_map(|line| Some(serde_json::from_str::<EventLine>(line).ok()?.event))
        .collect()
}

/// Waits until the attempt has said what `wanted` asks for.
fn wait_for<T>(terminal: &Terminal, attempt: u32, wanted: impl Fn(&WorkerEvent) -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = events(terminal, attempt).iter().find_map(&wanted) {
            return found;
        }
        assert!(begun.elapsed() < BOUND, "{:?}", events(terminal, attempt));
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until the attempt trains and has a checkpoint; returns the updates that it holds.
fn wait_for_checkpoint(terminal: &Terminal, attempt: u32) -> u64 {
    wait_for(terminal, attempt, |event| match event {
        WorkerEvent::Checkpointed { update, .. } => Some(*update),
        _ => None,
    })
}

#[test]
fn what_ctrl_c_stopped_goes_on_and_ends_with_the_same_numbers() {
    let terminal = long();
    let controller = Controller::start(&terminal);
    wait_for_checkpoint(&terminal, 1);
    // A terminal sends it to the whole group.
    killpg(controller.pid(), Signal::SIGINT).unwrap();
    assert_eq!(controller.exit_code(), Some(130));
    let stopped = Kept::of(&terminal);
    assert_eq!(stopped.attempts.len(), 1);
    assert_eq!(stopped.attempts[0].outcome, Some(Outcome::Stopped));
    assert_eq!(stopped.states, [TrialState::Stopped]);

    assert_code(&terminal.type_in(RUN), 0);
    let kept = Kept::of(&terminal);
    assert_eq!(kept.attempts.len(), 2);
    assert!(matches!(&events(&terminal, 2)[0], WorkerEvent::Started(started) if started.resumed));
    assert_as_undisturbed(&kept);
}

#[test]
fn a_killed_controller_costs_nothing() {
    let terminal = long();
    let controller = Controller::start(&terminal);
    wait_for_checkpoint(&terminal, 1);
    kill(controller.pid(), Signal::SIGKILL).unwrap();
    assert_eq!(controller.exit_code(), None);

    // The worker trains on; the next controller watches it to its end.
    assert_code(&terminal.type_in(RUN), 0);
    let kept = Kept::of(&terminal);
    assert_eq!(kept.attempts.len(), 1);
    assert_eq!(kept.attempts[0].outcome, healthy());
    assert_as_undisturbed(&kept);
}

#[test]
fn what_ended_while_no_controller_lived_is_a_result() {
    let terminal = long();
    let controller = Controller::start(&terminal);
    wait_for(&terminal, 1, |event| match event {
        WorkerEvent::Progress(progress) => (progress.stage == Stage::Train).then_some(()),
        _ => None,
    });
    kill(controller.pid(), Signal::SIGKILL).unwrap();
    drop(controller);
    wait_for(&terminal, 1, |event| matches!(event, WorkerEvent::Ended { .. }).then_some(()));

    assert_code(&terminal.type_in(RUN), 0);
    let kept = Kept::of(&terminal);
    assert_eq!(kept.attempts.len(), 1);
    assert_as_undisturbed(&kept);
}

#[test]
fn a_killed_worker_is_followed_by_one_that_goes_on() {
    let terminal = long();
    let controller = Controller::start(&terminal);
    let worker = wait_for(&terminal, 1, |event| match event {
        WorkerEvent::Started(started) => Some(started.pid),
        _ => None,
    });
    let update = wait_for_checkpoint(&terminal, 1);
    kill(Pid::from_raw(worker.cast_signed()), Signal::SIGKILL).unwrap();
    assert_eq!(controller.exit_code(), Some(0));
    let kept = Kept::of(&terminal);
    let outcomes: Vec<_> = kept.attempts.iter().map(|attempt| &attempt.outcome).collect();
    assert!(
        matches!(
            outcomes[..],
            [
                Some(Outcome::Failed { reason: FailureReason::Killed, .. }),
                Some(Outcome::Finished { .. })
            ]
        ),
        "{outcomes:?}"
    );
    let first = wait_for(&terminal, 2, |event| match event {
        WorkerEvent::Metrics { update, .. } => Some(*update),
        _ => None,
    });
    assert!(
        first > update,
        "trained again from {first}, though there was a checkpoint at {update}"
    );
    assert_as_undisturbed(&kept);
}

/// A JPEG of noise, which no decoder can make up where it is cut.
fn jpeg() -> Vec<u8> {
    let noise = |x: u32, y: u32| image::Rgb([0, 1, 2].map(|c| (x * 7919 + y * 104_729 + c) as u8));
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_fn(32, 32, noise).write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

#[test]
fn an_image_that_cannot_be_decoded_is_named_by_the_check_and_by_the_failed_trial() {
    let whole = jpeg();
    let sweep = r#"
        schema = 1
        name = "photos"
        [base]
        data.name = "image_folder"
        data.path = "photos"
        data.image_size = 32
        encoder.name = "convnet"
        encoder.width = 0.125
        batch_size = 9
        epochs = 1
    "#;
    for (name, bytes) in [("cut.jpg", &whole[..whole.len() / 2]), ("notes.png", b"my notes")] {
        let terminal = Terminal::new();
        for half in ["train", "val"] {
            for file in [
                "a/1.jpg", "a/2.jpg", "a/3.jpg", "a/4.jpg", "b/1.jpg", "b/2.jpg", "b/3.jpg",
                "b/4.jpg",
            ] {
                terminal.write(&format!("photos/{half}/{file}"), &whole);
            }
        }
        terminal.write("sweep.toml", sweep);
        let file = format!("photos/train/b/{name}");
        terminal.write(&file, bytes);
        let check = terminal.type_in("data check photos");
        assert_code(&check, 1);
        assert!(stdout(&check).contains(&format!("broken: {file}: ")), "{}", stdout(&check));

        let run = terminal.type_in(RUN);
        assert_code(&run, 100);
        assert!(stderr(&run).contains(&file), "{}", stderr(&run));
        let ls = json(&terminal, "ls --json");
        let failure = &ls["trials"][0]["failure"];
        assert_eq!(failure["reason"], "spec_rejected");
        let detail = failure["detail"].as_str().unwrap();
        assert!(detail.contains(&file) && detail.contains("data check"), "{detail}");
        // The same file would fail the same way: only a request tries it again.
        assert_code(&terminal.type_in(RUN), 100);
        assert_eq!(Kept::of(&terminal).attempts.len(), 1);
    }
}

#[test]
fn a_probe_learns_from_the_real_worker_what_trials_will_take() {
    let terminal = Terminal::new();
    terminal.write("sweep.toml", sweep(50, "").replace("train = 64", "train = 256"));
    let output = terminal.type_in("plan sweep.toml --probe --json");
    assert_code(&output, 0);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["cost"]["left"]["bases"]["probe"], 1, "{}", stderr(&output));
    assert!(document["cost"]["left"]["seconds"].as_f64().unwrap() > 0.0);
    assert!(!terminal.path().join(".byol-sweep").exists(), "a plan changes nothing");
}
