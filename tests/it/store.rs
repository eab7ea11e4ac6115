//! The store's contract, held against a store in memory and one on disk; and what only a file can
//! show: versions, readers beside the writer, damage.
#![expect(clippy::unwrap_used, reason = "what tests share is not inside a test function")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use byol_sweep::ids::{AttemptNo, DeviceId, EvalKey, TrainKey};
use byol_sweep::outcome::{FailureReason, Outcome, Verdict};
use byol_sweep::plan::{Label, Plan, PlannedTrial};
use byol_sweep::protocol::{EventLine, Started, WorkerEvent};
use byol_sweep::spec::eval::{EVAL_SEMANTICS, EvalSpec, KnnSpec, LinearSpec};
use byol_sweep::spec::run::{
    DataSpec, EncoderSpec, HeadSpec, Loss, NtXentScale, OptimizerSpec, OutputNorm, Precision,
    RunSpec, SEMANTICS, Source, Target, ViewRecipe, Views,
};
use byol_sweep::spec::sweep::{EarlyStop, Kernels, Resources, SweepMeta};
use byol_sweep::store::rows::{AttemptKind, AttemptRow, EarlyStopRow, TrialState, Wished};
use byol_sweep::store::{DATABASE, Edit, NewAttempt, Store, StoreError};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};

// What tests build on.

fn spec(seed: u64) -> RunSpec {
    let view = ViewRecipe::default();
    RunSpec {
        semantics: SEMANTICS,
        seed,
        data: DataSpec {
            source: Source::Shapes { train: 512, test: 128, side: 32, seed: 0 },
            subset: None,
            image_size: 32,
            mean: [0.5; 3],
            std: [0.25; 3],
        }
        .into(),
        views: Views { t: view.clone(), t_prime: view }.into(),
        encoder: EncoderSpec::Convnet { width: 1.0 },
        projector: HeadSpec {
            hidden: vec![64],
            out: 32,
            output_norm: OutputNorm::BatchNorm,
            lr_multiplier: 1.0,
        },
        predictor: None,
        target: Target::Online,
        loss: Loss::NtXent { temperature: 0.1, scale: NtXentScale::MeanOverViews },
        optimizer: OptimizerSpec::Sgd { base_lr: 0.03, momentum: 0.9, weight_decay: 1e-4 },
        epochs: 2,
        warmup_epochs: 0.0,
        update_batch_size: 64,
        batch_size: 64,
        precision: Precision::Fp32,
    }
}

fn key(seed: u64) -> TrainKey {
    spec(seed).train_key()
}

fn protocol(epochs: u32) -> EvalSpec {
    EvalSpec {
        semantics: EVAL_SEMANTICS,
        data: None,
        knn: KnnSpec { k: 20, temperature: 0.1 },
        linear: LinearSpec { epochs, batch_size: 64, learning_rates: vec![0.1], holdout: 0.1 },
    }
}

fn label(arm: &str) -> Label {
    let axes = [("tau_base".to_owned(), serde_json::json!(0.99))].into();
    Label { arm: Some(arm.into()), published: None, axes }
}

/// A plan whose file is unlike that of other seeds.
fn plan(name: &str, seeds: impl IntoIterator<Item = u64>) -> Plan {
    let trials: Vec<PlannedTrial> = seeds
        .into_iter()
        .zip(1..)
        .map(|(seed, ordinal)| PlannedTrial {
            ordinal,
            train_key: key(seed),
            group_key: spec(seed).group_key(),
            run: spec(seed),
            data_path: None,
            labels: [label(name)].into(),
        })
        .collect();
    let eval = protocol(1);
    Plan {
        meta: SweepMeta {
            resources: Resources { stall_limit: None, ..Resources::default() },
            max_retries: 0,
            checkpoint_every: std::time::Duration::from_secs(60),
            ..SweepMeta::named(name)
        },
        eval_key: eval.eval_key(),
        eval,
        source_toml: format!("name = \"{name}\" # {} trials", trials.len()),
        trials,
        axes: vec!["tau_base".into()],
        steps: vec![],
    }
}

fn eval_key() -> EvalKey {
    protocol(1).eval_key()
}

fn other_eval_key() -> EvalKey {
    protocol(2).eval_key()
}

fn training(seed: u64) -> NewAttempt {
    NewAttempt {
        train_key: key(seed),
        kind: AttemptKind::Train,
        eval_key: eval_key(),
        device: DeviceId::Cuda { index: 1, uuid: "GPU-1".into() },
        threads: 3,
        started_ms: 1_000,
    }
}

fn evaluation(seed: u64, eval_key: EvalKey) -> NewAttempt {
    NewAttempt { kind: AttemptKind::Eval, eval_key, ..training(seed) }
}

fn finished() -> Outcome {
    Outcome::Finished { verdict: Verdict::Healthy }
}

fn failed() -> Outcome {
    Outcome::Failed { reason: FailureReason::Lost, detail: "gone".into() }
}

/// Numbers events from `first` on.
fn lines(first: u64, events: impl IntoIterator<Item = WorkerEvent>) -> Vec<EventLine> {
    events
        .into_iter()
        .zip(first..)
        .map(|(event, seq)| EventLine { seq, at_ms: 5_000 + seq as i64, event })
        .collect()
}

fn metrics(update: u64, name: &str, value: f64) -> WorkerEvent {
    WorkerEvent::Metrics { update, values: [(name.to_owned(), value)].into() }
}

fn evaluated(value: f64) -> WorkerEvent {
    WorkerEvent::Evaluated { values: [("linear_top1".to_owned(), value)].into() }
}

fn note(text: &str) -> WorkerEvent {
    WorkerEvent::Note { text: text.into() }
}

fn weights() -> WorkerEvent {
    WorkerEvent::Artifact {
        artifact: "weights".into(),
        file: "weights.safetensors".into(),
        digest: "d".into(),
    }
}

fn checkpoint(update: u64) -> WorkerEvent {
    WorkerEvent::Checkpointed { update, file: "checkpoint.safetensors".into() }
}

fn started() -> Started {
    Started {
        host: "h".into(),
        pid: 7,
        start_ticks: 8,
        boot_id: "b".into(),
        pid_namespace: None,
        binary: None,
        version: "0".into(),
        libtorch: "2".into(),
        device: "cpu".into(),
        threads: 3,
        kernels: Kernels::Fastest,
        resumed: false,
    }
}

/// Runs an attempt from its row to its outcome, which comes at 3 s.
async fn attempt(
    store: &Store,
    new: NewAttempt,
    events: impl IntoIterator<Item = WorkerEvent>,
    outcome: &Outcome,
) -> AttemptRow {
    let row = store.begin_attempt(new).await.unwrap();
    let lines = lines(1, events);
    store.append(row.id, &lines, 100, lines.len() as u64).await.unwrap();
    store.end_attempt(row.id, outcome, 3_000).await.unwrap();
    row
}

async fn state(store: &Store, seed: u64, eval_key: &EvalKey) -> TrialState {
    store.known(eval_key, &[key(seed)]).await.unwrap()[&key(seed)].state
}

async fn points(store: &Store, metric: &str, seed: u64) -> Vec<(u64, f64)> {
    let series = store.series(metric, &[key(seed)]).await.unwrap();
    series.into_iter().flat_map(|series| series.points).collect()
}

