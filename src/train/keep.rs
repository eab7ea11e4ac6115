//! What stays of a training: the encoder after its last update, and what the order asks for beside
//! it. Every file is named by what it is, and told as an artifact once it is whole on disk.

use std::path::{Path, PathBuf};

use tch::{Kind, Tensor};

use super::checkpoint::{self, State};
use super::error::TrainError;
use super::method::Model;
use super::sink::Sink;
use crate::protocol::WorkerEvent;
use crate::protocol::folder::AttemptFolder;
use crate::spec::sweep::{KeepBest, Retention};

/// Name of the best accuracy so far beside the tensors of a checkpoint.
const BEST: &str = "best";

/// Keeps what an order asks for, epoch by epoch.
pub(super) struct Keeper<'a> {
    folder: &'a AttemptFolder,
    retention: Retention,
    /// Highest accuracy of the probe so far, earlier attempts included.
    best: Option<f64>,
}

impl<'a> Keeper<'a> {
    /// Goes on from the state of a checkpoint, and takes out what is its own; an empty state is the
    /// start of training.
    pub(super) fn take_over(
        folder: &'a AttemptFolder,
        retention: Retention,
        state: &mut State,
    ) -> Result<Self, TrainError> {
        let mut best = None;
        if let Some(index) = state.iter().position(|(name, _)| name == BEST) {
            let (_, tensor) = state.swap_remove(index);
            best = Some(f64::try_from(&tensor.to_kind(Kind::Double))?);
        }
        Ok(Self { folder, retention, best })
    }

    /// Returns what a checkpoint must hold for a resume to keep the same files.
    pub(super) fn entry(&self) -> Option<(String, Tensor)> {
        self.best.map(|best| (BEST.to_owned(), Tensor::from(best)))
    }

    /// Keeps the encoder where the probe likes it better than all before.
    pub(super) fn best(
        &mut self,
        top1: Option<f64>,
        model: &Model,
        sink: &mut Sink,
    ) -> Result<(), TrainError> {
        match self.retention.best {
            KeepBest::No => return Ok(()),
            KeepBest::Yes => {}
        }
        let Some(top1) = top1.filter(|top1| self.best.is_none_or(|best| *top1 > best)) else {
            return Ok(());
        };
        self.best = Some(top1);
        write("best", &self.folder.best(), &model.encoder_state(), sink)
    }

    /// Returns where to keep a checkpoint of that epoch, if it is one of those.
    pub(super) fn checkpoint_of(&self, epoch: u32) -> Option<PathBuf> {
        let every = self.retention.every_epochs?;
        epoch.is_multiple_of(every.get()).then(|| self.folder.checkpoint_of(epoch))
    }
}

/// Writes a file to keep and tells of it.
pub(super) fn write(
    artifact: &str,
    path: &Path,
    state: &State,
    sink: &mut Sink,
) -> Result<(), TrainError> {
    checkpoint::write(path, state)?;
    let digest = digest(path).map_err(|source| TrainError::File {
        doing: "read",
        path: path.to_owned(),
        source,
    })?;
    let file = path.file_name().map(Into::into).unwrap_or_default();
    Ok(sink.send(WorkerEvent::Artifact { artifact: artifact.into(), file, digest })?)
}

fn digest(path: &Path) -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(std::fs::File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}
