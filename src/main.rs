//! The controller: parses what was typed, runs the verb, returns its exit code.

use std::process::ExitCode;

use byol_sweep::cli;
use byol_sweep::ui::Ui;
use clap::Parser;

fn main() -> ExitCode {
    let args = cli::args::Args::parse();
    let mut ui = Ui::new(args.global.color, args.global.verbosity());
    let code = match cli::dispatch(args, &mut ui) {
        Ok(code) => code,
        Err(error) => {
            let code = cli::exit::code_of(&error);
            // A reader that closed our output has seen all it wanted.
            if code != cli::exit::ExitCode::Success {
                cli::explain(&error, &mut ui);
            }
            code
        }
    };
    code.into()
}
