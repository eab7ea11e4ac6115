//! From a drawing to SVG. Words are outlines of the embedded font, so that they look the same
//! everywhere; each outline is there once, and each line of words says in `aria-label` what it
//! reads. Knows nothing of figures.

use std::collections::BTreeMap;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::canvas::{Drawing, Mark, Spot};
use super::columns::UNITS_PER_INCH;
use super::palette::Rgb;
use super::text::{Outlined, Typeface};
use crate::report::exhibits::tiles::png;
use crate::report::figure::Picture;

/// What drawings refer to, by name: outlines of letters, lines of words, and pictures.
#[derive(Debug, Default)]
pub(super) struct Parts {
    lines: BTreeMap<String, String>,
    glyphs: BTreeMap<String, String>,
    pictures: BTreeMap<String, Picture>,
}

impl Parts {
    /// Returns an SVG that shows nothing and holds them.
    pub(super) fn hidden(&self) -> String {
        format!(
            "<svg class=\"parts\" width=\"0\" height=\"0\" aria-hidden=\"true\">\n{}</svg>\n",
            self.defs()
        )
    }

    fn defs(&self) -> String {
        let mut text = "<defs>\n".to_owned();
        for (name, path) in &self.glyphs {
            let _ = writeln!(text, "<path id=\"{name}\" d=\"{path}\"/>");
        }
        for (name, uses) in &self.lines {
            let _ = writeln!(text, "<g id=\"{name}\">{uses}</g>");
        }
        for (name, Picture { side, rgb }) in &self.pictures {
            let png = STANDARD.encode(png(*side, *side, rgb).unwrap_or_default());
            let _ = writeln!(
                text,
                "<symbol id=\"{name}\" viewBox=\"0 0 {side} {side}\"><image width=\"{side}\" \
                 height=\"{side}\" href=\"data:image/png;base64,{png}\"/></symbol>"
            );
        }
        text + "</defs>\n"
    }

    /// Returns the size of a unit of a line of words, and its name, which is of the words alone.
    fn line(&mut self, words: &str, face: &Typeface) -> (f64, String) {
        let (scale, set) = face.outlined(words);
        let mut uses = String::new();
        for Outlined { name, path, x } in set {
            let _ = write!(uses, "<use href=\"#{name}\" x=\"{x:.0}\"/>");
            self.glyphs.entry(name).or_insert(path);
        }
        let name = format!("t{:.12}", blake3::hash(uses.as_bytes()).to_hex());
        self.lines.entry(name.clone()).or_insert(uses);
        (scale, name)
    }

    /// Returns the name of a picture, which is of its pixels alone.
    fn picture(&mut self, picture: &Picture) -> String {
        let digest = blake3::hash(&picture.rgb).to_hex();
        let name = format!("p{}x{digest:.12}", picture.side);
        self.pictures.entry(name.clone()).or_insert_with(|| picture.clone());
        name
    }
}

/// Returns a drawing as SVG with a title and a description for those who do not see it.
pub(super) fn alone(drawing: &Drawing, title: &str, description: &str) -> String {
    let mut parts = Parts::default();
    let body = body(drawing, &mut parts);
    framed(drawing, title, description, &(parts.defs() + &body))
}

/// Returns a drawing that refers to `parts`, which stand elsewhere on its page.
pub(super) fn within(
    drawing: &Drawing,
    title: &str,
    description: &str,
    parts: &mut Parts,
) -> String {
    let body = body(drawing, parts);
    framed(drawing, title, description, &body)
}

fn framed(drawing: &Drawing, title: &str, description: &str, body: &str) -> String {
    let (width, height) = (drawing.columns.width(), f64::from(drawing.height));
    let inches = |units: f64| (units / UNITS_PER_INCH * 1000.0).round() / 1000.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}in\" height=\"{}in\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n<desc>{}</desc>\n\
         {body}</svg>\n",
        inches(width),
        inches(height),
        escaped(title),
        escaped(description),
    )
}

