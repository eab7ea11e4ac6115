//! The training loop. Everything that changes is the model, the optimizer and a position; all
//! else is a function of the spec and the update number.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tch::{Device, Kind, Tensor};

use super::StopAt;
use super::checkpoint::{self, Position, State};
use super::error::TrainError;
use super::loader::Loader;
use super::method::{self, Model};
use super::net::StateError;
use super::optim::schedule;
use super::optim::{HeadRates, Optimizer};
use super::sink::Sink;
use crate::data::Dataset;
use crate::protocol::folder::AttemptFolder;
use crate::protocol::{Progress, Stage, WorkOrder, WorkerEvent};
use crate::spec::run::{RunSpec, Target};

/// Least time between two progress lines.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

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
}

/// How training ended.
pub enum Pretrained {
    /// To the last update; the weights are kept in the folder.
    Trained(Box<Model>),
    /// The loss, a weight or a statistic became infinite or NaN.
    Diverged,
    /// On request, after a checkpoint.
    Stopped,
}

/// Trains from the start or from a checkpoint to the last update.
///
/// # Errors
/// Fails when the batch is larger than the data set, when the checkpoint does not fit, or when a
/// file cannot be read or written.
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
    let mut position = Position::default();
    if let Some(path) = resume {
        position = restore(path, &mut model, &mut optimizer)?;
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
            save(run.folder, &model, &optimizer, position, sink)?;
            return Ok(Pretrained::Stopped);
        }
        let k = position.update;
        let loss = update(spec, &mut model, &mut optimizer, &mut loader, &clock, k, run.device)?;
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
        if clock.ends_epoch(position.update) {
            sink.metrics(position.update, clock.epoch_values(k, &position, &meter))?;
            position.epoch_loss = 0.0;
            position.epoch_updates = 0;
            meter = Meter::start();
        }
        if saved.elapsed() >= checkpoint_every && position.update < clock.updates {
            save(run.folder, &model, &optimizer, position, sink)?;
            saved = Instant::now();
        }
    }
    if !model.encoder_is_finite() {
        let text = "a weight or statistic of the encoder is not finite: diverged".to_owned();
        sink.send(WorkerEvent::Note { text })?;
        return Ok(Pretrained::Diverged);
    }
    // Evaluation may be interrupted or fail: what was trained is kept first.
    save(run.folder, &model, &optimizer, position, sink)?;
    keep_weights(run.folder, &model, sink)?;
    Ok(Pretrained::Trained(Box::new(model)))
}

/// One update: gradients averaged over the batches, one optimizer step, one target update with
/// the new weights. Returns the mean loss.
fn update(
    spec: &RunSpec,
    model: &mut Model,
    optimizer: &mut Optimizer,
    loader: &mut Loader,
    clock: &Clock,
    k: u64,
    device: Device,
) -> Result<f64, TrainError> {
    let parts = spec.accumulation();
    optimizer.zero_grad();
    let mut total = Tensor::zeros([], (Kind::Float, device));
    for _ in 0..parts {
        let [view, view_prime] = loader.next(device)?;
        let loss = model.loss(&view, &view_prime) / f64::from(parts);
        loss.backward();
        total += loss.detach();
    }
    optimizer.step(clock.learning_rate(k));
    if let Some(tau) = clock.tau(k) {
        model.update_target(tau);
    }
    Ok(f64::try_from(&total)?)
}

fn save(
    folder: &AttemptFolder,
    model: &Model,
    optimizer: &Optimizer,
    position: Position,
    sink: &mut Sink,
) -> Result<(), TrainError> {
    let mut state: State = model.state();
    let momenta = optimizer.state().into_iter();
    state.extend(momenta.map(|(name, tensor)| (format!("{MOMENTUM}{name}"), tensor)));
    state.push(checkpoint::position_entry(position));
    // Metrics first: a resume would not make again those of updates before its checkpoint.
    sink.sync()?;
    checkpoint::write(&folder.checkpoint(), &state)?;
    let file = folder.checkpoint().file_name().map(Into::into).unwrap_or_default();
    Ok(sink.send(WorkerEvent::Checkpointed { update: position.update, file })?)
}

fn restore(
    path: &Path,
    model: &mut Model,
    optimizer: &mut Optimizer,
) -> Result<Position, TrainError> {
    let mut state = checkpoint::read(path)?;
    let position = checkpoint::take_position(path, &mut state)?;
    let misfit = |error: StateError| TrainError::Checkpoint {
        path: path.to_owned(),
        problem: error.to_string(),
    };
    let (momenta, networks): (State, State) =
        state.into_iter().partition(|(name, _)| name.starts_with(MOMENTUM));
    let unprefixed = |(name, tensor): (String, Tensor)| (name[MOMENTUM.len()..].to_owned(), tensor);
    model.load_state(&networks).map_err(misfit)?;
    optimizer
        .load_state(&momenta.into_iter().map(unprefixed).collect::<State>())
        .map_err(misfit)?;
    Ok(position)
}

