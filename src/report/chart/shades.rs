//! From values to shades, from light to dark, and the scale that says which is which. One hue alone
//! is told apart by everyone, and in print without colour.

use super::ChartError;
use super::axis::{TICK_SIZE, round_marks};
use super::canvas::{Anchor, Canvas};
use super::palette::{FAINT_INK, INK, Rgb, WHITE, mixed};
use super::text::{Typeface, Weight};

/// Steps of the scale.
const STEPS: u32 = 48;
const LIGHT: Rgb = (222, 235, 247);
const MIDDLE: Rgb = (66, 146, 198);
const DARK: Rgb = (8, 38, 84);

/// The shades of values between two ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shades {
    low: f64,
    high: f64,
}

impl Shades {
    /// Spans the finite ones of `values`.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let finite = values.into_iter().filter(|value| value.abs() < 1e100);
        let ends = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if ends.0 > ends.1 {
            Self { low: 0.0, high: 0.0 }
        } else {
            Self { low: ends.0, high: ends.1 }
        }
    }

    /// Returns the shade of a value; where all are equal, the middle one.
    pub(super) fn at(&self, value: f64) -> Rgb {
        let width = self.high - self.low;
        let share = if width > 0.0 { (value - self.low) / width } else { 0.5 };
        match share.clamp(0.0, 1.0) {
            share if share < 0.5 => mixed(MIDDLE, LIGHT, share * 2.0),
            share => mixed(DARK, MIDDLE, share * 2.0 - 1.0),
        }
    }
}

/// Draws the scale below `top` with its name; returns where the next thing may begin.
pub(super) fn scale(
    canvas: &mut Canvas,
    shades: &Shades,
    name: &str,
    top: f64,
) -> Result<f64, ChartError> {
    let face = Typeface::new(Weight::Regular, TICK_SIZE)?;
    let (left, right) = canvas.columns.span();
    let room = right - left;
    let length = 340.0_f64.min(room * 0.5);
    let name = face.wrap(name, room - length - 90.0, 1).remove(0);
    let (middle, start) = (top + 14.0, left + face.width(&name) + 24.0);
    canvas.words(&name, &face, (left, middle + TICK_SIZE * 0.36), Anchor::Left, INK);
    let step = length / f64::from(STEPS);
    let width = shades.high - shades.low;
    for at in 0..STEPS {
        let share = (f64::from(at) + 0.5) / f64::from(STEPS);
        let x = start + f64::from(at) * step;
        let color = shades.at(shades.low + share * width);
        canvas.rectangle((x, middle - 13.0), (x + step + 0.5, middle + 13.0), color);
    }
    let base = middle + 13.0 + TICK_SIZE + 4.0;
    if width > 0.0 {
        let place = |value: f64| start + (value - shades.low) / width * length;
        let mut free_from = f64::NEG_INFINITY;
        for mark in round_marks((shades.low, shades.high), 4) {
            let (x, half) = (place(mark.at), face.width(&mark.words) / 2.0);
            let over = x.min(right - half).max(left + half);
            if over - half < free_from {
                continue;
            }
            canvas.line(&[(x, middle + 7.0), (x, middle + 13.0)], 2.0, WHITE, None);
            canvas.words(&mark.words, &face, (over, base), Anchor::Middle, FAINT_INK);
            free_from = over + half + 14.0;
        }
    } else {
        let words = format!("all {}", short(shades.low));
        canvas.words(&words, &face, (start + length / 2.0, base), Anchor::Middle, FAINT_INK);
    }
    Ok(base + 26.0)
}

fn short(value: f64) -> String {
    if value.abs() >= 1e6 {
        return format!("{value:.3e}").replace('-', "−");
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').replacen('-', "−", 1)
}

#[cfg(test)]
mod tests {
    use super::super::palette::lightness;
    use super::*;

    #[test]
    fn higher_is_darker_everywhere() {
        let shades = Shades::of([10.0, f64::NAN, 30.0]);
        let lightnesses: Vec<f64> =
            (0..=20).map(|at| lightness(shades.at(10.0 + f64::from(at)))).collect();
        assert!(lightnesses.windows(2).all(|pair| pair[1] < pair[0] - 0.5), "{lightnesses:?}");
        assert_eq!(shades.at(-5.0), LIGHT);
        assert_eq!(shades.at(99.0), DARK);
    }

    #[test]
    fn equal_values_have_the_middle_shade() {
        assert_eq!(Shades::of([7.0, 7.0]).at(7.0), MIDDLE);
        assert_eq!(Shades::of([]).at(7.0), MIDDLE);
    }
}
