//! What a worker shows of its attempt beside numbers: views as training saw them, features of a few
//! test images, the nearest neighbours of a few others. One small safetensors file, written and read
//! here without libtorch. Knows nothing of how its content is made or drawn.

use std::collections::HashMap;

use half::f16;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

/// What events and the store call the file.
pub const ARTIFACT: &str = "exhibit";
/// Version of the file. A reader refuses another one.
const FORMAT: u32 = 1;
/// Largest file that is read, in bytes: several times what a worker writes.
pub const LARGEST: u64 = 4 << 20;
/// Largest side of a picture in pixels.
pub const LARGEST_SIDE: usize = 64;
/// Most pictures in a row of them, and most rows.
const MOST_PICTURES: usize = 64;
/// Most images with features.
pub const MOST_POINTS: usize = 512;
/// Most classes that are told apart by name.
pub const MOST_CLASSES: usize = 10;

const ABOUT: &str = "exhibit";

/// Everything that a worker shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Exhibit {
    /// The labels' meaning.
    pub classes: Classes,
    /// Training images and what training made of them.
    pub views: Views,
    /// Test images as the encoder sees them.
    pub points: Points,
    /// Test images and their nearest neighbours.
    pub neighbours: Neighbours,
}

/// The classes that labels stand for; no names where images have no labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    /// At most [`MOST_CLASSES`].
    pub names: Vec<String>,
    /// Of so many in the data set.
    pub of: u32,
}

/// Square pictures of one side: RGB, 8 bits a channel, channels last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pictures {
    /// In pixels.
    pub side: usize,
    /// One picture after the other.
    pub rgb: Vec<u8>,
}

/// A few training images, before they are normalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Views {
    /// Their numbers among the training images.
    pub numbers: Vec<u32>,
    /// Pass over the images that the views are of, from 0.
    pub epoch: u64,
    /// The images themselves, their central square.
    pub originals: Pictures,
    /// Views of the distribution T.
    pub first: Pictures,
    /// Views of the distribution T'.
    pub second: Pictures,
}

/// Directions of the features of some images.
#[derive(Clone, Debug, PartialEq)]
pub struct Points {
    /// Numbers in a feature vector.
    pub size: usize,
    /// One vector of length 1 after the other, rounded to half precision; zeros where an image has no
    /// features.
    pub features: Vec<f32>,
    /// Place of each image's class in [`Classes::names`]; `None` without labels.
    pub labels: Option<Vec<u8>>,
}

/// A few images and the images whose features are nearest to theirs by cosine, nearest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbours {
    /// Images that were searched among.
    pub among: u32,
    /// Neighbours of each query.
    pub each: usize,
    /// The images themselves.
    pub queries: Pictures,
    /// Neighbours of the first query, of the second, ...
    pub found: Pictures,
    /// Cosine of each neighbour with its query.
    pub cosines: Vec<f32>,
    /// Classes, where images have labels.
    pub labels: Option<NeighbourLabels>,
}

/// What the labels say of neighbours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeighbourLabels {
    /// Place of each query's class in [`Classes::names`].
    pub queries: Vec<u8>,
    /// Whether each neighbour is of its query's class.
    pub same_class: Vec<bool>,
}

/// What stands beside the tensors.
#[derive(Serialize, Deserialize)]
struct About {
    format: u32,
    classes: Vec<String>,
    of_classes: u32,
    epoch: u64,
    numbers: Vec<u32>,
    among: u32,
}

