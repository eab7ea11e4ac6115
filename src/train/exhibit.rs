//! What an attempt shows beside its numbers: which images, and what the pipeline and the encoder
//! make of them. Leaves no trace on training or results, and no failure of its own fails a trial.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rayon::prelude::*;
use tch::Device;

use super::error::{TrainError, first_line, panic_message};
use super::eval::{Purpose, reorder};
use super::features;
use super::method::Model;
use super::poll::Poll;
use super::sink::Sink;
use crate::augment::{Coordinates, Frame, Pipeline, Pixels, View, draw, plain};
use crate::data::{Dataset, Split};
use crate::files::write_atomically;
use crate::protocol::WorkerEvent;
use crate::protocol::exhibit::{
    ARTIFACT, Classes, Exhibit, LARGEST_SIDE, MOST_CLASSES, NeighbourLabels, Neighbours, Pictures,
    Points, Views,
};
use crate::protocol::folder::AttemptFolder;
use crate::spec::run::{DataSpec, Flip, Grayscale, RunSpec, Solarize, ViewRecipe};

/// Bytes that a file should not exceed by much; features fill what pictures leave.
const BYTES: usize = 960_000;
/// Test images whose features are shown: more lie on each other on a map of a few inches.
const POINTS: usize = 300;
/// Training images whose views are shown.
const VIEWS: usize = 6;
/// Training images that those are chosen among.
const CANDIDATES: usize = 64;
/// Test images whose neighbours are shown, and how many of each.
const QUERIES: usize = 8;
const EACH: usize = 6;
/// Training images that neighbours are searched among.
const BANK: usize = 2048;
/// Largest side of a neighbour in pixels.
const THUMB: usize = 40;
/// Letters of a class's name.
const LETTERS: usize = 40;

/// What there is to show.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// What was trained.
    pub run: &'a RunSpec,
    /// The images it was trained on.
    pub trained_on: &'a Split,
    /// The images it is judged on.
    pub judged_on: &'a Dataset,
    /// How those are seen.
    pub seen_as: &'a DataSpec,
    /// The encoder.
    pub model: &'a Model,
    /// Where it is.
    pub device: Device,
}

/// Returns what `make` makes, or in words why it makes nothing.
///
/// # Errors
/// Whatever stopped it: an error, or a refusal of libtorch, which is a panic in tch.
pub fn attempted(make: impl FnOnce() -> Result<Exhibit, TrainError>) -> Result<Exhibit, String> {
    match catch_unwind(AssertUnwindSafe(make)) {
        Ok(made) => made.map_err(|error| error.to_string()),
        Err(panic) => Err(panic_message(panic.as_ref()).to_owned()),
    }
}

/// Leaves the exhibit in the attempt's folder and tells of it, or notes why there is none.
///
/// # Errors
/// An event cannot be appended.
pub fn leave(
    made: Result<Exhibit, String>,
    folder: &AttemptFolder,
    sink: &mut Sink,
) -> Result<(), TrainError> {
    let event = match made.and_then(|made| keep(&made, folder)) {
        Ok(digest) => {
            let file = folder.exhibit().file_name().map(Into::into).unwrap_or_default();
            WorkerEvent::Artifact { artifact: ARTIFACT.to_owned(), file, digest }
        }
        Err(cause) => WorkerEvent::Note {
            text: format!("nothing is left for a report's pictures: {}", first_line(&cause)),
        },
    };
    Ok(sink.send(event)?)
}

