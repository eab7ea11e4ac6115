//! Small rows and plans for the tests of what people see.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use crate::ids::{AttemptNo, DeviceId, EvalKey};
use crate::outcome::{FailureReason, Outcome, Verdict};
use crate::plan::{Facts, Label, Plan, PlannedTrial, RuleCount};
use crate::spec::eval::{EVAL_SEMANTICS, EvalSpec, KnnSpec, LinearSpec};
use crate::spec::run::{
    DataSpec, EncoderSpec, HeadSpec, Loss, Normalization, OptimizerSpec, OutputNorm, Precision,
    Predictor, RunSpec, SEMANTICS, Source, Target, TauSchedule, ViewRecipe, Views,
};
use crate::spec::sweep::{Kernels, Resources, SweepMeta};
use crate::store::rows::{
    AttemptKind, AttemptRow, EarlyStopRow, Finals, SweepRow, TrialRow, TrialState,
};

pub(super) fn run(batch_size: u32, seed: u64) -> RunSpec {
    let head = || HeadSpec {
        hidden: vec![32],
        out: 16,
        output_norm: OutputNorm::None,
        lr_multiplier: 1.0,
    };
    let source = Source::Shapes { train: 512, test: 128, side: 32, seed: 0 };
    RunSpec {
        semantics: SEMANTICS,
        seed,
        data: DataSpec { source, subset: None, image_size: 32, mean: [0.5; 3], std: [0.25; 3] }
            .into(),
        views: Views { t: ViewRecipe::default(), t_prime: ViewRecipe::default() }.into(),
        encoder: EncoderSpec::Convnet { width: 0.25 },
        projector: head(),
        predictor: Some(Predictor::Head(head())),
        target: Target::Average { tau_base: 0.99, schedule: TauSchedule::Cosine },
        loss: Loss::Regression { normalization: Normalization::L2 },
        optimizer: OptimizerSpec::Sgd { base_lr: 0.1, momentum: 0.9, weight_decay: 1e-6 },
        epochs: 3,
        warmup_epochs: 0.0,
        update_batch_size: 128,
        batch_size,
        precision: Precision::Fp32,
    }
}

pub(super) fn eval() -> EvalSpec {
    EvalSpec {
        semantics: EVAL_SEMANTICS,
        data: None,
        knn: KnnSpec { k: 20, temperature: 0.1 },
        linear: LinearSpec { epochs: 5, batch_size: 128, learning_rates: vec![0.1], holdout: 0.1 },
    }
}

fn eval_key() -> EvalKey {
    eval().eval_key()
}

fn label(arm: Option<&str>, batch_size: u32) -> Label {
    let axes = BTreeMap::from([
        ("augment.remove".to_owned(), json!([])),
        ("batch_size".to_owned(), json!(batch_size)),
    ]);
    Label { arm: arm.map(str::to_owned), published: None, axes }
}

pub(super) fn plan() -> Plan {
    let trial = |ordinal, batch_size, labels| {
        let run = run(batch_size, 0);
        let (train_key, group_key) = (run.train_key(), run.group_key());
        PlannedTrial { ordinal, train_key, group_key, run, data_path: None, labels }
    };
    Plan {
        meta: SweepMeta {
            description: "Batch size, and nothing else".into(),
            reproduces: Some("ablation_batch_size".into()),
            resources: Resources { stall_limit: None, ..Resources::default() },
            ..SweepMeta::named("tiny")
        },
        eval: eval(),
        eval_key: eval_key(),
        trials: vec![
            trial(1, 128, [label(Some("baseline"), 128), label(Some("again"), 128)].into()),
            trial(2, 64, [label(Some("baseline"), 64)].into()),
        ],
        axes: vec!["batch_size".into(), "augment.remove".into()],
        steps: vec![
            RuleCount { rule: "grid 1: 2 batch_size x 1 augment.remove".into(), cells: 2 },
            RuleCount { rule: "include 1".into(), cells: 3 },
        ],
        source_toml: String::new(),
    }
}

pub(super) fn sweep() -> SweepRow {
    SweepRow {
        id: 1,
        name: "tiny".into(),
        revision: 1,
        source_toml: String::new(),
        eval_key: eval_key(),
        facts: Facts::from(&plan()),
        created_ms: 0,
    }
}

