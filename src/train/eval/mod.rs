//! How good frozen features are, on tensors of features and labels. Knows nothing of networks or
//! of how features are made.

mod hits;
pub mod knn;
mod labelled;
pub mod linear;
mod split;

pub use hits::Topk;
pub use labelled::{EvalError, Labelled};
pub(super) use split::{Purpose, reorder};
