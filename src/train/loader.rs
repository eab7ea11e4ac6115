//! Makes the views of coming batches while the current one trains: one thread that walks the
//! image stream, the global pool that draws and applies views, and a short queue between.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use rayon::prelude::*;
use tch::{Device, Tensor};

use super::error::TrainError;
use super::stream::{ImageStream, Occurrence};
use crate::augment::{Pipeline, Pixels};
use crate::data::{Dataset, Split};
use crate::spec::run::RunSpec;

/// Batches made ahead of the one that trains.
const QUEUE: usize = 2;

/// Both views of one batch as floats: n, H, W, C.
type Views = [Vec<f32>; 2];

/// Hands out both views of one batch after another.
pub struct Loader {
    // `None` only while dropping: the thread ends when nobody receives any more.
    batches: Option<Receiver<Result<Views, TrainError>>>,
    thread: Option<JoinHandle<()>>,
    shape: [i64; 4],
}

impl Loader {
    /// Starts making the batches of the updates from `first` to before `last`.
    pub fn start(run: &RunSpec, set: Arc<Dataset>, first: u64, last: u64) -> Self {
        let (sender, batches) = sync_channel(QUEUE);
        let pipeline = Pipeline::of(run);
        let mut stream = ImageStream::new(run.seed, set.train.len() as u32);
        let update_size = u64::from(run.update_batch_size);
        let batch_size = run.batch_size;
        let thread = std::thread::spawn(move || {
            // B divides U, so that updates and batches cut the stream at the same places.
            let starts = (first * update_size..last * update_size).step_by(batch_size as usize);
            for start in starts {
                let views = views(&pipeline, &set.train, &stream.take(start, batch_size));
                let failed = views.is_err();
                // A send fails when nobody receives any more: the attempt is over.
                if sender.send(views).is_err() || failed {
                    return;
                }
            }
        });
        let side = i64::from(run.data.image_size);
        let shape = [i64::from(batch_size), side, side, 3];
        Self { batches: Some(batches), thread: Some(thread), shape }
    }

    /// Returns the next two views, each n, 3, H, W with channels-last strides, normalised.
    ///
    /// # Errors
    /// Fails when an image cannot be read.
    pub fn next(&mut self, device: Device) -> Result<[Tensor; 2], TrainError> {
        let received = self.batches.as_ref().and_then(|batches| batches.recv().ok());
        let views = received.ok_or(TrainError::LoaderGone)??;
        Ok(views.map(|values| {
            Tensor::from_slice(&values).view(self.shape).to_device(device).permute([0, 3, 1, 2])
        }))
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has already ended the queue, which `next` reports.
            let _ = thread.join();
        }
    }
}

fn views(
    pipeline: &Pipeline,
    images: &Split,
    occurrences: &[Occurrence],
) -> Result<Views, TrainError> {
    let length = pipeline.frame.len();
    let mut views = [(); 2].map(|()| vec![0_f32; occurrences.len() * length]);
    let [first, second] = &mut views;
    let outputs = first.par_chunks_exact_mut(length).zip(second.par_chunks_exact_mut(length));
    occurrences.par_iter().zip(outputs).try_for_each(|(occurrence, (first, second))| {
        let image = images.get(occurrence.image as usize)?;
        let pixels = Pixels::new(image.width, image.height, &image.rgb)?;
        let number = u64::from(occurrence.image);
        pipeline.pair(occurrence.epoch, number, pixels, first, second)?;
        Ok::<(), TrainError>(())
    })?;
    Ok(views)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::load;
    use crate::plan::{Limit, Request, expand};

    #[test]
    fn views_do_not_depend_on_the_number_of_threads() {
        let text = "schema = 1\nname = \"t\"\n[base]\ndata.name = \"shapes\"\ndata.shapes.train = 40\nbatch_size = 16\n";
        let request = Request { overrides: &[], digests: &|_| None, limit: Limit::Million };
        let sweep = crate::spec::parse("sweep.toml", text).unwrap();
        let run = expand(&sweep, &request).unwrap().trials.remove(0).run;
        let images = load(&run.data.source, None).unwrap().train;
        let occurrences = ImageStream::new(run.seed, 40).take(30, 16);
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| views(&Pipeline::of(&run), &images, &occurrences)).unwrap()
        };
        assert_eq!(with(1), with(8));
    }
}