const EARLY_STOP: EarlyStopRow = EarlyStopRow { epoch: 9, value: 0.312, bar: 0.45, at_ms: 0 };

/// One trial of each state and verdict.
pub(super) fn trials() -> Vec<TrialRow> {
    let states = [
        (TrialState::Done, Some(Verdict::Healthy), None),
        (TrialState::Done, Some(Verdict::Diverged), None),
        (TrialState::Running, None, None),
        (TrialState::Failed, None, Some((FailureReason::OutOfMemory, "CUDA out of memory".into()))),
        (TrialState::Stopped, None, None),
        (TrialState::Pending, None, None),
        (TrialState::Done, Some(Verdict::Collapsed), None),
        (TrialState::Pruned, None, None),
    ];
    let trial = |(place, (state, verdict, failure))| {
        let run = run(128_u32 >> place, 0);
        TrialRow {
            ordinal: place as u32 + 1,
            train_key: run.train_key(),
            group_key: run.group_key(),
            labels: [label(None, run.batch_size)].into(),
            run,
            state,
            attempts: u32::from(state != TrialState::Pending),
            verdict,
            failure,
            early_stop: (state == TrialState::Pruned).then_some(EARLY_STOP),
        }
    };
    states.into_iter().enumerate().map(trial).collect()
}

/// An attempt of a minute on the CPU.
pub(super) fn attempt(trial: &TrialRow, outcome: Option<Outcome>) -> AttemptRow {
    let started_ms = 1_700_000_000_000;
    AttemptRow {
        id: i64::from(trial.ordinal),
        train_key: trial.train_key.clone(),
        kind: AttemptKind::Train,
        eval_key: eval_key(),
        number: AttemptNo(1),
        device: DeviceId::Cpu,
        threads: 2,
        folder: PathBuf::from("trials/x/0001"),
        handle_json: None,
        events_offset: 0,
        events_seq: 0,
        started_ms,
        heard_ms: None,
        ended_ms: outcome.is_some().then_some(started_ms + 60_000),
        outcome,
    }
}

pub(super) fn finals(trial: &TrialRow) -> Finals {
    let values = [("knn_top1", 0.55), ("linear_top1", 0.6125), ("loss", 0.25)];
    let values = values.map(|(name, value)| (name.to_owned(), value));
    Finals { train_key: trial.train_key.clone(), values: values.into() }
}

/// What one attempt was made with.
pub(super) fn origins() -> super::origin::Origins {
    use crate::protocol::Started;
    use crate::provenance::{About, Device, Program, Provenance, WorkerBinary};
    let program = || Program { version: "0.1.0".into(), commit: "0299842aabbc".into() };
    let about =
        About { program: program(), libtorch: "2.11.0+cu130".into(), cuda: Some("13.0".into()) };
    let provenance = Provenance {
        controller: program(),
        worker: WorkerBinary { digest: "c0ffee00".repeat(8), about: Some(about) },
        devices: vec![Device { id: DeviceId::Cpu, model: "A CPU".into(), driver: None }],
        slots: 1,
        threads: 2,
        max_retries: 2,
        host: "here".into(),
        os: "An OS 1".into(),
        kernel: "Linux 6.1".into(),
        argv: vec!["byol-sweep".into(), "run".into(), "tiny".into()],
        data: Vec::new(),
    };
    let started = Started {
        host: "here".into(),
        pid: 7,
        start_ticks: 8,
        boot_id: "b".into(),
        pid_namespace: None,
        version: "0.1.0".into(),
        binary: Some("c0ffee00".repeat(8)),
        libtorch: "2.11.0+cu130".into(),
        device: "A CPU".into(),
        threads: 2,
        kernels: Kernels::Fastest,
        resumed: false,
    };
    let row = crate::store::InvocationRow {
        id: 3,
        sweep: "tiny".into(),
        at_ms: 1_700_000_000_000,
        provenance,
    };
    super::origin::Origins {
        invocations: [(AttemptNo(1), row)].into(),
        started: [(AttemptNo(1), started)].into(),
    }
}
