//! A pair of axes: from values to pixels, round numbers, grid and words.

use super::ChartError;
use super::canvas::{Anchor, Canvas, Spot};
use super::palette::{FAINT_INK, GRID, INK};
use super::text::{Typeface, Weight};

/// Size of the words at ticks.
pub(super) const TICK_SIZE: f64 = 24.0;
/// Size of what stands below the words at ticks.
const NOTE_SIZE: f64 = 20.0;
/// Words keep so far from the edge of the sheet.
const EDGE: f64 = 8.0;
/// Words below the axes reach so far over its ends.
const OVERHANG: f64 = 34.0;
/// Ticks that may have no words.
const MOST_BARE_TICKS: usize = 40;
/// Size of the names of axes.
pub(super) const LABEL_SIZE: f64 = 26.0;

/// A rectangle of pixels with the values at its edges.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    /// Values at the left and right edge.
    pub(super) x: (f64, f64),
    /// Values at the bottom and top edge.
    pub(super) y: (f64, f64),
}

/// A tick and its words.
pub(super) struct Mark {
    pub(super) at: f64,
    pub(super) words: String,
    /// What stands below the words.
    pub(super) note: Option<String>,
}

impl Frame {
    /// Returns the pixel of a value; what the axes leave out, as no number of a plausible size, has
    /// none that can be drawn.
    pub(super) fn spot(&self, x: f64, y: f64) -> Spot {
        let share = |value: f64, (low, high): (f64, f64)| {
            let share = (value - low) / (high - low);
            let is_near = is_plausible(value) && (-0.25..=1.25).contains(&share);
            if is_near { share } else { f64::NAN }
        };
        let (across, up) = (share(x, self.x), share(y, self.y));
        (self.left + across * (self.right - self.left), self.bottom - up * (self.bottom - self.top))
    }

    /// Draws horizontal grid lines with their numbers, and the name of the axis above them.
    pub(super) fn y_axis(&self, canvas: &mut Canvas, name: &str) -> Result<(), ChartError> {
        let marks = round_marks(self.y, 6);
        let face = Typeface::new(Weight::Regular, TICK_SIZE)?;
        let widest = marks.iter().map(|mark| face.width(&mark.words)).fold(1.0, f64::max);
        // Long numbers are smaller, and stay on the sheet.
        let room = 56.0 + canvas.columns.margin() / 2.0;
        let size = TICK_SIZE * (room / widest).min(1.0);
        let face = Typeface::new(Weight::Regular, size)?;
        for mark in marks {
            let (_, y) = self.spot(self.x.0, mark.at);
            canvas.line(&[(self.left, y), (self.right, y)], 1.5, GRID, None);
            let at = (self.left - 14.0, y + size * 0.36);
            canvas.words(&mark.words, &face, at, Anchor::Right, FAINT_INK);
        }
        let face = Typeface::new(Weight::Regular, LABEL_SIZE)?;
        let name = face.wrap(name, self.right - self.left + 70.0, 1).remove(0);
        canvas.words(&name, &face, (self.left - 70.0, self.top - 26.0), Anchor::Left, INK);
        Ok(())
    }

    /// Draws the lower edge with ticks, their words and the name of the axis. Words that would
    /// touch their neighbour are left out.
    pub(super) fn x_axis(
        &self,
        canvas: &mut Canvas,
        marks: &[Mark],
        name: &str,
    ) -> Result<(), ChartError> {
        let face = Typeface::new(Weight::Regular, TICK_SIZE)?;
        let notes = Typeface::new(Weight::Regular, NOTE_SIZE)?;
        canvas.line(&[(self.left, self.bottom), (self.right, self.bottom)], 2.0, INK, None);
        let (start, end) = self.reach(canvas);
        let (mut free_from, mut notes_free_from) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
        for mark in marks {
            let (x, _) = self.spot(mark.at, self.y.0);
            let words = face.wrap(&mark.words, (self.right - self.left) / 2.0, 1).remove(0);
            let half = face.width(&words) / 2.0;
            let middle = x.min(end - half).max(start + half);
            let has_room = middle - half >= free_from;
            // A comb of ticks without words tells nothing.
            if has_room || marks.len() <= MOST_BARE_TICKS {
                canvas.line(&[(x, self.bottom), (x, self.bottom + 8.0)], 2.0, INK, None);
            }
            if !has_room {
                continue;
            }
            let base = self.bottom + 14.0 + TICK_SIZE;
            canvas.words(&words, &face, (middle, base), Anchor::Middle, FAINT_INK);
            free_from = middle + half + 14.0;
            let lines = mark.note.as_ref().map(|note| notes.wrap(note, 110.0, 2));
            let lines = lines.unwrap_or_default();
            let half = lines.iter().map(|line| notes.width(line)).fold(0.0, f64::max) / 2.0;
            let x = x.min(end - half).max(start + half);
            if x - half >= notes_free_from {
                for (at, line) in lines.iter().enumerate() {
                    let base = base + (at as f64 + 1.0) * (NOTE_SIZE + 4.0);
                    canvas.words(line, &notes, (x, base), Anchor::Middle, FAINT_INK);
                }
                notes_free_from = x + half + 10.0;
            }
        }
        let noted = marks.iter().any(|mark| mark.note.is_some());
        let below = if noted { 2.0 * (NOTE_SIZE + 4.0) - 12.0 } else { 0.0 };
        let face = Typeface::new(Weight::Regular, LABEL_SIZE)?;
        let room = end - start;
        let lines = face.wrap_list(name, room, if noted { 1 } else { 2 });
        // A name wider than the axis stays on the sheet.
        let widest = lines.iter().map(|line| face.width(line)).fold(0.0, f64::max) / 2.0;
        let middle = ((self.left + self.right) / 2.0).min(end - widest).max(start + widest);
        for (at, line) in lines.iter().enumerate() {
            let base = self.bottom + 84.0 + below + at as f64 * (LABEL_SIZE + 8.0);
            canvas.words(line, &face, (middle, base), Anchor::Middle, INK);
        }
        Ok(())
    }

