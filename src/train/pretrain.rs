//! The training loop. Everything that changes is the model, the optimizer and a position; all
//! else is a function of the spec and the update number.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tch::{Device, Kind, Tensor};

use super::StopAt;
use super::checkpoint::{self, Position, State};
use super::clock::Clock;
use super::diagnostics::{self, Embedding};
use super::error::TrainError;
use super::keep::{self, Keeper};
use super::loader::Loader;
use super::memory;
use super::meter::Meter;
use super::method::loss::Pair;
use super::method::{self, Model};
use super::net::{ParamSet, StateError};
use super::optim::{HeadRates, Optimizer};
use super::probe::Probe;
use super::sink::Sink;
use crate::data::Dataset;
use crate::failpoint::{self, Point};
use crate::outcome::Verdict;
use crate::protocol::folder::AttemptFolder;
use crate::protocol::{WorkOrder, WorkerEvent};

/// Before the names of optimizer buffers in a checkpoint, which are those of their parameters.
const MOMENTUM: &str = "momentum.";

/// What a training run is given.
pub struct Run<'a> {
    /// The order.
    pub order: &'a WorkOrder,
    /// Where to compute.
    pub device: Device,
    /// The images, of which the training ones are used.
    pub images: Arc<Dataset>,
    /// Where results go.
    pub folder: &'a AttemptFolder,
    /// Looks at the encoder after each epoch.
    pub probe: &'a Probe,
}

/// How training ended.
pub enum Pretrained {
    /// To the last update; the weights are kept in the folder.
    Trained {
        /// What was trained.
        model: Box<Model>,
        /// Healthy or collapsed.
        verdict: Verdict,
    },
    /// The loss, a weight or a statistic became infinite or NaN.
    Diverged,
    /// On request, after a checkpoint.
    Stopped,
}

/// Trains from the start or from a checkpoint to the last update.
///
/// # Errors
/// Fails when the batch is larger than the data set, when the checkpoint is that of another network,
/// or when a file cannot be read or written. A damaged checkpoint costs what it held: training
/// begins anew, and a note says so.
pub fn pretrain(
    run: &Run<'_>,
    resume: Option<&Path>,
    sink: &mut Sink,
    stop: StopAt<'_>,
) -> Result<Pretrained, TrainError> {
    let spec = &run.order.run;
    let clock = Clock::new(spec, run.images.train.len() as u64)?;
    let mut model = Model::new(spec, run.device, Kind::Float)?;
    let mut optimizer = Optimizer::new(&spec.optimizer, model.online(), HeadRates::of(spec));
    let (mut position, mut state) = (Position::default(), State::new());
    let found = resume.map(|path| (path, checkpoint::resumed(path)));
    let resume = match found {
        None => None,
        Some((path, Ok(known))) => {
            (position, state) = known;
            Some(path)
        }
        Some((_, Err(damaged))) => {
            let text = format!("{damaged}: training begins anew");
            sink.send(WorkerEvent::Note { text })?;
            None
        }
    };
    let mut keeper = Keeper::take_over(run.folder, run.order.retention, &mut state)?;
    if let Some(path) = resume {
        restore(path, state, &mut model, &mut optimizer)?;
    }
    for text in method::describe(spec).into_iter().chain(clock.remainder_note()) {
        sink.send(WorkerEvent::Note { text })?;
    }
    let mut loader = Loader::start(spec, Arc::clone(&run.images), position.update, clock.updates);
    let mut meter = Meter::start();
    let mut saved = Instant::now();
    let checkpoint_every = Duration::from_millis(run.order.checkpoint_every_ms);

    while position.update < clock.updates {
        if stop(position.update) {
            save(run.folder, &whole(&model, &optimizer, position, &keeper), position, sink)?;
            return Ok(Pretrained::Stopped);
        }
        let k = position.update;
        let ends_epoch = clock.ends_epoch(k + 1);
        let watch = if ends_epoch { Watch::Closely } else { Watch::Loss };
        let Updated { loss, seen } =
            update(run, watch, &mut model, &mut optimizer, &mut loader, &clock, k)?;
        position.update += 1;
        if !loss.is_finite() {
            sink.send(WorkerEvent::Note {
                text: format!("the loss is {loss} at update {}: diverged", k + 1),
            })?;
            return Ok(Pretrained::Diverged);
        }
        position.epoch_loss += loss;
        position.epoch_updates += 1;
        meter.count(spec.update_batch_size);
        if meter.is_due() || position.update == clock.updates {
            sink.send(WorkerEvent::Progress(clock.progress(
                position.update,
                Some(loss),
                meter.rate(),
            )))?;
        }
        if ends_epoch {
            let mut values = epoch_values(&clock, k, &position, &meter);
            position.embedding = seen.as_ref().and_then(|seen| seen.embedding);
            values.extend(seen.into_iter().flat_map(|seen| seen.values));
            let top1 = run.probe.look(&model, run.device)?;
            values.extend(top1.map(|top1| ("knn_probe_top1".to_owned(), top1)));
            values.extend(memory::peaks(run.device));
            sink.metrics(position.update, values)?;
            position.epoch_loss = 0.0;
            position.epoch_updates = 0;
            keeper.best(top1, &model, sink)?;
            if let Some(path) = keeper.checkpoint_of(clock.epochs_done(position.update)) {
                let state = whole(&model, &optimizer, position, &keeper);
                keep::write("checkpoint", &path, &state, sink)?;
            }
            meter = Meter::start();
        }
        if saved.elapsed() >= checkpoint_every && position.update < clock.updates {
            save(run.folder, &whole(&model, &optimizer, position, &keeper), position, sink)?;
            saved = Instant::now();
        }
    }
    if !model.encoder_is_finite() {
        let text = "a weight or statistic of the encoder is not finite: diverged".to_owned();
        sink.send(WorkerEvent::Note { text })?;
        return Ok(Pretrained::Diverged);
    }
    // Evaluation may be interrupted or fail: what was trained is kept first.
    save(run.folder, &whole(&model, &optimizer, position, &keeper), position, sink)?;
    keep::write("weights", &run.folder.weights(), &model.encoder_state(), sink)?;
    let verdict = judge(position.embedding, sink)?;
    Ok(Pretrained::Trained { model: Box::new(model), verdict })
}

