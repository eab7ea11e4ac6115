//! Both views of an image, as a run makes them. Knows nothing of how images are read, in which
//! order they come, or of threads: any number of them makes the same views.

use crate::spec::run::{RunSpec, Views};

use super::apply::view;
use super::draw::{Coordinates, View, draw};
use super::frame::Frame;
use super::pixels::{AugmentError, Pixels};

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
        Self { views: Views::clone(&run.views), frame: Frame::of(&run.data), seed: run.seed }
    }

    /// Writes both views of one image in `epoch`, each [`Frame::len`] numbers. `number` is the
    /// image's in its data set, which its draws hang on.
    ///
    /// # Errors
    ///
    /// [`AugmentError::Output`] if a slice has not the length of a view.
    pub fn pair(
        &self,
        epoch: u64,
        number: u64,
        pixels: Pixels<'_>,
        first: &mut [f32],
        second: &mut [f32],
    ) -> Result<(), AugmentError> {
        let at = |view| Coordinates { seed: self.seed, epoch, image: number, view };
        let drawn = draw(&self.views.t, at(View::First));
        view(pixels, &drawn, &self.frame, first)?;
        let drawn = draw(&self.views.t_prime, at(View::Second));
        view(pixels, &drawn, &self.frame, second)
    }
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;
    use crate::spec::run::{Blur, ColorJitter, Crop, Flip, JitterArithmetic, Solarize, ViewRecipe};

    fn pipeline() -> Pipeline {
        let crop = Crop { min_area: 0.08, max_area: 1.0, min_aspect: 0.75, max_aspect: 4.0 / 3.0 };
        let jitter = ColorJitter {
            p: 0.8,
            brightness: 0.4,
            contrast: 0.4,
            saturation: 0.2,
            hue: 0.1,
            arithmetic: JitterArithmetic::Paper,
        };
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
        let pipeline = pipeline();
        let length = pipeline.frame.len();
        let mut out = [0, 1].map(|_| vec![f32::NAN; numbers.len() * length]);
        let [first, second] = &mut out;
        let outputs = first.par_chunks_mut(length).zip(second.par_chunks_mut(length));
        let make = |(&number, (first, second)): (&u64, (&mut [f32], &mut [f32]))| {
            let (side, rgb) = image(number);
            let pixels = Pixels::new(side, side, &rgb).unwrap();
            pipeline.pair(epoch, number, pixels, first, second).unwrap();
        };
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(|| numbers.par_iter().zip(outputs).for_each(make));
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
        let pixels = Pixels::new(20, 20, &rgb).unwrap();
        let (mut right, mut short) = (vec![0.0; 24 * 24 * 3], vec![0.0; 24 * 24 * 3 - 1]);
        let error = Err(AugmentError::Output { expected: 1728, actual: 1727 });
        assert_eq!(pipeline.pair(0, 0, pixels, &mut right, &mut short), error);
        assert_eq!(pipeline.pair(0, 0, pixels, &mut short, &mut right), error);
    }
}
