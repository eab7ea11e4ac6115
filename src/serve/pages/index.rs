//! All sweeps.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::super::error::Refusal;
use super::super::house::House;
use super::super::links;
use super::super::look::Look;
use super::super::roster::Roster;
use super::{Sheet, at_work, bar};
use crate::ui::words;

/// Answers with the list of all sweeps, the last asked for first.
pub(in super::super) async fn page(State(house): State<House>) -> Result<Response, Refusal> {
    house.store.check_schema().await?;
    let controller = house.who.look().await;
    let mut sweeps = house.store.sweeps().await?;
    sweeps.reverse();
    let mut rosters = Vec::new();
    for sweep in sweeps {
        rosters.push(house.roster_beside(&sweep.name, &controller).await?);
    }
    let body = html! {
        h1 { "Sweeps" }
        div #who data-live { (at_work(&controller)) }
        div #sweeps .cards data-live {
            @for roster in &rosters { (card(roster)) }
            @if rosters.is_empty() {
                p.empty { "There is no sweep yet. " code { "byol-sweep run FILE" } " begins one." }
            }
        }
    };
    Ok(Sheet { title: "Sweeps", above: Vec::new(), body }.respond(StatusCode::OK))
}

fn card(roster: &Roster) -> Markup {
    let counts = roster.counts();
    let of = |look: Look| counts.iter().find(|(l, _)| *l == look).map_or(0, |(_, count)| *count);
    let done: usize = [Look::Done, Look::Collapsed, Look::Diverged].map(of).iter().sum();
    html! {
        article.card {
            h2 { a href=(links::sweep(&roster.sweep.name)) { (roster.sweep.name) } }
            @if !roster.sweep.facts.description.is_empty() {
                p.muted { (roster.sweep.facts.description) }
            }
            (bar(&counts))
            p.counts {
                strong { (words::count(done as u64)) " of " (words::count(roster.rows.len() as u64)) }
                " done"
                @for look in [Look::Running, Look::Interrupted, Look::Failed, Look::Pruned] {
                    @if of(look) > 0 {
                        ", " span.state.(look.class()) {
                            (words::count(of(look) as u64)) " " (look.word())
                        }
                    }
                }
            }
        }
    }
}