/// How closely to look at an update.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watch {
    /// At its loss.
    Loss,
    /// At its projections and gradients too.
    Closely,
}

/// What an update did.
struct Updated {
    /// Mean over its images.
    loss: f64,
    /// What was seen beyond the loss, where that was asked for.
    seen: Option<Seen>,
}

/// What was seen of an update beyond its loss.
struct Seen {
    embedding: Option<Embedding>,
    values: BTreeMap<String, f64>,
}

/// One update: gradients averaged over the batches, one optimizer step, one target update with
/// the new weights.
fn update(
    run: &Run<'_>,
    watch: Watch,
    model: &mut Model,
    optimizer: &mut Optimizer,
    loader: &mut Loader,
    clock: &Clock,
    k: u64,
) -> Result<Updated, TrainError> {
    let parts = run.order.run.accumulation();
    optimizer.zero_grad();
    let mut total = Tensor::zeros([], (Kind::Float, run.device));
    let mut projections: Vec<Pair> = Vec::new();
    for _ in 0..parts {
        let [view, view_prime] = loader.next(run.device)?;
        let forward = model.forward(&view, &view_prime);
        let loss = forward.loss / f64::from(parts);
        loss.backward();
        total += loss.detach();
        match watch {
            Watch::Loss => {}
            Watch::Closely => projections.push(forward.projections),
        }
    }
    // The step adds the weight decay to the gradients.
    let seen = match watch {
        Watch::Loss => None,
        Watch::Closely => Some(tch::no_grad(|| see(&projections, model.online()))?),
    };
    optimizer.step(clock.learning_rate(k));
    if let Some(tau) = clock.tau(k) {
        model.update_target(tau);
    }
    Ok(Updated { loss: f64::try_from(&total)?, seen })
}

