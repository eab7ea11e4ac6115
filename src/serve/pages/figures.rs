//! The figures and tables of the report, as they stand.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::super::error::Refusal;
use super::super::house::{Drawn, House, aside};
use super::super::links;
use super::Sheet;
use crate::report::chart::{self, Columns};
use crate::report::{Figure, Report, TableInfo};

/// What files end with, by the columns of a page that they fit: phones get the narrow ones.
const ENDINGS: [(&str, Columns); 2] = [(".narrow.svg", Columns::One), (".svg", Columns::Two)];

/// Answers with a sweep's report.
pub(in super::super) async fn page(
    State(house): State<House>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let drawn = house.report(&name).await?;
    let above = vec![(name.clone(), links::sweep(&name))];
    let title = format!("Figures of {name}");
    let body = html! {
        section {
            h1 { (title) }
            @match &*drawn {
                Drawn::Report(report) => (text(report)),
                Drawn::Nothing(why) => p.empty { (why) },
            }
        }
        @if let Drawn::Report(report) = &*drawn {
            @for figure in &report.figures { (picture(&name, figure)) }
            @for info in &report.tables { (table(info)) }
        }
    };
    Ok(Sheet { title: &title, above, body }.respond(StatusCode::OK))
}

/// Answers with one figure as SVG.
pub(in super::super) async fn file(
    State(house): State<House>,
    Path((name, file)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let drawn = house.report(&name).await?;
    let svg = aside(move || svg(&drawn, &file)).await??;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], svg).into_response())
}

fn svg(drawn: &Arc<Drawn>, file: &str) -> Result<String, Refusal> {
    let missing = || {
        Refusal::not_found(
            format!("there is no figure {file}"),
            "the page of the figures names those there are",
        )
    };
    let Drawn::Report(report) = &**drawn else { return Err(missing()) };
    let stem = |(ending, columns)| Some((file.strip_suffix(ending)?, columns));
    let (stem, columns) = ENDINGS.into_iter().find_map(stem).ok_or_else(missing)?;
    let is_it = |figure: &&Figure| figure.heading().file == stem;
    let figure = report.figures.iter().find(is_it).ok_or_else(missing)?;
    chart::svg(figure, columns).map_err(|error| Refusal::internal(&error))
}

fn text(report: &Report) -> Markup {
    html! {
        @if let Some(notice) = &report.text.notice { p.fault { (notice) } }
        ul.points { @for sentence in &report.text.summary { li { (sentence) } } }
        p.muted { "Drawn from what is stored now; load the page again to draw it anew." }
    }
}

fn picture(name: &str, figure: &Figure) -> Markup {
    let heading = figure.heading();
    html! {
        figure.chart {
            picture {
                source media="(max-width: 40rem)"
                    srcset=(links::figure(name, &heading.file, ".narrow.svg"));
                img src=(links::figure(name, &heading.file, ".svg")) alt=(heading.title);
            }
            figcaption.muted { (heading.caption) }
        }
    }
}

fn table(info: &TableInfo) -> Markup {
    html! {
        section id=(info.id) {
            h2 { (info.title) }
            div.scroll tabindex="0" role="region" aria-label=(info.title) {
                table.list {
                    thead { tr { @for column in &info.columns { th scope="col" { (column.name) } } } }
                    tbody {
                        @for row in &info.rows { tr { @for entry in row { td { (entry) } } } }
                    }
                }
            }
            @for note in &info.footnotes { p.muted.small { (note) } }
        }
    }
}
