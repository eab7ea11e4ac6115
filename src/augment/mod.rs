//! Views of images: drawing their parameters and applying them to pixels (BYOL, appendix B).
//! [`draw`] decides, the rest computes. Knows nothing of libtorch, of files, or of how many
//! threads there are: the same coordinates give the same view in any order of work.
//!
//! ```
//! use byol_sweep::augment::{Coordinates, Frame, Pixels, View, draw, view};
//! use byol_sweep::spec::run::{Crop, ViewRecipe};
//!
//! let crop = Crop { min_area: 0.08, max_area: 1.0, min_aspect: 0.75, max_aspect: 4.0 / 3.0 };
//! let recipe = ViewRecipe { crop: Some(crop), ..ViewRecipe::default() };
//! let frame = Frame::new(32, [0.5; 3], [0.25; 3]);
//! let rgb = vec![128; 48 * 40 * 3];
//! let at = Coordinates { seed: 1, epoch: 0, image: 7, view: View::First };
//! let mut out = vec![0.0; frame.len()];
//! view(Pixels::new(48, 40, &rgb)?, &draw(&recipe, at), &frame, &mut out)?;
//! # Ok::<(), byol_sweep::augment::AugmentError>(())
//! ```

mod apply;
mod blend;
mod blur;
mod color;
mod crop;
#[cfg(test)]
mod distribution;
mod draw;
mod frame;
mod pipeline;
mod pixels;
mod resize;
mod scratch;

pub use apply::{plain, view};
pub use crop::{Area, CropDraw};
pub use draw::{Adjustment, Coordinates, Drawn, View, draw};
pub use frame::Frame;
pub use pipeline::Pipeline;
pub use pixels::{AugmentError, Pixels};
