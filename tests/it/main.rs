//! The only integration binary: one link, shared helpers.

#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod augment;
mod bad_input;
mod browser;
mod cli;
mod control;
mod data;
mod disk;
mod e2e;
mod early;
mod exports;
mod family;
mod figures;
mod fuzz;
mod golden;
mod latex;
mod layers;
mod ledger;
mod migrations;
mod process;
mod remains;
mod report_page;
mod report_verb;
mod reports;
mod serve;
mod store;
mod sweeps;
mod tables;
mod terminal;
mod train;