fn body(drawing: &Drawing, parts: &mut Parts) -> String {
    let (width, height) = (drawing.columns.width(), f64::from(drawing.height));
    let mut body = format!("<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n");
    for run in drawing.marks.chunk_by(are_alike) {
        if let Some(first) = run.first() {
            body += &element(first, run, parts);
            body.push('\n');
        }
    }
    body
}

/// Whether two marks can be one element: of many points each is a few letters then.
fn are_alike(a: &Mark, b: &Mark) -> bool {
    match (a, b) {
        (
            Mark::Polygon { corners, color, opacity },
            Mark::Polygon { corners: others, color: other, opacity: dense },
        ) => {
            // Areas that run around in opposite senses would leave a hole where they meet.
            let is_opaque = *opacity >= 1.0 && *dense >= 1.0;
            is_opaque && color == other && is_clockwise(corners) == is_clockwise(others)
        }
        (Mark::Disc { radius, color, .. }, Mark::Disc { radius: large, color: other, .. }) => {
            radius == large && color == other
        }
        (
            Mark::Line { width, color, dash, .. },
            Mark::Line { width: thick, color: other, dash: dashed, .. },
        ) => width == thick && color == other && dash == dashed,
        (
            Mark::Polygon { .. }
            | Mark::Disc { .. }
            | Mark::Line { .. }
            | Mark::Picture { .. }
            | Mark::Words { .. },
            _,
        ) => false,
    }
}

fn is_clockwise(corners: &[Spot]) -> bool {
    let next = corners.iter().cycle().skip(1);
    corners.iter().zip(next).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum::<f64>() > 0.0
}

/// The element of marks that are alike.
fn element(first: &Mark, run: &[Mark], parts: &mut Parts) -> String {
    match first {
        Mark::Polygon { color, opacity, .. } => {
            let opacity = if *opacity < 1.0 {
                format!(" fill-opacity=\"{}\"", hundredths(*opacity))
            } else {
                String::new()
            };
            let areas = run.iter().map(|mark| match mark {
                Mark::Polygon { corners, .. } => course(corners) + "z",
                _ => String::new(),
            });
            format!("<path d=\"{}\" fill=\"{}\"{opacity}/>", areas.collect::<String>(), hex(*color))
        }
        Mark::Disc { radius, color, .. } => {
            // A line of no length with round ends.
            let spots = run.iter().map(|mark| match mark {
                Mark::Disc { at, .. } => course(&[*at]) + "h0",
                _ => String::new(),
            });
            format!(
                "<path d=\"{}\" stroke=\"{}\" stroke-width=\"{}\" stroke-linecap=\"round\"/>",
                spots.collect::<String>(),
                hex(*color),
                tenths(radius * 2.0)
            )
        }
        Mark::Line { width, color, dash, .. } => {
            let ways = run.iter().map(|mark| match mark {
                Mark::Line { spots, .. } => course(spots),
                _ => String::new(),
            });
            let dash = match dash {
                Some((ink, gap)) => {
                    format!(" stroke-dasharray=\"{} {}\"", tenths(*ink), tenths(*gap))
                }
                None => String::new(),
            };
            format!(
                "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" \
                 stroke-linejoin=\"round\"{dash}/>",
                ways.collect::<String>(),
                hex(*color),
                tenths(*width)
            )
        }
        Mark::Picture { picture, at, side } => format!(
            "<use href=\"#{}\" x=\"{}\" y=\"{}\" width=\"{3}\" height=\"{3}\"/>",
            parts.picture(picture),
            tenths(at.0),
            tenths(at.1),
            tenths(*side),
        ),
        Mark::Words { words, face, at, color } => {
            let (scale, name) = parts.line(words, face);
            format!(
                "<use href=\"#{name}\" fill=\"{}\" \
                 transform=\"translate({} {}) scale({scale:.6} -{scale:.6})\" \
                 aria-label=\"{}\"/>",
                hex(*color),
                tenths(at.0),
                tenths(at.1),
                escaped(words)
            )
        }
    }
}

