//! Mean and standard deviation of each data set's channels, for normalising.

use crate::spec::run::Source;

/// Returns (mean, standard deviation) of R, G, B for values in [0, 1].
pub fn stats(source: &Source) -> ([f64; 3], [f64; 3]) {
    match source {
        // Measured over 20,000 images of 32 px, seed 0.
        Source::Shapes { .. } => ([0.502, 0.500, 0.500], [0.268, 0.285, 0.266]),
        // Measured over the 50,000 training images.
        Source::Cifar10 => ([0.4914, 0.4822, 0.4465], [0.2470, 0.2435, 0.2616]),
        // MNIST's training images, the family's usual choice.
        Source::Idx { .. } => ([0.1307; 3], [0.3081; 3]),
        // ImageNet's training images, the usual choice for photographs.
        Source::ImageFolder { .. } => ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    }
}
