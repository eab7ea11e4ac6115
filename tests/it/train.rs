//! One attempt as the worker does it: stopped anywhere and resumed it ends with the same bytes,
//! evaluation leaves no trace, and results change only together with their version.
#![cfg(feature = "torch")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use byol_sweep::augment::Frame;
use byol_sweep::data::{self, Dataset, Split};
use byol_sweep::ids::AttemptNo;
use byol_sweep::outcome::Verdict;
use byol_sweep::plan::{Limit, Plan, Request, expand};
use byol_sweep::protocol::exhibit::Exhibit;
use byol_sweep::protocol::folder::AttemptFolder;
use byol_sweep::protocol::tail::Tail;
use byol_sweep::protocol::{End, EventLine, FORMAT, Work, WorkDevice, WorkOrder, WorkerEvent};
use byol_sweep::spec::eval::EVAL_SEMANTICS;
use byol_sweep::spec::parse;
use byol_sweep::spec::run::{RunSpec, SEMANTICS};
use byol_sweep::spec::sweep::Kernels;
use byol_sweep::train::checkpoint;
use byol_sweep::train::diagnostics;
use byol_sweep::train::evaluate::{self, LabelledImages};
use byol_sweep::train::exhibit;
use byol_sweep::train::features;
use byol_sweep::train::loader::Loader;
use byol_sweep::train::method::Model;
use byol_sweep::train::net::Mode;
use byol_sweep::train::poll::Poll;
use byol_sweep::train::pretrain;
use byol_sweep::train::probe::Probe;
use byol_sweep::train::sink::Sink;
use byol_sweep::train::stream::ImageStream;
use byol_sweep::train::{self, StopAt};
use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

/// Seven updates of two batches: 40 images make no whole number of updates, so that a stop falls
/// into an epoch, on its end, and into an update that two epochs share.
const UPDATES: u64 = 7;

fn plan(method: &str) -> Plan {
    plan_with(&format!("method={method}"))
}

/// A plan of one trial with these settings, `key=value` and spaces between.
fn plan_with(settings: &str) -> Plan {
    let pair = |setting: &str| {
        let (key, value) = setting.split_once('=').unwrap();
        (key.to_owned(), value.to_owned())
    };
    let overrides: Vec<_> = settings.split_whitespace().map(pair).collect();
    let text = r#"
        schema = 1
        name = "tiny"
        [base]
        method = "byol"
        data.name = "shapes"
        data.shapes.train = 40
        data.shapes.test = 20
        encoder.name = "convnet"
        encoder.width = 0.125
        projector.hidden = 16
        projector.out = 8
        epochs = 3
        warmup_epochs = 1
        update_batch_size = 16
        batch_size = 8
        optimizer.name = "lars"
        augment.preset = "byol"
        [eval]
        linear = { epochs = 2, batch_size = 16, learning_rates = [0.4, 0.1] }
        knn = { k = 5, temperature = 0.1 }
        "#;
    let unknown = |_: &Path| None;
    let request = Request { overrides: &overrides, digests: &unknown, limit: Limit::Million };
    expand(&parse("sweep.toml", text).unwrap(), &request).unwrap()
}

fn run_of(method: &str) -> RunSpec {
    plan(method).trials.remove(0).run
}

fn order(plan: &Plan, work: Work, folder: &Path) -> WorkOrder {
    let trial = &plan.trials[0];
    WorkOrder {
        format: FORMAT,
        train_key: trial.train_key.clone(),
        eval_key: plan.eval_key.clone(),
        attempt: AttemptNo(1),
        work,
        run: trial.run.clone(),
        eval: plan.eval.clone(),
        data_path: None,
        eval_data_path: None,
        device: WorkDevice::Cpu,
        threads: 1,
        kernels: Kernels::Fastest,
        checkpoint_every_ms: 3_600_000,
        retention: plan.meta.retention,
        lock: folder.join("lock"),
    }
}

fn images(run: &RunSpec) -> Arc<Dataset> {
    Arc::new(data::load(&run.data.source, None).unwrap())
}

/// What an attempt left.
struct Attempt {
    folder: tempfile::TempDir,
    end: End,
    events: Vec<WorkerEvent>,
}

impl Attempt {
    fn of(plan: &Plan, work: Work, stop: StopAt<'_>) -> Self {
        // Sums depend on it.
        tch::set_num_threads(1);
        let folder = tempfile::tempdir().unwrap();
        let order = order(plan, work, folder.path());
        let at = AttemptFolder::at(folder.path());
        let mut sink = Sink::create(&at).unwrap();
        let end = train::attempt(&order, &at, &mut sink, stop).unwrap();
        let text = std::fs::read_to_string(at.events()).unwrap();
        let event = |line: &str| serde_json::from_str::<EventLine>(line).unwrap().event;
        Self { folder, end, events: text.lines().map(event).collect() }
    }

    fn train(plan: &Plan, resume: Option<PathBuf>, stop: StopAt<'_>) -> Self {
        Self::of(plan, Work::Train { resume }, stop)
    }

    fn checkpoint(&self) -> PathBuf {
        AttemptFolder::at(self.folder.path()).checkpoint()
    }

