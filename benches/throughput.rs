//! Images a second of one training step, of its parts, and of the augmentations alone. A source
//! image counts once and gives two views. Medians over repetitions; nothing else should run beside
//! it.
//!
//! ```text
//! cargo bench --bench throughput                                  # the tables
//! cargo bench --bench throughput -- step byol convnet 64 2        # one step, as a line of JSON:
//!                                                                 # method encoder batch threads
//! cargo bench --bench throughput -- views                         # both views, likewise
//! ```
#![expect(clippy::print_stdout, reason = "the numbers are what it is for")]

use std::time::{Duration, Instant};

use anyhow::Context;
use byol_sweep::augment::{Pipeline, Pixels};
use byol_sweep::plan::{Limit, Request, expand};
use byol_sweep::spec::run::RunSpec;
use byol_sweep::train::method::Model;
use byol_sweep::train::native;
use byol_sweep::train::optim::{HeadRates, Optimizer};
use serde_json::json;
use tch::{Device, Kind, Tensor};

/// What is timed: how much of it before a median is taken, and at which size.
struct Case {
    encoder: &'static str,
    side: u32,
    batch: u32,
    repetitions: usize,
}

const CASES: [Case; 3] = [
    Case { encoder: "convnet", side: 32, batch: 64, repetitions: 7 },
    Case { encoder: "resnet18", side: 32, batch: 64, repetitions: 3 },
    Case { encoder: "resnet50", side: 224, batch: 16, repetitions: 3 },
];

fn main() -> anyhow::Result<()> {
    native::keep_freed_memory();
    // Cargo adds `--bench`.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => tables(),
        ["step", method, encoder, batch, threads] => {
            let batch = batch.parse().context("the batch is a number")?;
            let threads = threads.parse().context("threads are a number")?;
            let side = if *encoder == "resnet50" { 224 } else { 32 };
            let step = step(&run(method, encoder, side, batch, "byol_small")?, threads, 5)?;
            println!("{}", json!({ "img_per_s": step.images_per_s, "other_share": step.other }));
            Ok(())
        }
        ["views"] => {
            let rate = views(&run("byol", "convnet", 32, 64, "byol_small")?)?;
            println!("{}", json!({ "img_per_s": rate }));
            Ok(())
        }
        _ => anyhow::bail!("usage: [step METHOD ENCODER BATCH THREADS | views]"),
    }
}

fn tables() -> anyhow::Result<()> {
    let cores = std::thread::available_parallelism()?.get() as i32;
    println!(
        "{:<44} {:>10} {:>12} {:>10}",
        "images/s",
        "1 thread",
        format!("{cores} threads"),
        "other"
    );
    for method in ["byol", "simclr"] {
        for Case { encoder, side, batch, repetitions } in CASES {
            let run = run(method, encoder, side, batch, "byol_small")?;
            let [one, all] = [1, cores].map(|threads| step(&run, threads, repetitions));
            let (one, all) = (one?, all?);
            let name = format!("step, {method}, {encoder}, {side} px, batch {batch}");
            let other = format!("{:.1} %", 100.0 * all.other);
            println!(
                "{name:<44} {:>10.1} {:>12.1} {other:>10}",
                one.images_per_s, all.images_per_s
            );
        }
    }
    println!(
        "other: the share of the step (all threads) outside the passes: LARS, target, gradients"
    );
    for (preset, blur) in [("byol_small", "without blur"), ("byol", "with blur")] {
        for side in [32, 224] {
            let rate = views(&run("byol", "convnet", side, 64, preset)?)?;
            println!("{:<44} {rate:>10.0}", format!("both views, {side} px, {blur}"));
        }
    }
    Ok(())
}

fn run(
    method: &str,
    encoder: &str,
    side: u32,
    batch: u32,
    preset: &str,
) -> anyhow::Result<RunSpec> {
    // The peer's heads.
    let hidden = if encoder == "resnet50" { 4096 } else { 1024 };
    let text = format!(
        r#"
schema = 1
name = "bench"
[base]
method = "{method}"
data.name = "cifar10"
data.image_size = {side}
encoder.name = "{encoder}"
projector.hidden = {hidden}
projector.out = 256
predictor.hidden = {hidden}
batch_size = {batch}
update_batch_size = {batch}
augment.preset = "{preset}"
"#
    );
    let sweep = byol_sweep::spec::parse("bench", &text)?;
    let request = Request { overrides: &[], digests: &|_| None, limit: Limit::Million };
    Ok(expand(&sweep, &request)?.trials.remove(0).run)
}

struct Step {
    images_per_s: f64,
    /// Share of the time outside the forward and backward passes.
    other: f64,
}

/// Times forward, backward, optimizer and target update.
fn step(run: &RunSpec, threads: i32, repetitions: usize) -> anyhow::Result<Step> {
    tch::set_num_threads(threads);
    let mut model = Model::new(run, Device::Cpu, Kind::Float)?;
    let mut optimizer = Optimizer::new(&run.optimizer, model.online(), HeadRates::of(run));
    let views = [0, 1].map(|_| {
        let side = i64::from(run.data.image_size);
        let shape = [i64::from(run.batch_size), side, side, 3];
        Tensor::randn(shape, (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2])
    });
    let mut passes = Vec::with_capacity(repetitions);
    let mut one = || {
        optimizer.zero_grad();
        let start = Instant::now();
        model.loss(&views[0], &views[1]).backward();
        passes.push(start.elapsed());
        optimizer.step(0.1);
        model.update_target(0.99);
    };
    one();
    let whole = median(repetitions, one).as_secs_f64();
    passes.remove(0);
    passes.sort_unstable();
    let passes = passes[passes.len() / 2].as_secs_f64();
    let images_per_s = f64::from(run.batch_size) / whole;
    Ok(Step { images_per_s, other: (1.0 - passes / whole).max(0.0) })
}

/// Returns images a second of drawing and making both views, on this thread.
fn views(run: &RunSpec) -> anyhow::Result<f64> {
    let images = if run.data.image_size > 64 { 100 } else { 2000 };
    let pipeline = Pipeline::of(run);
    let side = run.data.image_size;
    let rgb: Vec<u8> = (0..side * side * 3).map(|i| (i * 37 % 256) as u8).collect();
    let pixels = Pixels::new(side, side, &rgb)?;
    let mut out = [0, 1].map(|_| vec![0.0; pipeline.frame.len()]);
    let mut failed = None;
    let time = median(7, || {
        for number in 0..images {
            let [first, second] = &mut out;
            if let Err(error) = pipeline.pair(0, number, pixels, first, second) {
                failed = Some(error);
            }
        }
    });
    failed.map_or(Ok(()), Err)?;
    Ok(images as f64 / time.as_secs_f64())
}

fn median(repetitions: usize, mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..repetitions)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}
