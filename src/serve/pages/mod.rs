//! Pages as text. Every value goes through `maud`, which escapes it: text of people and of workers
//! cannot become markup. Parts with `data-live` are what the script puts in place of the old ones;
//! whatever a page shows, it shows without the script too.

pub(super) mod ask;
mod chart;
pub(super) mod devices;
pub(super) mod figures;
mod filter;
mod grid;
pub(super) mod index;
mod list;
mod running;
pub(super) mod sweep;
pub(super) mod trial;

use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::assets::{ICON, SCRIPT, STYLE};
use super::error::Refusal;
use super::links;
use super::look::Look;
use crate::control::controller::Controller;
use crate::ui::words;

/// A page's frame.
struct Sheet<'a> {
    title: &'a str,
    /// What it is below: name and address, outermost first.
    above: Vec<(String, String)>,
    body: Markup,
}

impl Sheet<'_> {
    fn respond(self, status: StatusCode) -> Response {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " · byol-sweep" }
                    link rel="icon" href=(ICON.address());
                    link rel="stylesheet" href=(STYLE.address());
                    script src=(SCRIPT.address()) defer {}
                }
                body {
                    a.skip href="#main" { "Skip to content" }
                    header.top {
                        nav aria-label="Where this is" {
                            a.brand href="/" { "byol-sweep" }
                            @for (name, address) in &self.above {
                                span.sep aria-hidden="true" { "/" }
                                a href=(address) { (name) }
                            }
                        }
                        nav.aside aria-label="elsewhere" {
                            a href="/devices" { "Devices" }
                            span #pulse .pulse role="status" hidden {}
                        }
                    }
                    main #main tabindex="-1" { (self.body) }
                    dialog #ask aria-labelledby="ask-title" {}
                }
            }
        };
        let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
        (status, kind, page.into_string()).into_response()
    }
}

/// Returns the page of a refused request.
pub(super) fn refusal(refusal: &Refusal) -> Response {
    let body = html! {
        section.notice.bad {
            h1 { (refusal.title) }
            @if !refusal.detail.is_empty() { p { (refusal.detail) } }
            p { a href="/" { "All sweeps" } }
        }
    };
    let title = refusal.status.canonical_reason().unwrap_or("refused");
    Sheet { title, above: Vec::new(), body }.respond(refusal.status)
}

/// Returns the page that asks for the token, for those who may not read without it.
pub(super) fn door() -> Response {
    let body = html! {
        section.notice {
            h1 { "This page needs its token" }
            p { "Open the link that " code { "byol-sweep serve" } " printed, or type its token." }
            form #door {
                label for="token" { "Token" }
                input #token type="password" autocomplete="off" required;
                button type="submit" { "Open" }
                p #door-said role="alert" {}
            }
        }
    };
    Sheet { title: "Token", above: Vec::new(), body }.respond(StatusCode::UNAUTHORIZED)
}

/// Draws how many look how, as one bar.
fn bar(counts: &[(Look, usize)]) -> Markup {
    let total: usize = counts.iter().map(|(_, count)| count).sum();
    let mut left = 0.0;
    let parts: Vec<(Look, f64, f64)> = counts
        .iter()
        .map(|(look, count)| {
            let width = 1000.0 * *count as f64 / total.max(1) as f64;
            let part = (*look, left, width);
            left += width;
            part
        })
        .collect();
    html! {
        svg.bar viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
            @for (look, left, width) in parts {
                rect class=(look.class()) x=(round(left)) y="0" width=(round(width)) height="10" {}
            }
        }
    }
}

/// Sets one line about who is at work; nothing where nobody is.
fn at_work(controller: &Controller) -> Markup {
    html! {
        @match controller {
            Controller::None => {}
            Controller::Alive { who, run: None } => p.muted { "At work: " (who) },
            Controller::Alive { who, run: Some(run) } => p.muted {
                "At work: a run of " a href=(links::sweep(&run.sweep)) { (run.sweep) } " (" (who) ")"
                @if run.paused { ", " span.state.held { "paused" } }
            },
        }
    }
}

/// Sets a state as its sign and word.
fn state(look: Look) -> Markup {
    html! {
        span.state.(look.class()) { span aria-hidden="true" { (look.sign()) } " " (look.word()) }
    }
}

/// Returns a coordinate with as many digits as a screen can show.
fn round(value: f64) -> String {
    format!("{value:.2}")
}

/// Returns how long ago that was.
fn ago(now_ms: i64, then_ms: i64) -> String {
    format!("{} ago", span(now_ms - then_ms))
}

/// Returns a length of time.
fn span(milliseconds: i64) -> String {
    words::duration(Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0)))
}

/// Returns a point of time.
fn time(milliseconds: i64) -> String {
    let since = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
    let text = humantime::format_rfc3339_seconds(std::time::SystemTime::UNIX_EPOCH + since);
    text.to_string().replace('T', " ").replace('Z', " UTC")
}

/// Returns a number without its unit, short enough for a cell: accuracies in percent.
fn short(metric: &str, value: f64) -> String {
    if is_accuracy(metric) { format!("{:.1}", value * 100.0) } else { figures(value) }
}

/// Returns a metric's value with its unit.
fn value(metric: &str, value: f64) -> String {
    if is_accuracy(metric) { words::percent(value) } else { figures(value) }
}

fn is_accuracy(metric: &str) -> bool {
    metric.ends_with("_top1") || metric.ends_with("_top5")
}

/// Returns a number with four digits that count.
fn figures(value: f64) -> String {
    let size = value.abs();
    match size {
        _ if value == 0.0 => "0".to_owned(),
        _ if !(1e-3..1e6).contains(&size) => format!("{value:.3e}"),
        _ => {
            let whole = size.log10().floor().max(0.0) as usize;
            format!("{value:.*}", 3usize.saturating_sub(whole))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_people_is_never_markup() {
        let evil = "<script>alert(1)</script>\"'&";
        let body = html! { p title=(evil) { (evil) } };
        let text = body.into_string();
        assert!(!text.contains("<script"), "{text}");
        assert!(text.contains("title=\"&lt;script&gt;alert(1)&lt;/script&gt;&quot;"), "{text}");
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        let cases = [(0.0, "0"), (0.5, "0.500"), (12.3456, "12.35"), (1234.5, "1234")];
        for (number, text) in cases {
            assert_eq!(figures(number), text);
        }
        assert_eq!(figures(0.0003), "3.000e-4");
        assert_eq!(figures(-2e7), "-2.000e7");
        assert_eq!(short("linear_top1", 0.6123), "61.2");
        assert_eq!(value("linear_top1", 0.6123), "61.2 %");
    }

    #[test]
    fn a_bar_is_as_long_as_all_of_its_parts() {
        let text = bar(&[(Look::Done, 3), (Look::Failed, 1)]).into_string();
        assert!(text.contains("class=\"done\" x=\"0.00\" y=\"0\" width=\"750.00\""), "{text}");
        assert!(text.contains("class=\"failed\" x=\"750.00\" y=\"0\" width=\"250.00\""), "{text}");
        assert!(!bar(&[]).into_string().contains("NaN"));
    }
}