fn keep_weights(folder: &AttemptFolder, model: &Model, sink: &mut Sink) -> Result<(), TrainError> {
    let path = folder.weights();
    checkpoint::write(&path, &model.encoder_state())?;
    let bytes = std::fs::read(&path).map_err(|source| TrainError::File {
        doing: "read",
        path: path.clone(),
        source,
    })?;
    let file = path.file_name().map(Into::into).unwrap_or_default();
    let digest = blake3::hash(&bytes).to_hex().to_string();
    Ok(sink.send(WorkerEvent::Artifact { artifact: "weights".into(), file, digest })?)
}

/// Schedules of a run: pure functions of the update number.
struct Clock {
    spec: RunSpec,
    images: u64,
    updates: u64,
    warmup: u64,
}

impl Clock {
    fn new(spec: &RunSpec, images: u64) -> Result<Self, TrainError> {
        let need = u64::from(spec.update_batch_size);
        let updates = spec.updates(images);
        if need > images || updates == 0 {
            return Err(TrainError::Rejected(format!(
                "update_batch_size = {need} is larger than the {images} training images of {}: lower it or raise data.train_limit",
                spec.data.source.name()
            )));
        }
        let warmup = (spec.warmup_epochs * images as f64 / need as f64) as u64;
        Ok(Self { spec: spec.clone(), images, updates, warmup })
    }

    fn learning_rate(&self, k: u64) -> f64 {
        let peak = schedule::peak_learning_rate(&self.spec.optimizer, self.spec.update_batch_size);
        schedule::learning_rate(k, self.updates, self.warmup, peak)
    }

    fn tau(&self, k: u64) -> Option<f64> {
        match self.spec.target {
            Target::Average { tau_base, schedule } => {
                Some(schedule::tau(k, self.updates, tau_base, schedule))
            }
            Target::Online => None,
        }
    }

    /// Returns the epoch, from 1, in which the last of the images of `update` updates stood.
    fn epoch(&self, update: u64) -> u32 {
        let seen = update * u64::from(self.spec.update_batch_size);
        (seen.div_ceil(self.images).max(1) as u32).min(self.spec.epochs)
    }

    /// Returns whether after `update` updates another epoch begins, or training ends.
    fn ends_epoch(&self, update: u64) -> bool {
        let seen = |update: u64| update * u64::from(self.spec.update_batch_size) / self.images;
        seen(update) > seen(update - 1) || update == self.updates
    }

    fn remainder_note(&self) -> Option<String> {
        let left = self.images % u64::from(self.spec.update_batch_size);
        (left > 0).then(|| {
            format!(
                "{} images do not divide into updates of {}: the stream of images is continuous, the update at an epoch's end takes its last images from the next epoch",
                self.images, self.spec.update_batch_size
            )
        })
    }

    fn progress(&self, update: u64, loss: Option<f64>, images_per_s: f64) -> Progress {
        Progress {
            stage: Stage::Train,
            update,
            updates: self.updates,
            epoch: self.epoch(update),
            epochs: self.spec.epochs,
            loss,
            images_per_s,
        }
    }

    fn epoch_values(&self, k: u64, position: &Position, meter: &Meter) -> BTreeMap<String, f64> {
        let loss = position.epoch_loss / position.epoch_updates as f64;
        let mut values = BTreeMap::from([
            ("loss".to_owned(), loss),
            ("lr".to_owned(), self.learning_rate(k)),
            ("images_per_s".to_owned(), meter.total_rate()),
        ]);
        values.extend(self.tau(k).map(|tau| ("tau".to_owned(), tau)));
        values
    }
}

/// Counts images against the clock on the wall.
struct Meter {
    since: Instant,
    images: u64,
    reported: Instant,
    images_reported: u64,
}

impl Meter {
    fn start() -> Self {
        let now = Instant::now();
        Self { since: now, images: 0, reported: now, images_reported: 0 }
    }

    fn count(&mut self, images: u32) {
        self.images += u64::from(images);
    }

    fn is_due(&self) -> bool {
        self.reported.elapsed() >= PROGRESS_EVERY
    }

    /// Returns images a second since the last call.
    fn rate(&mut self) -> f64 {
        let rate =
            (self.images - self.images_reported) as f64 / self.reported.elapsed().as_secs_f64();
        self.reported = Instant::now();
        self.images_reported = self.images;
        rate
    }

    /// Returns images a second since the start.
    fn total_rate(&self) -> f64 {
        self.images as f64 / self.since.elapsed().as_secs_f64()
    }
}
