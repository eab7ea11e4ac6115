//! Made-up rows for tests: small sweeps with the shape of the paper's.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::exhibits;
use super::exhibits::choice::Wanted;
use super::gathered::{Gathered, SpentOn, SweepFacts};
use crate::ids::TrainKey;
use crate::outcome::{FailureReason, Verdict};
use crate::plan::Label;
use crate::protocol::exhibit::{
    Classes, Exhibit, NeighbourLabels, Neighbours, Pictures, Points, Views as SeenViews,
};
use crate::spec::eval::{EvalSpec, KnnSpec, LinearSpec};
use crate::spec::run::{
    DataSpec, EncoderSpec, HeadSpec, LastScale, Loss, Normalization, NtXentScale, OptimizerSpec,
    OutputNorm, Precision, Predictor, RunSpec, SEMANTICS, Source, Stem, Target, TauSchedule,
    ViewRecipe, Views,
};
use crate::store::rows::{EarlyStopRow, Finals, Series, TrialRow, TrialState};

/// Rows of a sweep under construction.
pub(super) struct Sample(pub(super) Gathered);

impl Sample {
    pub(super) fn new(name: &str, reproduces: Option<&str>, axes: &[&str]) -> Self {
        let sweep = SweepFacts {
            name: name.to_owned(),
            description: format!("{name}, made up for tests"),
            file: None,
            set: Vec::new(),
            reproduces: reproduces.map(str::to_owned),
            scale: crate::spec::sweep::Scale::Full,
            report_metric: "linear_top1".to_owned(),
            report_spread: crate::spec::sweep::SpreadKind::Sd,
            axes: axes.iter().map(|axis| (*axis).to_owned()).collect(),
            eval: EvalSpec {
                semantics: 1,
                data: None,
                knn: KnnSpec { k: 200, temperature: 0.1 },
                linear: LinearSpec {
                    epochs: 80,
                    batch_size: 256,
                    learning_rates: vec![0.4, 0.1],
                    holdout: 0.1,
                },
            },
            classes: Some(10),
            workers: Vec::new(),
            asked_metric: None,
            version: None,
        };
        Self(Gathered::new(sweep, Vec::new(), Vec::new(), BTreeMap::new()))
    }

    /// Adds a finished trial with this linear accuracy, and a course of its loss.
    pub(super) fn done(&mut self, label: Label, run: RunSpec, top1: f64) {
        let key = run.train_key();
        let values = [
            ("linear_top1", top1),
            ("knn_top1", top1 - 0.04),
            ("floor_linear_top1", 0.402 + 0.001 * run.seed as f64),
            ("floor_knn_top1", 0.352),
            ("floor_calibrated_linear_top1", 0.432 + 0.001 * run.seed as f64),
            ("floor_calibrated_knn_top1", 0.338),
            ("floor_calibrated_linear_lr", 0.4),
        ];
        self.0.finals.push(Finals {
            train_key: key.clone(),
            values: values.map(|(name, value)| (name.to_owned(), value)).into(),
        });
        let course = |at: u64| at as f64 / 100.0;
        let scale = f64::from(run.batch_size).log2() / 12.0;
        let loss = (0..=100)
            .map(|at| (at * 50, 1.2 * (-4.0 * course(at)).exp() + 0.4 * scale + 0.5 * top1));
        let knn = (1..=10).map(|at| (at * 500, (top1 - 0.04) * (1.0 - (-0.5 * at as f64).exp())));
        let curves = &mut self.0.curves;
        let mut add = |name: &str, points| {
            let series = Series { train_key: key.clone(), points };
            curves.entry(name.to_owned()).or_default().push(series);
        };
        add("loss", loss.collect());
        add("knn_top1", knn.collect());
        self.push(label, run, TrialState::Done, Some(Verdict::Healthy), None);
    }

    /// Adds a trial that failed.
    pub(super) fn failed(&mut self, label: Label, run: RunSpec) {
        let failure = (FailureReason::OutOfMemory, "CUDA out of memory".to_owned());
        self.push(label, run, TrialState::Failed, None, Some(failure));
    }

