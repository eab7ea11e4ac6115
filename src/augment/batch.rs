//! Two views of each of many images at once, on the caller's rayon pool. Knows nothing of how
//! images are read or in which order they come.

use rayon::prelude::*;

use crate::spec::run::{RunSpec, Views};

use super::apply::view;
use super::draw::{Coordinates, View, draw};
use super::frame::Frame;
use super::pixels::{AugmentError, Pixels};

/// An image and its number in its data set, which its draws hang on.
#[derive(Clone, Copy, Debug)]
pub struct Numbered<'a> {
    /// Number of the image in its data set.
    pub number: u64,
    /// The image.
    pub pixels: Pixels<'a>,
}

/// How the views of one run are made.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// T and T'.
    pub views: Views,
    /// Side and normalisation of both.
    pub frame: Frame,
    /// Seed of the run.
    pub seed: u64,
}

impl Pipeline {
    /// Returns a run's pipeline.
    pub fn of(run: &RunSpec) -> Self {
        Self { views: run.views.clone(), frame: Frame::of(&run.data), seed: run.seed }
    }

    /// Writes both views of every image in `epoch`, image after image, each view
    /// [`Frame::len`] numbers, to `first` and `second`. Any number of threads writes the same.
    ///
    /// # Errors
    ///
    /// [`AugmentError::Output`] if a slice has not the length of `images.len()` views.
    pub fn batch(
        &self,
        epoch: u64,
        images: &[Numbered<'_>],
        first: &mut [f32],
        second: &mut [f32],
    ) -> Result<(), AugmentError> {
        self.frame.check(images.len(), first.len())?;
        self.frame.check(images.len(), second.len())?;
        // A frame without pixels has nothing to write, and chunks cannot be empty.
        let length = self.frame.len().max(1);
        let outputs = first.par_chunks_exact_mut(length).zip(second.par_chunks_exact_mut(length));
        images.par_iter().zip(outputs).try_for_each(|(image, (first, second))| {
            self.write(epoch, *image, View::First, first)?;
            self.write(epoch, *image, View::Second, second)
        })
    }

    fn write(
        &self,
        epoch: u64,
        image: Numbered<'_>,
        which: View,
        out: &mut [f32],
    ) -> Result<(), AugmentError> {
        let recipe = match which {
            View::First => &self.views.t,
            View::Second => &self.views.t_prime,
        };
        let at = Coordinates { seed: self.seed, epoch, image: image.number, view: which };
        view(image.pixels, &draw(recipe, at), &self.frame, out)
    }
}
