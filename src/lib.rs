//! Plans, runs and reports ablation sweeps of BYOL and SimCLR.
//!
//! Data flows one way: TOML, [`spec`], [`plan`], [`schedule`], [`exec`], the worker process
//! (`train`), its attempt folder ([`protocol`]), [`store`], [`report`]. Which module may use
//! which is a table in `ARCHITECTURE.md`, and a test holds the sources to it. Decisions are pure
//! functions; clocks, files and processes are at the edge.

pub mod augment;
pub mod cli;
pub mod control;
pub mod data;
pub mod drive;
pub mod exec;
pub mod export;
pub mod failpoint;
pub mod files;
pub mod filter;
pub mod ids;
pub mod import;
pub mod outcome;
pub mod outlook;
pub mod plan;
pub mod protocol;
pub mod provenance;
pub mod published;
pub mod report;
pub mod schedule;
pub mod serve;
pub mod spec;
pub mod store;
#[cfg(feature = "torch")]
pub mod train;
pub mod ui;
pub mod verbs;
pub mod volume;