/// Runs each function on an empty store in memory and on one on disk.
macro_rules! contract {
    ($($name:ident)*) => {$(
        mod $name {
            use byol_sweep::store::Store;

            #[tokio::test]
            async fn in_memory() {
                super::$name(Store::in_memory().await.unwrap()).await;
            }

            #[tokio::test]
            async fn on_disk() {
                let folder = tempfile::tempdir().unwrap();
                super::$name(Store::open(folder.path()).await.unwrap()).await;
            }
        }
    )*};
}

contract! {
    an_equal_plan_changes_nothing
    an_edited_plan_orphans_and_never_forgets
    any_change_of_a_plan_is_a_revision
    a_trial_belongs_to_every_sweep_that_asks_for_it
    the_latest_sweep_is_the_one_last_asked_for
    a_plan_larger_than_a_statement_keeps_its_order
    what_is_held_stays_held_until_it_is_released
    a_pardon_lets_a_failed_trial_start_afresh
    tags_come_and_go_and_are_seen_in_order
    a_removed_sweep_is_hidden_and_comes_back_with_all_its_trials
    a_removed_sweep_that_is_run_again_is_restored
    a_trial_has_one_live_attempt_and_rising_numbers
    an_attempt_comes_back_as_it_was_written
    an_outcome_is_final
    appending_again_changes_nothing
    appending_with_a_gap_is_refused
    a_batch_is_stored_whole_or_not_at_all
    states_follow_from_attempts
    a_live_attempt_beats_all_earlier_ones
    what_a_resume_needs_is_known
    a_series_takes_the_highest_attempt_at_each_update
    finals_come_from_finished_attempts_alone
    metric_names_are_those_of_the_trials
    seconds_of_a_trial_are_those_of_all_its_training
    what_workers_say_is_kept
    an_exhibit_is_of_the_newest_attempt_that_evaluated_so
    trials_are_found_by_the_beginning_of_their_key
    a_data_set_has_its_newest_digest
    a_decision_counts_for_its_sweep_and_policy_alone
    what_is_trained_or_alive_is_not_stopped_early
    checkpoints_are_old_once_a_newer_one_or_the_end_is_stored
}

// Plans.

async fn an_equal_plan_changes_nothing(store: Store) {
    let plan = plan("a", [1, 2]);
    let id = store.sync_plan(&plan, 10).await.unwrap();
    let sweep = store.sweep("a").await.unwrap().unwrap();
    let trials = store.trials(&sweep).await.unwrap();
    assert_eq!((sweep.id, sweep.revision, sweep.created_ms), (id, 1, 10));
    assert_eq!(sweep.source_toml, plan.source_toml);
    assert_eq!(sweep.eval_key, plan.eval_key);
    assert_eq!(trials.len(), 2);
    for (row, planned) in trials.iter().zip(&plan.trials) {
        assert_eq!(row.ordinal, planned.ordinal);
        assert_eq!((&row.train_key, &row.group_key), (&planned.train_key, &planned.group_key));
        assert_eq!((&row.run, &row.labels), (&planned.run, &planned.labels));
        assert_eq!((row.state, row.attempts), (TrialState::Pending, 0));
    }

    assert_eq!(store.sync_plan(&plan, 20).await.unwrap(), id);
    assert_eq!(store.sweeps().await.unwrap(), std::slice::from_ref(&sweep));
    assert_eq!(store.trials(&sweep).await.unwrap(), trials);
}

async fn an_edited_plan_orphans_and_never_forgets(store: Store) {
    store.sync_plan(&plan("a", [1, 2]), 10).await.unwrap();
    let first = store.sweep("a").await.unwrap().unwrap();
    attempt(&store, training(1), [metrics(1, "loss", 0.5)], &finished()).await;

    store.sync_plan(&plan("a", [2, 3, 4]), 20).await.unwrap();
    let second = store.sweep("a").await.unwrap().unwrap();
    assert_eq!((second.id, second.revision, second.created_ms), (first.id, 2, 10));
    let keys = |rows: Vec<byol_sweep::store::rows::TrialRow>| {
        rows.into_iter().map(|row| row.train_key).collect::<Vec<_>>()
    };
    assert_eq!(keys(store.trials(&second).await.unwrap()), [key(2), key(3), key(4)]);
    assert_eq!(keys(store.trials(&first).await.unwrap()), [key(1), key(2)]);
    assert_eq!(points(&store, "loss", 1).await, [(1, 0.5)]);

    store.sync_plan(&plan("a", [1, 2]), 30).await.unwrap();
    let third = store.sweep("a").await.unwrap().unwrap();
    assert_eq!(third.revision, 3);
    assert_eq!(store.trials(&third).await.unwrap()[0].state, TrialState::Done);
}

async fn any_change_of_a_plan_is_a_revision(store: Store) {
    let base = plan("a", [1, 2]);
    let mut relabelled = base.clone();
    let labels = &mut relabelled.trials[1].labels;
    *labels = [labels[0].clone(), label("other")].into();
    let mut reordered = base.clone();
    reordered.trials[0].ordinal = 2;
    reordered.trials[1].ordinal = 1;
    let mut judged = base.clone();
    judged.eval_key = other_eval_key();
    let mut commented = base.clone();
    commented.source_toml.push_str("\n# why");
    for (revision, plan) in (1..).zip([base, relabelled, reordered, judged, commented]) {
        store.sync_plan(&plan, 10).await.unwrap();
        let sweep = store.sweep("a").await.unwrap().unwrap();
        assert_eq!(sweep.revision, revision);
        assert_eq!(sweep.eval_key, plan.eval_key);
        let rows = store.trials(&sweep).await.unwrap();
        for planned in plan.trials {
            let row = &rows[planned.ordinal as usize - 1];
            assert_eq!((&row.train_key, &row.labels), (&planned.train_key, &planned.labels));
        }
    }
}

async fn a_trial_belongs_to_every_sweep_that_asks_for_it(store: Store) {
    store.sync_plan(&plan("a", [1, 2]), 10).await.unwrap();
    let mut other = plan("b", [3, 1]);
    other.eval_key = other_eval_key();
    store.sync_plan(&other, 20).await.unwrap();
    attempt(&store, training(1), [], &finished()).await;

    let seen = async |name: &str, row: usize| {
        let sweep = store.sweep(name).await.unwrap().unwrap();
        let row = store.trials(&sweep).await.unwrap().swap_remove(row);
        (row.ordinal, row.labels, row.state, row.attempts)
    };
    assert_eq!(seen("a", 0).await, (1, [label("a")].into(), TrialState::Done, 1));
    assert_eq!(seen("b", 1).await, (2, [label("b")].into(), TrialState::Trained, 1));
}

async fn the_latest_sweep_is_the_one_last_asked_for(store: Store) {
    assert_eq!(store.latest_sweep().await.unwrap(), None);
    for (name, now_ms) in [("a", 10), ("b", 20), ("a", 30)] {
        store.sync_plan(&plan(name, [1]), now_ms).await.unwrap();
        assert_eq!(store.latest_sweep().await.unwrap().unwrap().name, name);
    }
    let names: Vec<_> = store.sweeps().await.unwrap().into_iter().map(|row| row.name).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(store.sweep("c").await.unwrap(), None);
}

