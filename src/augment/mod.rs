//! Views of images: drawing their parameters and applying them. Knows nothing of libtorch.
