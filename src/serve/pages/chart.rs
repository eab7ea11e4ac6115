//! A metric over the updates, as a small drawing whose words are text of the page. Knows nothing of
//! trials.

use maud::{Markup, html};

use super::{round, value};
use crate::ui::words;

/// Points that a drawing has room for.
const POINTS: usize = 300;

/// Size of a drawing in its own units; it is stretched to its place.
const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 100.0;

/// Draws a metric with its name, its last value, and the ends of its axes.
pub(super) fn figure(metric: &str, points: &[(u64, f64)]) -> Markup {
    let (low, high) = range(points);
    let last = points.last();
    html! {
        figure.curve id=(format!("curve-{metric}")) {
            figcaption {
                span { (metric) }
                @if let Some((_, last)) = last { strong { (value(metric, *last)) } }
            }
            div.plot {
                span.y { (value(metric, high)) }
                (drawing(points, "line"))
                span.y.low { (value(metric, low)) }
            }
            div.x {
                span { "0" }
                span { @if let Some((update, _)) = last { "update " (words::count(*update)) } }
            }
        }
    }
}

/// Draws a metric without words.
pub(super) fn sparkline(metric: &str, points: &[(u64, f64)]) -> Markup {
    html! {
        span.spark title=(metric) { (drawing(points, "line")) }
    }
}

fn drawing(points: &[(u64, f64)], class: &str) -> Markup {
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" aria-hidden="true" {
            @for at in [0.0, 0.5, 1.0] {
                line.rule x1="0" x2=(WIDTH) y1=(round(at * HEIGHT)) y2=(round(at * HEIGHT)) {}
            }
            path class=(class) d=(course(&thinned(points))) {}
        }
    }
}

/// Returns the course as a path.
fn course(points: &[(u64, f64)]) -> String {
    let (low, high) = range(points);
    let end = points.last().map_or(1, |(update, _)| *update).max(1) as f64;
    let height = if high > low { high - low } else { 1.0 };
    let spot = |(update, value): &(u64, f64)| {
        let x = WIDTH * *update as f64 / end;
        // A course that is level lies in the middle.
        let up = if high > low { (value - low) / height } else { 0.5 };
        (x, HEIGHT * (1.0 - up))
    };
    match points {
        [] => String::new(),
        [only] => {
            let (x, y) = spot(only);
            format!("M{} {}h1", round(x - 1.0), round(y))
        }
        points => {
            let spots = points.iter().map(spot).map(|(x, y)| format!("{} {}", round(x), round(y)));
            format!("M{}", spots.collect::<Vec<_>>().join("L"))
        }
    }
}

fn range(points: &[(u64, f64)]) -> (f64, f64) {
    let values = points.iter().map(|(_, value)| *value);
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    if low <= high { (low, high) } else { (0.0, 0.0) }
}

/// Keeps of each stretch of a long course its lowest and its highest point, so that no spike is
/// lost, and the last point of all.
fn thinned(points: &[(u64, f64)]) -> Vec<(u64, f64)> {
    if points.len() <= POINTS {
        return points.to_vec();
    }
    let stretch = points.len().div_ceil(POINTS / 2);
    let mut kept = Vec::with_capacity(POINTS + 1);
    for stretch in points.chunks(stretch) {
        let by_value = |one: &&(u64, f64), other: &&(u64, f64)| one.1.total_cmp(&other.1);
        let low = stretch.iter().min_by(by_value);
        let high = stretch.iter().max_by(by_value);
        let mut ends: Vec<(u64, f64)> = low.into_iter().chain(high).copied().collect();
        ends.sort_by_key(|(update, _)| *update);
        ends.dedup();
        kept.extend(ends);
    }
    if kept.last() != points.last() {
        kept.extend(points.last());
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_goes_from_corner_to_corner() {
        assert_eq!(course(&[(0, 1.0), (10, 3.0)]), "M0.00 100.00L300.00 0.00");
        assert_eq!(course(&[(0, 2.0), (10, 2.0)]), "M0.00 50.00L300.00 50.00");
        assert_eq!(course(&[]), "");
        assert!(course(&[(5, 2.0)]).starts_with("M299.00"));
    }

    #[test]
    fn a_long_course_keeps_its_spikes_and_its_end() {
        let mut points: Vec<(u64, f64)> = (0..10_000).map(|at| (at, 0.0)).collect();
        points[4321].1 = 9.0;
        let kept = thinned(&points);
        assert!(kept.len() <= POINTS + 1, "{}", kept.len());
        assert!(kept.contains(&(4321, 9.0)));
        assert_eq!(kept.last(), Some(&(9_999, 0.0)));
        assert!(kept.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(thinned(&points[..5]), points[..5]);
    }
}