async fn a_plan_larger_than_a_statement_keeps_its_order(store: Store) {
    let plan = plan("a", (0..2_500).rev());
    store.sync_plan(&plan, 10).await.unwrap();
    let sweep = store.sweep("a").await.unwrap().unwrap();
    let rows = store.trials(&sweep).await.unwrap();
    assert_eq!(rows.len(), plan.trials.len());
    for (row, planned) in rows.iter().zip(&plan.trials) {
        assert_eq!((row.ordinal, &row.train_key), (planned.ordinal, &planned.train_key));
    }
}

// Wishes.

async fn what_is_held_stays_held_until_it_is_released(store: Store) {
    store.sync_plan(&plan("a", [1, 2]), 10).await.unwrap();
    let hold = Edit::Hold { trials: vec![key(1), key(9)] };
    assert_eq!(store.edit(&hold, 20).await.unwrap(), 1, "what is not there is passed over");
    assert_eq!(store.edit(&hold, 30).await.unwrap(), 0);
    store.sync_plan(&plan("a", [1, 2, 3]), 40).await.unwrap();
    let wished = store.wished(&[key(1), key(2)]).await.unwrap();
    assert_eq!(wished[&key(1)], Wished { held_ms: Some(20), tags: Vec::new() });
    assert_eq!(wished.get(&key(2)), None);
    let known = store.known(&eval_key(), &[key(1)]).await.unwrap();
    assert_eq!(known[&key(1)].held_ms, Some(20));
    let release = Edit::Release { trials: vec![key(1), key(2)] };
    assert_eq!(store.edit(&release, 50).await.unwrap(), 1);
    assert!(store.wished(&[key(1)]).await.unwrap().is_empty());
}

async fn a_pardon_lets_a_failed_trial_start_afresh(store: Store) {
    store.sync_plan(&plan("a", [1, 2]), 10).await.unwrap();
    attempt(&store, training(1), [], &failed()).await;
    let known =
        async || store.known(&eval_key(), &[key(1)]).await.unwrap().remove(&key(1)).unwrap();
    assert_eq!(known().await.state, TrialState::Failed);
    let pardon = Edit::Pardon { trials: vec![key(1), key(2)] };
    assert_eq!(store.edit(&pardon, 20).await.unwrap(), 1, "the other one has no attempt");
    let forgiven = known().await;
    assert_eq!((forgiven.state, forgiven.failures), (TrialState::Stopped, 0));
    assert_eq!(forgiven.attempts, 1, "nothing is rewritten");
    assert_eq!(store.edit(&pardon, 30).await.unwrap(), 0);
    attempt(&store, training(1), [], &failed()).await;
    assert_eq!(known().await.state, TrialState::Failed, "a pardon forgives nothing that follows");
}

async fn tags_come_and_go_and_are_seen_in_order(store: Store) {
    store.sync_plan(&plan("a", [1, 2]), 10).await.unwrap();
    let tag = async |add: &[&str], remove: &[&str]| {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let trials = vec![key(1), key(2)];
        let edit = Edit::Tag { trials, add: names(add), remove: names(remove) };
        store.edit(&edit, 20).await.unwrap()
    };
    assert_eq!(tag(&["paper", "night"], &[]).await, 4);
    assert_eq!(tag(&["paper"], &[]).await, 0);
    assert_eq!(tag(&["best"], &["paper", "none"]).await, 4);
    let wished = store.wished(&[key(2)]).await.unwrap();
    assert_eq!(wished[&key(2)].tags, ["best", "night"]);
}

async fn a_removed_sweep_is_hidden_and_comes_back_with_all_its_trials(store: Store) {
    store.sync_plan(&plan("a", [1]), 10).await.unwrap();
    store.sync_plan(&plan("b", [1, 2]), 20).await.unwrap();
    attempt(&store, training(1), [], &finished()).await;
    let remove = Edit::Remove { sweep: "b".into() };
    assert_eq!(store.edit(&remove, 30).await.unwrap(), 1);
    assert_eq!(store.edit(&remove, 30).await.unwrap(), 0);
    assert_eq!(store.sweep("b").await.unwrap(), None);
    assert_eq!(store.latest_sweep().await.unwrap().unwrap().name, "a", "`@` is one that is seen");
    assert_eq!(store.removed_sweeps().await.unwrap(), ["b"]);
    assert_eq!(store.edit(&Edit::Restore { sweep: "b".into() }, 40).await.unwrap(), 1);
    let sweep = store.sweep("b").await.unwrap().unwrap();
    let states: Vec<_> =
        store.trials(&sweep).await.unwrap().into_iter().map(|trial| trial.state).collect();
    assert_eq!(states, [TrialState::Done, TrialState::Pending]);
    assert!(store.removed_sweeps().await.unwrap().is_empty());
}

async fn a_removed_sweep_that_is_run_again_is_restored(store: Store) {
    store.sync_plan(&plan("a", [1]), 10).await.unwrap();
    store.edit(&Edit::Remove { sweep: "a".into() }, 20).await.unwrap();
    store.sync_plan(&plan("a", [1]), 30).await.unwrap();
    assert_eq!(store.sweep("a").await.unwrap().unwrap().revision, 1);
    store.edit(&Edit::Remove { sweep: "a".into() }, 40).await.unwrap();
    store.sync_plan(&plan("a", [1, 2]), 50).await.unwrap();
    let sweep = store.sweep("a").await.unwrap().unwrap();
    assert_eq!((sweep.revision, store.trials(&sweep).await.unwrap().len()), (2, 2));
}

// Attempts.

async fn a_trial_has_one_live_attempt_and_rising_numbers(store: Store) {
    let unknown = store.begin_attempt(training(1)).await;
    assert!(matches!(unknown, Err(StoreError::NoTrial(trial)) if trial == key(1)));

    store.sync_plan(&plan("a", [1, 2]), 10).await.unwrap();
    for number in 1..=3 {
        let row = store.begin_attempt(training(1)).await.unwrap();
        assert_eq!(row.number, AttemptNo(number));
        let second = store.begin_attempt(evaluation(1, other_eval_key())).await;
        assert!(
            matches!(second, Err(StoreError::AlreadyLive { number: live, .. }) if live == row.number)
        );
        assert_eq!(store.live_attempts().await.unwrap(), std::slice::from_ref(&row));
        store.end_attempt(row.id, &failed(), 2_000).await.unwrap();
    }
    assert_eq!(store.begin_attempt(training(2)).await.unwrap().number, AttemptNo(1));
    assert_eq!(store.attempts(&key(1)).await.unwrap().len(), 3);
}

async fn an_attempt_comes_back_as_it_was_written(store: Store) {
    store.sync_plan(&plan("a", [1]), 10).await.unwrap();
    let row = store.begin_attempt(training(1)).await.unwrap();
    let folder = PathBuf::from("trials").join(key(1).as_str()).join("0001");
    assert_eq!(row.folder, store.state_dir().join(folder));
    assert_eq!(store.attempts(&key(1)).await.unwrap(), std::slice::from_ref(&row));

    store.note_handle(row.id, "{\"pid\":7}").await.unwrap();
    store.append(row.id, &lines(1, [note("a")]), 42, 1).await.unwrap();
    store.end_attempt(row.id, &failed(), 2_000).await.unwrap();
    let ended = AttemptRow {
        handle_json: Some("{\"pid\":7}".into()),
        events_offset: 42,
        events_seq: 1,
        heard_ms: Some(5_001),
        ended_ms: Some(2_000),
        outcome: Some(failed()),
        ..row
    };
    assert_eq!(store.attempts(&key(1)).await.unwrap(), [ended]);
    assert_eq!(store.live_attempts().await.unwrap(), []);
}

