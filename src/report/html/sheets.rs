//! The trials of a report: an overview, and behind each its settings and curves.

use super::curves;
use super::markup::Markup;
use crate::report::trials::{Trial, Trials};

pub(super) fn write(trials: &Trials, page: &mut Markup) {
    page.open("section", &[("id", "trials")]);
    page.element("h2", &[], "Trials");
    page.open("div", &[("class", "scroll"), ("tabindex", "0")]);
    page.open("table", &[("class", "sortable trials")]);
    page.raw("<thead><tr>");
    for (name, class) in [("trial", "number"), ("setting", "words"), ("seed", "number")] {
        page.element("th", &[("scope", "col"), ("class", class)], name);
    }
    page.element("th", &[("scope", "col"), ("class", "words")], "state");
    for metric in &trials.metrics {
        page.element("th", &[("scope", "col"), ("class", "number")], metric);
    }
    page.raw("</tr></thead>\n");
    for trial in &trials.all {
        rows(trial, trials, page);
    }
    page.close("table");
    page.close("div");
    page.open("details", &[]);
    page.element("summary", &[], "Settings that all trials share");
    pairs(&trials.shared, page);
    page.close("details");
    page.close("section");
}

/// The trial's line, and the sheet below it.
fn rows(trial: &Trial, trials: &Trials, page: &mut Markup) {
    let id = format!("trial-{}", trial.ordinal);
    page.open("tbody", &[("class", "trial"), ("id", &id)]);
    page.raw("<tr>");
    page.element("td", &[("class", "number")], &trial.ordinal.to_string());
    page.element("td", &[("class", "words")], &trial.name);
    page.element("td", &[("class", "number")], &trial.seed.to_string());
    page.element("td", &[("class", "words")], &trial.state);
    for result in &trial.results {
        page.element("td", &[("class", "number")], result);
    }
    page.raw("</tr>\n<tr class=\"sheet\">");
    let columns = (4 + trials.metrics.len()).to_string();
    page.open("td", &[("colspan", &columns)]);
    page.open("details", &[]);
    page.raw("<summary>settings and curves</summary>\n");
    if let Some(failure) = &trial.failure {
        page.element("p", &[("class", "notice")], failure);
    }
    page.raw("<div class=\"curves\">\n");
    for curve in &trial.curves {
        if let Some(axes) = trials.axes.get(&curve.metric) {
            curves::draw(curve, axes, page);
        }
    }
    page.raw("</div>\n");
    pairs(&[("key".to_owned(), trial.key.to_string())], page);
    page.raw("<div class=\"lists\">\n");
    titled("Results", &trial.finals, page);
    titled("Settings in which trials differ", &trial.settings, page);
    page.raw("</div>\n");
    page.close("details");
    page.raw("</td></tr>\n");
    page.close("tbody");
}

fn titled(title: &'static str, named: &[(String, String)], page: &mut Markup) {
    if named.is_empty() {
        return;
    }
    page.open("div", &[]);
    page.element("h3", &[], title);
    pairs(named, page);
    page.close("div");
}

fn pairs(pairs: &[(String, String)], page: &mut Markup) {
    page.open("dl", &[]);
    for (name, value) in pairs {
        page.element("dt", &[], name);
        page.element("dd", &[], value);
    }
    page.close("dl");
}
