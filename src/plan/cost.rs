//! What trials will cost, from what comparable ones did. Pure.
//!
//! Time is that of a slot: an attempt of one hour costs one hour, on however many cores or
//! beside however many others on its GPU.

use std::collections::HashMap;

use serde::Serialize;

use super::memory::{self, Work};
use crate::ids::{DeviceId, EvalKey, GroupKey};
use crate::spec::run::{RunSpec, Source, Target};

/// Finished training runs that differ in the seed alone, and what they took.
#[derive(Clone, Debug)]
pub struct Past {
    /// What one of them trained.
    pub run: RunSpec,
    /// The same without the seed.
    pub group: GroupKey,
    /// How they were evaluated.
    pub eval_key: EvalKey,
    /// Where.
    pub place: Place,
    /// How many they are.
    pub runs: u32,
    /// Seconds of training, in all attempts of all of them.
    pub train_s: f64,
    /// Those of which it is known when evaluation began; that of others is part of training.
    pub evaluated: u32,
    /// Seconds of their evaluation.
    pub eval_s: f64,
}

/// Where trials compute, as far as their speed depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Kind of device.
    pub kind: DeviceKind,
    /// Model of the device.
    pub model: String,
    /// Intra-op threads.
    pub threads: u32,
}

/// Kind of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// The host's cores.
    Cpu,
    /// A graphics card.
    Gpu,
}

impl DeviceKind {
    /// Returns the kind of a device.
    pub fn of(device: &DeviceId) -> Self {
        match device {
            DeviceId::Cpu => Self::Cpu,
            DeviceId::Cuda { .. } => Self::Gpu,
        }
    }

    /// Returns the unit of its time.
    pub fn hours(self) -> &'static str {
        match self {
            Self::Cpu => "CPU-hours",
            Self::Gpu => "GPU-hours",
        }
    }
}

/// What an estimate is made from, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The same settings with other seeds.
    SameGroup,
    /// Trials whose images cost the same each: encoder, image size, batch, precision, method.
    SameClass,
    /// A short run of the same cost.
    Probe,
    /// Any trials on such a device, by the number of multiplications.
    Scaled,
}

impl Basis {
    /// Returns where the numbers come from, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::SameGroup => "other seeds",
            Self::SameClass => "trials of the same cost an image",
            Self::Probe => "probes, without evaluation",
            Self::Scaled => "other trials, scaled by their multiplications",
        }
    }
}

/// What a trial is expected to take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Seconds of training.
    pub train_s: f64,
    /// Seconds of evaluation; 0 where nothing comparable tells, or training includes it.
    pub eval_s: f64,
    /// What it is made from.
    pub basis: Basis,
}

impl Estimate {
    /// Returns the seconds of all of it.
    pub fn seconds(&self) -> f64 {
        self.train_s + self.eval_s
    }
}

/// A speed that was measured by a short run.
#[derive(Clone, Debug)]
pub struct Probed {
    /// What ran.
    pub run: RunSpec,
    /// Images a second.
    pub images_per_s: f64,
}

/// What runs on one kind of place took.
#[derive(Debug, Default)]
pub struct History {
    groups: HashMap<(GroupKey, EvalKey), Mean>,
    classes: HashMap<Class, Mean>,
    probed: HashMap<Class, Mean>,
    work: HashMap<Unit, Mean>,
}

/// Sums for a mean: seconds of training and evaluation, and what they are told by.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    train_s: f64,
    train_units: f64,
    eval_s: f64,
    eval_units: f64,
}

/// What makes an image cost what it costs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Class(String);

/// How training is counted: by images where their number is known from the settings, else by
/// epochs over the very same set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Unit {
    Images,
    EpochsOf(String),
}

impl History {
    /// Sorts what happened on places like `here`.
    pub fn new(past: &[Past], probed: &[Probed], here: &Place) -> Self {
        let mut history = Self::default();
        for past in past.iter().filter(|past| past.place.is_like(here)) {
            history.add(past, past.place.scale_to(here));
        }
        for probed in probed.iter().filter(|probed| probed.images_per_s > 0.0) {
            let (class, _) = class(&probed.run);
            let mean = history.probed.entry(class).or_default();
            mean.train_s += 1.0 / probed.images_per_s;
            mean.train_units += 1.0;
        }
        history
    }

    fn add(&mut self, past: &Past, scale: f64) {
        let (class, unit) = class(&past.run);
        let units = units(&past.run);
        let (train_s, eval_s) = (past.train_s * scale, past.eval_s * scale);
        let (runs, evaluated) = (f64::from(past.runs), f64::from(past.evaluated));
        let add = |mean: &mut Mean, train: f64, eval: f64| {
            mean.add(train_s, runs * train, eval_s, evaluated * eval);
        };
        let work = work(&past.run);
        let group = (past.group.clone(), past.eval_key.clone());
        add(self.groups.entry(group).or_default(), 1.0, 1.0);
        add(self.classes.entry(class).or_default(), units, 1.0);
        add(self.work.entry(unit).or_default(), units * work.per_image, work.forward);
    }

