//! Saving and restoring all that a bit-exact resume needs: weights, target, BatchNorm statistics,
//! optimizer buffers, and how far training is. Random state needs no saving: every draw is a
//! function of its coordinates.

use std::fs::{self, File};
use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::diagnostics::Embedding;
use super::error::TrainError;
use crate::failpoint::{self, Point};

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
    /// The embedding at the last epoch's end, where it can be judged: a resume after the last
    /// update makes none, and ends with the same verdict.
    pub embedding: Option<Embedding>,
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
    failpoint::reach(Point::CheckpointAside);
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

/// Reads what a resume goes on from: where, and the rest.
///
/// # Errors
///
/// The file cannot be read, is damaged, or holds no position.
pub fn resumed(path: &Path) -> Result<(Position, State), TrainError> {
    let mut state = read(path)?;
    let position = take_position(path, &mut state)?;
    Ok((position, state))
}

/// Returns a position as a tensor that can stand beside the others.
pub fn position_entry(position: Position) -> (String, Tensor) {
    let Position { update, epoch_loss, epoch_updates, embedding } = position;
    let [std_relative, effective_rank] =
        embedding.map_or([f64::NAN; 2], |e| [e.std_relative, e.effective_rank]);
    let values = [update as f64, epoch_loss, epoch_updates as f64, std_relative, effective_rank];
    (POSITION.to_owned(), Tensor::from_slice(&values))
}

/// Takes the position out of a state.
pub fn take_position(path: &Path, state: &mut State) -> Result<Position, TrainError> {
    let missing =
        || TrainError::Checkpoint { path: path.to_owned(), problem: "it holds no position".into() };
    let index = state.iter().position(|(name, _)| name == POSITION).ok_or_else(missing)?;
    let (_, tensor) = state.swap_remove(index);
    let values = Vec::<f64>::try_from(tensor.to_kind(Kind::Double)).map_err(|_| missing())?;
    let (counts, embedding) = match values[..] {
        [update, loss, updates, std_relative, effective_rank] if !std_relative.is_nan() => {
            ([update, loss, updates], Some(Embedding { std_relative, effective_rank }))
        }
        // Three numbers are what was written before embeddings were judged.
        [update, loss, updates, _, _] | [update, loss, updates] => ([update, loss, updates], None),
        _ => return Err(missing()),
    };
    let [update, epoch_loss, epoch_updates] = counts;
    // Updates stay far below 2^53, where f64 counts exactly.
    let (update, epoch_updates) = (update as u64, epoch_updates as u64);
    Ok(Position { update, epoch_loss, epoch_updates, embedding })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(entry: (String, Tensor)) -> Position {
        take_position(Path::new("checkpoint"), &mut vec![entry]).unwrap()
    }

    #[test]
    fn a_position_comes_back_with_the_embedding_that_is_to_be_judged() {
        let embedding = Some(Embedding { std_relative: 0.04, effective_rank: 1.25 });
        let judged = Position { update: 9, epoch_loss: 0.5, epoch_updates: 2, embedding };
        assert_eq!(read_back(position_entry(judged)), judged);
        let unjudged = Position { embedding: None, ..judged };
        assert_eq!(read_back(position_entry(unjudged)), unjudged);
    }

    #[test]
    fn a_position_of_before_embeddings_were_judged_is_read() {
        let entry = (POSITION.to_owned(), Tensor::from_slice(&[9.0f64, 0.5, 2.0]));
        let expected = Position { update: 9, epoch_loss: 0.5, epoch_updates: 2, embedding: None };
        assert_eq!(read_back(entry), expected);
    }
}
