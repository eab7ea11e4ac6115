//! When a run does what: schedules and epochs as pure functions of the update number. Knows nothing
//! of time, of tensors or of images.

use super::error::TrainError;
use crate::protocol::{Progress, Stage};
use crate::spec::run::{RunSpec, Target};
use crate::spec::schedule;

/// Schedules of a run: pure functions of the update number.
pub(super) struct Clock {
    spec: RunSpec,
    images: u64,
    pub(super) updates: u64,
    warmup: u64,
}

impl Clock {
    pub(super) fn new(spec: &RunSpec, images: u64) -> Result<Self, TrainError> {
        let need = u64::from(spec.update_batch_size);
        let updates = spec.updates(images);
        if need > images || updates == 0 {
            return Err(TrainError::Rejected(format!(
                "update_batch_size = {need} is larger than the {images} training images of {}: lower it or raise data.train_limit",
                spec.data.source.name()
            )));
        }
        let warmup = schedule::warmup_updates(spec, images);
        Ok(Self { spec: spec.clone(), images, updates, warmup })
    }

    pub(super) fn learning_rate(&self, k: u64) -> f64 {
        let peak = schedule::peak_learning_rate(&self.spec.optimizer, self.spec.update_batch_size);
        schedule::learning_rate(k, self.updates, self.warmup, peak)
    }

    pub(super) fn tau(&self, k: u64) -> Option<f64> {
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
    pub(super) fn ends_epoch(&self, update: u64) -> bool {
        let seen = |update: u64| update * u64::from(self.spec.update_batch_size) / self.images;
        seen(update) > seen(update - 1) || update == self.updates
    }

    /// Returns how many epochs are over after `update` updates.
    pub(super) fn epochs_done(&self, update: u64) -> u32 {
        if update == self.updates {
            return self.spec.epochs;
        }
        (update * u64::from(self.spec.update_batch_size) / self.images) as u32
    }

    pub(super) fn remainder_note(&self) -> Option<String> {
        let left = self.images % u64::from(self.spec.update_batch_size);
        (left > 0).then(|| {
            format!(
                "{} images do not divide into updates of {}: the stream of images is continuous, the update at an epoch's end takes its last images from the next epoch",
                self.images, self.spec.update_batch_size
            )
        })
    }

    pub(super) fn progress(&self, update: u64, loss: Option<f64>, images_per_s: f64) -> Progress {
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
}
