//! A look at the encoder after each epoch: how well nearest neighbours among training images name
//! the class of other training images. Leaves no trace on training, and never sees a test image.
//!
//! The encoder has been trained on all of them, without their labels: good for watching a run, not
//! for comparing with results on test images.

use tch::{Device, Tensor};

use super::error::TrainError;
use super::eval::knn::knn_top;
use super::eval::{Labelled, Purpose, reorder};
use super::features;
use super::method::Model;
use super::poll::Poll;
use crate::augment::Frame;
use crate::data::Split;
use crate::spec::eval::KnnSpec;
use crate::spec::run::DataSpec;

/// Images of the bank for each neighbour that votes, at least: a tenth of the bank is what a class
/// of ten has in it.
const BANK_PER_NEIGHBOUR: u32 = 10;

/// Whether epochs end with a look at the encoder.
#[derive(Debug)]
pub enum Probe {
    /// They do not: there are no labels, or too few images.
    Off,
    /// They do.
    On(Box<KnnProbe>),
}

/// Some labelled images, and others whose classes are to be guessed.
#[derive(Debug)]
pub struct KnnProbe {
    bank: Images,
    queries: Images,
    frame: Frame,
    spec: KnnSpec,
}

#[derive(Debug)]
struct Images {
    split: Split,
    labels: Tensor,
}

/// Image numbers of the two parts, which have none in common.
#[derive(Debug, PartialEq, Eq)]
struct Chosen {
    queries: Vec<u32>,
    bank: Vec<u32>,
}

impl Probe {
    /// Chooses images among the training images of a run, which are seen as `data` says. The
    /// neighbours' number is cut to a tenth of the bank.
    ///
    /// # Errors
    /// Fails when an image is not there.
    pub fn of(train: &Split, data: &DataSpec, spec: KnnSpec) -> Result<Self, TrainError> {
        let Chosen { queries, bank } = chosen(train.len());
        // Sets without labels are trained on like others.
        if queries.is_empty() || train.labels_to_judge().is_err() {
            return Ok(Self::Off);
        }
        let most = (bank.len() as u32 / BANK_PER_NEIGHBOUR).max(1);
        Ok(Self::On(Box::new(KnnProbe {
            bank: Images::of(train, &bank)?,
            queries: Images::of(train, &queries)?,
            frame: Frame::of(data),
            spec: KnnSpec { k: spec.k.min(most), ..spec },
        })))
    }

    /// Returns the share of right guesses, in [0, 1]; `None` while off.
    ///
    /// # Errors
    /// Fails when an image cannot be read.
    pub fn look(&self, model: &Model, device: Device) -> Result<Option<f64>, TrainError> {
        match self {
            Self::Off => Ok(None),
            Self::On(probe) => probe.top1(model, device).map(Some),
        }
    }
}

impl KnnProbe {
    fn top1(&self, model: &Model, device: Device) -> Result<f64, TrainError> {
        let labelled = |images: &Images| -> Result<Labelled, TrainError> {
            let features =
                features::of_split(model, &images.split, &self.frame, device, Poll::NEVER)?;
            let classes = images.split.classes.len() as i64;
            Ok(Labelled::new(&features, &images.labels, classes)?)
        };
        Ok(knn_top(&labelled(&self.bank)?, &labelled(&self.queries)?, self.spec)?.top1)
    }
}

impl Images {
    fn of(train: &Split, indices: &[u32]) -> Result<Self, TrainError> {
        let split = train.select(indices)?;
        let labels: Vec<i64> =
            split.labels_to_judge()?.iter().map(|&label| i64::from(label)).collect();
        Ok(Self { split, labels: Tensor::from_slice(&labels) })
    }
}

/// Chooses a sixteenth of the images to be guessed, 512 at most, and an eighth as the bank, 2048 at
/// most. An epoch takes each image through forward and backward passes of two views, these through
/// one forward pass, so a look costs about 2 % of it and on large sets less. Every trial on the
/// same number of images looks at the same ones.
fn chosen(images: usize) -> Chosen {
    let mut order: Vec<i64> = (0..images as i64).collect();
    reorder(&mut order, 0, Purpose::Probe, 0);
    let mut order = order.into_iter().map(|image| image as u32);
    let queries = order.by_ref().take((images / 16).min(512)).collect();
    Chosen { queries, bank: order.take((images / 8).min(2048)).collect() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::data::Images as Pixels;

    #[test]
    fn queries_and_bank_have_no_image_in_common() {
        for (images, queries, bank) in
            [(15, 0, 1), (40, 2, 5), (8191, 511, 1023), (50_000, 512, 2048)]
        {
            let chosen = chosen(images);
            assert_eq!((chosen.queries.len(), chosen.bank.len()), (queries, bank));
            let all: BTreeSet<u32> = chosen.queries.into_iter().chain(chosen.bank).collect();
            assert_eq!(all.len(), queries + bank);
            assert!(all.iter().all(|image| (*image as usize) < images));
        }
    }

    #[test]
    fn the_choice_is_fixed_and_mixes_the_set() {
        assert_eq!(chosen(1000), chosen(1000));
        let Chosen { queries, bank } = chosen(1000);
        for part in [queries, bank] {
            assert!(part.iter().any(|image| *image < 300) && part.iter().any(|image| *image > 700));
        }
    }

    fn split(images: usize, labels: Option<Vec<u16>>) -> Split {
        let pixels = vec![0; images * 12];
        let classes = vec!["a".into(), "b".into()];
        Split { images: Pixels::Memory { side: 2, pixels }, labels, classes }
    }

    fn probe(split: &Split) -> Probe {
        let text = "schema = 1\nname = \"t\"\n[base]\ndata.name = \"shapes\"\n";
        let sweep = crate::spec::parse("sweep.toml", text).unwrap();
        let request = crate::plan::Request {
            overrides: &[],
            digests: &|_| None,
            limit: crate::plan::Limit::Million,
        };
        let run = crate::plan::expand(&sweep, &request).unwrap().trials.remove(0).run;
        Probe::of(split, &run.data, KnnSpec { k: 200, temperature: 0.1 }).unwrap()
    }

    #[test]
    fn without_labels_or_images_there_is_nothing_to_look_at() {
        assert!(matches!(probe(&split(64, None)), Probe::Off));
        assert!(matches!(probe(&split(15, Some(vec![0; 15]))), Probe::Off));
    }

    #[test]
    fn a_small_bank_has_few_neighbours() {
        let k = |images: usize| match probe(&split(images, Some(vec![0; images]))) {
            Probe::On(probe) => probe.spec.k,
            Probe::Off => 0,
        };
        assert_eq!((k(40), k(800), k(50_000)), (1, 10, 200));
    }
}
