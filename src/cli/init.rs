//! `init`: an annotated sweep file to start from.

use std::path::Path;

use anyhow::Context;

use super::args::InitArgs;
use super::exit::{ExitCode, UsageError};
use super::shipped;
use crate::files::write_atomically;
use crate::ui::Ui;

const GRID: &str = include_str!("templates/grid.toml");
const ARMS: &str = include_str!("templates/arms.toml");

pub(super) fn run(args: &InitArgs, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let text = template(&args.template)?;
    if args.out == Path::new("-") {
        ui.print(text)?;
        return Ok(ExitCode::Success);
    }
    let file = args.out.display();
    if args.out.exists() && !args.force {
        let message = format!("{file} exists already: choose another with --out, or say --force");
        return Err(UsageError(message).into());
    }
    write_atomically(&args.out, text.as_bytes()).with_context(|| format!("cannot write {file}"))?;
    ui.note(&format!("wrote {file}; next: byol-sweep plan {file}"));
    Ok(ExitCode::Success)
}

fn template(name: &str) -> Result<&'static str, UsageError> {
    match name {
        "grid" => Ok(GRID),
        "arms" => Ok(ARMS),
        other => shipped::find(other).map(|shipped| shipped.text).ok_or_else(|| {
            UsageError(format!(
                "no template `{other}`: it is neither grid nor arms, nor the name of one sweep that ships: {}",
                shipped::hint(other)
            ))
        }),
    }
}
