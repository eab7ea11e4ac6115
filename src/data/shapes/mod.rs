//! Procedural images, made in memory: ten classes of shapes and textures.
//!
//! Colour tells nothing about the class and everything about the image: two crops of one image
//! share its colours, so a method that compares views may take that short cut. Removing it is
//! what colour augmentation does, and this set shows it within minutes on a CPU.
//!
//! The bytes are frozen: they depend on (seed, part, index, side) alone, on any machine, with
//! any number of threads, and changing them raises `SEMANTICS.data`.

mod figure;
mod scene;

use rayon::prelude::*;

use self::figure::FIGURES;
use super::{Dataset, Images, Split};

/// Names of the classes, in the order of their labels.
pub const CLASSES: [&str; 10] = [
    "disc", "square", "triangle", "ring", "cross", "star", "crescent", "stripes", "checker", "dots",
];

/// Which half an image belongs to. The halves share no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Train = 0,
    Test = 1,
}

/// Makes `train` and `test` images of `side` x `side` pixels. Image i is of class i mod 10 and
/// does not depend on how many there are.
pub fn generate(train: u32, test: u32, side: u32, seed: u64) -> Dataset {
    let test = (test > 0).then(|| split(Part::Test, test, side, seed));
    Dataset { train: split(Part::Train, train, side, seed), test }
}

fn split(part: Part, count: u32, side: u32, seed: u64) -> Split {
    let bytes = side as usize * side as usize * 3;
    let mut pixels = vec![0; count as usize * bytes];
    pixels.par_chunks_exact_mut(bytes.max(1)).enumerate().for_each(|(index, pixels)| {
        let figure = FIGURES[index % FIGURES.len()];
        scene::render(figure, [seed, part as u64, index as u64], side, pixels);
    });
    Split {
        images: Images::Memory { side, pixels },
        labels: Some((0..count).map(|index| (index % FIGURES.len() as u32) as u16).collect()),
        classes: CLASSES.map(str::to_owned).to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(dataset: &Dataset) -> String {
        let mut hasher = blake3::Hasher::new();
        for split in [Some(&dataset.train), dataset.test.as_ref()].into_iter().flatten() {
            for index in 0..split.len() {
                hasher.update(&split.get(index).unwrap().rgb);
            }
        }
        hasher.finalize().to_hex()[..16].to_owned()
    }

    /// A failure here means that every result on this set changes: raise `SEMANTICS.data`.
    #[test]
    fn the_bytes_are_frozen() {
        assert_eq!(digest(&generate(40, 20, 32, 0)), "f0e89156ddeac087");
        assert_eq!(digest(&generate(10, 0, 48, 7)), "0c765a6bd38496db");
    }

    #[test]
    fn an_image_does_not_depend_on_how_many_or_on_threads() {
        let few = generate(3, 2, 16, 5);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let many = pool.install(|| generate(30, 20, 16, 5));
        assert_eq!(few.train.get(2).unwrap(), many.train.get(2).unwrap());
        assert_eq!(few.test.unwrap().get(1).unwrap(), many.test.unwrap().get(1).unwrap());
    }

    #[test]
    fn parts_and_seeds_share_no_image() {
        let (a, b) = (generate(1, 1, 16, 0), generate(1, 1, 16, 1));
        assert_ne!(a.train.images, a.test.unwrap().images);
        assert_ne!(a.train.images, b.train.images);
    }

    #[test]
    fn classes_are_balanced_and_odd_sizes_do_no_harm() {
        let dataset = generate(50, 0, 8, 0);
        assert_eq!(dataset.train.class_counts(), [5; 10]);
        assert!(dataset.test.is_none());
        assert_eq!(generate(0, 0, 32, 0).train.len(), 0);
        assert_eq!(generate(3, 0, 1, 0).train.len(), 3);
    }

    /// The share of the foreground in the image is drawn alike for all classes, so that mean
    /// colours of classes differ by chance alone.
    #[test]
    fn colour_tells_nothing_about_the_class() {
        let train = generate(2000, 0, 16, 0).train;
        let mut sums = [[0.0; 3]; 10];
        for index in 0..train.len() {
            for (at, &value) in train.get(index).unwrap().rgb.iter().enumerate() {
                sums[index % 10][at % 3] += f64::from(value) / (200.0 * 256.0);
            }
        }
        // Image means spread by about 50; means over 200 of them by 3.5.
        for channel in 0..3 {
            let mean = sums.iter().map(|class| class[channel]).sum::<f64>() / 10.0;
            assert!(sums.iter().all(|class| (class[channel] - mean).abs() < 14.0), "{sums:?}");
        }
    }
}
