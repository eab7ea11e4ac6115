//! One attempt, whole. The only code that names libtorch.

pub mod method;
pub mod net;
pub mod optim;
