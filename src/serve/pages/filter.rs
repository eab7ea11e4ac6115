//! Which trials of a sweep a page shows: what its address asks for, and the field to type it in.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use maud::{Markup, html};
use miette::{GraphicalReportHandler, GraphicalTheme};
use serde::Deserialize;

use super::super::error::Refusal;
use super::super::links;
use super::super::roster::Roster;
use crate::filter::{Filter, Order, Subject};
use crate::spec::Fault;

/// How trials are set out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum View {
    /// Settings by seeds.
    #[default]
    Grid,
    /// One a row.
    List,
}

impl View {
    fn name(self) -> &'static str {
        match self {
            Self::Grid => "",
            Self::List => "list",
        }
    }
}

/// What an address asks for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Asked {
    /// A filter as `ls -E` takes it; all trials without it.
    #[serde(rename = "where")]
    pub(super) filter: String,
    /// An order as `ls --sort` takes it.
    pub(super) sort: String,
    pub(super) view: View,
    /// From 1.
    pub(super) page: Option<usize>,
}

impl Asked {
    /// Takes what came with an address.
    pub(super) fn of(query: Result<Query<Self>, QueryRejection>) -> Result<Self, Refusal> {
        let title = "this address asks for something that is not there";
        query.map(|Query(asked)| asked).map_err(|e| Refusal::bad_request(title, e.body_text()))
    }

    /// Returns the address of the same with another page.
    pub(super) fn at_page(&self, address: &str, page: usize) -> String {
        let page = if page > 1 { page.to_string() } else { String::new() };
        links::with_query(
            address,
            &[
                ("where", &self.filter),
                ("sort", &self.sort),
                ("view", self.view.name()),
                ("page", &page),
            ],
        )
    }

    /// Returns the address of the same in another view, from its first page.
    pub(super) fn in_view(&self, address: &str, view: View) -> String {
        Self { view, page: None, ..self.clone() }.at_page(address, 1)
    }

    /// Returns the address of the same in another order.
    pub(super) fn sorted_by(&self, address: &str, sort: &str) -> String {
        let (sort, view) = (sort.to_owned(), View::List);
        Self { sort, view, ..self.clone() }.at_page(address, 1)
    }

    /// Returns the address of the same with another filter.
    pub(super) fn only(&self, address: &str, filter: &str) -> String {
        Self { filter: filter.to_owned(), ..self.clone() }.at_page(address, 1)
    }

    /// Returns the places of the trials that are asked for, in the order asked for. Computes for
    /// long where there are many.
    pub(super) fn choose(&self, roster: &Roster) -> Result<Vec<usize>, Fault> {
        let all: Vec<usize> = (0..roster.rows.len()).collect();
        let (filter, sort) = (self.filter.trim(), self.sort.trim());
        if filter.is_empty() && sort.is_empty() {
            return Ok(all);
        }
        let subjects = roster.subjects();
        let chosen = match filter {
            "" => all,
            text => Filter::parse(text)?.choose(&subjects)?,
        };
        if sort.is_empty() {
            return Ok(chosen);
        }
        let subjects: Vec<Subject<'_>> = chosen.iter().map(|at| subjects[*at].clone()).collect();
        let order = Order::parse(sort).sort(&subjects)?;
        Ok(order.into_iter().map(|at| chosen[at]).collect())
    }
}

/// Sets the field; a GET form, so that what is typed becomes the address.
pub(super) fn form(asked: &Asked, address: &str, fault: Option<&Fault>) -> Markup {
    html! {
        form.filter method="get" action=(address) role="search" {
            label for="where" { "Only trials where" }
            input #where name="where" type="search" value=(asked.filter) spellcheck="false"
                autocomplete="off" autocapitalize="off"
                placeholder="metric.linear_top1 < 0.5"
                aria-invalid=[fault.map(|_| "true")] aria-describedby=[fault.map(|_| "fault")];
            @if !asked.sort.is_empty() { input type="hidden" name="sort" value=(asked.sort); }
            @if asked.view != View::default() {
                input type="hidden" name="view" value=(asked.view.name());
            }
            button type="submit" { "Filter" }
            @if !asked.filter.is_empty() {
                a.button href=(asked.only(address, "")) { "All" }
            }
        }
        @if let Some(fault) = fault { pre #fault .fault role="alert" { (told(fault)) } }
    }
}

/// Returns what is wrong with a filter, with the place.
fn told(fault: &Fault) -> String {
    let mut text = String::new();
    let handler =
        GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_links(false);
    match handler.render_report(&mut text, fault) {
        Ok(()) => text.trim().to_owned(),
        Err(_) => fault.to_string(),
    }
}