    /// Adds a trial that has not begun.
    pub(super) fn pending(&mut self, label: Label, run: RunSpec) {
        self.push(label, run, TrialState::Pending, None, None);
    }

    fn push(
        &mut self,
        label: Label,
        run: RunSpec,
        state: TrialState,
        verdict: Option<Verdict>,
        failure: Option<(FailureReason, String)>,
    ) {
        self.0.trials.push(TrialRow {
            ordinal: self.0.trials.len() as u32 + 1,
            train_key: run.train_key(),
            group_key: run.group_key(),
            run,
            labels: [label].into(),
            state,
            attempts: u32::from(state != TrialState::Pending),
            verdict,
            failure,
            early_stop: None,
        });
    }
}

/// A label of these axes.
pub(super) fn label(axes: Value) -> Label {
    Label { arm: None, published: None, axes: serde_json::from_value(axes).unwrap() }
}

/// A label of an arm.
pub(super) fn arm(name: &str, published: Option<&str>, axes: Value) -> Label {
    Label { arm: Some(name.to_owned()), published: published.map(str::to_owned), ..label(axes) }
}

/// A run at CIFAR-10 scale.
pub(super) fn run(method: &str, batch_size: u32, seed: u64) -> RunSpec {
    let head = HeadSpec {
        hidden: vec![4096],
        out: 256,
        output_norm: OutputNorm::None,
        lr_multiplier: 1.0,
    };
    let byol = method == "byol";
    let average = Target::Average { tau_base: 0.99, schedule: TauSchedule::Cosine };
    RunSpec {
        semantics: SEMANTICS,
        seed,
        data: DataSpec {
            source: Source::Cifar10,
            subset: None,
            image_size: 32,
            mean: [0.49, 0.48, 0.45],
            std: [0.25, 0.24, 0.26],
        }
        .into(),
        views: Views { t: ViewRecipe::default(), t_prime: ViewRecipe::default() }.into(),
        encoder: EncoderSpec::Resnet {
            depth: 18,
            width: 1,
            stem: Stem::Small,
            last_scale: LastScale::One,
        },
        projector: head.clone(),
        predictor: byol.then_some(Predictor::Head(head)),
        target: if byol { average } else { Target::Online },
        loss: if byol {
            Loss::Regression { normalization: Normalization::L2 }
        } else {
            Loss::NtXent { temperature: 0.1, scale: NtXentScale::SumOfDirections }
        },
        optimizer: OptimizerSpec::Lars {
            base_lr: 0.3,
            momentum: 0.9,
            weight_decay: 1e-6,
            trust_coefficient: 1e-3,
        },
        epochs: 100,
        warmup_epochs: 10.0,
        update_batch_size: 1024,
        batch_size,
        precision: Precision::Fp32,
    }
}

/// Makes a run another than those of other steps, by what no figure and no table shows.
fn tell_apart(run: &mut RunSpec, step: usize) {
    if let OptimizerSpec::Lars { trust_coefficient, .. } = &mut run.optimizer {
        *trust_coefficient += 1e-6 * step as f64;
    }
}

/// Methods by batch sizes, three seeds; the smallest SimCLR batch has failed once and has one
/// seed left to train.
pub(super) fn batch_sweep() -> Gathered {
    let mut sample =
        Sample::new("cifar10-batch", Some("ablation_batch_size"), &["method", "batch_size"]);
    for seed in 0..3 {
        for (method, top, slope) in [("byol", 0.881, 0.006), ("simclr", 0.869, 0.017)] {
            for (step, batch_size) in [1024, 512, 256, 128, 64].into_iter().enumerate() {
                let label = label(json!({"method": method, "batch_size": batch_size}));
                let run = run(method, batch_size, seed);
                if method == "simclr" && batch_size == 64 && seed > 0 {
                    if seed == 1 {
                        sample.failed(label, run);
                    } else {
                        sample.pending(label, run);
                    }
                    continue;
                }
                let noise = [0.003, -0.002, 0.001][seed as usize] * (1.0 + step as f64 * 0.3);
                let knee = if method == "byol" && batch_size == 64 { 0.05 } else { 0.0 };
                sample.done(label, run, top - slope * step as f64 - knee + noise);
            }
        }
    }
    sample.0
}

