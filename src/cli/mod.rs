//! The command line: one file a verb. A verb turns what was typed into calls of the library and
//! their results into text; it decides nothing itself.

pub mod args;
mod completions;
mod cost;
mod csv;
mod data;
mod db;
mod detach;
mod diff;
mod doctor;
pub mod exit;
mod explain;
mod export;
mod gc;
mod guarantees;
mod hold;
mod import;
mod init;
mod logs;
mod ls;
mod man;
mod origin;
mod places;
mod plan;
mod planning;
mod preflight;
mod probe;
mod provenance;
mod reading;
mod remove;
mod report;
mod room;
mod run;
mod said;
#[cfg(test)]
mod samples;
mod serve;
pub mod shipped;
mod show;
mod status;
mod stop;
mod sweep_file;
mod table;
mod tag;
pub mod target;
mod trials;
mod wait;
mod watch;

use self::args::{Args, Verb};
use self::exit::ExitCode;
use self::places::Places;
use crate::drive::command::StopHow;
use crate::plan::PlanError;
use crate::spec::SpecError;
use crate::ui::Ui;

/// Version of every document that `--json` prints.
const JSON_SCHEMA: u32 = 1;

/// Runs the verb that was typed.
///
/// # Errors
///
/// With what went wrong; [`exit::code_of`] says which exit code it means.
pub fn dispatch(args: Args, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let places = Places::of(&args.global)?;
    match args.verb {
        Verb::Init(args) => init::run(&args, ui),
        Verb::Plan(args) => plan::run(&args, &places, ui),
        Verb::Run(args) => run::run(&args, &places, ui),
        Verb::Status(args) => status::run(&args, &places, ui),
        Verb::Ls(args) => ls::run(&args, &places, ui),
        Verb::Show(args) => show::run(&args, &places, ui),
        Verb::Logs(args) => logs::run(&args, &places, ui),
        Verb::Report(args) => report::run(&args, &places, ui),
        Verb::Export(args) => export::run(&args, &places, ui),
        Verb::Import(args) => import::run(&args, &places, ui),
        Verb::Data(args) => data::run(&args, &places, ui),
        Verb::Doctor(args) => doctor::run(args, &places, ui),
        Verb::Pause(args) => hold::pause(&args, &places, ui),
        Verb::Resume(args) => hold::resume(&args, &places, ui),
        Verb::Stop(args) => stop::run(&args, StopHow::Politely, &places, ui),
        Verb::Kill(args) => stop::run(&args, StopHow::ByForce, &places, ui),
        Verb::Retry(args) => hold::retry(&args, &places, ui),
        Verb::Wait(args) => wait::run(&args, &places, ui),
        Verb::Tag(args) => tag::run(&args, &places, ui),
        Verb::Rm(args) => remove::remove(&args, &places, ui),
        Verb::Restore(args) => remove::restore(&args, &places, ui),
        Verb::Guarantees => guarantees::run(ui),
        Verb::Completions(args) => completions::run(&args, ui),
        Verb::Man(args) => man::run(&args, ui),
        Verb::Diff(args) => diff::run(&args, &places, ui),
        Verb::Gc(args) => gc::run(&args, &places, ui),
        Verb::Db(args) => db::run(&args, &places, ui),
        Verb::Explain(args) => explain::run(&args, &places, ui),
        Verb::Serve(args) => serve::run(&args, &places, ui),
    }
}

/// Tells people about an error that ended a verb.
pub fn explain(error: &anyhow::Error, ui: &mut Ui) {
    match (error.downcast_ref::<PlanError>(), error.downcast_ref::<SpecError>()) {
        (Some(PlanError::Spec(fault)), _) | (None, Some(fault)) => {
            for fault in fault.faults() {
                ui.diagnostic(fault);
            }
        }
        (Some(many @ PlanError::TooMany { .. }), _) => ui.diagnostic(many),
        (None, None) => ui.error(error),
    }
}

/// Returns a document's text.
fn json_text(document: &serde_json::Value) -> String {
    format!("{document:#}")
}
