//! Frozen representations of whole splits, and BatchNorm calibration of an untrained encoder.

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};

use super::error::TrainError;
use super::method::Model;
use super::net::Mode;
use super::poll::Poll;
use crate::augment::{Frame, Pixels, plain};
use crate::data::Split;

/// Images per forward pass. Changes no result in eval mode.
const CHUNK: usize = 256;

/// Returns the online representations [n, d] of a split's images, unaugmented, on the CPU.
///
/// # Errors
/// Fails when an image cannot be read, or somebody asks to stop.
pub fn of_split(
    model: &Model,
    split: &Split,
    frame: &Frame,
    device: Device,
    poll: Poll<'_>,
) -> Result<Tensor, TrainError> {
    with(|images| model.represent(images, Mode::Eval), split, frame, device, poll)
}

/// Returns what `represent` makes of a split's images, unaugmented, as [n, d] on the CPU.
///
/// # Errors
/// Fails when an image cannot be read, or somebody asks to stop.
pub fn with(
    represent: impl Fn(&Tensor) -> Tensor,
    split: &Split,
    frame: &Frame,
    device: Device,
    poll: Poll<'_>,
) -> Result<Tensor, TrainError> {
    let mut rows = Vec::new();
    for range in chunks(split.len()) {
        poll.check()?;
        let images = unaugmented(split, range, frame, device)?;
        let represented = tch::no_grad(|| represent(&images));
        rows.push(represented.to_device(Device::Cpu).to_kind(Kind::Float));
    }
    Ok(Tensor::cat(&rows, 0))
}

/// Sets the running statistics of every BatchNorm in the encoder to those of the split's images:
/// an untrained encoder at mean 0 and variance 1 looks weaker than it is.
///
/// # Errors
/// Fails when an image cannot be read, or somebody asks to stop.
pub fn calibrate(
    model: &Model,
    split: &Split,
    frame: &Frame,
    device: Device,
    poll: Poll<'_>,
) -> Result<(), TrainError> {
    model.online().forget_statistics();
    for range in chunks(split.len()) {
        poll.check()?;
        drop(model.represent(&unaugmented(split, range, frame, device)?, Mode::Calibrate));
    }
    Ok(())
}

fn chunks(images: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..images).step_by(CHUNK).map(move |start| start..images.min(start + CHUNK))
}

/// Returns images n, 3, H, W with channels-last strides.
fn unaugmented(
    split: &Split,
    range: std::ops::Range<usize>,
    frame: &Frame,
    device: Device,
) -> Result<Tensor, TrainError> {
    let count = range.len() as i64;
    let mut values = vec![0_f32; range.len() * frame.len()];
    values.par_chunks_exact_mut(frame.len()).zip(range).try_for_each(|(out, index)| {
        let image = split.get(index)?;
        plain(Pixels::new(image.width, image.height, &image.rgb)?, frame, out)?;
        Ok::<(), TrainError>(())
    })?;
    let side = frame.side() as i64;
    let images = Tensor::from_slice(&values).view([count, side, side, 3]);
    Ok(images.to_device(device).permute([0, 3, 1, 2]))
}