/// The 14 rows of the paper's Table 17 as arms, by methods, `seeds` seeds.
pub(super) fn augmentation_sweep(seeds: u64) -> Gathered {
    let names = crate::published::table("ablation_augmentations").unwrap().row_names();
    let mut sample =
        Sample::new("cifar10-augmentation", Some("ablation_augmentations"), &["method"]);
    for seed in 0..seeds {
        for (method, top, harm) in [("byol", 0.88, 0.012), ("simclr", 0.87, 0.027)] {
            for (step, name) in names.iter().enumerate() {
                let axes = json!({ "method": method });
                let label = match step {
                    0 => arm("baseline", None, axes),
                    _ => arm(
                        &name.replacen(&name[..1], &name[..1].to_lowercase(), 1),
                        Some(name),
                        axes,
                    ),
                };
                let mut run = run(method, 256, seed);
                tell_apart(&mut run, step);
                let drop = harm * ((step * 5) % 14) as f64;
                let noise = 0.004 * ((seed as f64 + step as f64) * 1.7).sin();
                sample.done(label, run, top - drop + noise);
            }
        }
    }
    sample.0
}

/// The same with names that no table has room for; one arm has failed, one has diverged, one has not
/// begun.
pub(super) fn wide_sweep() -> Gathered {
    let mut gathered = augmentation_sweep(1);
    gathered.sweep.name = "wide".to_owned();
    gathered.sweep.reproduces = None;
    for trial in &mut gathered.trials {
        if let Some(name) =
            Arc::make_mut(&mut trial.labels)[0].arm.as_mut().filter(|name| *name != "baseline")
        {
            *name = format!("{name}, then everything else as in the table of the appendix");
        }
        Arc::make_mut(&mut trial.labels)[0].published = None;
    }
    let gone = [4, 20].map(|at: usize| gathered.trials[at].train_key.clone());
    gathered.finals.retain(|row| !gone.contains(&row.train_key));
    let failure = (FailureReason::OutOfMemory, "CUDA out of memory".to_owned());
    let failed = &mut gathered.trials[4];
    (failed.state, failed.verdict, failed.failure) = (TrialState::Failed, None, Some(failure));
    gathered.trials[9].verdict = Some(Verdict::Diverged);
    let pending = &mut gathered.trials[20];
    (pending.state, pending.verdict, pending.attempts) = (TrialState::Pending, None, 0);
    gathered
}

/// The targets of [`tau_sweep`]; two seeds of the last one were stopped early.
pub(super) fn stopped_early_sweep() -> Gathered {
    let mut gathered = tau_sweep();
    for at in [9, 14] {
        let trial = &mut gathered.trials[at];
        (trial.state, trial.verdict) = (TrialState::Pruned, None);
        trial.early_stop = Some(EarlyStopRow { epoch: 9, value: 0.312, bar: 0.45, at_ms: 0 });
        let key = trial.train_key.clone();
        gathered.finals.retain(|row| row.train_key != key);
    }
    gathered
}

/// The five targets of the paper's Table 5(a), three seeds.
pub(super) fn tau_sweep() -> Gathered {
    let mut sample = Sample::new("cifar10-tau", Some("ablation_target_modes"), &["tau_base"]);
    for seed in 0..3 {
        for (tau, top1) in [(0.0, 0.31), (0.9, 0.85), (0.99, 0.88), (0.999, 0.861), (1.0, 0.62)] {
            let mut run = run("byol", 256, seed);
            run.target = Target::Average { tau_base: tau, schedule: TauSchedule::Cosine };
            sample.done(label(json!({ "tau_base": tau })), run, top1 + 0.004 * seed as f64);
        }
    }
    sample.0
}

