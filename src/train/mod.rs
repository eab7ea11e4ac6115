//! One attempt, whole: images, batch, update, log, checkpoint, evaluation. The only code that
//! names libtorch. Knows nothing of the store, of other attempts or of why it is run.

pub mod arrays;
pub mod checkpoint;
mod clock;
pub mod diagnostics;
pub mod error;
pub mod eval;
pub mod evaluate;
pub mod exhibit;
pub mod features;
mod keep;
pub mod lineage;
pub mod loader;
mod memory;
mod meter;
pub mod method;
pub mod native;
pub mod net;
pub mod optim;
pub mod poll;
pub mod pretrain;
pub mod probe;
pub mod sink;
pub mod stream;

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tch::{Device, Kind};

use crate::data::{self, Dataset};
use crate::outcome::Verdict;
use crate::protocol::folder::AttemptFolder;
use crate::protocol::{End, Progress, Stage, Work, WorkDevice, WorkOrder, WorkerEvent};
use crate::spec::run::{DataSpec, Precision};
use crate::spec::sweep::KeepExhibit;
use error::TrainError;
use evaluate::LabelledImages;
use exhibit::Subject;
use method::Model;
use poll::Poll;
use pretrain::{Pretrained, Run};
use probe::Probe;
use sink::Sink;

/// An evaluation that goes on for long says so this often: who is silent is taken to hang.
const SIGN_OF_LIFE: Duration = Duration::from_mins(1);

/// Asked before each update, while images are loaded and between the steps of the evaluation, with
/// the number of updates done: whether to write a checkpoint and go.
pub type StopAt<'a> = &'a dyn Fn(u64) -> bool;

/// Does what an order asks for. The last word is the caller's to send.
///
/// # Errors
/// Fails when images, checkpoint or folder do not serve, or when libtorch refuses an operation
/// that can refuse; other refusals of libtorch panic and are caught by the worker's `main`.
pub fn attempt(
    order: &WorkOrder,
    folder: &AttemptFolder,
    sink: &mut Sink,
    stop: StopAt<'_>,
) -> Result<End, TrainError> {
    match work(order, folder, sink, stop) {
        Err(error) if error.is_interruption() => Ok(End::Stopped),
        ended => ended,
    }
}

fn work(
    order: &WorkOrder,
    folder: &AttemptFolder,
    sink: &mut Sink,
    stop: StopAt<'_>,
) -> Result<End, TrainError> {
    let device = match order.device {
        WorkDevice::Cpu => Device::Cpu,
        WorkDevice::Cuda if tch::Cuda::is_available() => Device::Cuda(0),
        WorkDevice::Cuda => {
            return Err(TrainError::Rejected(
                "CUDA is not available to this worker: it needs the CUDA build of libtorch and a driver".into(),
            ));
        }
    };
    sink.send(WorkerEvent::Progress(Progress::at(Stage::Load, &order.run)))?;
    let set = Arc::new(training_set(&order.run.data, order.data_path.as_deref())?);
    // There is nothing to keep yet; what a resume starts from stays where it is.
    let loading = || stop(0);
    let loading = Poll::until(&loading);
    loading.check()?;
    let eval_set = match &order.eval.data {
        Some(source) => Some(data::load(source, order.eval_data_path.as_deref())?),
        None => None,
    };
    let eval_data = match &order.eval.data {
        Some(source) => {
            let trained_on = DataSpec::clone(&order.run.data);
            Arc::new(DataSpec { source: source.clone(), subset: None, ..trained_on })
        }
        None => order.run.data.clone(),
    };
    // Before training, so that hours are not spent on a set that cannot be evaluated.
    let labelled = LabelledImages::new(eval_set.as_ref().unwrap_or(set.as_ref()), &eval_data)?;

    loading.check()?;
    let (model, verdict) = match &order.work {
        Work::Train { resume } => {
            let probe = Probe::of(&set.train, &order.run.data, order.eval.knn)?;
            let run = Run { order, device, images: Arc::clone(&set), folder, probe: &probe };
            native::allow_tf32(match order.run.precision {
                Precision::Fp32 | Precision::Bf16 => false,
                Precision::Tf32 => true,
            });
            let trained = pretrain::pretrain(&run, resume.as_deref(), sink, stop)?;
            // Evaluation is float32 always.
            native::allow_tf32(false);
            match trained {
                Pretrained::Stopped => return Ok(End::Stopped),
                Pretrained::Diverged => return Ok(End::Finished { verdict: Verdict::Diverged }),
                Pretrained::Trained { model, verdict } => (*model, verdict),
            }
        }
        Work::Evaluate { weights } => {
            let mut model = Model::new(&order.run, device, Kind::Float)?;
            let misfit = |error: net::StateError| TrainError::Checkpoint {
                path: weights.clone(),
                problem: error.to_string(),
            };
            model.load_encoder(&checkpoint::read(weights)?).map_err(misfit)?;
            // What the training turned out to be, its own attempt has said.
            (model, Verdict::Healthy)
        }
    };
    // The weights are kept: what is stopped from here on is evaluated again, not trained again.
    let updates = order.run.updates(set.train.len() as u64);
    let evaluating = WorkerEvent::Progress(Progress::at(Stage::Evaluate, &order.run));
    sink.send(evaluating.clone())?;
    let told = RefCell::new((Instant::now(), &mut *sink));
    let over = || {
        let (last, sink) = &mut *told.borrow_mut();
        if last.elapsed() >= SIGN_OF_LIFE {
            *last = Instant::now();
            // A folder that takes no line any more fails at the results, which are worth an error.
            let _ = sink.send(evaluating.clone());
        }
        stop(updates)
    };
    let poll = Poll::until(&over);
    poll.check()?;
    let seed = order.run.seed;
    let mut values = evaluate::encoder(&model, &labelled, &order.eval, seed, device, "", poll)?;
    values.extend(evaluate::floor(&order.run, &labelled, &order.eval, device, poll)?);
    told.borrow_mut().1.send(WorkerEvent::Evaluated { values })?;
    match order.retention.exhibit {
        KeepExhibit::No => {}
        KeepExhibit::Yes => {
            let subject = Subject {
                run: &order.run,
                trained_on: &set.train,
                judged_on: eval_set.as_ref().unwrap_or(set.as_ref()),
                seen_as: &eval_data,
                model: &model,
                device,
            };
            let made = exhibit::attempted(|| exhibit::of(subject, poll));
            exhibit::leave(made, folder, sink)?;
        }
    }
    Ok(End::Finished { verdict })
}

/// Loads the data set of a training spec, its training images cut to the subset.
fn training_set(spec: &DataSpec, path: Option<&Path>) -> Result<Dataset, TrainError> {
    let mut set = data::load(&spec.source, path)?;
    if let Some(subset) = spec.subset {
        let kept = data::subset(&set.train, subset)?;
        set.train = set.train.select(&kept)?;
    }
    Ok(set)
}
