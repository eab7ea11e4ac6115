//! The report as one page for a browser: no server, no network, no other file. Knows nothing of what
//! the numbers mean.

mod curves;
mod markup;
mod sheets;

use markup::Markup;

use super::chart::{ChartError, Columns, Shared};
use super::table::{Align, TableInfo};
use super::{Figure, Report};

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// Returns the page. It says itself that nothing may be loaded, and that no script but its own runs.
///
/// # Errors
/// A figure cannot be drawn.
pub(super) fn page(report: &Report) -> Result<String, ChartError> {
    let mut shared = Shared::default();
    let drawn = report.figures.iter().map(|figure| Drawn::of(figure, &mut shared));
    let drawn = drawn.collect::<Result<Vec<Drawn<'_>>, ChartError>>()?;
    let mut page = Markup::new();
    page.raw("<!doctype html>\n");
    page.comment(&report.provenance.comment());
    page.open("html", &[("lang", "en")]);
    head(report, &mut page);
    page.open("body", &[]);
    page.drawing(&shared.svg());
    opening(report, &mut page);
    contents(report, &mut page);
    for figure in &drawn {
        show(figure, &mut page);
    }
    for table in &report.tables {
        set(table, &mut page);
    }
    sheets::write(&report.trials, &mut page);
    closing(report, &mut page);
    page.open("script", &[("nonce", nonce(report))]);
    page.raw(SCRIPT);
    page.close("script");
    page.close("body");
    page.close("html");
    Ok(page.into_text())
}

/// What lets our script run and no other: nobody who chooses a name knows the digest of the rows
/// that it will stand in.
fn nonce(report: &Report) -> &str {
    &report.provenance.rows
}

fn head(report: &Report, page: &mut Markup) {
    let has_pictures = report.figures.iter().any(Figure::has_pictures);
    let pictures = if has_pictures { " img-src data:;" } else { "" };
    let policy = format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{}';{pictures} base-uri 'none'; form-action 'none'",
        nonce(report)
    );
    page.open("head", &[]);
    page.raw("<meta charset=\"utf-8\">\n");
    page.open("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &policy)]);
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    page.raw("<meta name=\"color-scheme\" content=\"light dark\">\n");
    page.element("title", &[], &report.text.title);
    page.open("style", &[]);
    page.raw(STYLE);
    page.close("style");
    page.close("head");
}

fn opening(report: &Report, page: &mut Markup) {
    let text = &report.text;
    page.open("header", &[]);
    page.element("h1", &[], &text.title);
    if let Some(notice) = &text.notice {
        page.element("p", &[("class", "notice")], notice);
    }
    page.element("p", &[("class", "description")], &text.description);
    list(&text.summary, page);
    page.close("header");
}

fn list(items: &[String], page: &mut Markup) {
    if items.is_empty() {
        return;
    }
    page.open("ul", &[]);
    for item in items {
        page.element("li", &[], item);
    }
    page.close("ul");
}

fn contents(report: &Report, page: &mut Markup) {
    page.open("nav", &[("aria-label", "On this page")]);
    let figures = report.figures.iter().map(Figure::heading);
    let figures = figures.map(|heading| (figure_id(&heading.file), heading.title.as_str()));
    let tables = report.tables.iter().map(|table| (table.id.to_owned(), table.title.as_str()));
    for (id, title) in figures.chain(tables).chain([("trials".to_owned(), "Trials")]) {
        page.element("a", &[("href", &format!("#{id}"))], title);
    }
    page.close("nav");
}

fn figure_id(file: &str) -> String {
    format!("figure-{file}")
}

