//! Kills the product until it loses something: real controllers and workers, whole sweeps, evils
//! drawn from a seed, and after each sweep a comparison with one that nobody disturbed.
//! docs/chaos.md says what is done and what is checked.
//!
//! It knows the product from outside only: its programs, its files and its database. So it links
//! nothing of it, and can be the fast worker too, under another name.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test talks, and fails by panicking"
)]

mod arena;
mod check;
mod dice;
#[path = "../../src/failpoint.rs"]
#[allow(dead_code, unreachable_pub, unused_imports, reason = "the product uses the rest")]
mod failpoint;
mod fake;
mod kept;
mod options;
mod power;
mod processes;
mod rounds;
mod strike;
mod tally;
mod walk;

use std::process::ExitCode;

use options::Options;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [program, folder] = arguments.as_slice()
        && program.ends_with(fake::NAME)
    {
        return fake::work(folder.as_ref());
    }
    match Options::read(&arguments[1..]) {
        Some(options) => rounds::all(&options),
        // Somebody asked for tests of other names, or for their list.
        None => ExitCode::SUCCESS,
    }
}
