//! `retry`: failed trials get another chance, with all their retries.

use serde_json::json;

use super::exit::ExitCode;
use super::hold::starts;
use super::places::Places;
use super::reach::Reached;
use super::reading::Reading;
use super::said::{Said, phrase};
use super::target::{HoldArgs, Target};
use crate::store::Edit;
use crate::store::rows::TrialState;
use crate::ui::Ui;

pub(super) fn run(args: &HoldArgs, places: &Places, ui: &mut Ui) -> anyhow::Result<ExitCode> {
    let target = Target::find(&args.target, &Reading::open_existing(places)?)?.keep(
        |trial| trial.state == TrialState::Failed,
        |name| format!("nothing to retry: no failure among what was named of {name}"),
    )?;
    let reached = Reached::reach(places)?;
    // Released first: what is forgiven starts at once where a run is at work.
    reached.edit(Edit::Release { trials: target.keys() })?;
    let count = reached.edit(Edit::Pardon { trials: target.keys() })?;
    let text = format!("{} forgiven; {}", phrase(&target), starts(&reached, &target));
    Said { verb: "retry", target: &target, text, more: json!({ "count": count }) }
        .tell(args.reader, ui)?;
    Ok(ExitCode::Success)
}
