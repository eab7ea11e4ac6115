//! Saving and restoring all that a bit-exact resume needs: weights, target, BatchNorm statistics,
//! optimizer buffers, and how far training is. Random state needs no saving: every draw is a
//! function of its coordinates.

use std::fs::{self, File};
use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::error::TrainError;

/// Named tensors of a model or an optimizer.
pub type State = Vec<(String, Tensor)>;

/// How far training is, apart from tensors of the model.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Position {
    /// Updates done.
    pub update: u64,
    /// Sum of the losses of the epoch in progress.
    pub epoch_loss: f64,
    /// Updates in that sum.
    pub epoch_updates: u64,
}

const POSITION: &str = "position";

/// Writes tensors as safetensors: aside, synced, renamed.
///
/// # Errors
/// Fails when the disk is full or the folder is not writable; the former file is then still whole,
/// and no part of the new one takes up room.
pub fn write(path: &Path, tensors: &State) -> Result<(), TrainError> {
    let aside = path.with_extension("tmp.safetensors");
    let written = write_by_way_of(&aside, path, tensors);
    if written.is_err() {
        // It may not be there at all; what failed first is what counts.
        let _ = fs::remove_file(&aside);
    }
    written
}

fn write_by_way_of(aside: &Path, path: &Path, tensors: &State) -> Result<(), TrainError> {
    let file = |source| TrainError::File { doing: "write", path: path.to_owned(), source };
    let named: Vec<(&str, Tensor)> = tensors
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor.detach().to_device(Device::Cpu).contiguous()))
        .collect();
    Tensor::write_safetensors(&named, aside)?;
    File::open(aside).and_then(|f| f.sync_all()).map_err(file)?;
    fs::rename(aside, path).map_err(file)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|f| f.sync_all()).map_err(file)
}

/// Reads all tensors of a safetensors file.
///
/// # Errors
/// Fails when the file is missing or damaged.
pub fn read(path: &Path) -> Result<State, TrainError> {
    Tensor::read_safetensors(path).map_err(|error| TrainError::Checkpoint {
        path: path.to_owned(),
        problem: super::error::first_line(&error.to_string()),
    })
}

/// Returns a position as a tensor that can stand beside the others.
pub fn position_entry(position: Position) -> (String, Tensor) {
    let values = [position.update as f64, position.epoch_loss, position.epoch_updates as f64];
    (POSITION.to_owned(), Tensor::from_slice(&values))
}

/// Takes the position out of a state.
pub fn take_position(path: &Path, state: &mut State) -> Result<Position, TrainError> {
    let missing =
        || TrainError::Checkpoint { path: path.to_owned(), problem: "it holds no position".into() };
    let index = state.iter().position(|(name, _)| name == POSITION).ok_or_else(missing)?;
    let (_, tensor) = state.swap_remove(index);
    let values = Vec::<f64>::try_from(tensor.to_kind(Kind::Double)).map_err(|_| missing())?;
    let [update, epoch_loss, epoch_updates] = values[..] else { return Err(missing()) };
    // Updates stay far below 2^53, where f64 counts exactly.
    Ok(Position { update: update as u64, epoch_loss, epoch_updates: epoch_updates as u64 })
}