/// The same, in which the target without delay collapsed with two of three seeds, with the course of
/// the embeddings.
pub(super) fn collapsed_sweep() -> Gathered {
    let mut gathered = tau_sweep();
    gathered.sweep.name = "collapsed".to_owned();
    for trial in &mut gathered.trials {
        let collapses = trial.labels[0].axes["tau_base"] == 0.0 && trial.run.seed > 0;
        if collapses {
            trial.verdict = Some(Verdict::Collapsed);
        }
        let course = |at: u64, from: f64, to: f64| to + (from - to) * (-0.5 * at as f64).exp();
        let (std, rank) = if collapses { (0.02, 1.1) } else { (0.9, 60.0) };
        for (name, from, to) in
            [("embedding_std_relative", 0.7, std), ("effective_rank", 20.0, rank)]
        {
            let points = (1..=10).map(|at| (at * 500, course(at, from, to))).collect();
            let series = Series { train_key: trial.train_key.clone(), points };
            gathered.curves.entry(name.to_owned()).or_default().push(series);
        }
    }
    gathered
}

/// Removed augmentations as an axis, one seed, one trial without a result, one that diverged and one
/// that collapsed.
pub(super) fn removal_sweep() -> Gathered {
    let mut sample =
        Sample::new("shapes-removal", Some("ablation_augmentations"), &["augment.remove"]);
    let sets = [json!([]), json!(["flip"]), json!(["color_jitter", "grayscale"]), json!(["crop"])];
    for (step, removed) in sets.into_iter().enumerate() {
        let label = label(json!({ "augment.remove": removed }));
        let mut run = run("byol", 256, 0);
        tell_apart(&mut run, step);
        if step == 3 {
            sample.failed(label, run);
        } else {
            sample.done(label, run, 0.91 - 0.004 * (step * step) as f64);
        }
    }
    sample.0.trials[1].verdict = Some(Verdict::Diverged);
    sample.0.trials[2].verdict = Some(Verdict::Collapsed);
    sample.0
}

/// What a worker might leave: views of 6 images, `points` test images of ten classes, the neighbours
/// of 8. Another `variant` has other views and neighbours, of the same images.
pub(super) fn exhibit(variant: u8, views_side: usize, thumb: usize, points: usize) -> Exhibit {
    // A multiplicative generator's high bytes: PNG finds nothing to save.
    let noise = |seed: u8, side: usize, count: usize| {
        let mut state = u64::from(seed) + 1;
        let mut next = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        };
        // In the shades that reports keep.
        Pictures { side, rgb: (0..side * side * count * 3).map(|_| next()).collect() }.coarse()
    };
    let wave = |at: usize, step: f32| (at as f32 * step + f32::from(variant)).sin();
    let direction = |at: usize| {
        let mut row = [0.3 * wave(at, 0.7), 0.3 * wave(at, 1.9), 0.0, 0.0, 0.0];
        row[2 + at % 3] += 1.0;
        let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        row.map(|value| half::f16::from_f32(value / length).to_f32())
    };
    Exhibit {
        classes: Classes { names: (0..10).map(|class| format!("class {class}")).collect(), of: 10 },
        views: SeenViews {
            numbers: (0..6).collect(),
            epoch: 0,
            originals: noise(200, views_side, 6),
            first: noise(variant, views_side, 6),
            second: noise(variant ^ 128, views_side, 6),
        },
        points: Points {
            size: 5,
            features: (0..points).flat_map(direction).collect(),
            labels: Some((0..points).map(|at| (at % 10) as u8).collect()),
        },
        neighbours: Neighbours {
            among: 2048,
            each: 6,
            queries: noise(201, thumb, 8),
            found: noise(variant ^ 64, thumb, 48),
            cosines: (0..48).map(|at| 1.0 - at as f32 / 100.0).collect(),
            labels: Some(NeighbourLabels {
                queries: (0..8).collect(),
                same_class: (0..48).map(|at| (at + usize::from(variant)) % 3 != 0).collect(),
            }),
        },
    }
}

