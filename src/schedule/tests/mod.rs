//! The scheduler against a simulated world.

mod broken;
mod properties;
mod stories;
mod wishes;
mod world;
