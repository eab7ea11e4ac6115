//! The only integration binary: one link, shared helpers.

mod cli;
mod data;
mod e2e;
mod golden;
mod layers;
mod process;
mod store;
mod sweeps;
