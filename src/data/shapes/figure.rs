//! The ten figures as sets of points. Plain comparisons of sums and products: no function whose
//! last bit differs between machines. Knows nothing of pixels or colours.

use std::f64::consts::{FRAC_PI_2, PI};

/// What is drawn, which is the class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    Disc,
    Square,
    Triangle,
    Ring,
    Cross,
    Star,
    Crescent,
    Stripes,
    Checker,
    Dots,
}

/// All figures in the order of their labels.
pub(super) const FIGURES: [Figure; 10] = [
    Figure::Disc,
    Figure::Square,
    Figure::Triangle,
    Figure::Ring,
    Figure::Cross,
    Figure::Star,
    Figure::Crescent,
    Figure::Stripes,
    Figure::Checker,
    Figure::Dots,
];

const SQRT_3: f64 = 1.732_050_807_568_877_2;

/// The corners of a regular pentagon on the unit circle, which are also the normals of the five
/// lines that make a pentagram.
const PENTAGON: [(f64, f64); 5] = [
    (0.0, 1.0),
    (-0.951_056_516_295_153_5, 0.309_016_994_374_947_45),
    (-0.587_785_252_292_473_1, -0.809_016_994_374_947_5),
    (0.587_785_252_292_473_1, -0.809_016_994_374_947_5),
    (0.951_056_516_295_153_5, 0.309_016_994_374_947_45),
];

/// Distance of the pentagram's lines from its centre: cos 72 degrees.
const PENTAGRAM_LINE: f64 = 0.309_016_994_374_947_45;

impl Figure {
    /// Returns whether the point belongs to the figure, in the figure's own coordinates: within
    /// [`Figure::reach`] of the origin.
    pub(super) fn covers(self, x: f64, y: f64) -> bool {
        let square = x * x + y * y;
        match self {
            Figure::Disc => square <= 1.0,
            Figure::Square => x.abs() <= 1.0 && y.abs() <= 1.0,
            Figure::Triangle => y >= -0.5 && SQRT_3 * x.abs() + y <= 1.0,
            Figure::Ring => (0.36..=1.0).contains(&square),
            Figure::Cross => {
                let (x, y) = (x.abs(), y.abs());
                x.min(y) <= 0.3 && x.max(y) <= 1.0
            }
            Figure::Star => {
                let inside = |&(a, b): &(f64, f64)| a * x + b * y <= PENTAGRAM_LINE;
                PENTAGON.iter().filter(|line| inside(line)).count() >= 4
            }
            Figure::Crescent => {
                let from_bite = x - 0.45;
                square <= 1.0 && from_bite * from_bite + y * y > 0.64
            }
            Figure::Stripes => square <= 1.0 && is_even((y * 4.0).floor()),
            Figure::Checker => {
                square <= 1.0 && is_even((x * 2.5 + 0.5).floor() + (y * 2.5 + 0.5).floor())
            }
            Figure::Dots => {
                let (across, down) = ((x * 2.0 + 0.5).floor() * 0.5, (y * 2.0 + 0.5).floor() * 0.5);
                let (dx, dy) = (x - across, y - down);
                across.abs().max(down.abs()) <= 0.5 && dx * dx + dy * dy <= 0.0361
            }
        }
    }

    /// Returns the figure's area in its own coordinates.
    pub(super) fn area(self) -> f64 {
        match self {
            Figure::Disc => PI,
            Figure::Square => 4.0,
            Figure::Triangle => 1.299,
            Figure::Ring => 2.0106,
            Figure::Cross => 2.04,
            Figure::Star => 1.1226,
            Figure::Crescent => 1.4507,
            Figure::Stripes => FRAC_PI_2,
            Figure::Checker => 1.5165,
            Figure::Dots => 1.0207,
        }
    }

    /// Returns the distance from the origin beyond which nothing is covered.
    pub(super) fn reach(self) -> f64 {
        match self {
            Figure::Square => 1.4143,
            Figure::Cross => 1.0441,
            Figure::Disc
            | Figure::Triangle
            | Figure::Ring
            | Figure::Star
            | Figure::Crescent
            | Figure::Stripes
            | Figure::Checker
            | Figure::Dots => 1.0,
        }
    }
}

fn is_even(whole: f64) -> bool {
    (whole as i64).rem_euclid(2) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_and_reaches_are_those_of_the_figures() {
        const STEPS: i32 = 600;
        let place = |i: i32| (f64::from(i) + 0.5) / f64::from(STEPS) * 3.0 - 1.5;
        for figure in FIGURES {
            let mut covered = 0;
            for y in (0..STEPS).map(place) {
                for x in (0..STEPS).map(place).filter(|&x| figure.covers(x, y)) {
                    covered += 1;
                    assert!((x * x + y * y).sqrt() <= figure.reach(), "{figure:?} at {x}, {y}");
                }
            }
            let area = f64::from(covered) * 9.0 / f64::from(STEPS * STEPS);
            assert!((area - figure.area()).abs() < 0.01, "{figure:?}: {area}");
        }
    }
}