/// Bytes that are no exhibit.
#[derive(Debug, thiserror::Error)]
pub enum ExhibitError {
    /// Not the outer form.
    #[error("it is no safetensors file: {0}")]
    Form(#[from] safetensors::SafeTensorError),
    /// The description beside the tensors is missing or broken.
    #[error("its description is broken: {0}")]
    About(String),
    /// Another version wrote it.
    #[error("it is of format {0}, this version of byol-sweep reads format {FORMAT}")]
    Format(u32),
    /// A tensor that does not go with the others.
    #[error("`{name}` is {found}, which does not go with the rest")]
    Tensor {
        /// Its name.
        name: &'static str,
        /// Kind and shape.
        found: String,
    },
    /// A number that cannot be.
    #[error("`{name}` holds a value that cannot be")]
    Value {
        /// Name of the tensor.
        name: &'static str,
    },
}

impl Pictures {
    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.rgb.len().checked_div(self.side * self.side * 3).unwrap_or(0)
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes of each picture.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.rgb.chunks_exact((self.side * self.side * 3).max(1))
    }
}

impl Points {
    /// Returns the features of each image.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.features.chunks_exact(self.size.max(1))
    }
}

const ORIGINALS: &str = "views.original";
const FIRST: &str = "views.t";
const SECOND: &str = "views.t_prime";
const FEATURES: &str = "points.feature";
const LABELS: &str = "points.label";
const QUERIES: &str = "neighbours.query";
const FOUND: &str = "neighbours.found";
const COSINES: &str = "neighbours.cosine";
const QUERY_LABELS: &str = "neighbours.query_label";
const SAME_CLASS: &str = "neighbours.same_class";

impl Exhibit {
    /// Returns the file's bytes; equal exhibits have equal bytes.
    ///
    /// # Errors
    /// The parts do not go together.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ExhibitError> {
        let Self { classes, views, points, neighbours } = self;
        let about = About {
            format: FORMAT,
            classes: classes.names.clone(),
            of_classes: classes.of,
            epoch: views.epoch,
            numbers: views.numbers.clone(),
            among: neighbours.among,
        };
        let about =
            serde_json::to_string(&about).map_err(|e| ExhibitError::About(e.to_string()))?;
        let halves: Vec<u8> =
            points.features.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect();
        let cosines: Vec<u8> = neighbours.cosines.iter().flat_map(|v| v.to_le_bytes()).collect();
        let each = neighbours.each;
        let of = |pictures: &Pictures| vec![pictures.len(), pictures.side, pictures.side, 3];
        let grid = |pictures: &Pictures| {
            let rows = pictures.len().checked_div(each).unwrap_or(0);
            vec![rows, each, pictures.side, pictures.side, 3]
        };
        let points_here = points.rows().count();
        let queries = neighbours.queries.len();
        let mut tensors: Vec<(&str, Dtype, Vec<usize>, &[u8])> = vec![
            (ORIGINALS, Dtype::U8, of(&views.originals), &views.originals.rgb),
            (FIRST, Dtype::U8, of(&views.first), &views.first.rgb),
            (SECOND, Dtype::U8, of(&views.second), &views.second.rgb),
            (FEATURES, Dtype::F16, vec![points_here, points.size], &halves),
            (QUERIES, Dtype::U8, of(&neighbours.queries), &neighbours.queries.rgb),
            (FOUND, Dtype::U8, grid(&neighbours.found), &neighbours.found.rgb),
            (COSINES, Dtype::F32, vec![queries, each], &cosines),
        ];
        if let Some(labels) = &points.labels {
            tensors.push((LABELS, Dtype::U8, vec![labels.len()], labels));
        }
        let same: Vec<u8>;
        if let Some(labels) = &neighbours.labels {
            same = labels.same_class.iter().map(|same| u8::from(*same)).collect();
            tensors.push((QUERY_LABELS, Dtype::U8, vec![labels.queries.len()], &labels.queries));
            tensors.push((SAME_CLASS, Dtype::U8, vec![queries, each], &same));
        }
        let views: Vec<(&str, TensorView<'_>)> = tensors
            .into_iter()
            .map(|(name, kind, shape, bytes)| Ok((name, TensorView::new(kind, shape, bytes)?)))
            .collect::<Result<_, ExhibitError>>()?;
        // One entry: the order of several would change from run to run.
        let about = HashMap::from([(ABOUT.to_owned(), about)]);
        Ok(safetensors::serialize(views, Some(about))?)
    }