async fn an_outcome_is_final(store: Store) {
    store.sync_plan(&plan("a", [1]), 10).await.unwrap();
    let row = attempt(&store, training(1), [], &finished()).await;
    let id = row.id;
    let over = |result| matches!(result, Err(StoreError::AlreadyEnded(attempt)) if attempt == id);
    assert!(over(store.end_attempt(id, &failed(), 4_000).await));
    assert!(over(store.append(id, &lines(1, [note("late")]), 10, 1).await));
    assert!(over(store.note_handle(id, "{}").await));
    let kept = store.attempts(&key(1)).await.unwrap().swap_remove(0);
    assert_eq!(
        (kept.outcome, kept.ended_ms, kept.handle_json),
        (Some(finished()), Some(3_000), None)
    );

    let nowhere = |result| matches!(result, Err(StoreError::NoAttempt(99)));
    assert!(nowhere(store.end_attempt(99, &failed(), 4_000).await));
    assert!(nowhere(store.append(99, &[], 0, 0).await));
    assert!(nowhere(store.note_handle(99, "{}").await));
}

// Events.

async fn appending_again_changes_nothing(store: Store) {
    store.sync_plan(&plan("a", [1]), 10).await.unwrap();
    let id = store.begin_attempt(training(1)).await.unwrap().id;
    let all = lines(
        1,
        [
            WorkerEvent::Started(started()),
            metrics(1, "loss", 0.5),
            note("once"),
            weights(),
            metrics(2, "loss", 0.25),
            note("twice"),
        ],
    );
    store.append(id, &all[..4], 40, 4).await.unwrap();
    store.append(id, &all[..4], 40, 4).await.unwrap();
    store.append(id, &all, 60, 6).await.unwrap();
    store.append(id, &all[..2], 20, 2).await.unwrap();
    store.append(id, &[], 60, 6).await.unwrap();

    assert_eq!(points(&store, "loss", 1).await, [(1, 0.5), (2, 0.25)]);
    let notes: Vec<_> = store.notes(&key(1)).await.unwrap().into_iter().map(|n| n.text).collect();
    assert_eq!(notes, ["once", "twice"]);
    let row = store.attempts(&key(1)).await.unwrap().swap_remove(0);
    assert_eq!((row.events_offset, row.events_seq), (60, 6));
}

async fn appending_with_a_gap_is_refused(store: Store) {
    store.sync_plan(&plan("a", [1]), 10).await.unwrap();
    let id = store.begin_attempt(training(1)).await.unwrap().id;
    store.append(id, &lines(1, [note("1")]), 10, 1).await.unwrap();
    let mut holed = lines(2, [note("2"), note("3")]);
    holed[1].seq = 4;
    for (lines, seq) in [
        (lines(3, [note("3")]), 3),
        (holed, 4),
        // What the caller says of the end is not what the lines say.
        (lines(2, [note("2")]), 5),
        (lines(2, [note("2")]), 1),
        (vec![], 2),
    ] {
        let refused = store.append(id, &lines, 99, seq).await;
        assert!(matches!(refused, Err(StoreError::Gap { expected: 2.., .. })), "{refused:?}");
    }
    assert_eq!(store.notes(&key(1)).await.unwrap().len(), 1);
    assert_eq!(store.attempts(&key(1)).await.unwrap()[0].events_offset, 10);
}

async fn a_batch_is_stored_whole_or_not_at_all(store: Store) {
    store.sync_plan(&plan("a", [1]), 10).await.unwrap();
    let id = store.begin_attempt(training(1)).await.unwrap().id;
    // JSON has no NaN, so no event file can say this; the database refuses it.
    let bad = lines(1, [note("a"), metrics(1, "loss", 0.5), metrics(2, "loss", f64::NAN)]);
    assert!(matches!(store.append(id, &bad, 30, 3).await, Err(StoreError::Query { .. })));
    let far = lines(1, [note("a"), metrics(u64::MAX, "loss", 0.5)]);
    assert!(matches!(store.append(id, &far, 30, 2).await, Err(StoreError::TooLarge { .. })));

    assert_eq!(store.notes(&key(1)).await.unwrap(), []);
    assert_eq!(points(&store, "loss", 1).await, []);
    let good = lines(1, [note("b")]);
    store.append(id, &good, 10, 1).await.unwrap();
    assert_eq!(store.notes(&key(1)).await.unwrap()[0].text, "b");
}

// States.

async fn states_follow_from_attempts(store: Store) {
    use TrialState::{Done, Failed, Pending, Stopped, Trained};
    let stop = Outcome::Stopped;
    let (train, same, other) =
        (training, |seed| evaluation(seed, eval_key()), |seed| evaluation(seed, other_eval_key()));
    type Begin = fn(u64) -> NewAttempt;
    type Case<'a> = (&'a [(Begin, Outcome)], TrialState, TrialState);
    let (train, same, other): (Begin, Begin, Begin) = (train, same, other);
    // Attempts in order; the state by the protocol trained with, and by the other.
    let cases: &[Case<'_>] = &[
        (&[], Pending, Pending),
        (&[(train, stop.clone())], Stopped, Stopped),
        (&[(train, failed())], Failed, Failed),
        (&[(train, failed()), (train, stop.clone())], Stopped, Stopped),
        (&[(train, stop.clone()), (train, failed())], Failed, Failed),
        (&[(train, failed()), (train, finished())], Done, Trained),
        (&[(train, Outcome::Finished { verdict: Verdict::Diverged })], Done, Done),
        (&[(train, Outcome::Finished { verdict: Verdict::Collapsed })], Done, Trained),
        (&[(train, finished()), (other, failed())], Done, Failed),
        (&[(train, finished()), (other, failed()), (other, stop.clone())], Done, Trained),
        (&[(train, failed()), (train, finished()), (other, failed())], Done, Failed),
        (&[(train, finished()), (other, stop)], Done, Trained),
        (&[(train, finished()), (other, finished())], Done, Done),
        (&[(train, finished()), (same, failed())], Done, Trained),
    ];
    store.sync_plan(&plan("a", 0..cases.len() as u64), 10).await.unwrap();
    let sweep = store.sweep("a").await.unwrap().unwrap();
    for (seed, (attempts, expected, expected_by_other)) in (0..).zip(cases) {
        for (begin, outcome) in *attempts {
            attempt(&store, begin(seed), [], outcome).await;
        }
        assert_eq!(state(&store, seed, &eval_key()).await, *expected, "case {seed}");
        assert_eq!(state(&store, seed, &other_eval_key()).await, *expected_by_other, "case {seed}");
    }
    for (row, (attempts, expected, _)) in store.trials(&sweep).await.unwrap().iter().zip(cases) {
        assert_eq!(row.state, *expected);
        assert_eq!(row.attempts as usize, attempts.len());
        assert_eq!(row.failure.is_some(), *expected == Failed);
        assert_eq!(row.verdict.is_some(), *expected == Done);
    }
    assert_eq!(state(&store, 999, &eval_key()).await, Pending);
}