/// The rows with what their trials might have left.
pub(super) fn with_exhibits(gathered: Gathered) -> Gathered {
    with_pictures(gathered, 8)
}

/// Gives each arm views of its own.
pub(super) fn give_arms_views(gathered: &mut Gathered) {
    let mut arms = Vec::new();
    for trial in &mut gathered.trials {
        let Label { arm, axes, .. } = &trial.labels[0];
        if axes.contains_key("batch_size") {
            continue;
        }
        let arm = (arm.clone(), axes.get("augment.remove").cloned());
        let place = arms.iter().position(|known| *known == arm).unwrap_or(arms.len());
        arms.resize(arms.len().max(place + 1), arm);
        let p = (place as f64 + 1.0) / 100.0;
        Arc::make_mut(&mut trial.run.views).t.flip = Some(crate::spec::run::Flip { p });
    }
}

/// The same with pictures of `side` pixels.
pub(super) fn with_pictures(mut gathered: Gathered, side: usize) -> Gathered {
    give_arms_views(&mut gathered);
    let wanted = Wanted::of(&gathered);
    let variant = |key: &TrainKey| wanted.all().iter().position(|other| *other == key);
    let found = wanted.all().into_iter().map(|key| {
        let place = wanted.compared.iter().position(|other| other == key);
        let place = place.or(variant(key)).unwrap_or(0) as u8;
        (key.clone(), Ok(exhibit(place, side, side, 20)))
    });
    gathered.exhibits = exhibits::rows(&wanted, &found.collect());
    gathered
}

/// [`augmentation_sweep`] with names that no label has room for.
pub(super) fn wide_arms() -> Gathered {
    let mut gathered = augmentation_sweep(1);
    gathered.sweep.name = "wide-arms".to_owned();
    for trial in &mut gathered.trials {
        if let Some(name) =
            Arc::make_mut(&mut trial.labels)[0].arm.as_mut().filter(|name| *name != "baseline")
        {
            *name = format!("{name}, then everything else as in the table of the appendix");
        }
    }
    gathered
}

/// Depth of both heads, three seeds; with the deepest of both nothing has come out.
pub(super) fn depth_sweep() -> Gathered {
    let axes = ["projector.depth", "predictor.depth"];
    let mut sample = Sample::new("cifar10-depth", Some("ablation_head_depth"), &axes);
    for seed in 0..3 {
        for projector in 1..=3u32 {
            for predictor in 1..=3u32 {
                let axes = json!({"projector.depth": projector, "predictor.depth": predictor});
                let mut run = run("byol", 256, seed);
                run.projector.hidden = vec![4096; projector as usize - 1];
                if let Some(Predictor::Head(head)) = &mut run.predictor {
                    head.hidden = vec![4096; predictor as usize - 1];
                }
                if projector + predictor == 6 {
                    sample.failed(label(axes), run);
                    continue;
                }
                let (far, aside) = (projector.abs_diff(2), predictor.abs_diff(2));
                let top1 = 0.85 - 0.06 * f64::from(far) - 0.04 * f64::from(aside);
                sample.done(label(axes), run, top1 + 0.005 * (seed as f64 - 1.0));
            }
        }
    }
    sample.0
}

