//! Which image comes when: one endless stream of shuffled epochs, cut into updates. A function of
//! the seed alone, so that the images of an update are the same for every `batch_size`.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// An image at its place in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Pass over the data set, from 0.
    pub epoch: u64,
    /// Index into the training images.
    pub image: u32,
}

/// The stream of a seed over a number of images. An epoch that a whole number of updates does not
/// fill is continued by the next one within an update, as in the authors' code.
#[derive(Clone, Debug)]
pub struct ImageStream {
    seed: u64,
    images: u32,
    epoch: Option<(u64, Vec<u32>)>,
}

impl ImageStream {
    /// Makes the stream of `seed` over `images` images, at least one.
    pub fn new(seed: u64, images: u32) -> Self {
        assert!(images > 0, "a data set has images");
        Self { seed, images, epoch: None }
    }

    /// Returns what stands at the positions `from..from + count`.
    pub fn take(&mut self, from: u64, count: u32) -> Vec<Occurrence> {
        (from..from + u64::from(count)).map(|position| self.at(position)).collect()
    }

    fn at(&mut self, position: u64) -> Occurrence {
        let epoch = position / u64::from(self.images);
        let place = (position % u64::from(self.images)) as usize;
        let order = match &mut self.epoch {
            Some((cached, order)) if *cached == epoch => order,
            slot => &mut slot.insert((epoch, shuffled(self.seed, epoch, self.images))).1,
        };
        Occurrence { epoch, image: order[place] }
    }
}

/// Returns a permutation of `0..images` drawn for (seed, epoch): Fisher and Yates.
fn shuffled(seed: u64, epoch: u64, images: u32) -> Vec<u32> {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&epoch.to_le_bytes());
    // Views are drawn from keys that hold a view number here; this keeps the two apart.
    key[24..28].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut random = ChaCha8Rng::from_seed(key);
    let mut order: Vec<u32> = (0..images).collect();
    for last in (1..order.len()).rev() {
        // The bias of a 64-bit product is below 2^-32 for any number of images.
        let other = (u128::from(random.next_u64()) * (last as u128 + 1)) >> 64;
        order.swap(last, other as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_holds_every_image_once_in_another_order() {
        let mut stream = ImageStream::new(7, 10);
        let epochs: Vec<Vec<u32>> =
            (0..3).map(|e| stream.take(e * 10, 10).iter().map(|o| o.image).collect()).collect();
        for epoch in &epochs {
            let mut sorted = epoch.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        }
        assert_ne!(epochs[0], epochs[1]);
        assert_ne!(epochs[1], epochs[2]);
    }

    #[test]
    fn where_the_stream_is_cut_does_not_matter() {
        let whole = ImageStream::new(3, 7).take(0, 40);
        let mut pieces = ImageStream::new(3, 7);
        let cut: Vec<Occurrence> = (0..10).flat_map(|i| pieces.take(i * 4, 4)).collect();
        assert_eq!(whole, cut);
        assert_eq!(ImageStream::new(3, 7).take(25, 5), whole[25..30]);
    }

    #[test]
    fn seeds_differ() {
        assert_ne!(ImageStream::new(0, 100).take(0, 100), ImageStream::new(1, 100).take(0, 100));
    }
}