async fn a_live_attempt_beats_all_earlier_ones(store: Store) {
    store.sync_plan(&plan("a", [1]), 10).await.unwrap();
    attempt(&store, training(1), [], &finished()).await;
    store.begin_attempt(evaluation(1, other_eval_key())).await.unwrap();
    for protocol in [eval_key(), other_eval_key()] {
        assert_eq!(state(&store, 1, &protocol).await, TrialState::Running);
    }
}

async fn what_a_resume_needs_is_known(store: Store) {
    store.sync_plan(&plan("a", [1]), 10).await.unwrap();
    let known =
        async || store.known(&eval_key(), &[key(1)]).await.unwrap().remove(&key(1)).unwrap();
    let folder = |number: u32| store.state_dir().join(format!("trials/{}/{number:04}", key(1)));
    assert_eq!(known().await, Default::default());

    attempt(&store, training(1), [checkpoint(10), checkpoint(20)], &failed()).await;
    // It died before its first checkpoint; that of the attempt before stands.
    attempt(&store, NewAttempt { threads: 8, ..training(1) }, [], &failed()).await;
    let now = known().await;
    assert_eq!(now.checkpoint, Some((folder(1).join("checkpoint.safetensors"), 20)));
    assert_eq!((now.threads, now.attempts, now.failures), (Some(3), 2, 2));
    assert_eq!(now.failure, Some((FailureReason::Lost, "gone".into())));
    assert_eq!((now.weights, now.verdict), (None, None));

    attempt(&store, training(1), [checkpoint(30), weights()], &finished()).await;
    attempt(&store, evaluation(1, other_eval_key()), [evaluated(0.5)], &finished()).await;
    let now = known().await;
    assert_eq!(now.checkpoint, Some((folder(3).join("checkpoint.safetensors"), 30)));
    assert_eq!(now.weights, Some(folder(3).join("weights.safetensors")));
    assert_eq!((now.verdict, now.failure, now.failures), (Some(Verdict::Healthy), None, 0));
}

// Results.

async fn an_exhibit_is_of_the_newest_attempt_that_evaluated_so(store: Store) {
    let plan = plan("a", [1, 2]);
    store.sync_plan(&plan, 10).await.unwrap();
    let exhibit = |digest: &str| WorkerEvent::Artifact {
        artifact: "exhibit".into(),
        file: "exhibit.safetensors".into(),
        digest: digest.into(),
    };
    let found = async |key: &TrainKey, eval_key: &EvalKey| {
        store.exhibit(key, eval_key).await.unwrap().map(|row| row.digest)
    };
    attempt(&store, training(1), [exhibit("cut off")], &failed()).await;
    assert_eq!(found(&key(1), &plan.eval_key).await, None);
    attempt(&store, training(1), [weights(), exhibit("trained")], &finished()).await;
    let other = evaluation(1, other_eval_key());
    attempt(&store, other, [exhibit("otherwise")], &finished()).await;
    assert_eq!(found(&key(1), &plan.eval_key).await.as_deref(), Some("trained"));
    assert_eq!(found(&key(1), &other_eval_key()).await.as_deref(), Some("otherwise"));
    let again = evaluation(1, plan.eval_key.clone());
    attempt(&store, again, [exhibit("again")], &finished()).await;
    assert_eq!(found(&key(1), &plan.eval_key).await.as_deref(), Some("again"));
    assert_eq!(found(&key(2), &plan.eval_key).await, None);
}

async fn a_series_takes_the_highest_attempt_at_each_update(store: Store) {
    store.sync_plan(&plan("a", [1, 2, 3]), 10).await.unwrap();
    let first = [(10, 0.9), (20, 0.8), (30, 0.7)].map(|(step, loss)| metrics(step, "loss", loss));
    attempt(&store, training(1), first, &failed()).await;
    let second = [(30, 0.5), (40, 0.4)].map(|(step, loss)| metrics(step, "loss", loss));
    attempt(&store, training(1), second, &finished()).await;
    attempt(&store, training(2), [metrics(1, "loss", 1.0), metrics(1, "loss", 2.0)], &failed())
        .await;

    assert_eq!(points(&store, "loss", 1).await, [(10, 0.9), (20, 0.8), (30, 0.5), (40, 0.4)]);
    assert_eq!(points(&store, "loss", 2).await, [(1, 2.0)]);
    let asked = [key(2), key(3), key(1), key(2)];
    let all = store.series("loss", &asked).await.unwrap();
    let keys: Vec<_> = all.into_iter().map(|series| series.train_key).collect();
    assert_eq!(keys, [key(2), key(1)]);
    assert_eq!(store.series("acc", &asked).await.unwrap(), []);
}

async fn finals_come_from_finished_attempts_alone(store: Store) {
    store.sync_plan(&plan("a", [1, 2, 3]), 10).await.unwrap();
    attempt(&store, training(1), [evaluated(0.1), evaluated(0.2)], &finished()).await;
    attempt(&store, evaluation(1, other_eval_key()), [evaluated(0.3)], &finished()).await;
    attempt(&store, evaluation(1, other_eval_key()), [evaluated(0.4)], &finished()).await;
    attempt(&store, evaluation(1, other_eval_key()), [evaluated(0.5)], &failed()).await;
    attempt(&store, training(2), [evaluated(0.6)], &failed()).await;
    let live = store.begin_attempt(training(3)).await.unwrap();
    store.append(live.id, &lines(1, [evaluated(0.7)]), 10, 1).await.unwrap();

    let asked = [key(3), key(2), key(1)];
    for (protocol, value) in [(eval_key(), 0.2), (other_eval_key(), 0.4)] {
        let finals = store.finals(&protocol, &asked).await.unwrap();
        assert_eq!(finals.len(), 1);
        assert_eq!(finals[0].train_key, key(1));
        assert_eq!(finals[0].values, BTreeMap::from([("linear_top1".to_owned(), value)]));
    }
}

async fn metric_names_are_those_of_the_trials(store: Store) {
    store.sync_plan(&plan("a", [1, 2]), 10).await.unwrap();
    let both = [metrics(1, "tau", 0.5), metrics(1, "loss", 0.5), metrics(2, "loss", 0.5)];
    attempt(&store, training(1), both, &finished()).await;
    attempt(&store, training(2), [metrics(1, "std", 0.5)], &finished()).await;
    assert_eq!(store.metric_names(&[key(1)]).await.unwrap(), ["loss", "tau"]);
    assert_eq!(store.metric_names(&[key(2), key(1)]).await.unwrap(), ["loss", "std", "tau"]);
    assert_eq!(store.metric_names(&[]).await.unwrap(), Vec::<String>::new());
}

async fn seconds_of_a_trial_are_those_of_all_its_training(store: Store) {
    store.sync_plan(&plan("a", [1, 2]), 10).await.unwrap();
    // Each of these takes 2 s.
    attempt(&store, training(1), [], &Outcome::Stopped).await;
    attempt(&store, training(1), [], &finished()).await;
    attempt(&store, evaluation(1, other_eval_key()), [], &finished()).await;
    attempt(&store, training(2), [], &failed()).await;
    let seconds = store.attempt_seconds(&[key(1), key(2), key(1)]).await.unwrap();
    assert_eq!(seconds, [(key(1), 4.0)].into());
}