fn keep(exhibit: &Exhibit, folder: &AttemptFolder) -> Result<String, String> {
    let bytes = exhibit.to_bytes().map_err(|error| error.to_string())?;
    write_atomically(&folder.exhibit(), &bytes).map_err(|error| error.to_string())?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

/// Makes the exhibit. The same subject gives the same bytes.
///
/// # Errors
/// Fails when an image cannot be read, or somebody asks to stop.
pub fn of(subject: Subject<'_>, poll: Poll<'_>) -> Result<Exhibit, TrainError> {
    let Subject { run, trained_on, judged_on, seen_as, model, device } = subject;
    let test = judged_on
        .test
        .as_ref()
        .ok_or_else(|| TrainError::Rejected("there are no test images to show".to_owned()))?;
    let frame = Frame::of(seen_as);
    let look = |split: &Split, images: &[u32]| -> Result<Directions, TrainError> {
        let found = features::of_split(model, &split.select(images)?, &frame, device, poll)?;
        Directions::of(&found)
    };
    let shown = Shown::of(test);
    let views = views(run, trained_on)?;
    let thumb = (seen_as.image_size as usize).min(THUMB);

    let queries = shown.queries(test.len());
    let bank: Vec<u32> = shuffled(judged_on.train.len(), Purpose::ExhibitBank).take(BANK).collect();
    let looked = look(test, &queries)?;
    let nearest = nearest(&looked, &look(&judged_on.train, &bank)?);
    let found: Vec<u32> =
        nearest.iter().flatten().filter_map(|(place, _)| bank.get(*place).copied()).collect();
    let neighbours = Neighbours {
        among: bank.len() as u32,
        each: nearest.first().map_or(0, Vec::len),
        queries: plain_pictures(test, &queries, thumb)?,
        found: plain_pictures(&judged_on.train, &found, thumb)?,
        cosines: nearest.iter().flatten().map(|(_, cosine)| *cosine).collect(),
        labels: shown.labels(test, &queries).map(|labels| NeighbourLabels {
            queries: labels,
            same_class: same_class(test, &queries, &judged_on.train, &found),
        }),
    };

    let pictures = [&views.originals, &views.first, &views.second];
    let pictures = pictures.into_iter().chain([&neighbours.queries, &neighbours.found]);
    let left = BYTES.saturating_sub(pictures.map(|pictures| pictures.rgb.len()).sum());
    let most = (left / (2 * looked.size)).clamp(1, POINTS);
    let images = shown.points(test.len(), most);
    let points = Points {
        size: looked.size,
        labels: shown.labels(test, &images),
        features: look(test, &images)?.values,
    };
    Ok(Exhibit { classes: shown.classes(), views, points, neighbours })
}

/// The test images that may be shown.
struct Shown<'a> {
    names: &'a [String],
    /// Place in `names` of each class shown, and its images in the order of the draw; one list without
    /// a class where there are no labels.
    groups: Vec<(Option<usize>, Vec<u32>)>,
}

impl<'a> Shown<'a> {
    /// Chooses classes that lie evenly among all, so that each has several images.
    fn of(test: &'a Split) -> Self {
        let order: Vec<u32> = shuffled(test.len(), Purpose::ExhibitPoints).collect();
        let names = &test.classes;
        let Some(labels) = test.labels.as_ref().filter(|_| !names.is_empty()) else {
            return Self { names: &[], groups: vec![(None, order)] };
        };
        let count = names.len().min(MOST_CLASSES);
        let of_class = |class: usize| -> Vec<u32> {
            let is_of =
                |image: &&u32| labels.get(**image as usize).map(|l| usize::from(*l)) == Some(class);
            order.iter().filter(is_of).copied().collect()
        };
        let classes = (0..count).map(|at| at * names.len() / count);
        let groups = classes.map(|class| (Some(class), of_class(class)));
        Self { names, groups: groups.filter(|(_, images)| !images.is_empty()).collect() }
    }

    fn classes(&self) -> Classes {
        let name = |class: usize| self.names[class].chars().take(LETTERS).collect();
        let names = self.groups.iter().filter_map(|(class, _)| class.map(name)).collect();
        Classes { names, of: self.names.len() as u32 }
    }