    /// Returns what a trial is expected to take here; `None` where nothing comparable ever ran.
    pub fn expect(&self, run: &RunSpec, group: &GroupKey, eval_key: &EvalKey) -> Option<Estimate> {
        let (class, unit) = class(run);
        let units = units(run);
        let work = work(run);
        let of = |mean: Option<&Mean>, train: f64, eval: f64, basis| {
            let mean = mean.filter(|mean| mean.train_units > 0.0)?;
            let eval_s =
                if mean.eval_units > 0.0 { mean.eval_s / mean.eval_units * eval } else { 0.0 };
            Some(Estimate { train_s: mean.train_s / mean.train_units * train, eval_s, basis })
        };
        let same = self.groups.get(&(group.clone(), eval_key.clone()));
        of(same, 1.0, 1.0, Basis::SameGroup)
            .or_else(|| of(self.classes.get(&class), units, 1.0, Basis::SameClass))
            .or_else(|| {
                let known = matches!(unit, Unit::Images);
                let probed = self.probed.get(&class).filter(|_| known);
                of(probed, units, 0.0, Basis::Probe)
            })
            .or_else(|| {
                let (train, eval) = (units * work.per_image, work.forward);
                of(self.work.get(&unit), train, eval, Basis::Scaled)
            })
    }

    /// Returns one of each kind of run that only a probe could tell more of.
    pub fn worth_probing<'a>(
        &self,
        runs: impl IntoIterator<Item = &'a RunSpec>,
    ) -> Vec<&'a RunSpec> {
        let mut seen = std::collections::HashSet::new();
        let unknown = |run: &&RunSpec| {
            let (class, unit) = class(run);
            unit == Unit::Images && !self.classes.contains_key(&class) && seen.insert(class)
        };
        runs.into_iter().filter(unknown).collect()
    }
}

impl Mean {
    fn add(&mut self, train_s: f64, train: f64, eval_s: f64, eval: f64) {
        self.train_s += train_s;
        self.train_units += train;
        self.eval_s += eval_s;
        self.eval_units += eval;
    }
}

impl Place {
    fn is_like(&self, other: &Self) -> bool {
        self.kind == other.kind && self.model == other.model
    }

    /// Cores share out the work of a CPU; a GPU does it whatever number of them feeds it.
    fn scale_to(&self, other: &Self) -> f64 {
        match self.kind {
            DeviceKind::Cpu => f64::from(self.threads.max(1)) / f64::from(other.threads.max(1)),
            DeviceKind::Gpu => 1.0,
        }
    }
}

