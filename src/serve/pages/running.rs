//! What runs now: where it is, how far, and how its loss goes.

use std::collections::HashMap;

use maud::{Markup, html};

use super::super::error::Refusal;
use super::super::house::{House, aside, now_ms};
use super::super::links;
use super::super::roster::Roster;
use super::{chart, span};
use crate::ids::TrainKey;
use crate::protocol::folder::AttemptFolder;
use crate::protocol::{Progress, Stage, progress};
use crate::store::rows::AttemptRow;
use crate::ui::words;

/// Attempts that are shown one by one.
const MOST: usize = 16;

/// The metric whose course is shown.
const METRIC: &str = "loss";

/// An attempt that runs.
pub(super) struct Running {
    attempt: AttemptRow,
    /// In the roster.
    place: usize,
    progress: Option<Progress>,
    course: Vec<(u64, f64)>,
}

/// The attempts of a sweep that run.
pub(super) struct AtWork {
    shown: Vec<Running>,
    /// How many there are in all.
    all: usize,
}

/// Reads what runs of a sweep.
pub(super) async fn read(house: &House, roster: &Roster) -> Result<AtWork, Refusal> {
    let live = house.store.live_attempts().await?;
    let mut live: Vec<(AttemptRow, usize)> = live
        .into_iter()
        .filter_map(|attempt| roster.place(&attempt.train_key).map(|place| (attempt, place)))
        .filter(|(_, place)| !roster.rows[*place].is_interrupted)
        .collect();
    let all = live.len();
    live.truncate(MOST);
    let keys: Vec<TrainKey> = live.iter().map(|(live, _)| live.train_key.clone()).collect();
    let courses = house.store.series(METRIC, &keys).await?;
    let mut courses: HashMap<TrainKey, Vec<(u64, f64)>> =
        courses.into_iter().map(|series| (series.train_key, series.points)).collect();
    let shown = aside(move || {
        let running = |(attempt, place): (AttemptRow, usize)| Running {
            progress: progress::last_of(&AttemptFolder::at(&attempt.folder)),
            course: courses.remove(&attempt.train_key).unwrap_or_default(),
            attempt,
            place,
        };
        live.into_iter().map(running).collect()
    })
    .await?;
    Ok(AtWork { shown, all })
}

/// Sets it; nothing where nothing runs.
pub(super) fn section(roster: &Roster, at_work: &AtWork) -> Markup {
    html! {
        section #running data-live aria-labelledby="running-title" hidden[at_work.all == 0] {
            h2 #running-title { "Running now" span.count { (at_work.all) } }
            ul.running {
                @for running in &at_work.shown { (item(roster, running)) }
            }
            @if at_work.all > at_work.shown.len() {
                p.muted { "and " (at_work.all - at_work.shown.len()) " more" }
            }
        }
    }
}

fn item(roster: &Roster, running: &Running) -> Markup {
    let Running { attempt, place, progress, course } = running;
    let row = &roster.rows[*place];
    html! {
        li id=(format!("run{}", row.trial.ordinal)) {
            div.what {
                a href=(links::trial(&roster.sweep.name, &row.trial.train_key)) {
                    (row.trial.ordinal) " " (row.cell()) " seed=" (row.trial.run.seed)
                }
                span.muted {
                    (attempt.device) ", " (span(now_ms() - attempt.started_ms))
                    @if attempt.number.0 > 1 { ", attempt " (attempt.number) }
                }
            }
            div.how { (how_far(progress.as_ref())) }
            @if !course.is_empty() { (chart::sparkline(METRIC, course)) }
        }
    }
}

/// Sets how far an attempt is.
pub(super) fn how_far(progress: Option<&Progress>) -> Markup {
    let Some(progress) = progress else { return html! { progress aria-label="starting" {} } };
    let done = match progress.stage {
        Stage::Load => None,
        Stage::Train => Some(progress.update.min(progress.updates)),
        Stage::Evaluate => Some(progress.updates),
    };
    html! {
        progress max=(progress.updates.max(1)) value=[done.filter(|_| progress.updates > 0)]
            aria-label="updates done" {}
        span { (words::progress(progress)) }
    }
}
