//! Acting: a verb is first told in words, with the number of trials that it is about, and then done
//! with that number in hand; where it is another number by then, nothing is done. Decides nothing:
//! the verbs are those of the command line.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::error::{Refusal, causes};
use super::house::{House, aside};
use super::pages::ask;
use super::roster::Row;
use super::routes::{has_token, stale};
use crate::drive::command::{StopHow, When};
use crate::drive::orphans::Stopped;
use crate::filter::Filter;
use crate::store::rows::TrialState;
use crate::ui::words;
use crate::verbs::{self, Eased, Halted, Scope, Subject, VerbError};

/// How long to wait for attempts that no run watches.
const PATIENCE: Duration = Duration::from_secs(10);

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verb {
    Pause,
    Resume,
    Stop,
    Kill,
    Retry,
}

impl Verb {
    /// Returns its name, as addresses and the command line have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::Retry => "retry",
        }
    }

    /// Returns whether it has something to do with a trial.
    fn has_to_do(self, row: &Row) -> bool {
        match self {
            Self::Pause | Self::Resume | Self::Stop | Self::Kill => {
                row.trial.state != TrialState::Done
            }
            Self::Retry => row.trial.state == TrialState::Failed,
        }
    }
}

/// What a verb is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct About {
    /// A filter; all of the sweep without it.
    #[serde(rename = "where")]
    pub(super) filter: String,
    /// A trial's key.
    pub(super) trial: String,
}

impl About {
    fn is_sweep(&self) -> bool {
        self.filter.trim().is_empty() && self.trial.is_empty()
    }
}

/// A question.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Asked {
    pub(super) verb: Verb,
    #[serde(flatten)]
    pub(super) about: About,
}

/// A question that was answered with yes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Confirmed {
    verb: Verb,
    #[serde(default, rename = "where")]
    filter: String,
    #[serde(default)]
    trial: String,
    /// Trials that the question named.
    count: usize,
}

/// Answers with the question, in words.
pub(super) async fn question(
    State(house): State<House>,
    Path(name): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Response, Refusal> {
    let rows = chosen(&house, &name, asked.verb, &asked.about).await?;
    let question =
        ask::Question { sweep: &name, verb: asked.verb, about: &asked.about, rows: &rows };
    Ok(Html(question.markup().into_string()).into_response())
}

/// Does it.
pub(super) async fn act(
    State(house): State<House>,
    Path(name): Path<String>,
    headers: HeaderMap,
    confirmed: Result<Json<Confirmed>, JsonRejection>,
) -> Result<Response, Refusal> {
    if !has_token(&house, &headers) {
        return Err(stale());
    }
    let Json(confirmed) = confirmed
        .map_err(|error| Refusal::bad_request("this is no confirmation", error.body_text()))?;
    let Confirmed { verb, filter, trial, count } = confirmed;
    let about = About { filter, trial };
    let rows = chosen(&house, &name, verb, &about).await?;
    if rows.len() != count {
        let title = format!("it is about {} now, not {count}", words::plural(rows.len(), "trial"));
        return Err(Refusal::new(StatusCode::CONFLICT, title, "look again, and then decide"));
    }
    let scope = match about.is_sweep() && verb != Verb::Retry {
        true => Scope::Sweep,
        false => Scope::Trials(rows.iter().map(|row| row.trial.train_key.clone()).collect()),
    };
    let subject = Subject { state: house.store.state_dir(), sweep: &name, scope };
    let said = done(verb, &subject).await;
    house.who.forget().await;
    Ok(said.map_err(refused)?.into_response())
}

/// Returns the trials that the verb has something to do with.
async fn chosen(
    house: &House,
    name: &str,
    verb: Verb,
    about: &About,
) -> Result<Vec<std::sync::Arc<Row>>, Refusal> {
    let roster = if about.trial.is_empty() {
        house.roster_beside(name, &house.who.look().await).await?
    } else {
        let (roster, place) = house.trial(name, &about.trial).await?;
        let row = std::sync::Arc::clone(&roster.rows[place]);
        return Ok(Some(row).into_iter().filter(|row| verb.has_to_do(row)).collect());
    };
    let filter = about.filter.trim().to_owned();
    aside(move || {
        let places: Vec<usize> = if filter.is_empty() {
            (0..roster.rows.len()).collect()
        } else {
            let chosen =
                Filter::parse(&filter).and_then(|filter| filter.choose(&roster.subjects()));
            chosen.map_err(|fault| Refusal::bad_request(fault.to_string(), ""))?
        };
        let rows = places.into_iter().map(|place| std::sync::Arc::clone(&roster.rows[place]));
        Ok(rows.filter(|row| verb.has_to_do(row)).collect())
    })
    .await?
}

/// Does it, and says what came of it.
async fn done(verb: Verb, subject: &Subject<'_>) -> Result<String, VerbError> {
    Ok(match verb {
        Verb::Pause => match verbs::pause(subject).await? {
            Eased::Run { alive: 1 } => "nothing more starts; 1 running goes on".to_owned(),
            Eased::Run { alive } => format!("nothing more starts; {alive} running go on"),
            Eased::Trials(edited) => {
                format!("{} held back", words::plural(edited.trials.len(), "trial"))
            }
        },
        Verb::Resume => match verbs::resume(subject).await? {
            Eased::Run { .. } => "the run goes on".to_owned(),
            Eased::Trials(edited) => {
                let trials = words::plural(edited.trials.len(), "trial");
                format!("{trials} may start: {}", starts(edited.when))
            }
        },
        Verb::Stop => halted(verbs::stop(subject, StopHow::Politely, PATIENCE).await?),
        Verb::Kill => halted(verbs::stop(subject, StopHow::ByForce, PATIENCE).await?),
        Verb::Retry => {
            let edited = verbs::retry(subject).await?;
            let trials = words::plural(edited.trials.len(), "trial");
            format!("{trials} forgiven: {}", starts(edited.when))
        }
    })
}

fn halted(halted: Halted) -> String {
    let Stopped { asked, alive, elsewhere } = halted.stopped();
    let attempts = words::plural(*asked, "attempt");
    let mut said = match &halted {
        Halted::Run { .. } => format!("the run ends, {attempts} asked to"),
        Halted::Attempts { .. } => format!("{attempts} asked to end, {alive} still at it"),
        Halted::Trials { trials, .. } => {
            let trials = words::plural(trials.len(), "trial");
            format!("{trials} held back, {attempts} asked to end")
        }
    };
    if !elsewhere.is_empty() {
        let far = words::plural(elsewhere.len(), "attempt");
        said.push_str(&format!("; {far} alive out of reach: stop it where it runs"));
    }
    said
}

fn starts(when: When) -> &'static str {
    match when {
        When::Now => "the run at work starts what is left",
        When::OnceResumed => "the run at work starts what is left once it is resumed",
        When::NextRun => "the next `byol-sweep run` starts what is left",
    }
}

fn refused(error: VerbError) -> Refusal {
    let status = match &error {
        VerbError::NoSweep { .. } => StatusCode::NOT_FOUND,
        VerbError::NoRun { .. }
        | VerbError::OtherRun { .. }
        | VerbError::NothingToHold { .. }
        | VerbError::NothingToStop { .. }
        | VerbError::NothingToResume { .. }
        | VerbError::NothingToRetry { .. }
        | VerbError::NothingRuns { .. }
        | VerbError::Refused { .. }
        | VerbError::Ended { .. } => StatusCode::CONFLICT,
        VerbError::Confused | VerbError::Control(_) | VerbError::Drive(_) | VerbError::Store(_) => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
    };
    Refusal::new(status, "nothing was done", causes(&error))
}