    fn weights(&self) -> PathBuf {
        AttemptFolder::at(self.folder.path()).weights()
    }

    fn weight_bytes(&self) -> Vec<u8> {
        std::fs::read(self.weights()).unwrap()
    }

    /// Values by update, without those that tell of this machine now.
    fn series(&self) -> Vec<(u64, BTreeMap<String, f64>)> {
        let of = |event: &WorkerEvent| match event {
            WorkerEvent::Metrics { update, values } => {
                let mut values = values.clone();
                for name in ["images_per_s", "peak_resident_bytes"] {
                    assert!(values.remove(name).is_some(), "{name}");
                }
                Some((*update, values))
            }
            _ => None,
        };
        self.events.iter().filter_map(of).collect()
    }

    fn evaluated<'a>(&'a self) -> &'a BTreeMap<String, f64> {
        let of = |event: &'a WorkerEvent| match event {
            WorkerEvent::Evaluated { values } => Some(values),
            _ => None,
        };
        let found: Vec<_> = self.events.iter().filter_map(of).collect();
        assert_eq!(found.len(), 1, "{:?}", self.events);
        found[0]
    }
}

fn never(_: u64) -> bool {
    false
}

#[track_caller]
fn resumes_exactly(settings: &str, stops: &[u64]) {
    let plan = plan_with(settings);
    let whole = Attempt::train(&plan, None, &never);
    assert_eq!(whole.series().last().unwrap().0, UPDATES);
    let bytes = whole.weight_bytes();
    for &stop in stops {
        let begun = Attempt::train(&plan, None, &|update| update == stop);
        assert_eq!(begun.end, End::Stopped);
        assert!(!begun.weights().exists());
        let rest = Attempt::train(&plan, Some(begun.checkpoint()), &never);
        assert_eq!(rest.end, whole.end);
        assert!(rest.weight_bytes() == bytes, "{settings}: other weights after a stop at {stop}");
        assert_eq!([begun.series(), rest.series()].concat(), whole.series(), "stop at {stop}");
        assert_eq!(rest.evaluated(), whole.evaluated(), "stop at {stop}");
    }
}

#[test]
fn a_damaged_checkpoint_costs_what_it_held_and_no_result() {
    let plan = plan_with("");
    let whole = Attempt::train(&plan, None, &never);
    let begun = Attempt::train(&plan, None, &|update| update == 3);
    let checkpoint = begun.checkpoint();
    let bytes = std::fs::read(&checkpoint).unwrap();
    for damaged in [&bytes[..0], &bytes[..1000], &bytes[..bytes.len() - 1]] {
        std::fs::write(&checkpoint, damaged).unwrap();
        let anew = Attempt::train(&plan, Some(checkpoint.clone()), &never);
        let is_told = |event: &WorkerEvent| {
            matches!(event, WorkerEvent::Note { text }
                if text.contains("checkpoint.safetensors is damaged") && text.ends_with("anew"))
        };
        assert!(anew.events.iter().any(is_told), "{:?}", anew.events);
        assert_eq!(anew.series(), whole.series());
        assert!(anew.weight_bytes() == whole.weight_bytes());
    }
}

#[test]
fn byol_resumes_exactly_wherever_it_was_stopped() {
    resumes_exactly("", &[1, 3, 4, UPDATES - 1]);
}

#[test]
fn simclr_resumes_exactly_wherever_it_was_stopped() {
    resumes_exactly("method=simclr", &[1, 3, 4, UPDATES - 1]);
}

#[test]
fn every_corner_of_the_family_resumes_exactly() {
    let corners = [
        "tau_base=1",
        "target=stop_gradient",
        "target=online",
        "predictor.kind=none",
        "predictor.kind=none target=stop_gradient",
        "predictor.kind=none target=online",
        "predictor.kind=none beta=1",
        "predictor.kind=none target=online beta=1",
        "target=online beta=1",
        "beta=0.5 temperature=0.3",
        "loss_normalization=layer",
        "loss_normalization=batch",
        "loss_normalization=none",
        "target=stop_gradient projector.lr_multiplier=2 predictor.lr_multiplier=0",
        "target=stop_gradient predictor.kind=optimal_linear projector.out=4",
        "projector.depth=3 predictor.depth=1",
        "optimizer.name=sgd optimizer.base_lr=0.1",
        "augment.jitter=torchvision",
    ];
    for corner in corners {
        resumes_exactly(corner, &[3, 4]);
    }
}

/// Files that an attempt told of, newest last, with their bytes.
fn kept(attempt: &Attempt) -> Vec<(String, String, Vec<u8>)> {
    let of = |event: &WorkerEvent| match event {
        WorkerEvent::Artifact { artifact, file, digest } => {
            let bytes = std::fs::read(attempt.folder.path().join(file)).unwrap();
            Some((artifact.clone(), format!("{} {digest}", file.display()), bytes))
        }
        _ => None,
    };
    attempt.events.iter().filter_map(of).collect()
}