/// Measures the projections of an update, batch by batch, and the gradients that they led to.
fn see(projections: &[Pair], online: &ParamSet) -> Result<Seen, TrainError> {
    let whole = |of: fn(&Pair) -> &Tensor| {
        Tensor::f_cat(&projections.iter().map(of).collect::<Vec<_>>(), 0)?.f_to_kind(Kind::Float)
    };
    let (first, second) = (whole(|pair| &pair.first)?, whole(|pair| &pair.second)?);
    let weights: Vec<Tensor> = online.trainable().into_iter().map(|p| p.tensor).collect();
    let gradients: Vec<Tensor> = weights.iter().map(Tensor::grad).filter(Tensor::defined).collect();
    let embedding = Embedding::of(&first)?;
    let (rows, dimensions) = first.size2()?;
    let values = [
        ("embedding_std_relative", embedding.std_relative),
        ("effective_rank", embedding.effective_rank),
        ("alignment", diagnostics::alignment(&first, &second)?),
        ("uniformity", diagnostics::uniformity(&first)?),
        ("projection_norm", diagnostics::mean_norm(&first)?),
        ("gradient_norm", diagnostics::norm(&gradients)?),
        ("weight_norm", diagnostics::norm(&weights)?),
    ];
    Ok(Seen {
        embedding: embedding.judged(rows, dimensions),
        values: values.map(|(name, value)| (name.to_owned(), value)).into(),
    })
}

/// Returns what an epoch was, before anything looks at the encoder that it led to.
fn epoch_values(
    clock: &Clock,
    k: u64,
    position: &Position,
    meter: &Meter,
) -> BTreeMap<String, f64> {
    let mut values = BTreeMap::from([
        ("loss".to_owned(), position.epoch_loss / position.epoch_updates as f64),
        ("lr".to_owned(), clock.learning_rate(k)),
        ("images_per_s".to_owned(), meter.total_rate()),
    ]);
    values.extend(clock.tau(k).map(|tau| ("tau".to_owned(), tau)));
    values
}

/// Judges the last embedding; a collapse is noted with its numbers.
fn judge(embedding: Option<Embedding>, sink: &mut Sink) -> Result<Verdict, TrainError> {
    let Some(embedding) = embedding else { return Ok(Verdict::Healthy) };
    let verdict = diagnostics::judge_embedding(embedding);
    if verdict == Verdict::Collapsed {
        let Embedding { std_relative, effective_rank } = embedding;
        let text = format!(
            "collapsed: at the end embedding_std_relative is {std_relative:.3} (below {} is a collapse), effective_rank {effective_rank:.2} (below {})",
            diagnostics::COLLAPSED_STD,
            diagnostics::COLLAPSED_RANK
        );
        sink.send(WorkerEvent::Note { text })?;
    }
    Ok(verdict)
}

/// Returns all that a resume goes on from.
fn whole(model: &Model, optimizer: &Optimizer, position: Position, keeper: &Keeper<'_>) -> State {
    let mut state: State = model.state();
    let momenta = optimizer.state().into_iter();
    state.extend(momenta.map(|(name, tensor)| (format!("{MOMENTUM}{name}"), tensor)));
    state.push(checkpoint::position_entry(position));
    state.extend(keeper.entry());
    state
}

fn save(
    folder: &AttemptFolder,
    state: &State,
    position: Position,
    sink: &mut Sink,
) -> Result<(), TrainError> {
    // Metrics first: a resume would not make again those of updates before its checkpoint.
    sink.sync()?;
    checkpoint::write(&folder.checkpoint(), state)?;
    failpoint::reach(Point::CheckpointRenamed);
    let file = folder.checkpoint().file_name().map(Into::into).unwrap_or_default();
    sink.send(WorkerEvent::Checkpointed { update: position.update, file })?;
    failpoint::reach(Point::CheckpointTold);
    Ok(())
}

/// Gives model and optimizer what `path` holds beside the position.
fn restore(
    path: &Path,
    state: State,
    model: &mut Model,
    optimizer: &mut Optimizer,
) -> Result<(), TrainError> {
    let misfit = |error: StateError| TrainError::Checkpoint {
        path: path.to_owned(),
        problem: error.to_string(),
    };
    let (momenta, networks): (State, State) =
        state.into_iter().partition(|(name, _)| name.starts_with(MOMENTUM));
    let unprefixed = |(name, tensor): (String, Tensor)| (name[MOMENTUM.len()..].to_owned(), tensor);
    model.load_state(&networks).map_err(misfit)?;
    optimizer.load_state(&momenta.into_iter().map(unprefixed).collect::<State>()).map_err(misfit)
}