/// A way through spots, in tenths of a unit; all but the first are told from the one before.
fn course(spots: &[Spot]) -> String {
    let mut path = String::new();
    let (mut before, mut letter) = ((0, 0), 'M');
    for (place, (x, y)) in spots.iter().enumerate() {
        let spot = (in_tenths(*x), in_tenths(*y));
        let (x, y) = (spot.0 - before.0, spot.1 - before.1);
        let (next, numbers) = match (place, x, y) {
            (0, ..) => ('M', vec![x, y]),
            (_, x, 0) => ('h', vec![x]),
            (_, 0, y) => ('v', vec![y]),
            (_, x, y) => ('l', vec![x, y]),
        };
        let is_told = place > 0 && next == letter;
        for (at, number) in numbers.into_iter().map(of_tenths).enumerate() {
            match (at, is_told, number.starts_with('-')) {
                (0, false, _) => path.push(next),
                (_, _, true) => {}
                (_, _, false) => path.push(' '),
            }
            path += &number;
        }
        (before, letter) = (spot, next);
    }
    path
}

fn in_tenths(value: f64) -> i64 {
    (value * 10.0).round() as i64
}

fn of_tenths(tenths: i64) -> String {
    let (sign, size) = (if tenths < 0 { "-" } else { "" }, tenths.unsigned_abs());
    match (size / 10, size % 10) {
        (whole, 0) => format!("{sign}{whole}"),
        (0, rest) => format!("{sign}.{rest}"),
        (whole, rest) => format!("{sign}{whole}.{rest}"),
    }
}

fn tenths(value: f64) -> String {
    of_tenths(in_tenths(value))
}

fn hex((red, green, blue): Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// A share to hundredths.
fn hundredths(value: f64) -> String {
    format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(text: &str) -> String {
    // Signs that XML cannot hold, even escaped.
    let holdable = |c: &char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars().filter(holdable) {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::canvas::Canvas;
    use super::super::columns::Columns;
    use super::*;

    #[test]
    fn numbers_are_short_and_words_are_escaped() {
        let shown = [1.0, 0.126, -0.001, 100.0, -2.5, -0.5].map(tenths);
        assert_eq!(shown, ["1", ".1", "0", "100", "-2.5", "-.5"]);
        assert_eq!(escaped("a < \"b\" & c\u{8}"), "a &lt; &quot;b&quot; &amp; c");
        assert_eq!(course(&[(1.0, 2.0), (4.26, 1.04), (4.26, 1.04)]), "M1 2l3.3-1h0");
    }

    #[test]
    fn marks_that_are_alike_are_one_element_and_keep_their_order() {
        let mut canvas = Canvas::new(Columns::One);
        canvas.disc((5.0, 6.0), 2.0, (1, 2, 3));
        canvas.disc((7.0, 8.0), 2.0, (1, 2, 3));
        canvas.disc((7.0, 8.0), 3.0, (1, 2, 3));
        canvas.rectangle((0.0, 0.0), (2.0, 1.0), (0, 0, 0));
        canvas.rectangle((4.0, 0.0), (6.0, 1.0), (0, 0, 0));
        canvas.polygon(&[(4.0, 0.0), (4.0, 2.0), (6.0, 2.0)], (0, 0, 0));
        let body = body(&canvas.done(10.0), &mut Parts::default());
        let lines: Vec<&str> = body.lines().skip(1).collect();
        let expected = [
            "<path d=\"M5 6h0M7 8h0\" stroke=\"#010203\" stroke-width=\"4\" stroke-linecap=\"round\"/>",
            "<path d=\"M7 8h0\" stroke=\"#010203\" stroke-width=\"6\" stroke-linecap=\"round\"/>",
            "<path d=\"M0 0h2v1h-2zM4 0h2v1h-2z\" fill=\"#000000\"/>",
            "<path d=\"M4 0v2h2z\" fill=\"#000000\"/>",
        ];
        assert_eq!(lines, expected);
    }
}