/// The last file of each name; its digest is that of its bytes.
fn newest<'a>(
    attempts: impl IntoIterator<Item = &'a Attempt>,
) -> BTreeMap<String, (String, Vec<u8>)> {
    let mut newest = BTreeMap::new();
    for (artifact, told, bytes) in attempts.into_iter().flat_map(kept) {
        newest.insert(artifact, (told, bytes));
    }
    for (told, bytes) in newest.values() {
        assert!(told.ends_with(&blake3::hash(bytes).to_hex().to_string()), "{told}");
    }
    newest
}

#[test]
fn what_is_kept_is_the_same_wherever_training_was_stopped_and_changes_nothing() {
    let plan = plan_with("checkpoint.keep=[\"last\",\"best\"] checkpoint.keep_every=2");
    let whole = Attempt::train(&plan, None, &never);
    assert!(whole.weight_bytes() == Attempt::train(&plan_with(""), None, &never).weight_bytes());
    let expected = newest([&whole]);
    assert_eq!(expected.keys().collect::<Vec<_>>(), ["best", "checkpoint", "exhibit", "weights"]);
    assert!(expected["checkpoint"].0.starts_with("checkpoint-epoch-0002.safetensors "));
    let top1: Vec<f64> = whole.series().iter().map(|(_, v)| v["knn_probe_top1"]).collect();
    let best = top1.iter().copied().fold(f64::MIN, f64::max);
    let told = kept(&whole).into_iter().filter(|(artifact, ..)| artifact == "best").count();
    let rises = |at: usize| top1[..at].iter().all(|before| *before < top1[at]);
    assert_eq!(told, (0..top1.len()).filter(|at| rises(*at)).count(), "{top1:?}");
    assert_eq!(best == top1[2] && rises(2), expected["best"].1 == expected["weights"].1);
    for stop in 1..UPDATES {
        let begun = Attempt::train(&plan, None, &|update| update == stop);
        let rest = Attempt::train(&plan, Some(begun.checkpoint()), &never);
        assert!(newest([&begun, &rest]) == expected, "stop at {stop}");
    }
    // An epoch that was kept is a place to go on from.
    let middle = whole.folder.path().join("checkpoint-epoch-0002.safetensors");
    let rest = Attempt::train(&plan, Some(middle), &never);
    assert!(rest.weight_bytes() == whole.weight_bytes());
}

fn exhibit_of(attempt: &Attempt) -> Exhibit {
    let (told, bytes) = newest([attempt]).remove("exhibit").unwrap();
    assert!(told.starts_with("exhibit.safetensors "), "{told}");
    assert!(bytes.len() < 1_000_000, "{} bytes", bytes.len());
    Exhibit::from_bytes(&bytes).unwrap()
}

/// Values in [0, 1] of channels last as the nearest of 256 levels.
fn levels(normalised: &[f32], run: &RunSpec) -> Vec<u8> {
    let (mean, std) = (run.data.mean, run.data.std);
    let level = |(at, value): (usize, &f32)| {
        (255.0 * (f64::from(*value) * std[at % 3] + mean[at % 3])).round() as u8
    };
    normalised.iter().enumerate().map(level).collect()
}

#[test]
fn an_exhibit_shows_the_views_that_training_saw() {
    for settings in ["", "augment.remove=[\"crop\",\"color_jitter\"]", "augment.only=[\"flip\"]"] {
        let plan = plan_with(settings);
        let run = &plan.trials[0].run;
        let shown = exhibit_of(&Attempt::train(&plan, None, &never)).views;
        assert_eq!((shown.numbers.len(), shown.epoch), (6, 0));
        let trained_on = images(run).train.clone();
        // Two updates and a half are the first epoch.
        let order = ImageStream::new(run.seed, 40).take(0, 40);
        let batches = views(run, 0..3);
        let side = run.data.image_size as usize;
        for (at, number) in shown.numbers.iter().enumerate() {
            let place = order.iter().position(|seen| seen.image == *number).unwrap();
            for (views, shown) in batches.iter().zip([&shown.first, &shown.second]) {
                let seen: Vec<f32> = views
                    .get(place as i64)
                    .permute([1, 2, 0])
                    .contiguous()
                    .view([-1])
                    .try_into()
                    .unwrap();
                assert_eq!(shown.side, side);
                let apart = |(a, b): (&u8, u8)| a.abs_diff(b);
                let shown = shown.iter().nth(at).unwrap();
                let most = shown.iter().zip(levels(&seen, run)).map(apart).max().unwrap();
                // Undoing the normalisation may round a value that lies between two levels.
                assert!(most <= 1, "{settings}: image {number} differs by {most}");
            }
            let original = &trained_on.get(*number as usize).unwrap().rgb;
            assert_eq!(shown.originals.iter().nth(at).unwrap(), &original[..]);
        }
    }
}