    /// Images by turns of the groups.
    fn by_turns(&self) -> impl Iterator<Item = u32> {
        let longest = self.groups.iter().map(|(_, images)| images.len()).max().unwrap_or(0);
        (0..longest).flat_map(move |turn| {
            self.groups.iter().filter_map(move |(_, images)| images.get(turn).copied())
        })
    }

    fn queries(&self, images: usize) -> Vec<u32> {
        self.by_turns().take(QUERIES.min(images)).collect()
    }

    /// Equally many images of each class, as far as there are, rising.
    fn points(&self, images: usize, most: usize) -> Vec<u32> {
        let share = (most / self.groups.len().max(1)).max(1);
        let groups = self.groups.iter().flat_map(|(_, images)| images.iter().take(share).copied());
        let mut chosen: Vec<u32> = groups.take(most.min(images)).collect();
        chosen.sort_unstable();
        chosen
    }

    /// Places of the images' classes among the names that are told.
    fn labels(&self, test: &Split, images: &[u32]) -> Option<Vec<u8>> {
        let labels = test.labels.as_ref().filter(|_| !self.names.is_empty())?;
        let place = |image: &u32| {
            let class = usize::from(*labels.get(*image as usize)?);
            let place = self.groups.iter().position(|(shown, _)| *shown == Some(class))?;
            u8::try_from(place).ok()
        };
        images.iter().map(place).collect()
    }
}

fn same_class(test: &Split, queries: &[u32], train: &Split, found: &[u32]) -> Vec<bool> {
    let label = |split: &Split, image: u32| {
        split.labels.as_ref().and_then(|labels| labels.get(image as usize).copied())
    };
    let each = found.len().checked_div(queries.len()).unwrap_or(0).max(1);
    let pairs = queries.iter().zip(found.chunks(each));
    pairs
        .flat_map(|(query, found)| {
            found.iter().map(|image| label(train, *image) == label(test, *query))
        })
        .collect()
}

/// All images in an order that hangs on their number alone.
fn shuffled(images: usize, purpose: Purpose) -> impl Iterator<Item = u32> {
    let mut order: Vec<i64> = (0..images as i64).collect();
    reorder(&mut order, 0, purpose, 0);
    order.into_iter().map(|image| image as u32)
}

/// Draws the first epoch's views of a few images.
fn views(run: &RunSpec, images: &Split) -> Result<Views, TrainError> {
    const EPOCH: u64 = 0;
    let numbers = with_views_to_see(run.seed, images.len());
    // The pipeline of the run, less its last step.
    let frame = Frame::new(run.data.image_size, [0.0; 3], [1.0; 3]);
    let pipeline = Pipeline { frame, ..Pipeline::of(run) };
    let drawn: Vec<[Vec<f32>; 2]> = numbers
        .par_iter()
        .map(|&number| {
            let image = images.get(number as usize)?;
            let pixels = Pixels::new(image.width, image.height, &image.rgb)?;
            let [mut first, mut second] = [(); 2].map(|()| vec![0.0; frame.len()]);
            pipeline.pair(EPOCH, u64::from(number), pixels, &mut first, &mut second)?;
            Ok([first, second])
        })
        .collect::<Result<_, TrainError>>()?;
    let side = frame.side().min(LARGEST_SIDE);
    let shown = |which: usize| -> Result<Pictures, TrainError> {
        let mut rgb = Vec::with_capacity(drawn.len() * side * side * 3);
        for views in &drawn {
            let levels: Vec<u8> = views[which].iter().copied().map(level).collect();
            let large = frame.side() as u32;
            rgb.extend(reduced(Pixels::new(large, large, &levels)?, side)?);
        }
        Ok(Pictures { side, rgb })
    };
    let originals = plain_pictures(images, &numbers, side)?;
    Ok(Views { epoch: EPOCH, originals, first: shown(0)?, second: shown(1)?, numbers })
}