    /// Reads what [`Exhibit::to_bytes`] wrote, and checks all of it.
    ///
    /// # Errors
    /// Bytes that no worker of this format wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ExhibitError> {
        let (_, header) = SafeTensors::read_metadata(bytes)?;
        let about = header.metadata().as_ref().and_then(|entries| entries.get(ABOUT));
        let about = about.ok_or_else(|| ExhibitError::About("there is none".to_owned()))?;
        let about: serde_json::Value =
            serde_json::from_str(about).map_err(|e| ExhibitError::About(e.to_string()))?;
        match about["format"].as_u64().and_then(|format| u32::try_from(format).ok()) {
            Some(FORMAT) | None => {}
            Some(other) => return Err(ExhibitError::Format(other)),
        }
        let about: About =
            serde_json::from_value(about).map_err(|e| ExhibitError::About(e.to_string()))?;
        if about.classes.len() > MOST_CLASSES {
            return Err(ExhibitError::About(format!("it names {} classes", about.classes.len())));
        }
        let file = File(SafeTensors::deserialize(bytes)?);
        let classes = Classes { names: about.classes, of: about.of_classes };
        let views = Views {
            originals: file.pictures(ORIGINALS)?,
            first: file.pictures(FIRST)?,
            second: file.pictures(SECOND)?,
            numbers: about.numbers,
            epoch: about.epoch,
        };
        for (name, part) in [(FIRST, &views.first), (SECOND, &views.second)] {
            if part.len() != views.originals.len() || part.side != views.originals.side {
                return Err(file.misfit(name));
            }
        }
        if views.numbers.len() != views.originals.len() {
            return Err(file.misfit(ORIGINALS));
        }
        let points = file.points(&classes)?;
        let neighbours = file.neighbours(&classes, about.among)?;
        Ok(Self { classes, views, points, neighbours })
    }
}

/// A file whose outer form is right.
struct File<'b>(SafeTensors<'b>);

impl<'b> File<'b> {
    /// Returns a tensor of that kind and number of dimensions, with its shape.
    fn tensor<const N: usize>(
        &self,
        name: &'static str,
        kind: Dtype,
    ) -> Result<([usize; N], &'b [u8]), ExhibitError> {
        let view = self.0.tensor(name)?;
        let shape = <[usize; N]>::try_from(view.shape()).ok().filter(|_| view.dtype() == kind);
        Ok((shape.ok_or_else(|| self.misfit(name))?, view.data()))
    }

    fn misfit(&self, name: &'static str) -> ExhibitError {
        let found = match self.0.tensor(name) {
            Ok(view) => format!("{:?} {:?}", view.dtype(), view.shape()),
            Err(_) => "not there".to_owned(),
        };
        ExhibitError::Tensor { name, found }
    }

    fn pictures(&self, name: &'static str) -> Result<Pictures, ExhibitError> {
        let ([count, height, width, channels], rgb) = self.tensor::<4>(name, Dtype::U8)?;
        if height != width || channels != 3 || !is_sized(count, width) {
            return Err(self.misfit(name));
        }
        Ok(Pictures { side: width, rgb: rgb.to_vec() })
    }

    fn points(&self, classes: &Classes) -> Result<Points, ExhibitError> {
        let ([count, size], halves) = self.tensor::<2>(FEATURES, Dtype::F16)?;
        if !(1..=MOST_POINTS).contains(&count) || size == 0 {
            return Err(self.misfit(FEATURES));
        }
        let (halves, _) = halves.as_chunks::<2>();
        let features: Vec<f32> =
            halves.iter().map(|half| f16::from_le_bytes(*half).to_f32()).collect();
        if !features.iter().all(|value| value.abs() <= 1.001) {
            return Err(ExhibitError::Value { name: FEATURES });
        }
        let labels = self.labels(LABELS, count, classes)?;
        Ok(Points { size, features, labels })
    }

