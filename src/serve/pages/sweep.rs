//! One sweep: how it stands, what failed, what runs, and its trials as a grid or a list.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::super::act::{About, Verb};
use super::super::error::Refusal;
use super::super::forecast;
use super::super::house::{House, aside};
use super::super::links;
use super::super::look::Look;
use super::super::paging::Paging;
use super::super::roster::{Group, Roster, Row};
use super::filter::{self, Asked, View};
use super::running::{self, AtWork};
use super::{Sheet, ask, at_work, bar, grid, list};
use crate::control::controller::Controller;
use crate::outlook::Outlook;
use crate::spec::Fault;
use crate::ui::words;

/// Failures that stand above everything else.
const FAILURES: usize = 5;

/// Answers with a sweep.
pub(in super::super) async fn page(
    State(house): State<House>,
    Path(name): Path<String>,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, Refusal> {
    let asked = Asked::of(query)?;
    let controller = house.who.look().await;
    let roster = house.roster_beside(&name, &controller).await?;
    let at_work = running::read(&house, &roster).await?;
    // It is made of all sweeps' attempts; where they cannot be read, this sweep can.
    let outlook = forecast::of(&house, &roster).await.unwrap_or_default();
    let title = roster.sweep.name.clone();
    let (body, status) = aside(move || {
        let address = links::sweep(&roster.sweep.name);
        let (chosen, fault) = match asked.choose(&roster) {
            Ok(chosen) => (chosen, None),
            Err(fault) => (Vec::new(), Some(fault)),
        };
        let status = if fault.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        let view = Shown { roster, controller, outlook, asked, address, chosen, fault };
        (view.body(&at_work), status)
    })
    .await?;
    Ok(Sheet { title: &title, above: Vec::new(), body }.respond(status))
}

/// A sweep with the trials that are asked for.
struct Shown {
    roster: Arc<Roster>,
    controller: Controller,
    outlook: Arc<Outlook>,
    asked: Asked,
    address: String,
    /// Places of the trials, in order.
    chosen: Vec<usize>,
    fault: Option<Fault>,
}

impl Shown {
    fn body(&self, at_work: &AtWork) -> Markup {
        html! {
            (self.summary())
            (self.failures())
            (running::section(&self.roster, at_work))
            (self.trials())
        }
    }

    fn summary(&self) -> Markup {
        let Roster { sweep, rows, .. } = &*self.roster;
        let counts = self.roster.counts();
        let done = rows.iter().filter(|row| is_done(row)).count();
        html! {
            section #summary data-live {
                h1 { (sweep.name) }
                @if !sweep.facts.description.is_empty() { p.muted { (sweep.facts.description) } }
                p.headline role="status" {
                    strong { (words::count(done as u64)) " of " (words::count(rows.len() as u64)) }
                    " trials done"
                    @if let Some(time) = self.to_go() { ", about " (words::duration(time)) " left" }
                }
                (at_work(&self.controller))
                (bar(&counts))
                ul.legend aria-label="trials by state" {
                    @for (look, count) in &counts {
                        li {
                            a.state.(look.class()) href=(self.asked.only(&self.address, look.filter())) {
                                span aria-hidden="true" { (look.sign()) }
                                " " (words::count(*count as u64)) " " (look.word())
                            }
                        }
                    }
                }
                (self.cost())
                div.bar-of {
                    p { a href=(links::figures(&sweep.name)) { "Figures and tables" } }
                    (ask::buttons(&sweep.name, &self.verbs(), &About::default()))
                }
            }
        }
    }

    /// Returns how long the rest takes; nothing while nothing runs, or where not all is known.
    fn to_go(&self) -> Option<Duration> {
        let runs = self.roster.rows.iter().any(|row| row.look() == Look::Running);
        self.outlook.to_go().filter(|_| runs)
    }

    fn cost(&self) -> Markup {
        html! {
            @if let Some(phrase) = self.outlook.phrase() {
                p.cost {
                    (phrase)
                    @if let Some(basis) = self.outlook.basis() { span.muted.small { " " (basis) } }
                }
            }
        }
    }

    /// Returns what can be done with the sweep as a whole.
    fn verbs(&self) -> Vec<Verb> {
        let run = match &self.controller {
            Controller::Alive { run, .. } => run.as_ref(),
            Controller::None => None,
        };
        let run = run.filter(|run| run.sweep == self.roster.sweep.name);
        let has = |look: Look| self.roster.rows.iter().any(|row| row.look() == look);
        let mut verbs = match run {
            Some(run) if run.paused => vec![Verb::Resume, Verb::Stop, Verb::Kill],
            Some(_) => vec![Verb::Pause, Verb::Stop, Verb::Kill],
            None if has(Look::Running) => vec![Verb::Stop, Verb::Kill],
            None => Vec::new(),
        };
        if has(Look::Failed) {
            verbs.push(Verb::Retry);
        }
        verbs
    }

    fn failures(&self) -> Markup {
        let failed: Vec<&Arc<Row>> =
            self.roster.rows.iter().filter(|row| row.look() == Look::Failed).collect();
        let name = &self.roster.sweep.name;
        html! {
            section #failures .bad data-live aria-labelledby="failures-title" hidden[failed.is_empty()] {
                h2 #failures-title { "Failed" span.count { (failed.len()) } }
                ul.failures {
                    @for row in failed.iter().take(FAILURES) {
                        li id=(format!("failed{}", row.trial.ordinal)) {
                            a href=(links::trial(name, &row.trial.train_key)) {
                                (row.trial.ordinal) " " (row.cell()) " seed=" (row.trial.run.seed)
                            }
                            @if let Some((reason, detail)) = &row.trial.failure {
                                p { strong { (reason.as_str()) } ": " (detail) }
                            }
                        }
                    }
                }
                @if failed.len() > FAILURES {
                    p {
                        a href=(self.asked.only(&self.address, Look::Failed.filter())) {
                            "all " (failed.len()) " that failed"
                        }
                    }
                }
            }
        }
    }

    fn trials(&self) -> Markup {
        let Self { asked, address, .. } = self;
        html! {
            section #trials aria-labelledby="trials-title" {
                div.bar-of {
                    h2 #trials-title { "Trials" }
                    nav.tabs aria-label="how trials are set out" {
                        (tab(asked, address, View::Grid, "Grid"))
                        (tab(asked, address, View::List, "List"))
                    }
                }
                (filter::form(asked, address, self.fault.as_ref()))
                @if !asked.filter.is_empty() && !self.chosen.is_empty() {
                    (self.acts_on_chosen())
                }
                div #shown data-live { (self.shown()) }
            }
        }
    }

    fn acts_on_chosen(&self) -> Markup {
        let about = About { filter: self.asked.filter.clone(), trial: String::new() };
        let verbs = [Verb::Pause, Verb::Resume, Verb::Stop, Verb::Kill, Verb::Retry];
        html! {
            div.chosen.needs-script {
                span.muted { "These trials:" }
                (ask::buttons(&self.roster.sweep.name, &verbs, &about))
            }
        }
    }

    fn shown(&self) -> Markup {
        let page = self.asked.page.unwrap_or(1);
        match self.asked.view {
            _ if self.chosen.is_empty() => html! {
                @if self.fault.is_none() { p.empty { "No trial of " (self.roster.sweep.name) " matches." } }
            },
            View::Grid => {
                let chosen: HashSet<usize> = self.chosen.iter().copied().collect();
                let groups: Vec<&Group> = grid::groups(&self.roster, &chosen);
                let paging = Paging::of(page, grid::ROWS, groups.len());
                html! {
                    p.muted { (self.how_many()) }
                    (grid::table(&self.roster, &groups[paging.range()], &chosen))
                    (self.pager(paging, "settings"))
                }
            }
            View::List => {
                let paging = Paging::of(page, list::ROWS, self.chosen.len());
                let places = &self.chosen[paging.range()];
                html! {
                    p.muted { (self.how_many()) }
                    (list::table(&self.roster, places, &self.asked, &self.address))
                    (self.pager(paging, "trials"))
                }
            }
        }
    }

    fn how_many(&self) -> String {
        let (chosen, all) = (self.chosen.len(), self.roster.rows.len());
        match chosen == all {
            true => format!("all {}", words::plural(all, "trial")),
            false => format!("{} of {}", words::count(chosen as u64), words::plural(all, "trial")),
        }
    }

    fn pager(&self, paging: Paging, what: &str) -> Markup {
        let Paging { page, pages, total, .. } = paging;
        let range = paging.range();
        let at = |page| self.asked.at_page(&self.address, page);
        html! {
            @if pages > 1 {
                nav.pager aria-label="pages" {
                    @if page > 1 { a.button rel="prev" href=(at(page - 1)) { "← before" } }
                    span {
                        (what) " " (words::count(range.start as u64 + 1)) "–"
                        (words::count(range.end as u64)) " of " (words::count(total as u64))
                    }
                    @if page < pages { a.button rel="next" href=(at(page + 1)) { "after →" } }
                }
            }
        }
    }
}

fn tab(asked: &Asked, address: &str, view: View, name: &str) -> Markup {
    let current = (asked.view == view).then_some("page");
    html! { a href=(asked.in_view(address, view)) aria-current=[current] { (name) } }
}

fn is_done(row: &Row) -> bool {
    matches!(row.look(), Look::Done | Look::Collapsed | Look::Diverged)
}
