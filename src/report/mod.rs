//! From rows to tables and charts: gather, analyse, render. A report is a pure function of its
//! rows: the same rows give the same bytes.

pub mod analysis;
pub mod cell;
pub mod chart;
pub mod estimate;
pub mod figure;
pub mod gathered;
mod metric;
pub mod records;
pub mod reference;
mod results;
#[cfg(test)]
mod samples;
mod settings;
pub mod table;

pub use gathered::{Gathered, SweepFacts};
