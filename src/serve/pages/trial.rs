//! One trial: how it stands, its curves, its attempts and what they wrote, its settings.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::super::act::{About, Verb};
use super::super::error::Refusal;
use super::super::house::{House, aside, now_ms};
use super::super::links;
use super::super::logs::{self, Piece, Stream};
use super::super::roster::Row;
use super::{Sheet, ago, ask, chart, running, span, state, time, value};
use crate::outcome::{Outcome, Verdict};
use crate::protocol::folder::AttemptFolder;
use crate::protocol::{Progress, progress};
use crate::spec::run;
use crate::store::rows::{AttemptKind, AttemptRow, NoteRow, TrialState};

/// Metrics that tell most, in this order; the others follow by name.
const FIRST: [&str; 5] =
    ["loss", "knn_probe_top1", "embedding_std_relative", "effective_rank", "images_per_s"];

/// A curve: a metric and its course.
type Curve = (String, Vec<(u64, f64)>);

/// Answers with a trial.
pub(in super::super) async fn page(
    State(house): State<House>,
    Path((name, key)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let (roster, place) = house.trial(&name, &key).await?;
    let controller = house.who.look().await;
    let roster = house.roster_beside(&roster.sweep.name, &controller).await?;
    let row = Arc::clone(&roster.rows[place]);
    let curves = curves(&house, &row).await?;
    let attempts = house.store.attempts(&row.trial.train_key).await?;
    let notes = house.store.notes(&row.trial.train_key).await?;
    let sweep = roster.sweep.name.clone();
    let title = format!("{} of {sweep}", row.trial.ordinal);
    let above = vec![(sweep.clone(), links::sweep(&sweep))];
    let body = aside(move || Shown::look(sweep, row, curves, attempts, notes).map(|s| s.body()));
    Ok(Sheet { title: &title, above, body: body.await?? }.respond(StatusCode::OK))
}

/// Reads all curves of a trial, those that tell most first.
async fn curves(house: &House, row: &Row) -> Result<Vec<Curve>, Refusal> {
    let key = std::slice::from_ref(&row.trial.train_key);
    let mut names = house.store.metric_names(key).await?;
    names.sort_by_key(|name| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
    let mut curves = Vec::new();
    for name in names {
        let points = house.store.series(&name, key).await?.pop().map(|series| series.points);
        curves.push((name, points.unwrap_or_default()));
    }
    Ok(curves)
}

/// All that is shown.
struct Shown {
    sweep: String,
    row: Arc<Row>,
    curves: Vec<Curve>,
    /// By their numbers.
    attempts: Vec<AttemptRow>,
    notes: Vec<NoteRow>,
    /// Where the newest attempt is, while it lives.
    progress: Option<Progress>,
    /// The ends of the newest attempt's logs.
    logs: Vec<(Stream, Piece)>,
}

impl Shown {
    /// Looks at the files of the newest attempt.
    fn look(
        sweep: String,
        row: Arc<Row>,
        curves: Vec<Curve>,
        attempts: Vec<AttemptRow>,
        notes: Vec<NoteRow>,
    ) -> Result<Self, Refusal> {
        let (mut progress, mut logs) = (None, Vec::new());
        if let Some(newest) = attempts.last() {
            if newest.ended_ms.is_none() {
                progress = progress::last_of(&AttemptFolder::at(&newest.folder));
            }
            for stream in Stream::ALL {
                logs.push((stream, logs::piece(newest, stream, None)?));
            }
        }
        Ok(Self { sweep, row, curves, attempts, notes, progress, logs })
    }

    fn body(&self) -> Markup {
        html! {
            (self.head())
            (self.drawings())
            (self.table())
            (self.logs())
            (self.said())
            (self.settings())
        }
    }

    fn head(&self) -> Markup {
        let Row { trial, finals, wish, .. } = &*self.row;
        let alive = self.attempts.last().filter(|attempt| attempt.ended_ms.is_none());
        html! {
            section #head data-live {
                h1 { (trial.ordinal) " " (self.row.cell()) " " span.muted { "seed=" (trial.run.seed) } }
                p.headline role="status" {
                    (state(self.row.look()))
                    @if wish.held_ms.is_some() { " " span.tag { "held" } }
                    @for tag in &wish.tags { " " span.tag { (tag) } }
                }
                @if let Some((reason, detail)) = &trial.failure {
                    p.fault { strong { (reason.as_str()) } ": " (detail) }
                }
                @if let Some(stop) = &trial.early_stop {
                    p.fault {
                        "stopped early after epoch " (stop.epoch) ": its setting had "
                        (value("knn_probe_top1", stop.value)) " on the probe and needed "
                        (value("knn_probe_top1", stop.bar))
                    }
                }
                @if let Some(alive) = alive.filter(|_| !self.row.is_interrupted) {
                    div.how {
                        (running::how_far(self.progress.as_ref()))
                        span.muted { "on " (alive.device) ", " (span(now_ms() - alive.started_ms)) }
                    }
                }
                @if !finals.is_empty() {
                    dl.results {
                        @for (name, result) in finals {
                            div { dt { (name) } dd { (value(name, *result)) } }
                        }
                    }
                }
                (ask::buttons(&self.sweep, &self.verbs(), &self.about()))
                p.muted.keys { "trial " code { (trial.train_key) } " group " code { (trial.group_key) } }
            }
        }
    }

    fn about(&self) -> About {
        About { trial: self.row.trial.train_key.to_string(), ..About::default() }
    }

    /// Returns what can be done with it.
    fn verbs(&self) -> Vec<Verb> {
        let is_held = self.row.wish.held_ms.is_some();
        let hold = if is_held { Verb::Resume } else { Verb::Pause };
        match self.row.trial.state {
            TrialState::Done => Vec::new(),
            TrialState::Running => vec![hold, Verb::Stop, Verb::Kill],
            TrialState::Failed => vec![hold, Verb::Retry],
            TrialState::Pending
            | TrialState::Stopped
            | TrialState::Trained
            | TrialState::Pruned => {
                vec![hold]
            }
        }
    }

    fn drawings(&self) -> Markup {
        html! {
            section #curves data-live aria-labelledby="curves-title" hidden[self.curves.is_empty()] {
                h2 #curves-title { "During training" }
                div.curves { @for (name, points) in &self.curves { (chart::figure(name, points)) } }
            }
        }
    }

    fn table(&self) -> Markup {
        html! {
            section #attempts data-live aria-labelledby="attempts-title" {
                h2 #attempts-title { "Attempts" }
                @if self.attempts.is_empty() { p.empty { "It was never started." } }
                @else {
                    div.scroll tabindex="0" role="region" aria-label="attempts" {
                        table.list {
                            thead {
                                tr {
                                    th.number scope="col" { "#" } th scope="col" { "kind" }
                                    th scope="col" { "device" } th scope="col" { "began" }
                                    th scope="col" { "took" } th scope="col" { "outcome" }
                                    th scope="col" { "logs" }
                                }
                            }
                            tbody { @for attempt in &self.attempts { (self.attempt(attempt)) } }
                        }
                    }
                }
            }
        }
    }

    fn attempt(&self, attempt: &AttemptRow) -> Markup {
        let kind = match attempt.kind {
            AttemptKind::Train => "train",
            AttemptKind::Eval => "eval",
        };
        let key = &self.row.trial.train_key;
        html! {
            tr id=(format!("attempt{}", attempt.number)) {
                td.number { (attempt.number) }
                td { (kind) }
                td { (attempt.device) }
                td title=(ago(now_ms(), attempt.started_ms)) { (time(attempt.started_ms)) }
                td { (span(attempt.ended_ms.unwrap_or_else(now_ms) - attempt.started_ms)) }
                td { (outcome(attempt.outcome.as_ref())) }
                td {
                    @for stream in Stream::ALL {
                        a href=(links::log(&self.sweep, key, attempt.number.0, stream.name())) {
                            (stream.name())
                        }
                        " "
                    }
                }
            }
        }
    }

    fn logs(&self) -> Markup {
        let Some(newest) = self.attempts.last() else { return html! {} };
        let key = &self.row.trial.train_key;
        let alive = newest.ended_ms.is_none();
        html! {
            section #logs data-swap=(newest.number) aria-labelledby="logs-title" {
                h2 #logs-title { "Logs of attempt " (newest.number) }
                @for (stream, piece) in &self.logs {
                    @let address = links::log(&self.sweep, key, newest.number.0, stream.name());
                    details.log open[!piece.text.is_empty() || *stream == Stream::Err] {
                        summary { (stream.title()) }
                        pre tabindex="0" role="log" aria-live="off" aria-label=(stream.title())
                            data-log=(address) data-next=(piece.next) data-follow[alive] {
                            (piece.text)
                        }
                    }
                }
            }
        }
    }

    fn said(&self) -> Markup {
        html! {
            section #notes data-live aria-labelledby="notes-title" hidden[self.notes.is_empty()] {
                h2 #notes-title { "Notes" }
                ul.notes {
                    @for note in &self.notes {
                        li { span.muted { (time(note.at_ms)) ", attempt " (note.attempt) ": " } (note.text) }
                    }
                }
            }
        }
    }

    fn settings(&self) -> Markup {
        let mut settings = Vec::new();
        run::flatten(
            "",
            &serde_json::to_value(&self.row.trial.run).unwrap_or_default(),
            &mut settings,
        );
        html! {
            section #settings {
                details {
                    summary { h2 { "Settings" } }
                    dl.settings {
                        @for (key, value) in &settings { div { dt { (key) } dd { (value) } } }
                    }
                }
            }
        }
    }
}

fn outcome(outcome: Option<&Outcome>) -> &'static str {
    match outcome {
        None => "running",
        Some(Outcome::Finished { verdict: Verdict::Healthy }) => "finished",
        Some(Outcome::Finished { verdict: verdict @ (Verdict::Diverged | Verdict::Collapsed) }) => {
            verdict.as_str()
        }
        Some(Outcome::Stopped) => "stopped",
        Some(Outcome::Failed { reason, .. }) => reason.as_str(),
    }
}
