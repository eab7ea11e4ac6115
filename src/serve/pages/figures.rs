//! The figures and tables of the report, as they stand.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::drawing::{self, Drawing, Width};
use super::super::error::Refusal;
use super::super::house::{House, aside};
use super::super::links;
use super::Sheet;
use crate::report::{Figure, Report, TableInfo};

/// What files end with, by the room that they fit: phones get the narrow ones.
const ENDINGS: [(&str, Width); 2] = [(".narrow.svg", Width::Narrow), (".svg", Width::Full)];

/// Answers with a sweep's report.
pub(in super::super) async fn page(
    State(house): State<House>,
    Path(name): Path<String>,
) -> Result<Response, Refusal> {
    let drawing = drawing::of(&house, &name).await?;
    let above = vec![(name.clone(), links::sweep(&name))];
    let title = format!("Figures of {name}");
    let body = html! {
        section #results data-live {
            h1 { (title) }
            @match &drawing.report {
                Ok(report) => (text(report)),
                Err(why) => p.empty { (why) },
            }
        }
        div #drawn data-live {
            @if let Ok(report) = &drawing.report {
                @for figure in &report.figures { (picture(&name, &drawing, figure)) }
                @for info in &report.tables { (table(info)) }
            }
        }
    };
    Ok(Sheet { title: &title, above, body }.respond(StatusCode::OK))
}

/// Which drawing a figure is asked of.
#[derive(Debug, Deserialize)]
pub(in super::super) struct Edition {
    #[serde(default)]
    v: String,
}

/// Answers with one figure as SVG.
pub(in super::super) async fn file(
    State(house): State<House>,
    Path((name, file)): Path<(String, String)>,
    edition: Result<Query<Edition>, QueryRejection>,
) -> Result<Response, Refusal> {
    let missing = || {
        Refusal::not_found(
            format!("there is no figure {file}"),
            "the page of the figures names those there are",
        )
    };
    let drawing = drawing::of(&house, &name).await?;
    let asked = edition.map(|Query(Edition { v })| v).unwrap_or_default();
    let keep = lasting(&asked, &drawing);
    let of = |(ending, width)| Some((file.strip_suffix(ending)?.to_owned(), width));
    let (stem, width) = ENDINGS.into_iter().find_map(of).ok_or_else(missing)?;
    let svg = aside(move || drawing.figure(&stem, width)).await?.ok_or_else(missing)??;
    let headers = [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, keep)];
    Ok((headers, svg.to_string()).into_response())
}

/// Returns how long browsers keep a figure: what is asked for by its edition for a year, and nothing
/// else, since another drawing may take its place.
fn lasting(asked: &str, drawing: &Drawing) -> &'static str {
    match asked == drawing.edition {
        true => "private, max-age=31536000, immutable",
        false => "no-store",
    }
}

fn text(report: &Report) -> Markup {
    html! {
        @if let Some(notice) = &report.text.notice { p.fault { (notice) } }
        ul.points { @for sentence in &report.text.summary { li { (sentence) } } }
        p.muted { "Drawn from what the trials told so far, and drawn anew when more of them end." }
    }
}

fn picture(name: &str, drawing: &Drawing, figure: &Figure) -> Markup {
    let heading = figure.heading();
    let address = |ending| links::figure(name, &heading.file, ending, &drawing.edition);
    html! {
        figure.chart id=(heading.file) {
            picture {
                source media="(max-width: 40rem)" srcset=(address(".narrow.svg"));
                img src=(address(".svg")) alt=(heading.title);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_for_by_its_edition_is_kept() {
        let before = Drawing::of(Err("no trial ended".to_owned()));
        let now = Drawing::of(Err("one failed".to_owned()));
        assert!(lasting(&now.edition, &now).ends_with("immutable"));
        for asked in ["", "0123456789abcdef", &before.edition] {
            assert_eq!(lasting(asked, &now), "no-store", "{asked}");
        }
        let address = links::figure("tiny", "curves", ".svg", &now.edition);
        assert!(address.ends_with(&format!("?v={}", now.edition)), "{address}");
    }
}