/// A figure with its drawings for wide and for narrow pages.
struct Drawn<'r> {
    figure: &'r Figure,
    drawings: [(&'static str, String); 2],
}

impl<'r> Drawn<'r> {
    fn of(figure: &'r Figure, shared: &mut Shared) -> Result<Self, ChartError> {
        let wide = shared.draw(figure, Columns::Two)?;
        let narrow = shared.draw(figure, Columns::One)?;
        Ok(Self { figure, drawings: [("drawing wide", wide), ("drawing narrow", narrow)] })
    }
}

fn show(drawn: &Drawn<'_>, page: &mut Markup) {
    let heading = drawn.figure.heading();
    page.open("section", &[("id", &figure_id(&heading.file))]);
    page.element("h2", &[], &heading.title);
    // Of charts only the lightness counts, of pictures every colour.
    let kind = if drawn.figure.has_pictures() { "pictures" } else { "chart" };
    page.open("figure", &[("class", kind)]);
    for (class, drawing) in &drawn.drawings {
        page.open("div", &[("class", class)]);
        page.drawing(drawing);
        page.close("div");
    }
    page.element("figcaption", &[], &heading.caption);
    page.close("figure");
    page.close("section");
}

fn set(table: &TableInfo, page: &mut Markup) {
    page.open("section", &[("id", table.id)]);
    page.element("h2", &[], &table.title);
    page.open("div", &[("class", "scroll"), ("tabindex", "0")]);
    page.open("table", &[("class", "sortable")]);
    page.raw("<thead><tr>");
    for column in &table.columns {
        page.element("th", &[("scope", "col"), ("class", side(column.align))], &column.name);
    }
    page.raw("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        page.raw("<tr>");
        for (column, entry) in table.columns.iter().zip(row) {
            page.element("td", &[("class", side(column.align))], entry);
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody>\n");
    page.close("table");
    page.close("div");
    list(&table.footnotes, page);
    page.close("section");
}

fn side(align: Align) -> &'static str {
    match align {
        Align::Left => "words",
        Align::Right => "number",
    }
}

fn closing(report: &Report, page: &mut Markup) {
    page.open("footer", &[]);
    page.element("h2", &[], "How it was made");
    page.element("pre", &[], &report.text.commands.join("\n"));
    page.open("dl", &[]);
    for (name, entry) in report.provenance.entries() {
        page.element("dt", &[], name);
        page.element("dd", &[], &entry);
    }
    page.close("dl");
    page.close("footer");
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{build, samples};
    use super::*;

    /// What a browser would take for an element or an attribute of ours.
    const HOSTILE: &str = "</title><script>alert(1)</script><img src=x onerror=\"alert(2)\">'&amp;";

    #[test]
    fn names_are_words_wherever_they_stand() {
        let mut gathered = samples::augmentation_sweep(2);
        let honest = page(&build(&gathered).unwrap()).unwrap();
        gathered.sweep.name = HOSTILE.to_owned();
        gathered.sweep.description = HOSTILE.to_owned();
        gathered.sweep.file = Some(HOSTILE.to_owned());
        gathered.sweep.version = Some(HOSTILE.to_owned());
        gathered.sweep.workers = vec![HOSTILE.to_owned(), "b".to_owned()];
        for trial in &mut gathered.trials {
            for arm in
                Arc::make_mut(&mut trial.labels).iter_mut().filter_map(|label| label.arm.as_mut())
            {
                if arm != "baseline" {
                    arm.push_str(HOSTILE);
                }
            }
        }
        let page = page(&build(&gathered).unwrap()).unwrap();
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        for part in ["<script", "<img", "</title", "</script"] {
            assert_eq!(page.matches(part).count(), honest.matches(part).count(), "{part}");
        }
        let (_, shown) = page.split_once("-->").unwrap();
        assert!(!shown.contains("onerror=\"") && !shown.contains("&amp;amp;amp;"));
    }

    #[test]
    fn the_page_loads_nothing_and_says_so() {
        let page = page(&build(&samples::tau_sweep()).unwrap()).unwrap();
        assert!(page.contains("Content-Security-Policy\" content=\"default-src &#39;none&#39;;"));
        for loads in ["src=", "url(", "@import", "http-equiv=\"refresh", "<link", "fetch("] {
            assert!(!page.contains(loads), "{loads}");
        }
        // Names of XML dialects are no addresses.
        let addresses = page.matches("http").count();
        let names = page.matches("http://www.w3.org/2000/svg").count();
        assert_eq!(addresses, names + page.matches("http-equiv").count());
    }

    #[test]
    fn everything_that_markdown_shows_is_there() {
        let report = build(&samples::batch_sweep()).unwrap();
        let page = page(&report).unwrap();
        let text = &report.text;
        let notes = report.tables.iter().flat_map(|table| &table.footnotes);
        let entries = report.tables.iter().flat_map(|table| table.rows.iter().flatten());
        let captions = report.figures.iter().map(|figure| &figure.heading().caption);
        for words in text.summary.iter().chain(notes).chain(entries).chain(captions) {
            assert!(page.contains(&markup::escaped(words)), "{words}");
        }
        assert_eq!(page.matches("class=\"drawing wide\"").count(), report.figures.len());
        assert_eq!(page.matches("class=\"trial\"").count(), 30);
    }

    #[test]
    fn pictures_within_drawings_are_let_in() {
        let gathered = samples::with_exhibits(samples::removal_sweep());
        let page = page(&build(&gathered).unwrap()).unwrap();
        assert!(page.contains("href=\"data:image/png;base64,"), "no picture is there");
        assert!(page.contains("; img-src data:; base-uri"));
    }

    #[test]
    fn dark_pages_turn_charts_and_leave_pictures_as_they_are() {
        let gathered = samples::with_exhibits(samples::removal_sweep());
        let page = page(&build(&gathered).unwrap()).unwrap();
        let turned: Vec<&str> = page.lines().filter(|line| line.contains("filter:")).collect();
        assert_eq!(turned, ["  .chart svg { filter: invert(0.91) hue-rotate(180deg); }"]);
        let kinds = page.split("<figure class=\"").skip(1);
        for (place, figure) in kinds.enumerate() {
            let (kind, rest) = figure.split_once('"').unwrap();
            let drawn = rest.split("</figure>").next().unwrap();
            assert_eq!(kind == "pictures", drawn.contains("<use href=\"#p"), "figure {place}");
        }
    }

    #[test]
    fn letters_and_pictures_are_there_once_and_whatever_is_referred_to_is_there() {
        let gathered = samples::with_exhibits(samples::removal_sweep());
        let page = page(&build(&gathered).unwrap()).unwrap();
        let names = |before: &str| -> Vec<String> {
            let parts = page.split(before).skip(1);
            parts.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
        };
        let there = names(" id=\"");
        let distinct: std::collections::BTreeSet<&String> = there.iter().collect();
        assert_eq!(there.len(), distinct.len());
        let used = names("<use href=\"#");
        assert!(used.len() > 500 && used.iter().all(|name| distinct.contains(name)));
        let pictures = used.iter().filter(|name| name.starts_with('p')).count();
        assert!(pictures > page.matches("data:image/png").count(), "each is there twice");
    }

    #[test]
    fn elements_are_closed_in_the_order_that_they_were_opened() {
        let page = page(&build(&samples::wide_sweep()).unwrap()).unwrap();
        let alone = ["meta", "!doctype"];
        let mut open: Vec<&str> = Vec::new();
        let body = page.split("-->").nth(1).unwrap();
        let (before, after) = body.split_once("<style>").unwrap();
        let after = after.split_once("</style>").unwrap().1.split_once("<script").unwrap().0;
        for part in [before, after].into_iter().flat_map(|part| part.split('<').skip(1)) {
            let (tag, _) = part.split_once('>').unwrap();
            let name = tag.split([' ', '\n']).next().unwrap();
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name), "{part}"),
                None if tag.ends_with('/') || alone.contains(&name) => {}
                None => open.push(name),
            }
        }
        assert_eq!(open, ["html", "body"]);
    }
}
