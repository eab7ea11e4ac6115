//! Images a second of one training step and of the augmentations alone. A source image counts
//! once and gives two views. Medians over repetitions; nothing else should run beside it.
//!
//! ```text
//! cargo bench --bench throughput
//! ```
#![expect(clippy::print_stdout, reason = "the numbers are what it is for")]

use std::time::{Duration, Instant};

use byol_sweep::augment::{Pipeline, Pixels};
use byol_sweep::plan::{Limit, Request, expand};
use byol_sweep::spec::run::RunSpec;
use byol_sweep::train::method::Model;
use byol_sweep::train::native;
use byol_sweep::train::optim::{HeadRates, Optimizer};
use tch::{Device, Kind, Tensor};

/// Images per forward pass and update.
const BATCH: u32 = 64;

fn main() -> anyhow::Result<()> {
    native::keep_freed_memory();
    let cores = std::thread::available_parallelism()?.get() as i32;
    println!("{:<44} {:>10} {:>10}", "", "1 thread", format!("{cores} threads"));
    for method in ["byol", "simclr"] {
        for encoder in ["convnet", "resnet18"] {
            let run = run(method, encoder)?;
            let repetitions = if encoder == "convnet" { 7 } else { 3 };
            let rates = [1, cores].map(|threads| step(&run, threads, repetitions));
            let [one, all] = rates;
            let name = format!("step, {method}, {encoder}, 32 px, batch {BATCH}");
            println!("{name:<44} {:>10.1} {:>10.1}", one?, all?);
        }
    }
    for preset in ["byol_small", "byol"] {
        let mut run = run("byol", "convnet")?;
        if preset == "byol" {
            run.views = run_with("byol", "convnet", preset)?.views;
        }
        let blur = if preset == "byol" { "with blur" } else { "without blur" };
        println!("{:<44} {:>10.0}", format!("both views, 32 px, {blur}"), views(&run)?);
    }
    Ok(())
}

fn run(method: &str, encoder: &str) -> anyhow::Result<RunSpec> {
    run_with(method, encoder, "byol_small")
}

fn run_with(method: &str, encoder: &str, preset: &str) -> anyhow::Result<RunSpec> {
    let text = format!(
        r#"
schema = 1
name = "bench"
[base]
method = "{method}"
data.name = "cifar10"
encoder.name = "{encoder}"
batch_size = {BATCH}
update_batch_size = {BATCH}
augment.preset = "{preset}"
"#
    );
    let sweep = byol_sweep::spec::parse("bench", &text)?;
    let request = Request { overrides: &[], digests: &|_| None, limit: Limit::Million };
    Ok(expand(&sweep, &request)?.trials.remove(0).run)
}

/// Returns images a second of forward, backward, optimizer and target update.
fn step(run: &RunSpec, threads: i32, repetitions: usize) -> anyhow::Result<f64> {
    tch::set_num_threads(threads);
    let mut model = Model::new(run, Device::Cpu, Kind::Float)?;
    let mut optimizer = Optimizer::new(&run.optimizer, model.online(), HeadRates::of(run));
    let views = [0, 1].map(|_| {
        let shape = [i64::from(BATCH), 32, 32, 3];
        Tensor::randn(shape, (Kind::Float, Device::Cpu)).permute([0, 3, 1, 2])
    });
    let mut one = || {
        optimizer.zero_grad();
        model.loss(&views[0], &views[1]).backward();
        optimizer.step(0.1);
        model.update_target(0.99);
    };
    one();
    Ok(f64::from(BATCH) / median(repetitions, one).as_secs_f64())
}

/// Returns images a second of drawing and making both views, on this thread.
fn views(run: &RunSpec) -> anyhow::Result<f64> {
    const IMAGES: u64 = 2000;
    let pipeline = Pipeline::of(run);
    let rgb: Vec<u8> = (0..32 * 32 * 3).map(|i| (i * 37 % 256) as u8).collect();
    let pixels = Pixels::new(32, 32, &rgb)?;
    let mut out = [0, 1].map(|_| vec![0.0; pipeline.frame.len()]);
    let mut failed = None;
    let time = median(7, || {
        for number in 0..IMAGES {
            let [first, second] = &mut out;
            if let Err(error) = pipeline.pair(0, number, pixels, first, second) {
                failed = Some(error);
            }
        }
    });
    failed.map_or(Ok(()), Err)?;
    Ok(IMAGES as f64 / time.as_secs_f64())
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