async fn what_workers_say_is_kept(store: Store) {
    store.sync_plan(&plan("a", [1]), 10).await.unwrap();
    let row = attempt(
        &store,
        training(1),
        [WorkerEvent::Started(started()), note("it's\n\"fine\"")],
        &failed(),
    )
    .await;
    attempt(&store, training(1), [note("again")], &finished()).await;
    assert_eq!(store.started(row.id).await.unwrap(), Some(started()));
    assert_eq!(store.started(row.id + 1).await.unwrap(), None);
    assert_eq!(store.started(99).await.unwrap(), None);
    let notes = store.notes(&key(1)).await.unwrap();
    let said: Vec<_> = notes.iter().map(|n| (n.attempt.0, n.at_ms, n.text.as_str())).collect();
    assert_eq!(said, [(1, 5_002, "it's\n\"fine\""), (2, 5_001, "again")]);
}

async fn trials_are_found_by_the_beginning_of_their_key(store: Store) {
    let mut keys: Vec<TrainKey> = (0..50).map(key).collect();
    keys.sort();
    store.sync_plan(&plan("a", 0..50), 10).await.unwrap();
    for length in [0, 1, 2, 8, 32] {
        let prefix = &keys[20].as_str()[..length];
        let expected: Vec<_> = keys.iter().filter(|k| k.as_str().starts_with(prefix)).collect();
        assert_eq!(store.find_trials(prefix).await.unwrap().iter().collect::<Vec<_>>(), expected);
    }
    for odd in ["%", "_", "zzzz", "' OR 1", "A", "0-", "é"] {
        assert_eq!(store.find_trials(odd).await.unwrap(), [], "{odd}");
    }
}

async fn a_data_set_has_its_newest_digest(store: Store) {
    let path = Path::new("/data/it's here");
    assert_eq!(store.dataset_digest(path).await.unwrap(), None);
    for digest in ["one", "two"] {
        store.note_dataset(path, digest, 10).await.unwrap();
        assert_eq!(store.dataset_digest(path).await.unwrap().as_deref(), Some(digest));
    }
    assert_eq!(store.dataset_digest(Path::new("/data")).await.unwrap(), None);
}

// Files.

async fn raw(state: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(state.join(DATABASE)).connect().await.unwrap()
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str) -> Result<u64, sqlx::Error> {
    Ok(sqlx::query(sql).execute(connection).await?.rows_affected())
}

#[tokio::test]
async fn reopening_keeps_all_even_where_the_folder_moved() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("deep/old"), folder.path().join("new"));
    let store = Store::open(&old).await.unwrap();
    store.sync_plan(&plan("a", [1, 2]), 10).await.unwrap();
    attempt(&store, training(1), [metrics(1, "loss", 0.5), weights()], &finished()).await;
    let live = store.begin_attempt(training(2)).await.unwrap();
    assert!(live.folder.starts_with(&old));
    let before = (store.sweeps().await.unwrap(), points(&store, "loss", 1).await);
    store.close().await;
    std::fs::rename(&old, &new).unwrap();

    let store = Store::open(&new).await.unwrap();
    assert_eq!((store.sweeps().await.unwrap(), points(&store, "loss", 1).await), before);
    let known = store.known(&eval_key(), &[key(1)]).await.unwrap();
    assert!(known[&key(1)].weights.as_ref().unwrap().starts_with(&new));
    assert!(store.live_attempts().await.unwrap()[0].folder.starts_with(&new));
}