/// The eight corners between BYOL and SimCLR of the paper's Table 5(b), two seeds.
pub(super) fn variants_sweep() -> Gathered {
    let axes = ["predictor.kind", "target", "beta"];
    let mut sample = Sample::new("cifar10-variants", Some("ablation_byol_simclr_variants"), &axes);
    let corners = [
        (true, true, 0.0, 0.88),
        (true, true, 1.0, 0.87),
        (false, true, 1.0, 0.868),
        (false, false, 1.0, 0.86),
        (true, false, 1.0, 0.857),
        (true, false, 0.0, 0.13),
        (false, true, 0.0, 0.12),
        (false, false, 0.0, 0.1),
    ];
    for seed in 0..2 {
        for (predictor, target, beta, top1) in corners {
            let axes = json!({
                "predictor.kind": if predictor { "mlp" } else { "none" },
                "target": if target { "average" } else { "online" },
                "beta": beta,
            });
            let mut run = run("byol", 256, seed);
            if !predictor {
                run.predictor = None;
            }
            if !target {
                run.target = Target::Online;
            }
            if beta == 1.0 {
                run.loss = Loss::NtXent { temperature: 0.1, scale: NtXentScale::InfoNce };
            }
            sample.done(label(axes), run, top1 + 0.006 * seed as f64);
        }
    }
    sample.0
}

/// Sizes of the projection or rates of the optimizer: one setting whose values are numbers.
pub(super) fn rate_sweep() -> Gathered {
    let mut sample =
        Sample::new("cifar10-rate", Some("ablation_weight_decay"), &["optimizer.weight_decay"]);
    for seed in 0..5 {
        for (decay, top1) in [(0.0, 0.84), (1e-7, 0.869), (1e-6, 0.88), (1e-5, 0.876), (1e-4, 0.7)]
        {
            let mut run = run("byol", 256, seed);
            let OptimizerSpec::Lars { weight_decay, .. } = &mut run.optimizer else { continue };
            *weight_decay = decay;
            let noise = [0.001, 0.004, -0.003, -0.012, 0.002][seed as usize];
            sample.done(label(json!({ "optimizer.weight_decay": decay })), run, top1 + noise);
        }
    }
    sample.0
}

/// Many settings of four axes, one seed.
pub(super) fn search_sweep(settings: u32) -> Gathered {
    let axes = ["method", "batch_size", "optimizer.base_lr", "tau_base"];
    let mut sample = Sample::new("search", None, &axes);
    for at in 0..settings {
        let (method, batch_size) = (["byol", "simclr"][at as usize % 2], 64 << (at / 2 % 4));
        let base_lr = [0.1, 0.2, 0.3, 0.5, 1.0][at as usize / 8 % 5];
        let tau = [0.9, 0.99, 0.996][at as usize / 40 % 3];
        let mut axes =
            json!({"method": method, "batch_size": batch_size, "optimizer.base_lr": base_lr});
        let mut run = run(method, batch_size, 0);
        if method == "byol" {
            axes["tau_base"] = json!(tau);
            run.target = Target::Average { tau_base: tau, schedule: TauSchedule::Cosine };
        }
        if let OptimizerSpec::Lars { base_lr: rate, .. } = &mut run.optimizer {
            *rate = base_lr;
        }
        // More settings than the axes have corners.
        tell_apart(&mut run, at as usize / 40);
        let score = 0.8 - 0.2 * (base_lr - 0.3_f64).abs() + 0.01 * f64::from(at % 7);
        sample.done(label(axes), run, score);
    }
    sample.0
}

/// The batch study with what its trials took on a GPU: smaller batches are slower.
pub(super) fn costly_sweep() -> Gathered {
    let gathered = batch_sweep();
    let done = gathered.trials.iter().filter(|trial| trial.state == TrialState::Done);
    let spent = done.map(|trial| SpentOn {
        train_key: trial.train_key.clone(),
        device: "gpu".to_owned(),
        train_s: 600.0 * (1024.0 / f64::from(trial.run.batch_size)).powf(0.4)
            + 30.0 * trial.run.seed as f64,
    });
    let spent = spent.collect();
    gathered.with_spent(spent)
}

/// One of each.
pub(super) fn all() -> Vec<Gathered> {
    vec![
        batch_sweep(),
        tau_sweep(),
        collapsed_sweep(),
        augmentation_sweep(2),
        removal_sweep(),
        wide_sweep(),
        depth_sweep(),
        variants_sweep(),
        rate_sweep(),
        search_sweep(60),
        costly_sweep(),
    ]
}