    fn neighbours(&self, classes: &Classes, among: u32) -> Result<Neighbours, ExhibitError> {
        let queries = self.pictures(QUERIES)?;
        let ([rows, each, height, width, channels], rgb) = self.tensor::<5>(FOUND, Dtype::U8)?;
        let goes_with = rows == queries.len() && [height, width] == [queries.side; 2];
        if !goes_with || channels != 3 || !is_sized(each, width) {
            return Err(self.misfit(FOUND));
        }
        let found = Pictures { side: width, rgb: rgb.to_vec() };
        let (shape, cosines) = self.tensor::<2>(COSINES, Dtype::F32)?;
        if shape != [rows, each] {
            return Err(self.misfit(COSINES));
        }
        let (cosines, _) = cosines.as_chunks::<4>();
        let cosines: Vec<f32> = cosines.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        if !cosines.iter().all(|cosine| cosine.abs() <= 1.001) {
            return Err(ExhibitError::Value { name: COSINES });
        }
        let labels = match self.labels(QUERY_LABELS, rows, classes)? {
            Some(queries) => {
                let (shape, same) = self.tensor::<2>(SAME_CLASS, Dtype::U8)?;
                if shape != [rows, each] {
                    return Err(self.misfit(SAME_CLASS));
                }
                let same_class = same.iter().map(|same| *same != 0).collect();
                Some(NeighbourLabels { queries, same_class })
            }
            None => None,
        };
        Ok(Neighbours { among, each, queries, found, cosines, labels })
    }

    /// Returns a label for each of `count` images, each a class that has a name.
    fn labels(
        &self,
        name: &'static str,
        count: usize,
        classes: &Classes,
    ) -> Result<Option<Vec<u8>>, ExhibitError> {
        if self.0.tensor(name).is_err() {
            return Ok(None);
        }
        let ([found], labels) = self.tensor::<1>(name, Dtype::U8)?;
        if found != count {
            return Err(self.misfit(name));
        }
        if labels.iter().any(|label| usize::from(*label) >= classes.names.len()) {
            return Err(ExhibitError::Value { name });
        }
        Ok(Some(labels.to_vec()))
    }
}

