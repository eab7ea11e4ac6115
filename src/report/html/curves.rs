//! A trial's curves as small pictures. Knows nothing of the page around them.

use std::fmt::Write;

use super::markup::Markup;
use crate::report::trials::{Axes, Curve};

/// Size of a picture, in its own units.
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 80.0;
/// Room for the line's own width.
const EDGE: f64 = 3.0;

/// Draws a curve between the ends that all trials share.
pub(super) fn draw(curve: &Curve, axes: &Axes, page: &mut Markup) {
    page.open("figure", &[("class", "curve")]);
    let said = said(curve);
    let view = format!("0 0 {WIDTH} {HEIGHT}");
    page.open("svg", &[("viewBox", &view), ("role", "img"), ("aria-label", &said)]);
    match curve.points.as_slice() {
        [] => {}
        [only] => {
            let (x, y) = place(*only, axes);
            let (x, y) = (format!("{x:.1}"), format!("{y:.1}"));
            page.open("circle", &[("cx", &x), ("cy", &y), ("r", "2.5")]);
            page.close("circle");
        }
        several => {
            page.open("path", &[("d", &course(several, axes))]);
            page.close("path");
        }
    }
    page.close("svg");
    page.element("figcaption", &[], &said);
    page.close("figure");
}

fn course(points: &[(u64, f64)], axes: &Axes) -> String {
    let mut path = String::new();
    for (at, point) in points.iter().enumerate() {
        let (x, y) = place(*point, axes);
        let _ = write!(path, "{}{x:.0} {y:.1}", if at == 0 { 'M' } else { 'L' });
    }
    path
}

fn place((update, value): (u64, f64), axes: &Axes) -> (f64, f64) {
    let across = if axes.last == 0 { 0.5 } else { update as f64 / axes.last as f64 };
    let range = axes.high - axes.low;
    let up = if range > 0.0 && range.is_finite() { (value - axes.low) / range } else { 0.5 };
    (EDGE + across * (WIDTH - 2.0 * EDGE), HEIGHT - EDGE - up * (HEIGHT - 2.0 * EDGE))
}

/// `loss: 1.21 to 0.342, update 0 to 5000`.
fn said(curve: &Curve) -> String {
    match (curve.points.first(), curve.points.last()) {
        (Some(first), Some(last)) if first.0 != last.0 => format!(
            "{}: {} to {}, update {} to {}",
            curve.metric,
            short(first.1),
            short(last.1),
            first.0,
            last.0
        ),
        (Some(only), _) => {
            format!("{}: {} at update {}", curve.metric, short(only.1), only.0)
        }
        (None, _) => format!("{}: no finite value", curve.metric),
    }
}

/// Three digits of a number.
fn short(value: f64) -> String {
    let size = value.abs();
    let text = match size {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        size if size >= 0.001 || size == 0.0 => format!("{value:.3}"),
        _ => format!("{value:.1e}"),
    };
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(points: &[(u64, f64)], axes: Axes) -> String {
        let mut page = Markup::new();
        draw(&Curve { metric: "loss".to_owned(), points: points.to_vec() }, &axes, &mut page);
        page.into_text()
    }

    #[test]
    fn a_curve_runs_from_corner_to_corner_of_its_axes() {
        let axes = Axes { last: 100, low: -1.0, high: 3.0 };
        let text = drawn(&[(0, -1.0), (50, 1.0), (100, 3.0)], axes);
        assert!(text.contains("d=\"M3 77.0L120 40.0L237 3.0\""), "{text}");
        assert!(text.contains("loss: −1.00 to 3.00, update 0 to 100"), "{text}");
    }

    #[test]
    fn one_point_no_point_and_equal_values_are_drawn() {
        let flat = Axes { last: 0, low: 2.0, high: 2.0 };
        let text = drawn(&[(0, 2.0)], flat);
        assert!(text.contains("cx=\"120.0\" cy=\"40.0\""), "{text}");
        let none = Axes { last: 0, low: f64::INFINITY, high: f64::NEG_INFINITY };
        assert!(drawn(&[], none).contains("loss: no finite value"));
        let wide = Axes { last: 1, low: -1e308, high: 1e308 };
        assert!(!drawn(&[(0, -1e308), (1, 1e308)], wide).contains("NaN"));
    }
}
