//! One attempt, whole. The only code that names libtorch.

pub mod eval;