/// Chooses images by what the paper's probabilities would do to them, whatever the run's own recipe
/// is: one that is solarized, one that is turned gray, one that is mirrored in one view, and others.
/// So every recipe of a seed is shown on the same images, and what one of them lacks can be seen.
fn with_views_to_see(seed: u64, images: usize) -> Vec<u32> {
    let recipe = ViewRecipe {
        flip: Some(Flip { p: 0.5 }),
        grayscale: Some(Grayscale { p: 0.2 }),
        solarize: Some(Solarize { p: 0.2, threshold: 0.5 }),
        ..ViewRecipe::default()
    };
    let drawn = |image: u32, view| {
        draw(&recipe, Coordinates { seed, epoch: 0, image: u64::from(image), view })
    };
    let solarized = |image: u32| drawn(image, View::Second).solarize.is_some();
    let gray = |image: u32| drawn(image, View::First).grayscale;
    let mirrored = |image: u32| drawn(image, View::First).flip != drawn(image, View::Second).flip;
    let mut left: Vec<u32> = shuffled(images, Purpose::ExhibitViews).take(CANDIDATES).collect();
    let mut chosen = Vec::new();
    let wishes: [&dyn Fn(u32) -> bool; 3] = [
        &|image| solarized(image) && !gray(image),
        &|image| gray(image) && !solarized(image),
        &|image| mirrored(image) && !gray(image) && !solarized(image),
    ];
    for wish in wishes {
        if let Some(place) = left.iter().position(|image| wish(*image)) {
            chosen.push(left.remove(place));
        }
    }
    chosen.extend(left);
    chosen.truncate(VIEWS);
    chosen
}

/// The central squares of some images.
fn plain_pictures(split: &Split, images: &[u32], side: usize) -> Result<Pictures, TrainError> {
    let reduce = |number: &u32| {
        let image = split.get(*number as usize)?;
        reduced(Pixels::new(image.width, image.height, &image.rgb)?, side)
    };
    let reduced: Vec<Vec<u8>> = images.par_iter().map(reduce).collect::<Result<_, TrainError>>()?;
    Ok(Pictures { side, rgb: reduced.concat() })
}

fn reduced(pixels: Pixels<'_>, side: usize) -> Result<Vec<u8>, TrainError> {
    let frame = Frame::new(side as u32, [0.0; 3], [1.0; 3]);
    let mut values = vec![0.0; frame.len()];
    plain(pixels, &frame, &mut values)?;
    Ok(values.into_iter().map(level).collect())
}

/// A value in [0, 1] as the nearest of 256 levels.
fn level(value: f32) -> u8 {
    (value * 255.0).round() as u8
}

/// Features scaled to length 1.
struct Directions {
    size: usize,
    values: Vec<f32>,
}

impl Directions {
    fn of(features: &tch::Tensor) -> Result<Self, TrainError> {
        let (_, size) = features.size2()?;
        let mut values: Vec<f32> = Vec::try_from(features.reshape([-1]))?;
        let size = size.max(1) as usize;
        for row in values.chunks_exact_mut(size) {
            let length = row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
            if !length.is_finite() {
                return Err(TrainError::Rejected("a feature is not finite".to_owned()));
            }
            let scale = if length > 0.0 { (1.0 / length) as f32 } else { 0.0 };
            row.iter_mut().for_each(|value| *value *= scale);
        }
        Ok(Self { size, values })
    }

    fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.size)
    }
}

