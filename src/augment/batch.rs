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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::run::{Blur, ColorJitter, Crop, Flip, Solarize, ViewRecipe};

    fn pipeline() -> Pipeline {
        let crop = Crop { min_area: 0.08, max_area: 1.0, min_aspect: 0.75, max_aspect: 4.0 / 3.0 };
        let jitter =
            ColorJitter { p: 0.8, brightness: 0.4, contrast: 0.4, saturation: 0.2, hue: 0.1 };
        let t = ViewRecipe {
            crop: Some(crop),
            flip: Some(Flip { p: 0.5 }),
            color_jitter: Some(jitter),
            blur: Some(Blur { p: 1.0, min_sigma: 0.1, max_sigma: 2.0 }),
            ..ViewRecipe::default()
        };
        let solarize = Some(Solarize { p: 0.2, threshold: 0.5 });
        let t_prime = ViewRecipe { blur: None, solarize, ..t.clone() };
        let frame = Frame::new(24, [0.5; 3], [0.25; 3]);
        Pipeline { views: Views { t, t_prime }, frame, seed: 9 }
    }

    /// Images of two sizes, so that a thread's buffers change theirs between views.
    fn image(number: u64) -> (u32, Vec<u8>) {
        let side = if number.is_multiple_of(2) { 20 } else { 33 };
        (side, (0..u64::from(side * side * 3)).map(|i| (i * (number + 3) % 256) as u8).collect())
    }

    fn views(numbers: &[u64], epoch: u64, threads: usize) -> [Vec<f32>; 2] {
        let read: Vec<_> = numbers.iter().map(|number| image(*number)).collect();
        let numbered = numbers.iter().zip(&read).map(|(number, (side, rgb))| Numbered {
            number: *number,
            pixels: Pixels::new(*side, *side, rgb).unwrap(),
        });
        let images: Vec<_> = numbered.collect();
        let pipeline = pipeline();
        let mut out = [0, 1].map(|_| vec![f32::NAN; images.len() * pipeline.frame.len()]);
        let [first, second] = &mut out;
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(|| pipeline.batch(epoch, &images, first, second))
            .unwrap();
        out
    }

    #[test]
    fn any_number_of_threads_makes_the_same_views() {
        let numbers: Vec<u64> = (0..40).collect();
        let one = views(&numbers, 3, 1);
        assert!(one.iter().flatten().all(|value| value.is_finite()));
        assert_eq!(one, views(&numbers, 3, 4));
    }

    #[test]
    fn a_view_hangs_on_the_number_of_its_image_not_on_its_place() {
        let length = pipeline().frame.len();
        let [first, second] = views(&[7, 4, 12], 3, 1);
        let [alone, alone_second] = views(&[4], 3, 1);
        assert_eq!(first[length..2 * length], alone);
        assert_eq!(second[length..2 * length], alone_second);
        assert_ne!(alone, alone_second);
        assert_ne!(alone, views(&[4], 4, 1)[0]);
    }

    #[test]
    fn buffers_of_another_length_are_refused() {
        let (pipeline, (_, rgb)) = (pipeline(), image(0));
        let images = [Numbered { number: 0, pixels: Pixels::new(20, 20, &rgb).unwrap() }];
        let (mut right, mut short) = (vec![0.0; 24 * 24 * 3], vec![0.0; 24 * 24 * 3 - 1]);
        let error = Err(AugmentError::Output { expected: 1728, actual: 1727 });
        assert_eq!(pipeline.batch(0, &images, &mut right, &mut short), error);
        assert_eq!(pipeline.batch(0, &images, &mut short, &mut right), error);
    }
}
