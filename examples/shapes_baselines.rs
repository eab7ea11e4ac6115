//! What is known of the procedural shapes before anything self-supervised runs on them: colour
//! alone says nothing about the class, and a small supervised network can tell the classes apart.
//!
//! ```text
//! cargo run --release --example shapes_baselines
//! ```
#![expect(clippy::print_stdout, reason = "the numbers are what it is for")]

use std::sync::Arc;

use byol_sweep::augment::Frame;
use byol_sweep::data::{self, COLOR_BINS, Dataset, Split};
use byol_sweep::plan::{Limit, Request, expand};
use byol_sweep::spec::eval::LinearSpec;
use byol_sweep::spec::run::RunSpec;
use byol_sweep::spec::schedule;
use byol_sweep::train::eval::Labelled;
use byol_sweep::train::eval::linear::linear;
use byol_sweep::train::features;
use byol_sweep::train::loader::Loader;
use byol_sweep::train::net::{Declarations, Mode, Network, ParamSet, Sequential};
use byol_sweep::train::optim::{HeadRates, Optimizer};
use byol_sweep::train::poll::Poll;
use byol_sweep::train::stream::ImageStream;
use tch::{Device, Kind, Tensor};

/// The settings of `sweeps/shapes/`, with only those augmentations that keep the class.
const SETTINGS: &str = r#"
schema = 1
name = "shapes-baselines"
[base]
data.name = "shapes"
data.shapes.train = 5000
data.shapes.test = 2000
encoder.name = "convnet"
encoder.width = 0.25
epochs = 30
batch_size = 64
update_batch_size = 64
optimizer.name = "sgd"
optimizer.base_lr = 0.4
optimizer.weight_decay = 5e-4
augment.only = ["crop", "flip", "color_jitter", "grayscale"]
augment.crop.min_area = 0.6
"#;

fn main() -> anyhow::Result<()> {
    let sweep = byol_sweep::spec::parse("settings", SETTINGS)?;
    let request = Request { overrides: &[], digests: &|_| None, limit: Limit::Million };
    let run = expand(&sweep, &request)?.trials.remove(0).run;
    let set = Arc::new(data::load(&run.data.source, None)?);
    println!("| classifier | test top-1 (%) |\n| --- | ---: |");
    println!("| chance | 10.0 |");
    println!("| linear on colour histograms ({COLOR_BINS} bins) | {:.1} |", 100.0 * colors(&set)?);
    println!("| convnet, supervised, 30 epochs | {:.1} |", 100.0 * supervised(&run, &set)?);
    Ok(())
}

fn labels(split: &Split) -> anyhow::Result<Tensor> {
    let labels = split.labels_to_judge()?.iter().map(|&label| i64::from(label));
    Ok(Tensor::from_slice(&labels.collect::<Vec<_>>()))
}

fn test(set: &Dataset) -> anyhow::Result<&Split> {
    set.test.as_ref().ok_or_else(|| anyhow::anyhow!("shapes have test images"))
}

fn colors(set: &Dataset) -> anyhow::Result<f64> {
    let judged = |split: &Split| -> anyhow::Result<Labelled> {
        let mut values = Vec::new();
        for index in 0..split.len() {
            values.extend(data::color_histogram(&split.get(index)?));
        }
        let features = Tensor::from_slice(&values).view([-1, COLOR_BINS as i64]);
        Ok(Labelled::new(&features, &labels(split)?, 10)?)
    };
    let learning_rates = vec![30.0, 10.0, 3.0, 1.0, 0.3];
    let spec = LinearSpec { epochs: 80, batch_size: 256, learning_rates, holdout: 0.1 };
    Ok(linear(&judged(&set.train)?, &judged(test(set)?)?, &spec, 0, Poll::NEVER)?.test.top1)
}

fn supervised(run: &RunSpec, set: &Arc<Dataset>) -> anyhow::Result<f64> {
    let mut declarations = Declarations::default();
    let encoder = Network::encoder(&run.encoder, declarations.scope("encoder"))?;
    let classifier = Network::new(declarations.scope("classifier"), |scope| {
        Sequential::new(vec![scope.linear("0", encoder.out(), 10)], 10)
    });
    let params = ParamSet::drawn(&declarations, run.seed, Device::Cpu, Kind::Float);
    let mut optimizer = Optimizer::new(&run.optimizer, &params, HeadRates::EQUAL);
    let updates = run.updates(set.train.len() as u64);
    let train_labels = labels(&set.train)?;
    let mut loader = Loader::start(run, Arc::clone(set), 0, updates);
    let mut stream = ImageStream::new(run.seed, set.train.len() as u32);
    let peak = schedule::peak_learning_rate(&run.optimizer, run.update_batch_size);
    for update in 0..updates {
        let seen = stream.take(update * u64::from(run.update_batch_size), run.update_batch_size);
        let seen: Vec<i64> = seen.iter().map(|occurrence| i64::from(occurrence.image)).collect();
        let [view, _] = loader.next(Device::Cpu)?;
        optimizer.zero_grad();
        let logits =
            classifier.forward(&params, &encoder.forward(&params, &view, Mode::Train), Mode::Train);
        let targets = train_labels.index_select(0, &Tensor::from_slice(&seen));
        logits.cross_entropy_for_logits(&targets).backward();
        optimizer.step(schedule::learning_rate(update, updates, updates / 10, peak));
    }
    let frame = Frame::of(&run.data);
    let represent = |images: &Tensor| {
        let features = encoder.forward(&params, images, Mode::Eval);
        classifier.forward(&params, &features, Mode::Eval)
    };
    let test = test(set)?;
    let logits = features::with(represent, test, &frame, Device::Cpu, Poll::NEVER)?;
    Ok(logits
        .argmax(1, false)
        .eq_tensor(&labels(test)?)
        .to_kind(Kind::Double)
        .mean(Kind::Double)
        .double_value(&[]))
}
