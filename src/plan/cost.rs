//! What trials will cost, from what comparable ones did. Pure.

use crate::spec::run::{RunSpec, Source};

/// A finished training run and the seconds that it took, evaluation included.
pub struct Past<'a> {
    /// What it trained.
    pub run: &'a RunSpec,
    /// Seconds on its device.
    pub seconds: f64,
}

/// Returns the seconds that these runs will take in all on one device, when each image that
/// passes through them takes as long as in comparable runs: same encoder, same size of images, same
/// method. `None` when one of them has no comparable past.
pub fn expected_seconds(runs: &[&RunSpec], past: &[Past<'_>]) -> Option<f64> {
    runs.iter().map(|run| expected(run, past)).sum()
}

fn expected(run: &RunSpec, past: &[Past<'_>]) -> Option<f64> {
    let comparable = past.iter().filter(|past| comparable(run, past.run));
    let (seconds, passes) = comparable
        .filter_map(|past| Some((past.seconds, image_passes(past.run)?)))
        .fold((0.0, 0.0), |(seconds, passes), (s, p)| (seconds + s, passes + p));
    (passes > 0.0).then_some(seconds / passes * image_passes(run)?)
}

fn comparable(one: &RunSpec, other: &RunSpec) -> bool {
    one.encoder == other.encoder
        && one.data.image_size == other.data.image_size
        && one.predictor.is_some() == other.predictor.is_some()
}

/// Returns how often an image passes through training; `None` for sets whose size only their
/// files tell.
fn image_passes(run: &RunSpec) -> Option<f64> {
    let images = match (&run.data.subset, &run.data.source) {
        (Some(subset), _) => subset.images,
        (None, Source::Shapes { train, .. }) => *train,
        (None, Source::Cifar10) => 50_000,
        (None, Source::Idx { .. } | Source::ImageFolder { .. }) => return None,
    };
    Some(f64::from(images) * f64::from(run.epochs))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::run::EncoderSpec;

    fn run(train: u32, epochs: u32) -> RunSpec {
        let text = include_str!("../../tests/fixtures/run.json");
        let mut run: RunSpec = serde_json::from_str(text).unwrap();
        run.data.source = Source::Shapes { train, test: 10, side: 32, seed: 0 };
        run.data.subset = None;
        run.encoder = EncoderSpec::Convnet { width: 0.25 };
        run.epochs = epochs;
        run
    }

    #[test]
    fn cost_follows_images_and_epochs() {
        let (small, large) = (run(100, 10), run(200, 30));
        let past = [Past { run: &small, seconds: 5.0 }];
        assert_eq!(expected_seconds(&[&large, &small], &past), Some(35.0));
    }

    #[test]
    fn another_encoder_is_not_comparable() {
        let (small, mut other) = (run(100, 10), run(100, 10));
        other.encoder = EncoderSpec::Convnet { width: 1.0 };
        assert_eq!(expected_seconds(&[&other], &[Past { run: &small, seconds: 5.0 }]), None);
    }
}
