//! `man`: the manual, made from the definitions of the command line.

use anyhow::Context;
use clap::CommandFactory;

use super::args::{Args, ManArgs};
use super::exit::ExitCode;
use crate::ui::Ui;

pub(super) fn run(args: &ManArgs, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    match &args.out {
        Some(folder) => {
            let at = || format!("cannot write man pages to {}", folder.display());
            std::fs::create_dir_all(folder).with_context(at)?;
            clap_mangen::generate_to(Args::command(), folder).with_context(at)?;
            ui.note(&format!("man pages are in {}", folder.display()));
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Args::command()).render(&mut page)?;
            ui.print_bytes(&page)?;
        }
    }
    Ok(ExitCode::Success)
}