#[tokio::test]
async fn readers_see_committed_states_beside_the_writer_and_write_nothing() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Store::open_read_only(folder.path()).await.unwrap().is_none());
    assert!(!folder.path().join(DATABASE).exists());

    let writer = Store::open(folder.path()).await.unwrap();
    let reader = Store::open_read_only(folder.path()).await.unwrap().unwrap();
    assert_eq!(reader.sweeps().await.unwrap(), []);
    writer.sync_plan(&plan("a", [1]), 10).await.unwrap();
    assert_eq!(reader.sweeps().await.unwrap(), writer.sweeps().await.unwrap());
    let refused = reader.sync_plan(&plan("b", [1]), 10).await;
    assert!(matches!(refused, Err(StoreError::NotWritable { .. })), "{refused:?}");
    writer.close().await;
    assert_eq!(reader.sweeps().await.unwrap().len(), 1);
    reader.close().await;
    assert!(Store::open_read_only(folder.path()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_second_writer_waits_for_a_transaction_that_is_open() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let mut other = raw(folder.path()).await;
    execute(&mut other, "BEGIN IMMEDIATE").await.unwrap();
    let plan = plan("a", [1]);
    let (synced, committed) =
        tokio::join!(store.sync_plan(&plan, 10), execute(&mut other, "COMMIT"));
    committed.unwrap();
    synced.unwrap();
}

#[tokio::test]
async fn schemas_of_other_versions_are_refused() {
    let newer = "newer byol-sweep; upgrade";
    let cases = [
        ("UPDATE _sqlx_migrations SET version = version + 1000", newer),
        ("UPDATE _sqlx_migrations SET version = version + 1000 WHERE version = 2", newer),
        ("DELETE FROM _sqlx_migrations WHERE version > 1", "older byol-sweep"),
        ("DELETE FROM _sqlx_migrations WHERE version = 2", "older byol-sweep"),
    ];
    for (change, message) in cases {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        store.sync_plan(&plan("a", [1]), 10).await.unwrap();
        store.close().await;
        execute(&mut raw(folder.path()).await, change).await.unwrap();
        let error = Store::open_read_only(folder.path()).await.unwrap_err().to_string();
        assert!(error.contains(message) && error.contains(DATABASE), "{change}: {error}");
        if message == newer {
            let error = Store::open(folder.path()).await.unwrap_err().to_string();
            assert!(error.contains(message), "{change}: {error}");
        }
    }
}

/// Tables are made one migration after the other, and others may look meanwhile.
#[tokio::test]
async fn a_file_with_some_of_the_tables_and_no_sweep_is_no_database_yet() {
    let folder = tempfile::tempdir().unwrap();
    Store::open(folder.path()).await.unwrap().close().await;
    let change = "DELETE FROM _sqlx_migrations WHERE version > 2";
    execute(&mut raw(folder.path()).await, change).await.unwrap();
    assert!(Store::open_read_only(folder.path()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_file_without_tables_is_no_database_yet() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(DATABASE), "").unwrap();
    assert!(Store::open_read_only(folder.path()).await.unwrap().is_none());
    Store::open(folder.path()).await.unwrap();
    assert!(Store::open_read_only(folder.path()).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_no_database_is_refused_by_name_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(DATABASE);
    let text = "these are my notes\n".repeat(100);
    std::fs::write(&file, &text).unwrap();
    let opened = Store::open(folder.path()).await.map(drop);
    let read = Store::open_read_only(folder.path()).await.map(drop);
    for refused in [opened, read] {
        let error = refused.unwrap_err();
        assert!(matches!(error, StoreError::NotADatabase { .. }), "{error:?}");
        assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn a_state_folder_that_cannot_be_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("taken");
    std::fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("state")).await.unwrap_err();
    assert!(matches!(error, StoreError::Folder { .. }), "{error:?}");
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");

    let state = folder.path().join("state");
    std::fs::create_dir_all(state.join(DATABASE)).unwrap();
    let error = Store::open(&state).await.unwrap_err();
    assert!(matches!(error, StoreError::NotWritable { .. }), "{error:?}");
}

#[tokio::test]
async fn the_database_itself_holds_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    store.sync_plan(&plan("a", [1]), 10).await.unwrap();
    let live = store.begin_attempt(training(1)).await.unwrap();
    store.append(live.id, &lines(1, [metrics(1, "loss", 0.5)]), 10, 1).await.unwrap();

    let mut raw = raw(folder.path()).await;
    for broken in [
        "INSERT INTO attempt (trial_id, kind, eval_key, number, device_json, threads, folder, started_ms)
         SELECT trial_id, kind, eval_key, number + 1, device_json, threads, folder, 0 FROM attempt",
        "UPDATE attempt SET ended_ms = 1",
        "UPDATE attempt SET outcome = 'stopped'",
        "UPDATE attempt SET outcome = 'finished', ended_ms = 1",
        "UPDATE attempt SET outcome = 'failed', ended_ms = 1, detail = 'no reason'",
        "UPDATE attempt SET outcome = 'abducted', ended_ms = 1",
        "UPDATE attempt SET number = 'first'",
        "UPDATE attempt SET kind = 'probe'",
        "UPDATE attempt SET checkpoint_update = 1",
        "UPDATE metric SET attempt_id = 99",
        "UPDATE sweep_trial SET revision = 2",
        "DELETE FROM trial",
        "DELETE FROM attempt",
        "DELETE FROM sweep",
    ] {
        let error = execute(&mut raw, broken).await.unwrap_err();
        let kind = error.as_database_error().unwrap().message().to_owned();
        assert!(kind.contains("constraint") || kind.contains("cannot store"), "{broken}: {kind}");
    }
    execute(&mut raw, "UPDATE attempt SET outcome = 'stopped', ended_ms = 1").await.unwrap();
}

// Early stops and old checkpoints.

const ASHA: EarlyStop = EarlyStop::Asha { min_epochs: 1, reduction: 3 };
const WHY: EarlyStopRow = EarlyStopRow { epoch: 9, value: 0.25, bar: 0.5, at_ms: 7 };

fn with_policy(plan: Plan, policy: Option<EarlyStop>) -> Plan {
    Plan { meta: SweepMeta { early_stop: policy, ..plan.meta }, ..plan }
}

/// What the newest revision of a sweep says of its trials.
async fn seen(store: &Store, sweep: &str) -> Vec<(TrialState, Option<EarlyStopRow>)> {
    let sweep = store.sweep(sweep).await.unwrap().unwrap();
    let trials = store.trials(&sweep).await.unwrap();
    trials.into_iter().map(|trial| (trial.state, trial.early_stop)).collect()
}

async fn a_decision_counts_for_its_sweep_and_policy_alone(store: Store) {
    use TrialState::{Failed, Pending, Pruned};
    store.sync_plan(&with_policy(plan("a", [1, 2, 3]), Some(ASHA)), 1).await.unwrap();
    store.sync_plan(&with_policy(plan("b", [1]), Some(ASHA)), 2).await.unwrap();
    attempt(&store, training(2), [], &failed()).await;
    store.note_early_stops("a", &ASHA, &[key(1), key(2)], WHY).await.unwrap();
    // The first word holds.
    let later = EarlyStopRow { epoch: 27, ..WHY };
    store.note_early_stops("a", &ASHA, &[key(2)], later).await.unwrap();
    let pruned = (Pruned, Some(WHY));
    assert_eq!(seen(&store, "a").await, [pruned, pruned, (Pending, None)]);
    assert_eq!(seen(&store, "b").await, [(Pending, None)]);
    assert_eq!(state(&store, 2, &eval_key()).await, Failed);

    let other = EarlyStop::Asha { min_epochs: 1, reduction: 4 };
    for policy in [None, Some(other)] {
        store.sync_plan(&with_policy(plan("a", [1, 2, 3]), policy), 3).await.unwrap();
        let seen = seen(&store, "a").await;
        assert_eq!(seen, [(Pending, None), (Failed, None), (Pending, None)]);
    }
    // And back: the decision is still there.
    store.sync_plan(&with_policy(plan("a", [1, 2, 3]), Some(ASHA)), 4).await.unwrap();
    assert_eq!(seen(&store, "a").await[0], pruned);
}

async fn what_is_trained_or_alive_is_not_stopped_early(store: Store) {
    use TrialState::{Done, Pruned, Running, Trained};
    store.sync_plan(&with_policy(plan("a", [1, 2, 3, 4]), Some(ASHA)), 1).await.unwrap();
    attempt(&store, training(1), [weights()], &finished()).await;
    let foreign = NewAttempt { eval_key: other_eval_key(), ..training(2) };
    attempt(&store, foreign, [weights()], &finished()).await;
    store.begin_attempt(training(3)).await.unwrap();
    attempt(&store, training(4), [], &Outcome::Stopped).await;
    store.note_early_stops("a", &ASHA, &[1, 2, 3, 4].map(key), WHY).await.unwrap();
    let states: Vec<_> = seen(&store, "a").await.into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, [Done, Trained, Running, Pruned]);
}

async fn checkpoints_are_old_once_a_newer_one_or_the_end_is_stored(store: Store) {
    store.sync_plan(&plan("a", [1, 2]), 1).await.unwrap();
    let old = |trial: Option<u64>| {
        let (store, key) = (&store, trial.map(key));
        async move {
            let old = store.old_checkpoints(key.as_ref()).await.unwrap();
            old.into_iter().map(|old| old.attempt).collect::<Vec<_>>()
        }
    };
    let known = |seed: u64| {
        let store = &store;
        async move {
            store.known(&eval_key(), &[key(seed)]).await.unwrap()[&key(seed)].checkpoint.clone()
        }
    };
    let first = attempt(&store, training(1), [checkpoint(7)], &Outcome::Stopped).await;
    attempt(&store, training(2), [checkpoint(3)], &Outcome::Stopped).await;
    let second = store.begin_attempt(training(1)).await.unwrap();
    assert_eq!(old(None).await, [0; 0], "the second attempt has none of its own");
    store.append(second.id, &lines(1, [checkpoint(9)]), 100, 1).await.unwrap();
    assert_eq!(old(None).await, [first.id]);
    assert_eq!(old(Some(2)).await, [0; 0]);
    let gone = store.old_checkpoints(Some(&key(1))).await.unwrap();
    assert!(gone[0].path.ends_with("0001/checkpoint.safetensors"), "{gone:?}");
    store.note_checkpoints_gone(&gone, 5).await.unwrap();
    assert_eq!(old(None).await, [0; 0]);
    // Whether the second got further is still to be told.
    assert_eq!(store.checkpoint_before(&second).await.unwrap(), Some(7));
    assert_eq!(known(1).await.unwrap().1, 9);

    store.end_attempt(second.id, &finished(), 9).await.unwrap();
    assert_eq!(old(Some(1)).await, [second.id]);
    let gone = store.old_checkpoints(None).await.unwrap();
    store.note_checkpoints_gone(&gone, 5).await.unwrap();
    assert_eq!(known(1).await, None, "nobody is sent to what is gone");
    assert_eq!(known(2).await.unwrap().1, 3);
}

#[tokio::test]
async fn what_attempts_took_is_told_by_kind_and_only_finished_training_predicts() {
    use byol_sweep::plan::cost::DeviceKind;
    use byol_sweep::protocol::{Progress, Stage};

    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    store.sync_plan(&plan("a", [1, 2]), 10).await.unwrap();
    let turn = || {
        let progress = WorkerEvent::Progress(Progress::at(Stage::Evaluate, &spec(1)));
        vec![EventLine { seq: 1, at_ms: 61_000, event: progress }]
    };
    // Interrupted after 9 s, then 60 s to the end of training and 10 s of evaluation.
    let first = store.begin_attempt(training(1)).await.unwrap();
    store.end_attempt(first.id, &Outcome::Stopped, 10_000).await.unwrap();
    let second = store.begin_attempt(training(1)).await.unwrap();
    store.append(second.id, &turn(), 10, 1).await.unwrap();
    assert_eq!(store.past().await.unwrap().len(), 0);
    store.end_attempt(second.id, &finished(), 71_000).await.unwrap();
    let alive = store.begin_attempt(training(2)).await.unwrap();

    let past = store.past().await.unwrap();
    assert_eq!((past[0].runs, past[0].train_s), (1, 69.0));
    assert_eq!((past[0].evaluated, past[0].eval_s), (1, 10.0));
    assert_eq!((past[0].place.kind, past[0].place.threads), (DeviceKind::Gpu, 3));
    assert_eq!(past[0].run, spec(1));
    let times = |spent: &byol_sweep::store::Spent| (spent.train_ms, spent.eval_ms);
    let spent = async || {
        let spent = store.spent(&[key(1), key(2)]).await.unwrap();
        spent.iter().map(times).collect::<Vec<_>>()
    };
    assert_eq!(spent().await, [(69_000, 10_000), (0, 0)], "nothing was heard of the other");
    let said = |seq, at_ms| {
        let event = WorkerEvent::Note { text: "at work".to_owned() };
        [EventLine { seq, at_ms, event }]
    };
    store.append(alive.id, &said(1, 2_000), 10, 1).await.unwrap();
    store.append(alive.id, &said(2, 4_000), 20, 2).await.unwrap();
    assert_eq!(store.live_attempts().await.unwrap()[0].heard_ms, Some(4_000));
    assert_eq!(spent().await, [(69_000, 10_000), (3_000, 0)]);
    store.end_attempt(alive.id, &failed(), 5_000).await.unwrap();
    assert_eq!(store.past().await.unwrap().len(), 1, "what failed predicts nothing");

    // Another seed, trained alike, is summed up with the first.
    let third = store.begin_attempt(training(2)).await.unwrap();
    store.end_attempt(third.id, &finished(), third.started_ms + 31_000).await.unwrap();
    let past = store.past().await.unwrap();
    assert_eq!(past.iter().map(|past| past.runs).collect::<Vec<_>>(), [2]);
    assert_eq!(past[0].train_s, 69.0 + 4.0 + 31.0);
    assert_eq!((past[0].evaluated, past[0].eval_s), (1, 10.0));
}

#[tokio::test]
async fn an_invocation_is_written_with_its_plan_and_only_on_somebodys_behalf() {
    use byol_sweep::provenance::{Provenance, WorkerBinary};

    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    let sweep = store.sync_plan(&plan("a", [1, 2]), 10).await.unwrap();
    let old = store.begin_attempt(training(1)).await.unwrap();
    store.end_attempt(old.id, &finished(), 20).await.unwrap();
    assert_eq!(store.last_invocation(sweep).await.unwrap(), None);
    assert!(store.invocations_of(&key(1)).await.unwrap().is_empty());

    let worker = WorkerBinary { digest: "abc".into(), about: None };
    let made_with = Provenance { worker, host: "here".into(), ..Provenance::default() };
    let store = store.on_behalf_of(made_with.clone());
    store.sync_plan(&plan("a", [1, 2]), 30).await.unwrap();
    let new = store.begin_attempt(training(2)).await.unwrap();
    store.end_attempt(new.id, &finished(), 40).await.unwrap();
    let invocation = store.last_invocation(sweep).await.unwrap().unwrap();
    assert_eq!((invocation.at_ms, &invocation.provenance), (30, &made_with));
    let of_trial = store.invocations_of(&key(2)).await.unwrap();
    assert_eq!(of_trial[&AttemptNo(1)], invocation);
    let used = store.workers_of(&[key(1), key(2)]).await.unwrap();
    assert_eq!(used.iter().map(|used| used.trials).collect::<Vec<_>>(), [1]);
    assert_eq!(store.about("abc").await.unwrap(), None);
    store.note_about("abc", None, 50).await.unwrap();
    assert_eq!(store.about("abc").await.unwrap(), Some(None), "it was asked, and said nothing");
}

#[tokio::test]
async fn an_overview_of_a_sweep_says_what_its_parts_say() {
    use byol_sweep::provenance::{Provenance, WorkerBinary};

    let folder = tempfile::tempdir().unwrap();
    let by = |digest: &str| {
        let worker = WorkerBinary { digest: digest.into(), about: None };
        Provenance { worker, ..Provenance::default() }
    };
    let store = Store::open(folder.path()).await.unwrap().on_behalf_of(by("first"));
    store.sync_plan(&plan("other", [9, 3]), 5).await.unwrap();
    store.sync_plan(&plan("a", [1, 2, 3, 4]), 10).await.unwrap();
    attempt(&store, training(1), [], &Outcome::Stopped).await;
    attempt(&store, training(1), [], &finished()).await;
    attempt(&store, training(9), [], &finished()).await;
    store.close().await;
    let store = Store::open(folder.path()).await.unwrap().on_behalf_of(by("second"));
    store.sync_plan(&plan("a", [1, 2, 3, 4]), 30).await.unwrap();
    attempt(&store, training(3), [], &finished()).await;
    attempt(&store, training(2), [], &failed()).await;
    store.begin_attempt(training(2)).await.unwrap();

    let sweep = store.sweep("a").await.unwrap().unwrap();
    let overview = store.overview(&sweep).await.unwrap();
    assert_eq!(overview.trials, store.trials(&sweep).await.unwrap());
    let keys = [1, 2, 3, 4].map(key);
    let mut spent = store.spent(&keys).await.unwrap();
    let mut shown = overview.spent;
    spent.sort_by(|one, other| one.train_key.cmp(&other.train_key));
    shown.sort_by(|one, other| one.train_key.cmp(&other.train_key));
    assert_eq!((shown.len(), &shown), (3, &spent));
    assert!(shown.iter().all(|spent| spent.train_ms > 0), "{shown:?}");
    assert_eq!(overview.workers, store.workers_of(&keys).await.unwrap());
    let workers = overview.workers.iter().map(|used| (used.worker.digest.as_str(), used.trials));
    assert_eq!(workers.collect::<Vec<_>>(), [("first", 1), ("second", 1)]);
}