    /// Returns how far words at ticks may reach: over nothing beside the axes, and not off the sheet.
    fn reach(&self, canvas: &Canvas) -> (f64, f64) {
        let right = canvas.columns.width() - EDGE;
        ((self.left - OVERHANG).max(EDGE), (self.right + OVERHANG).min(right))
    }
}

/// Returns whether axes make room for a value. Differences of larger ones could overflow.
fn is_plausible(value: f64) -> bool {
    value.abs() < 1e100
}

/// Returns a range that holds all finite values with some air; never one of no width.
pub(super) fn range(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let finite = values.into_iter().filter(|value| is_plausible(*value));
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return (0.0, 1.0);
    }
    let width = high - low;
    let air = if width > 1e-9 * high.abs().max(low.abs()) && width > 1e-12 {
        width * 0.07
    } else {
        high.abs().max(1.0) * 0.05
    };
    (low - air, high + air)
}

/// Returns about `wanted` round numbers within a range: 1, 2 or 5 times a power of ten apart.
pub(super) fn round_marks((low, high): (f64, f64), wanted: usize) -> Vec<Mark> {
    let rough = (high - low) / wanted as f64;
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= rough * 0.999).unwrap_or(10.0);
    let step = factor * power;
    let (first, last) = ((low / step).ceil(), (high / step).floor());
    if !step.is_finite() || step <= 0.0 || !(0.0..=100.0).contains(&(last - first)) {
        return Vec::new();
    }
    let mark = |at: u32| {
        let value = (first + f64::from(at)) * step;
        Mark { at: value, words: words(value, step), note: None }
    };
    (0..=(last - first) as u32).map(mark).collect()
}

/// A value with as many digits as tell it from its neighbours.
fn words(value: f64, step: f64) -> String {
    if value.abs() < step / 2.0 {
        return "0".to_owned();
    }
    let place = step.log10().floor();
    let text = if value.abs() >= 1e6 || step < 1e-4 {
        let digits = (value.abs().log10().floor() - place).clamp(0.0, 6.0) as usize;
        format!("{value:.digits$e}")
    } else {
        let decimals = (-place).max(0.0) as usize;
        format!("{value:.decimals$}")
    };
    text.replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(low: f64, high: f64) -> Vec<String> {
        round_marks((low, high), 6).into_iter().map(|mark| mark.words).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(marks(0.0, 1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(marks(-13.2, 0.4), ["−10", "−5", "0"]);
        assert_eq!(marks(71.3, 72.6), ["71.5", "72.0", "72.5"]);
        assert_eq!(marks(0.0, 5000.0), ["0", "1000", "2000", "3000", "4000", "5000"]);
        assert_eq!(marks(0.0, 2.4e-7), ["0", "5e−8", "1.0e−7", "1.5e−7", "2.0e−7"]);
        assert!(marks(f64::NAN, 1.0).is_empty());
    }

    #[test]
    fn what_axes_make_no_room_for_has_no_place() {
        let x = range([-9e99, -2e100]);
        let frame = Frame { left: 0.0, right: 100.0, top: 0.0, bottom: 100.0, x, y: (0.0, 1.0) };
        assert!((0.0..=100.0).contains(&frame.spot(-9e99, 0.5).0));
        let frame = Frame { x: (-9.9e99, 0.0), ..frame };
        for far in [-1.1e100, f64::NAN, f64::INFINITY] {
            assert!(frame.spot(far, 0.5).0.is_nan(), "{far}");
        }
    }

    #[test]
    fn ranges_always_have_a_width() {
        for values in [vec![], vec![3.0], vec![0.0, 0.0], vec![f64::NAN], vec![-1e300, 1e300]] {
            let (low, high) = range(values.clone());
            assert!(low < high && (high - low).is_finite(), "{values:?}: {low} {high}");
        }
        let (low, high) = range([10.0, 20.0]);
        assert!(low < 10.0 && high > 20.0);
    }
}
