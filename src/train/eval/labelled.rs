//! Features with their labels, checked once.

use tch::{Kind, Tensor};

use crate::train::poll::Interrupted;

/// Why features cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// Not a matrix with a label for each of its rows.
    #[error(
        "features of shape {features:?} do not go with labels of shape {labels:?}; \
         expected [images, size] and [images], neither empty"
    )]
    Shape {
        /// Shape of the features.
        features: Vec<i64>,
        /// Shape of the labels.
        labels: Vec<i64>,
    },
    /// A label that is no class.
    #[error("labels run from {smallest} to {largest}; expected 0 to {}", classes - 1)]
    Label {
        /// Smallest label.
        smallest: i64,
        /// Largest label.
        largest: i64,
        /// Number of classes.
        classes: i64,
    },
    /// Two sets that do not belong together.
    #[error(
        "{train} features and {train_classes} classes to learn from, {test} and {test_classes} \
         to judge; expected the same"
    )]
    Mismatch {
        /// Size of a feature vector to learn from.
        train: i64,
        /// Classes to learn.
        train_classes: i64,
        /// Size of a feature vector to judge.
        test: i64,
        /// Classes to judge.
        test_classes: i64,
    },
    /// No class has an image to spare for choosing the learning rate.
    #[error(
        "no class has two labelled images, so none can be held out to choose the learning rate; \
         give it more images"
    )]
    NoHoldout,
    /// Every candidate ended with an infinite or undefined loss, or there was none.
    #[error("no learning rate led to a finite loss; are the features finite?")]
    NoFiniteCandidate,
    /// Somebody asked to stop.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// libtorch failed.
    #[error(transparent)]
    Torch(#[from] tch::TchError),
}

/// Features `[images, size]` and labels `[images]` below the number of classes, none empty.
#[derive(Debug)]
pub struct Labelled {
    features: Tensor,
    labels: Tensor,
    classes: i64,
}

impl Labelled {
    /// Takes features of any floating kind and integer labels; both share the memory where they
    /// are of kind f32 and i64 already. Labels move to the features' device.
    ///
    /// # Errors
    ///
    /// [`EvalError::Shape`] and [`EvalError::Label`] on what is not so.
    pub fn new(features: &Tensor, labels: &Tensor, classes: i64) -> Result<Self, EvalError> {
        let (shape, label_shape) = (features.size(), labels.size());
        if !matches!((&shape[..], &label_shape[..]), ([n, d], [m]) if n == m && *n > 0 && *d > 0) {
            return Err(EvalError::Shape { features: shape, labels: label_shape });
        }
        let labels = labels.f_to_device(features.device())?.f_to_kind(Kind::Int64)?;
        let smallest = labels.f_min()?.f_int64_value(&[])?;
        let largest = labels.f_max()?.f_int64_value(&[])?;
        if smallest < 0 || largest >= classes {
            return Err(EvalError::Label { smallest, largest, classes });
        }
        let features = features.f_detach()?.f_to_kind(Kind::Float)?;
        Ok(Self { features, labels, classes })
    }

    /// Returns the features, f32 [images, size].
    pub fn features(&self) -> &Tensor {
        &self.features
    }

    /// Returns the labels, i64 `[images]`, on the features' device.
    pub fn labels(&self) -> &Tensor {
        &self.labels
    }

    /// Returns the number of classes.
    pub fn classes(&self) -> i64 {
        self.classes
    }

    /// Returns the number of images.
    pub fn images(&self) -> i64 {
        self.labels.size()[0]
    }

    /// Returns the size of a feature vector.
    pub fn size(&self) -> i64 {
        self.features.size()[1]
    }

    /// Fails unless `test` has features of the same size and the same classes.
    pub(super) fn check_same_kind(&self, test: &Self) -> Result<(), EvalError> {
        if (self.size(), self.classes) == (test.size(), test.classes) {
            return Ok(());
        }
        Err(EvalError::Mismatch {
            train: self.size(),
            train_classes: self.classes,
            test: test.size(),
            test_classes: test.classes,
        })
    }

    /// Calls `each` with the features and labels of at most `rows` images at a time.
    pub(super) fn in_chunks(
        &self,
        rows: i64,
        mut each: impl FnMut(&Tensor, &Tensor) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let rows = rows.max(1);
        let mut start = 0;
        while start < self.images() {
            let length = rows.min(self.images() - start);
            let features = self.features.f_narrow(0, start, length)?;
            each(&features, &self.labels.f_narrow(0, start, length)?)?;
            start += length;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_and_labels_are_checked() {
        let features = Tensor::zeros([3, 2], (Kind::Float, tch::Device::Cpu));
        let labels = |labels: &[i64]| Tensor::from_slice(labels);
        assert!(Labelled::new(&features, &labels(&[0, 1, 1]), 2).is_ok());
        let error = |labels: &Tensor| Labelled::new(&features, labels, 2).unwrap_err();
        assert!(matches!(error(&labels(&[0, 1])), EvalError::Shape { .. }));
        assert!(matches!(error(&labels(&[0, 1, 2])), EvalError::Label { largest: 2, .. }));
        assert!(matches!(error(&labels(&[0, -1, 1])), EvalError::Label { smallest: -1, .. }));
    }
}
