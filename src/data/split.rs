//! Images with their labels, reachable by index from any thread. Knows no file format.

use std::borrow::Cow;
use std::path::PathBuf;

use super::{DataError, decode};

/// One image: RGB, 8 bits a channel, rows from the top, channels interleaved (HWC).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image<'a> {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `height * width * 3` bytes.
    pub rgb: Cow<'a, [u8]>,
}

/// Where the pixels are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Images {
    /// Square images of one size, all in memory.
    Memory {
        /// Width and height in pixels.
        side: u32,
        /// `n * side * side * 3` bytes, HWC, one image after the other.
        pixels: Vec<u8>,
    },
    /// One JPEG or PNG each, of any size, decoded anew at every access.
    Files(Vec<PathBuf>),
}

impl Images {
    /// Returns the number of images.
    pub fn len(&self) -> usize {
        match self {
            Images::Memory { side, pixels } => {
                pixels.len().checked_div(image_bytes(*side)).unwrap_or(0)
            }
            Images::Files(paths) => paths.len(),
        }
    }

    /// Returns whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns image `index`: borrowed from memory, or decoded from its file.
    pub fn get(&self, index: usize) -> Result<Image<'_>, DataError> {
        let out_of_range = || DataError::OutOfRange { index, len: self.len() };
        match self {
            Images::Memory { side, pixels } => {
                let bytes = image_bytes(*side);
                let rgb = pixels
                    .get(index.saturating_mul(bytes)..index.saturating_add(1).saturating_mul(bytes))
                    .filter(|rgb| !rgb.is_empty())
                    .ok_or_else(out_of_range)?;
                Ok(Image { width: *side, height: *side, rgb: Cow::Borrowed(rgb) })
            }
            Images::Files(paths) => decode::decode(paths.get(index).ok_or_else(out_of_range)?),
        }
    }

    fn select(&self, indices: &[u32]) -> Result<Images, DataError> {
        match self {
            Images::Memory { side, .. } => {
                let mut pixels = Vec::with_capacity(indices.len() * image_bytes(*side));
                for &index in indices {
                    pixels.extend_from_slice(&self.get(index as usize)?.rgb);
                }
                Ok(Images::Memory { side: *side, pixels })
            }
            Images::Files(paths) => {
                let len = paths.len();
                let path = |&index: &u32| {
                    let index = index as usize;
                    paths.get(index).cloned().ok_or(DataError::OutOfRange { index, len })
                };
                Ok(Images::Files(indices.iter().map(path).collect::<Result<_, _>>()?))
            }
        }
    }
}

fn image_bytes(side: u32) -> usize {
    side as usize * side as usize * 3
}

/// The training or the test half of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The images.
    pub images: Images,
    /// Index into `classes` of each image, where the set has labels.
    pub labels: Option<Vec<u16>>,
    /// Names of the classes; empty without labels.
    pub classes: Vec<String>,
}

impl Split {
    /// Returns the number of images.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Returns whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Returns image `index`, from 0.
    pub fn get(&self, index: usize) -> Result<Image<'_>, DataError> {
        self.images.get(index)
    }

    /// Returns the images at `indices`, in that order, with their labels.
    pub fn select(&self, indices: &[u32]) -> Result<Split, DataError> {
        let images = self.images.select(indices)?;
        let label = |labels: &Vec<u16>, index: u32| {
            let index = index as usize;
            labels.get(index).copied().ok_or(DataError::OutOfRange { index, len: labels.len() })
        };
        let labels = self
            .labels
            .as_ref()
            .map(|all| indices.iter().map(|&index| label(all, index)).collect())
            .transpose()?;
        Ok(Split { images, labels, classes: self.classes.clone() })
    }

    /// Returns the labels that an evaluation needs; fails without labels and where fewer than
    /// two classes are to be told apart.
    pub fn labels_to_judge(&self) -> Result<&[u16], DataError> {
        match (&self.labels, self.classes.as_slice()) {
            (None, _) | (Some(_), []) => Err(DataError::NoLabels),
            (Some(_), [class]) => Err(DataError::OneClass { class: class.clone() }),
            (Some(labels), _) => Ok(labels),
        }
    }

    /// Returns the number of images of each class, in the order of `classes`.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        for &label in self.labels.iter().flatten() {
            if let Some(count) = counts.get_mut(usize::from(label)) {
                *count += 1;
            }
        }
        counts
    }
}

/// A data set: what is trained on, and what is never seen in training.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Training images.
    pub train: Split,
    /// Test images, where the set has them.
    pub test: Option<Split>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Split {
        let pixels = (0..3u8).flat_map(|i| [i; 12]).collect();
        Split {
            images: Images::Memory { side: 2, pixels },
            labels: Some(vec![0, 1, 0]),
            classes: vec!["a".into(), "b".into()],
        }
    }

    #[test]
    fn images_in_memory_are_borrowed() {
        let split = three();
        assert_eq!(split.len(), 3);
        let image = split.get(1).unwrap();
        assert!(matches!(image.rgb, Cow::Borrowed(_)));
        assert_eq!((image.width, image.height, image.rgb.as_ref()), (2, 2, &[1u8; 12][..]));
    }

    #[test]
    fn an_index_beyond_the_end_is_an_error_that_tells_both_numbers() {
        let split = three();
        assert_eq!(split.get(3).unwrap_err().to_string(), "image 3 was asked for, and there are 3");
        assert!(split.get(usize::MAX).is_err());
        assert!(split.select(&[0, 3]).is_err());
    }

    #[test]
    fn a_side_of_zero_holds_no_image() {
        let images = Images::Memory { side: 0, pixels: Vec::new() };
        assert!(images.is_empty());
        assert!(images.get(0).is_err());
    }

    #[test]
    fn a_selection_keeps_order_and_labels() {
        let split = three().select(&[2, 1]).unwrap();
        assert_eq!(split.get(0).unwrap().rgb[0], 2);
        assert_eq!(split.labels, Some(vec![0, 1]));
        assert_eq!(split.class_counts(), [1, 1]);
    }

    #[test]
    fn evaluation_needs_labels_of_two_classes() {
        let mut split = three();
        assert_eq!(split.labels_to_judge().unwrap(), [0, 1, 0]);
        split.classes.truncate(1);
        assert!(matches!(split.labels_to_judge(), Err(DataError::OneClass { .. })));
        split.labels = None;
        assert!(matches!(split.labels_to_judge(), Err(DataError::NoLabels)));
    }

    #[test]
    fn splits_cross_threads() {
        fn crosses<T: Send + Sync>() {}
        crosses::<Dataset>();
    }
}