fn class(run: &RunSpec) -> (Class, Unit) {
    let unit = match images(run) {
        Some(_) => Unit::Images,
        None => Unit::EpochsOf(json(&(&run.data.source, &run.data.subset))),
    };
    let network = json(&(&run.encoder, &run.projector, &run.predictor, &run.target));
    let step = json(&(run.data.image_size, run.batch_size, run.precision, &run.views));
    (Class(format!("{network} {step} {unit:?}")), unit)
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Returns how often an image passes through training, or its epochs where only files tell how
/// many images there are.
fn units(run: &RunSpec) -> f64 {
    f64::from(images(run).unwrap_or(1)) * f64::from(run.epochs)
}

/// Returns the training images, where the settings tell.
pub fn images(run: &RunSpec) -> Option<u32> {
    match (&run.data.subset, &run.data.source) {
        (Some(subset), _) => Some(subset.images),
        (None, Source::Shapes { train, .. }) => Some(*train),
        (None, Source::Cifar10) => Some(50_000),
        (None, Source::Idx { .. } | Source::ImageFolder { .. }) => None,
    }
}

/// Multiplications.
struct Cost {
    /// Of an image in training.
    per_image: f64,
    /// Of an image through the encoder.
    forward: f64,
}

/// Counts both views: the online network forward, and twice as much backward; the target forward,
/// where it is a network of its own.
fn work(run: &RunSpec) -> Cost {
    let Work { encoder, projector, predictor } = memory::work(run);
    let embedding = (encoder + projector) as f64;
    let target = match run.target {
        Target::Average { .. } => embedding,
        Target::Online => 0.0,
    };
    let online = embedding + predictor as f64;
    Cost { per_image: 2.0 * (3.0 * online + target), forward: encoder as f64 }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::spec::run::{EncoderSpec, Subset};

    fn run(train: u32, epochs: u32) -> RunSpec {
        let text = include_str!("../../tests/fixtures/run.json");
        let mut run: RunSpec = serde_json::from_str(text).unwrap();
        let data = Arc::make_mut(&mut run.data);
        data.source = Source::Shapes { train, test: 10, side: 32, seed: 0 };
        data.subset = None;
        run.encoder = EncoderSpec::Convnet { width: 0.25 };
        run.epochs = epochs;
        run
    }

    fn cpu(model: &str, threads: u32) -> Place {
        Place { kind: DeviceKind::Cpu, model: model.into(), threads }
    }

    fn protocol(text: &str) -> EvalKey {
        EvalKey::of_canonical_json(text)
    }

    fn past(run: &RunSpec, train_s: f64, eval_s: Option<f64>) -> Past {
        Past {
            group: run.group_key(),
            run: run.clone(),
            eval_key: protocol("{}"),
            place: cpu("a", 2),
            runs: 1,
            train_s,
            evaluated: u32::from(eval_s.is_some()),
            eval_s: eval_s.unwrap_or(0.0),
        }
    }

    fn expect(history: &History, run: &RunSpec) -> Option<Estimate> {
        history.expect(run, &run.group_key(), &protocol("{}"))
    }

    #[test]
    fn other_seeds_tell_best_then_the_same_cost_an_image() {
        let (one, mut seed, longer) = (run(100, 10), run(100, 10), run(200, 30));
        seed.seed = 77;
        let all = [past(&one, 5.0, Some(1.0)), past(&seed, 7.0, Some(2.0))];
        let history = History::new(&all, &[], &cpu("a", 2));
        let group = expect(&history, &run(100, 10)).unwrap();
        assert_eq!(group, Estimate { train_s: 6.0, eval_s: 1.5, basis: Basis::SameGroup });
        let class = expect(&history, &longer).unwrap();
        assert_eq!(class, Estimate { train_s: 36.0, eval_s: 1.5, basis: Basis::SameClass });
        // Another protocol may take any other time.
        let other = history.expect(&one, &one.group_key(), &protocol("other")).unwrap();
        assert_eq!(other.basis, Basis::SameClass);
    }

    #[test]
    fn other_networks_are_scaled_and_other_devices_tell_nothing() {
        let small = run(100, 10);
        let all = [past(&small, 5.0, Some(1.0))];
        let history = History::new(&all, &[], &cpu("a", 2));
        let mut wide = small.clone();
        wide.encoder = EncoderSpec::Convnet { width: 1.0 };
        let scaled = expect(&history, &wide).unwrap();
        assert_eq!(scaled.basis, Basis::Scaled);
        let ratio = work(&wide).per_image / work(&small).per_image;
        assert!(ratio > 2.0 && (scaled.train_s / 5.0 - ratio).abs() < 1e-9, "{ratio}");
        assert!(expect(&History::new(&all, &[], &cpu("b", 2)), &small).is_none());
        let gpu = Place { kind: DeviceKind::Gpu, ..cpu("a", 2) };
        assert!(expect(&History::new(&all, &[], &gpu), &small).is_none());
    }

    #[test]
    fn twice_the_cores_take_half_the_time() {
        let small = run(100, 10);
        let history = History::new(&[past(&small, 8.0, None)], &[], &cpu("a", 4));
        assert_eq!(expect(&history, &small).unwrap().seconds(), 4.0);
    }

    #[test]
    fn a_folder_of_unknown_size_is_compared_with_itself_by_epochs() {
        let folder = |digest: &str, epochs| {
            let mut run = run(1, epochs);
            Arc::make_mut(&mut run.data).source =
                Source::ImageFolder { digest: Some(digest.into()) };
            run
        };
        let history = History::new(&[past(&folder("x", 10), 5.0, None)], &[], &cpu("a", 2));
        assert_eq!(expect(&history, &folder("x", 30)).unwrap().train_s, 15.0);
        assert!(expect(&history, &folder("y", 30)).is_none());
        assert!(expect(&history, &run(100, 10)).is_none());
    }

    #[test]
    fn a_probe_tells_what_nothing_else_does_and_is_not_asked_for_twice() {
        let (one, mut wide) = (run(100, 10), run(100, 10));
        wide.encoder = EncoderSpec::Convnet { width: 1.0 };
        let mut subset = wide.clone();
        Arc::make_mut(&mut subset.data).subset = Some(Subset { images: 50, seed: 0 });
        let here = cpu("a", 2);
        let history = History::new(&[past(&one, 5.0, None)], &[], &here);
        assert_eq!(history.worth_probing([&one, &wide, &subset]), [&wide]);
        let probed = [Probed { run: subset, images_per_s: 100.0 }];
        let history = History::new(&[past(&one, 5.0, None)], &probed, &here);
        let told = expect(&history, &wide).unwrap();
        assert_eq!((told.train_s, told.basis), (10.0, Basis::Probe));
    }
}
