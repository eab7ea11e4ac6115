//! One attempt, whole. The only code that names libtorch.