fn is_sized(pictures: usize, side: usize) -> bool {
    (1..=MOST_PICTURES).contains(&pictures) && (1..=LARGEST_SIDE).contains(&side)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pictures(count: usize, side: usize, first: u8) -> Pictures {
        let bytes = count * side * side * 3;
        Pictures { side, rgb: (0..bytes).map(|at| first.wrapping_add(at as u8)).collect() }
    }

    fn exhibit(labelled: bool) -> Exhibit {
        let names = if labelled { vec!["cat".to_owned(), "dog".to_owned()] } else { Vec::new() };
        Exhibit {
            classes: Classes { names, of: 2 },
            views: Views {
                numbers: vec![4, 9],
                epoch: 0,
                originals: pictures(2, 3, 0),
                first: pictures(2, 3, 1),
                second: pictures(2, 3, 2),
            },
            points: Points {
                size: 2,
                features: vec![1.0, 0.0, 0.5, -0.25, 0.0, 0.0],
                labels: labelled.then(|| vec![0, 1, 1]),
            },
            neighbours: Neighbours {
                among: 40,
                each: 3,
                queries: pictures(2, 4, 5),
                found: pictures(6, 4, 6),
                cosines: vec![0.9, 0.8, 0.7, 1.0, -0.5, -1.0],
                labels: labelled.then(|| NeighbourLabels {
                    queries: vec![1, 0],
                    same_class: vec![true, false, true, true, false, false],
                }),
            },
        }
    }

    #[test]
    fn an_exhibit_comes_back_from_its_bytes() {
        for labelled in [true, false] {
            let exhibit = exhibit(labelled);
            let bytes = exhibit.to_bytes().unwrap();
            assert_eq!(Exhibit::from_bytes(&bytes).unwrap(), exhibit);
            assert_eq!(bytes, exhibit.to_bytes().unwrap());
        }
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = exhibit(true).to_bytes().unwrap();
        for length in 0..bytes.len() {
            assert!(Exhibit::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
        }
    }

    /// The file with its header changed as text, padded to its former length where that is shorter.
    fn edited(from: &str, to: &str) -> Vec<u8> {
        let bytes = exhibit(true).to_bytes().unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let header = std::str::from_utf8(&bytes[8..8 + length]).unwrap();
        assert!(header.contains(from), "{header}");
        let header = header.replacen(from, to, 1);
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes[8 + length..]].concat()
    }

    fn error(bytes: &[u8]) -> String {
        Exhibit::from_bytes(bytes).unwrap_err().to_string()
    }

    #[test]
    fn sizes_that_do_not_go_together_are_errors() {
        let cases = [
            (r#""shape":[2,3,3,3]"#, r#""shape":[9,2,3,1]"#),
            (r#""shape":[3,2]"#, r#""shape":[2,3]"#),
            (r#""shape":[3,2]"#, r#""shape":[6]"#),
            (r#""shape":[2,3,4,4,3]"#, r#""shape":[3,2,4,4,3]"#),
            (r#""shape":[2,3,4,4,3]"#, r#""shape":[2,3,4,12,1]"#),
            (r#""dtype":"F16""#, r#""dtype":"I16""#),
            ("points.label", "points.lapel"),
        ];
        for (from, to) in cases {
            let read = Exhibit::from_bytes(&edited(from, to));
            match read {
                // Without labels it is an exhibit without labels.
                Ok(read) => assert_eq!((to, read.points.labels), ("points.lapel", None)),
                Err(error) => assert!(error.to_string().contains("does not go"), "{to}: {error}"),
            }
        }
        for (from, to) in [
            (r#""shape":[2,3,3,3]"#, r#""shape":[4611686018427387904,4,3,3]"#),
            (r#""shape":[2,3,3,3]"#, r#""shape":[2,3,3,4]"#),
            ("views.t_prime", "views.t_primo"),
        ] {
            assert!(error(&edited(from, to)).starts_with("it is no safetensors file: "), "{to}");
        }
    }

    #[test]
    fn descriptions_are_checked() {
        assert!(error(&edited(r#"\"format\":1"#, r#"\"format\":2"#)).contains("is of format 2"));
        assert!(error(&edited(r#"[4,9]"#, r#"[4]"#)).contains("does not go with the rest"));
        assert!(error(&edited(r#"\"among\":40"#, r#"\"among\":-4"#)).contains("is broken"));
        let label = edited(r#"[\"cat\",\"dog\"]"#, r#"[\"cat\"]"#);
        assert_eq!(error(&label), "`points.label` holds a value that cannot be");
        assert!(error(&edited("\"exhibit\":", "\"exhibits\":")).contains("there is none"));
    }

    #[test]
    fn values_that_cannot_be_are_refused() {
        for broken in [f32::NAN, f32::INFINITY, 2.0] {
            let mut exhibit = exhibit(true);
            exhibit.points.features[0] = broken;
            let bytes = exhibit.to_bytes().unwrap();
            assert_eq!(error(&bytes), "`points.feature` holds a value that cannot be");
            exhibit.points.features[0] = 0.0;
            exhibit.neighbours.cosines[0] = broken;
            let bytes = exhibit.to_bytes().unwrap();
            assert_eq!(error(&bytes), "`neighbours.cosine` holds a value that cannot be");
        }
    }

    proptest! {
        #[test]
        fn any_flipped_byte_is_read_or_refused(at in 0usize..2000, bit in 0u32..8) {
            let mut bytes = exhibit(true).to_bytes().unwrap();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let _ = Exhibit::from_bytes(&bytes);
        }
    }
}