/// Returns the places and cosines of each query's nearest, nearest first; of equally near ones the
/// earlier comes first.
fn nearest(queries: &Directions, bank: &Directions) -> Vec<Vec<(usize, f32)>> {
    let cosine = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let of = |query: &[f32]| {
        let mut all: Vec<(usize, f32)> =
            bank.rows().map(|row| cosine(query, row).clamp(-1.0, 1.0)).enumerate().collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all.truncate(EACH);
        all
    };
    queries.rows().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Images;

    fn split(labels: Option<Vec<u16>>, images: usize, classes: usize) -> Split {
        let pixels = (0..images).flat_map(|at| [at as u8; 12]).collect();
        let classes = (0..classes).map(|class| format!("class {class}")).collect();
        Split { images: Images::Memory { side: 2, pixels }, labels, classes }
    }

    #[test]
    fn every_seed_has_a_solarized_a_gray_and_a_mirrored_image_among_six() {
        for seed in 0..40 {
            let chosen = with_views_to_see(seed, 50_000);
            assert_eq!((chosen.len(), &chosen), (VIEWS, &with_views_to_see(seed, 50_000)));
            let recipe = ViewRecipe {
                grayscale: Some(Grayscale { p: 0.2 }),
                solarize: Some(Solarize { p: 0.2, threshold: 0.5 }),
                flip: Some(Flip { p: 0.5 }),
                ..ViewRecipe::default()
            };
            let at = |image: &u32, view| {
                draw(&recipe, Coordinates { seed, epoch: 0, image: u64::from(*image), view })
            };
            assert!(at(&chosen[0], View::Second).solarize.is_some(), "seed {seed}");
            assert!(at(&chosen[1], View::First).grayscale, "seed {seed}");
            assert!(at(&chosen[2], View::First).flip != at(&chosen[2], View::Second).flip);
        }
        assert_eq!(with_views_to_see(0, 4).len(), 4);
    }

    #[test]
    fn points_are_balanced_over_classes_that_lie_among_all() {
        let test = split(Some((0..3000).map(|at| (at * 7 % 30) as u16).collect()), 3000, 30);
        let shown = Shown::of(&test);
        assert_eq!(shown.classes().of, 30);
        let expected: Vec<String> = (0..10).map(|at| format!("class {}", at * 3)).collect();
        assert_eq!(shown.classes().names, expected);
        let points = shown.points(test.len(), 512);
        assert!(points.is_sorted_by(|a, b| a < b));
        let labels = shown.labels(&test, &points).unwrap();
        for class in 0..10u8 {
            assert_eq!(labels.iter().filter(|label| **label == class).count(), 51);
        }
        let queries = shown.queries(test.len());
        assert_eq!(shown.labels(&test, &queries).unwrap(), (0..8).collect::<Vec<u8>>());
        assert_eq!(
            shown.points(test.len(), 9).len(),
            9,
            "one of most classes where room is scarce"
        );
    }

    #[test]
    fn images_without_labels_are_shown_without_classes() {
        let test = split(None, 20, 0);
        let shown = Shown::of(&test);
        assert_eq!(shown.classes(), Classes::default());
        let points = shown.points(test.len(), 512);
        assert_eq!((points.len(), shown.queries(test.len()).len()), (20, 8));
        assert_eq!(shown.labels(&test, &points), None);
    }

    #[test]
    fn neighbours_are_the_largest_cosines_in_order() {
        let directions = |rows: &[[f32; 2]]| {
            Directions::of(&tch::Tensor::from_slice(&rows.concat()).view([-1, 2])).unwrap()
        };
        let bank = directions(&[[0.0, 2.0], [3.0, 0.0], [1.0, 1.0], [9.0, 0.0], [0.0, 0.0]]);
        let found = nearest(&directions(&[[5.0, 0.0]]), &bank);
        let places: Vec<usize> = found[0].iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [1, 3, 2, 0, 4]);
        assert!((found[0][2].1 - 0.5f32.sqrt()).abs() < 1e-6);
        assert!(Directions::of(&tch::Tensor::from_slice(&[f32::NAN, 1.0]).view([1, 2])).is_err());
    }

    #[test]
    fn same_classes_are_told_query_by_query() {
        let test = split(Some(vec![0, 1]), 2, 2);
        let train = split(Some(vec![1, 0, 0]), 3, 2);
        let same = same_class(&test, &[0, 1], &train, &[0, 1, 2, 0]);
        assert_eq!(same, [false, true, false, true]);
    }
}
