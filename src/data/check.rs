//! Looks a data set over, image by image, before hours of training depend on it.