#[test]
fn an_exhibit_shows_what_the_encoder_makes_of_test_images() {
    let plan = plan_with("");
    let run = &plan.trials[0].run;
    let attempt = Attempt::train(&plan, None, &never);
    let shown = exhibit_of(&attempt);
    assert_eq!((shown.classes.names.len(), shown.classes.of), (10, 10));
    assert_eq!(shown.points.labels.as_ref().unwrap().len(), 20);
    let mut model = Model::new(run, Device::Cpu, Kind::Float).unwrap();
    model.load_encoder(&checkpoint::read(&attempt.weights()).unwrap()).unwrap();
    let set = images(run);
    let frame = Frame::of(&run.data);
    let of = |split| features::of_split(&model, split, &frame, Device::Cpu, Poll::NEVER).unwrap();
    let (test, train) = (set.test.as_ref().unwrap(), &set.train);
    let directions = |features: Tensor| {
        let lengths = features.norm_scalaropt_dim(2, [1i64].as_slice(), true);
        features / lengths
    };
    let (test_directions, train_directions) = (directions(of(test)), directions(of(train)));
    // All test images are shown, in their order.
    let features = Tensor::from_slice(&shown.points.features).view([20, -1]);
    assert!(features.allclose(&test_directions, 0.0, 1e-3, false));
    let labels: Vec<u16> = shown.points.labels.unwrap().into_iter().map(u16::from).collect();
    assert_eq!(Some(labels), test.labels);
    // All training images are searched among.
    let neighbours = shown.neighbours;
    assert_eq!((neighbours.among, neighbours.each, neighbours.queries.len()), (40, 6, 8));
    let told = neighbours.labels.unwrap();
    for (at, query) in neighbours.queries.iter().enumerate() {
        let query = (0..20).find(|image| test.get(*image).unwrap().rgb[..] == *query).unwrap();
        assert_eq!(u16::from(told.queries[at]), test.labels.as_ref().unwrap()[query]);
        let cosines = train_directions.matmul(&test_directions.get(query as i64));
        let (nearest, places) = cosines.topk(6, 0, true, true);
        let nearest: Vec<f32> = nearest.try_into().unwrap();
        let places: Vec<i64> = places.try_into().unwrap();
        for rank in 0..6 {
            let found = neighbours.found.iter().nth(at * 6 + rank).unwrap();
            assert!((neighbours.cosines[at * 6 + rank] - nearest[rank]).abs() < 1e-5);
            assert_eq!(found, &train.get(places[rank] as usize).unwrap().rgb[..]);
            let label = |split: &Split, image: usize| split.labels.as_ref().unwrap()[image];
            let same = label(train, places[rank] as usize) == label(test, query);
            assert_eq!(told.same_class[at * 6 + rank], same);
        }
    }
}

#[test]
fn exhibits_change_no_result_and_can_be_left_out() {
    let (with, without) = (plan_with(""), plan_with("report.exhibits=false"));
    assert_eq!(with.trials[0].train_key, without.trials[0].train_key);
    assert_eq!(with.eval_key, without.eval_key);
    let (with, without) =
        (Attempt::train(&with, None, &never), Attempt::train(&without, None, &never));
    assert_eq!((with.series(), with.evaluated()), (without.series(), without.evaluated()));
    assert!(with.weight_bytes() == without.weight_bytes());
    assert!(!newest([&without]).contains_key("exhibit"));
    assert!(!AttemptFolder::at(without.folder.path()).exhibit().exists());
}

#[test]
fn an_evaluation_alone_leaves_the_same_exhibit() {
    let plan = plan("simclr");
    let trained = Attempt::train(&plan, None, &never);
    let again = Attempt::of(&plan, Work::Evaluate { weights: trained.weights() }, &never);
    assert_eq!(newest([&again])["exhibit"], newest([&trained])["exhibit"]);
}

#[test]
fn an_exhibit_that_cannot_be_made_or_written_is_a_note() {
    let plan = plan("byol");
    let whole = Attempt::train(&plan, None, &never);
    // Something is in the way of the file.
    let folder = tempfile::tempdir().unwrap();
    let at = AttemptFolder::at(folder.path());
    std::fs::create_dir_all(at.exhibit().join("in the way")).unwrap();
    let evaluate = Work::Evaluate { weights: whole.weights() };
    let order = order(&plan, evaluate, folder.path());
    let end = train::attempt(&order, &at, &mut Sink::create(&at).unwrap(), &never).unwrap();
    assert!(matches!(end, End::Finished { .. }), "{end:?}");
    let lines = Tail::new(at.events(), 0, 0).read().unwrap().lines;
    let noted = |event: &WorkerEvent| matches!(event, WorkerEvent::Note { text } if text.starts_with("nothing is left for a report's pictures: "));
    assert!(lines.iter().any(|line| noted(&line.event)), "{lines:?}");
    assert!(lines.iter().any(|line| matches!(line.event, WorkerEvent::Evaluated { .. })));
    // libtorch's refusals are panics.
    let refused = exhibit::attempted(|| panic!("CUDA out of memory"));
    assert_eq!(refused.unwrap_err(), "CUDA out of memory");
}

