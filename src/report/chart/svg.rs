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
use super::text::Outlined;
use crate::report::exhibits::tiles::png;

/// Returns a drawing as SVG with a title and a description for those who do not see it.
pub(super) fn svg(drawing: &Drawing, title: &str, description: &str) -> String {
    let (width, height) = (drawing.columns.width(), f64::from(drawing.height));
    let mut glyphs: BTreeMap<String, String> = BTreeMap::new();
    let mut body = String::new();
    for mark in &drawing.marks {
        body += &element(mark, &mut glyphs);
        body.push('\n');
    }
    let inches = |units: f64| (units / UNITS_PER_INCH * 1000.0).round() / 1000.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}in\" height=\"{}in\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n<desc>{}</desc>\n",
        inches(width),
        inches(height),
        escaped(title),
        escaped(description),
    );
    text += "<defs>\n";
    for (name, path) in glyphs {
        let _ = writeln!(text, "<path id=\"{name}\" d=\"{path}\"/>");
    }
    let _ = writeln!(text, "</defs>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>");
    text + &body + "</svg>\n"
}

fn element(mark: &Mark, glyphs: &mut BTreeMap<String, String>) -> String {
    match mark {
        Mark::Polygon { corners, color, opacity } => {
            let opacity = if *opacity < 1.0 {
                format!(" fill-opacity=\"{}\"", short(*opacity))
            } else {
                String::new()
            };
            format!("<path d=\"{}Z\" fill=\"{}\"{opacity}/>", course(corners), hex(*color))
        }
        Mark::Disc { at, radius, color } => format!(
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\"/>",
            short(at.0),
            short(at.1),
            short(*radius),
            hex(*color)
        ),
        Mark::Line { spots, width, color, dash } => {
            let dash = match dash {
                Some((ink, gap)) => {
                    format!(" stroke-dasharray=\"{} {}\"", short(*ink), short(*gap))
                }
                None => String::new(),
            };
            format!(
                "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" \
                 stroke-linejoin=\"round\"{dash}/>",
                course(spots),
                hex(*color),
                short(*width)
            )
        }
        Mark::Picture { picture, at, side } => format!(
            "<image x=\"{}\" y=\"{}\" width=\"{2}\" height=\"{2}\" \
             href=\"data:image/png;base64,{3}\"/>",
            short(at.0),
            short(at.1),
            short(*side),
            STANDARD.encode(png(picture.side, picture.side, &picture.rgb).unwrap_or_default())
        ),
        Mark::Words { words, face, at, color } => {
            let (scale, set) = face.outlined(words);
            let mut uses = String::new();
            for Outlined { name, path, x } in set {
                let _ = write!(uses, "<use href=\"#{name}\" x=\"{}\"/>", short(x));
                glyphs.entry(name).or_insert(path);
            }
            format!(
                "<g fill=\"{}\" transform=\"translate({} {}) scale({scale:.6} -{scale:.6})\" \
                 aria-label=\"{}\">{uses}</g>",
                hex(*color),
                short(at.0),
                short(at.1),
                escaped(words)
            )
        }
    }
}

fn course(spots: &[Spot]) -> String {
    let mut path = String::new();
    for (place, (x, y)) in spots.iter().enumerate() {
        let _ = write!(path, "{}{} {}", if place == 0 { 'M' } else { 'L' }, short(*x), short(*y));
    }
    path
}

fn hex((red, green, blue): Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// A number to hundredths of a unit.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
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
    use super::*;

    #[test]
    fn numbers_are_short_and_words_are_escaped() {
        assert_eq!([1.0, 0.126, -0.001, 100.0, -2.5].map(short), ["1", "0.13", "0", "100", "-2.5"]);
        assert_eq!(escaped("a < \"b\" & c\u{8}"), "a &lt; &quot;b&quot; &amp; c");
    }
}