/// Runs a real worker on the order until it has written a checkpoint beyond `update`, kills it at
/// once, and returns the updates of what it left; `None` where it came to its end before.
fn killed_beyond(order: &WorkOrder, folder: &Path, update: u64) -> Option<u64> {
    let at = AttemptFolder::at(folder);
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(at.spec(), serde_json::to_vec(order).unwrap()).unwrap();
    let worker = env!("CARGO_BIN_EXE_byol-sweep-worker");
    let mut child = std::process::Command::new(worker).arg(folder).spawn().unwrap();
    let mut tail = Tail::new(at.events(), 0, 0);
    loop {
        let ended = child.try_wait().unwrap();
        for line in tail.read().unwrap().lines {
            match line.event {
                WorkerEvent::Checkpointed { update: done, .. } if done > update => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    let mut state = checkpoint::read(&at.checkpoint()).unwrap();
                    let left = checkpoint::take_position(folder, &mut state).unwrap().update;
                    assert!(left >= done, "{left} {done}");
                    return Some(left);
                }
                WorkerEvent::Ended { end } => {
                    assert!(matches!(end, End::Finished { .. }), "{end:?}");
                    child.wait().unwrap();
                    return None;
                }
                _ => {}
            }
        }
        assert!(ended.is_none(), "{ended:?} without a last word");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

#[test]
fn a_worker_killed_at_any_moment_leaves_a_checkpoint_to_go_on_from() {
    let plan = plan_with("epochs=40 checkpoint.keep=[\"last\",\"best\"]");
    let trial = tempfile::tempdir().unwrap();
    let (mut resume, mut update, mut kills) = (None, 0, 0);
    let last = loop {
        let folder = trial.path().join(format!("{kills:04}"));
        // Five kills, and then in peace.
        let beyond = if kills < 5 { update } else { u64::MAX };
        let order = WorkOrder {
            checkpoint_every_ms: 1,
            ..order(&plan, Work::Train { resume: resume.clone() }, trial.path())
        };
        match killed_beyond(&order, &folder, beyond) {
            Some(left) => {
                resume = Some(AttemptFolder::at(&folder).checkpoint());
                (update, kills) = (left, kills + 1);
            }
            None => break folder,
        }
    };
    assert!(kills >= 2, "{kills} kills tell nothing");
    let whole = Attempt::train(&plan, None, &never);
    assert!(std::fs::read(AttemptFolder::at(last).weights()).unwrap() == whole.weight_bytes());
}

#[test]
fn a_stop_after_a_stop_changes_nothing_either() {
    let plan = plan("byol");
    let first = Attempt::train(&plan, None, &|update| update == 2);
    // Nothing was done in between, which is how a stop right after the start looks.
    let second = Attempt::train(&plan, Some(first.checkpoint()), &|update| update == 2);
    let third = Attempt::train(&plan, Some(second.checkpoint()), &|update| update == 5);
    let last = Attempt::train(&plan, Some(third.checkpoint()), &never);
    assert!(last.weight_bytes() == Attempt::train(&plan, None, &never).weight_bytes());
}

#[test]
fn the_seed_decides_and_another_one_decides_otherwise() {
    let plan = plan("byol");
    let mut other = plan.clone();
    other.trials[0].run.seed += 1;
    let bytes = Attempt::train(&plan, None, &never).weight_bytes();
    assert!(bytes == Attempt::train(&plan, None, &never).weight_bytes());
    assert!(bytes != Attempt::train(&other, None, &never).weight_bytes());
}

#[test]
fn kept_weights_are_evaluated_as_they_were_after_training() {
    let plan = plan("simclr");
    let trained = Attempt::train(&plan, None, &never);
    let again = Attempt::of(&plan, Work::Evaluate { weights: trained.weights() }, &never);
    assert_eq!(again.evaluated(), trained.evaluated());
    assert!(again.series().is_empty());
}

/// The views that a loader hands out from one update to before another, in order.
fn views(run: &RunSpec, updates: std::ops::Range<u64>) -> [Tensor; 2] {
    let batches = (updates.end - updates.start) * u64::from(run.accumulation());
    let mut loader = Loader::start(run, images(run), updates.start, updates.end);
    let (first, second): (Vec<_>, Vec<_>) = (0..batches)
        .map(|_| loader.next(Device::Cpu).unwrap())
        .map(|[first, second]| (first, second))
        .unzip();
    [Tensor::cat(&first, 0), Tensor::cat(&second, 0)]
}

#[test]
fn an_update_sees_the_same_views_at_every_batch_size() {
    let whole = RunSpec { batch_size: 16, ..run_of("byol") };
    let expected = views(&whole, 0..UPDATES);
    assert_ne!(expected[0], expected[1]);
    for batch_size in [1, 4, 8] {
        let parts = RunSpec { batch_size, ..whole.clone() };
        assert_eq!(views(&parts, 0..UPDATES), expected, "batches of {batch_size}");
    }
    // And a loader that starts later goes on where an earlier one would be.
    let start = i64::from(whole.update_batch_size) * 3;
    let late = views(&whole, 3..UPDATES);
    for (late, all) in late.iter().zip(&expected) {
        assert_eq!(*late, all.narrow(0, start, all.size()[0] - start));
    }
}

/// With running statistics nothing depends on the batch but the negatives: averaged gradients of
/// batches are those of the whole update, and SimCLR sees the negatives of its own batch only.
#[test]
fn batches_of_an_update_add_up_to_it() {
    let (whole, part) = (16, 4);
    let double = |tensor: &Tensor| tensor.to_kind(Kind::Double);
    for settings in ["", "target=stop_gradient", "loss_normalization=layer"] {
        let run = RunSpec { batch_size: whole, ..plan_with(settings).trials.remove(0).run };
        let [first, second] = views(&run, 0..1).map(|view| double(&view));
        let gradients = |batch: i64| {
            let model = Model::new(&run, Device::Cpu, Kind::Double).unwrap();
            let batches = i64::from(whole) / batch;
            let loss: f64 = (0..batches)
                .map(|n| {
                    let [one, two] = [&first, &second].map(|view| view.narrow(0, n * batch, batch));
                    let loss = model.forward_in(Mode::Eval, &one, &two).loss / batches as f64;
                    loss.backward();
                    loss.double_value(&[])
                })
                .sum();
            let flat: Vec<Tensor> =
                model.online().trainable().iter().map(|p| p.tensor.grad().reshape([-1])).collect();
            (loss, Tensor::cat(&flat, 0))
        };
        let (loss, expected) = gradients(i64::from(whole));
        let (sum, found) = gradients(part);
        assert!((sum - loss).abs() < 1e-12, "{settings}: {sum} {loss}");
        assert!(expected.abs().max().double_value(&[]) > 1e-3);
        assert!(found.allclose(&expected, 1e-9, 1e-12, false), "{settings}");
    }
}

#[test]
fn simclr_sees_no_negatives_of_another_batch() {
    let run = run_of("simclr");
    let [first, second] = views(&run, 0..1).map(|view| view.to_kind(Kind::Double));
    let model = Model::new(&run, Device::Cpu, Kind::Double).unwrap();
    let loss = |first: &Tensor, second: &Tensor| {
        model.forward_in(Mode::Eval, first, second).loss.double_value(&[])
    };
    let halves = |view: &Tensor| [view.narrow(0, 0, 8), view.narrow(0, 8, 8)];
    let ([a, b], [c, d]) = (halves(&first), halves(&second));
    let (mean, whole) = ((loss(&a, &c) + loss(&b, &d)) / 2.0, loss(&first, &second));
    assert!(whole > mean + 0.1, "more negatives cost more: {mean} {whole}");

    // The loss that a run reports of its first update is the mean over its batches.
    let alone = Attempt::train(&plan("simclr"), None, &|update| update == 1);
    let trained = Model::new(&run, Device::Cpu, Kind::Float).unwrap();
    let [first, second] = views(&run, 0..1);
    let batch = |n: i64| {
        let [one, two] = [&first, &second].map(|view| view.narrow(0, n * 8, 8));
        trained.loss(&one, &two).double_value(&[])
    };
    let expected = (batch(0) + batch(1)) / 2.0;
    let position = alone.checkpoint();
    let saved = checkpoint::read(&position).unwrap();
    let epoch_loss = checkpoint::take_position(&position, &mut { saved }).unwrap().epoch_loss;
    assert!((epoch_loss - expected).abs() < 1e-5, "{epoch_loss} {expected}");
}

#[test]
fn an_update_moves_the_target_once_after_the_optimizer() {
    // Constant tau and a learning rate that does not warm up: the target after one update is
    // tau times its start plus the rest times the new weights, however many batches it took.
    let plan = plan_with("tau_base=0.75 tau_schedule=constant batch_size=2 warmup_epochs=0");
    let run = &plan.trials[0].run;
    let start = Model::new(run, Device::Cpu, Kind::Float).unwrap().state();
    let after = Attempt::train(&plan, None, &|update| update == 1);
    let saved = checkpoint::read(&after.checkpoint()).unwrap();
    let named = |state: &[(String, Tensor)], name: &str| {
        state.iter().find(|(n, _)| n == name).unwrap().1.copy()
    };
    let name = "encoder.conv1.weight";
    let (old, new) =
        (named(&start, &format!("target.{name}")), named(&saved, &format!("online.{name}")));
    assert!(!new.allclose(&old, 1e-6, 1e-8, false), "the optimizer moved it");
    let expected = old * 0.75 + new * 0.25;
    assert!(named(&saved, &format!("target.{name}")).allclose(&expected, 1e-5, 1e-7, false));
}

/// The corner without predictor, target and negatives has one answer for all images as its best;
/// the same networks with negatives have not. The other corners are reported as they come out.
#[test]
fn agreement_alone_collapses() {
    let train = |settings: &str| {
        let long = "epochs=60 optimizer.name=sgd optimizer.base_lr=4 batch_size=16";
        Attempt::train(&plan_with(&format!("{settings} {long}")), None, &never)
    };
    let agreement = train("predictor.kind=none target=online");
    assert_eq!(agreement.end, End::Finished { verdict: Verdict::Collapsed });
    assert!(!agreement.evaluated().is_empty(), "a collapse is a result");
    let with_negatives = train("predictor.kind=none target=online beta=1");
    assert_eq!(with_negatives.end, End::Finished { verdict: Verdict::Healthy });
}

#[test]
fn evaluation_leaves_no_trace() {
    let plan = plan("byol");
    let run = &plan.trials[0].run;
    let set = data::load(&run.data.source, None).unwrap();
    let [view, view_prime] = views(run, 0..1);
    let state = |model: &Model| -> Vec<(String, Tensor)> {
        model.state().into_iter().map(|(name, tensor)| (name, tensor.copy())).collect()
    };
    let model = || Model::new(run, Device::Cpu, Kind::Float).unwrap();
    let (judged, plain) = (model(), model());
    let step = |model: &Model| model.loss(&view, &view_prime);
    assert_eq!(step(&judged), step(&plain));

    let before = state(&judged);
    let on = LabelledImages::new(&set, &run.data).unwrap();
    evaluate::encoder(&judged, &on, &plan.eval, run.seed, Device::Cpu, "", Poll::NEVER).unwrap();
    evaluate::floor(run, &on, &plan.eval, Device::Cpu, Poll::NEVER).unwrap();
    assert_eq!(state(&judged), before);
    assert_eq!(step(&judged), step(&plain));
    assert_eq!(state(&judged), state(&plain));
}

#[test]
fn every_epoch_tells_how_the_embedding_is() {
    let series = Attempt::train(&plan("byol"), None, &never).series();
    assert_eq!(series.len(), 3);
    let within = [
        ("embedding_std_relative", 0.0, 1.0),
        ("effective_rank", 1.0, 8.0),
        ("alignment", 0.0, 4.0),
        ("uniformity", -8.0, 0.0),
        ("knn_probe_top1", 0.0, 1.0),
        ("projection_norm", 0.0, f64::MAX),
        ("gradient_norm", 0.0, f64::MAX),
        ("weight_norm", 0.0, f64::MAX),
    ];
    for (_, values) in &series {
        for (name, low, high) in within {
            assert!((low..=high).contains(&values[name]), "{name} = {}", values[name]);
        }
        assert!(values["gradient_norm"] > 0.0 && values["weight_norm"] > 0.0);
    }
    let text = include_str!("../../docs/diagnostics.md");
    for name in
        series[0].1.keys().map(String::as_str).chain(["images_per_s", "peak_resident_bytes"])
    {
        assert!(text.contains(&format!("| `{name}` |")), "docs/diagnostics.md lacks {name}");
    }
    for (name, threshold) in [
        ("embedding_std_relative", diagnostics::COLLAPSED_STD),
        ("effective_rank", diagnostics::COLLAPSED_RANK),
    ] {
        assert!(text.contains(&format!("| `{name}` | {threshold} |")), "{name} {threshold}");
    }
    assert_ne!(series[0].1["gradient_norm"], series[1].1["gradient_norm"]);
}

/// The statistics are of the projections that the update was made from, all its batches.
#[test]
fn the_embedding_of_a_step_is_that_of_all_its_batches() {
    let mut plan = plan("byol");
    // One update, so that the model before it is the one of the seed.
    plan.trials[0].run.epochs = 1;
    plan.trials[0].run.warmup_epochs = 0.0;
    plan.trials[0].run.update_batch_size = 40;
    let run = plan.trials[0].run.clone();
    let told = &Attempt::train(&plan, None, &never).series()[0].1;
    let model = Model::new(&run, Device::Cpu, Kind::Float).unwrap();
    let mut loader = Loader::start(&run, images(&run), 0, 1);
    let batches: Vec<Tensor> = (0..5)
        .map(|_| loader.next(Device::Cpu).unwrap())
        .map(|[first, second]| model.forward(&first, &second).projections.first)
        .collect();
    let expected = diagnostics::effective_rank(&Tensor::cat(&batches, 0)).unwrap();
    assert!((told["effective_rank"] - expected).abs() < 1e-6, "{told:?} {expected}");
    let of_one = diagnostics::effective_rank(&batches[4]).unwrap();
    assert!((of_one - expected).abs() > 1e-3);
}

/// What training leaves, with or without a look at the encoder after each epoch.
fn checkpoint_with(plan: &Plan, probe: &Probe) -> Vec<u8> {
    tch::set_num_threads(1);
    let folder = tempfile::tempdir().unwrap();
    let at = AttemptFolder::at(folder.path());
    let order = order(plan, Work::Train { resume: None }, folder.path());
    let images = images(&order.run);
    let run = pretrain::Run { order: &order, device: Device::Cpu, images, folder: &at, probe };
    pretrain::pretrain(&run, None, &mut Sink::create(&at).unwrap(), &never).unwrap();
    std::fs::read(at.checkpoint()).unwrap()
}

#[test]
fn the_probe_leaves_no_trace() {
    for method in ["byol", "simclr"] {
        let plan = plan(method);
        let run = &plan.trials[0].run;
        let probe = Probe::of(&images(run).train, &run.data, plan.eval.knn).unwrap();
        assert!(matches!(probe, Probe::On(_)));
        assert!(checkpoint_with(&plan, &probe) == checkpoint_with(&plan, &Probe::Off), "{method}");
    }
}

/// Makes the projection of every image the same from here on.
fn collapse(checkpoint: &Path) {
    let mut state = checkpoint::read(checkpoint).unwrap();
    let of_projector =
        |name: &str, end: &str| name.starts_with("online.projector.") && name.ends_with(end);
    let last = |end: &str| -> String {
        let names = state.iter().map(|(name, _)| name).filter(|name| of_projector(name, end));
        names.max().unwrap().clone()
    };
    let (weight, bias) = (last(".weight"), last(".bias"));
    for (name, tensor) in &mut state {
        if *name == weight {
            *tensor = tensor.zeros_like();
        } else if *name == bias {
            *tensor = tensor.ones_like();
        }
    }
    checkpoint::write(checkpoint, &state).unwrap();
}

#[test]
fn a_collapse_is_told_evaluated_and_not_forgotten_over_a_stop() {
    let plan = plan("byol");
    let begun = Attempt::train(&plan, None, &|update| update == UPDATES - 1);
    collapse(&begun.checkpoint());
    let collapsed = End::Finished { verdict: Verdict::Collapsed };
    let rest = Attempt::train(&plan, Some(begun.checkpoint()), &never);
    assert_eq!(rest.end, collapsed);
    assert!(rest.evaluated().contains_key("linear_top1"));
    assert!(rest.series()[0].1["embedding_std_relative"] < 1e-6);
    let is_note = |event: &&WorkerEvent| matches!(event, WorkerEvent::Note { text } if text.starts_with("collapsed: "));
    assert_eq!(rest.events.iter().filter(is_note).count(), 1);

    // All updates are done, and the evaluation is not: the next attempt makes no update.
    let stopped = Attempt::train(&plan, Some(begun.checkpoint()), &|update| update == UPDATES);
    assert_eq!(stopped.end, End::Stopped);
    assert_eq!(Attempt::train(&plan, Some(stopped.checkpoint()), &never).end, collapsed);
}

#[test]
fn a_stop_in_the_middle_of_the_evaluation_loses_nothing_of_the_training() {
    let plan = plan("byol");
    let whole = Attempt::train(&plan, None, &never);
    // Asked at the end of training, at its beginning, and then between its steps.
    let asked = std::cell::Cell::new(0);
    let stop = |update| {
        asked.set(asked.get() + u32::from(update == UPDATES));
        asked.get() > 5
    };
    let stopped = Attempt::train(&plan, None, &stop);
    assert_eq!((stopped.end.clone(), asked.get()), (End::Stopped, 6));
    assert!(!stopped.events.iter().any(|event| matches!(event, WorkerEvent::Evaluated { .. })));
    assert_eq!(stopped.weight_bytes(), whole.weight_bytes());
    let rest = Attempt::train(&plan, Some(stopped.checkpoint()), &never);
    assert_eq!((rest.end.clone(), rest.evaluated()), (whole.end.clone(), whole.evaluated()));
}

#[test]
fn a_stop_while_images_are_loaded_is_heard() {
    let stopped = Attempt::train(&plan("byol"), None, &|_| true);
    assert_eq!(stopped.end, End::Stopped);
    assert!(!stopped.checkpoint().exists(), "nothing was begun");
}

#[test]
fn a_run_that_tells_images_apart_is_healthy() {
    let healthy = End::Finished { verdict: Verdict::Healthy };
    assert_eq!(Attempt::train(&plan("byol"), None, &never).end, healthy);
}

/// Losses and final values of a run.
fn results(method: &str) -> Value {
    let run = Attempt::train(&plan(method), None, &never);
    let losses: Vec<f64> = run.series().iter().map(|(_, values)| values["loss"]).collect();
    json!({ "losses": losses, "evaluated": run.evaluated() })
}

/// Equal but for what other processors make of float sums.
fn alike(found: &Value, kept: &Value) -> bool {
    match (found, kept) {
        (Value::Number(found), Value::Number(kept)) => {
            let (found, kept) = (found.as_f64().unwrap(), kept.as_f64().unwrap());
            (found - kept).abs() <= 1e-4 * kept.abs().max(1.0)
        }
        (Value::Array(found), Value::Array(kept)) => {
            found.len() == kept.len() && found.iter().zip(kept).all(|(f, k)| alike(f, k))
        }
        (Value::Object(found), Value::Object(kept)) => {
            found.len() == kept.len()
                && found.iter().all(|(name, f)| kept.get(name).is_some_and(|k| alike(f, k)))
        }
        (found, kept) => found == kept,
    }
}

#[test]
fn results_change_only_together_with_their_version() {
    let found = json!({
        "semantics": SEMANTICS,
        "eval_semantics": EVAL_SEMANTICS,
        "byol": results("byol"),
        "simclr": results("simclr"),
    });
    let kept: Value = serde_json::from_str(include_str!("../fixtures/fingerprint.json")).unwrap();
    assert!(
        alike(&found, &kept),
        "trials compute something else now: raise the version of what changed (SEMANTICS or \
         EVAL_SEMANTICS), then keep this as tests/fixtures/fingerprint.json:\n{found:#}"
    );
}
