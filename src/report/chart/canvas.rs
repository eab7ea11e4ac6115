//! A white sheet with the few kinds of marks that charts are made of. Knows neither pixels nor
//! files: what draws them is [`super::raster`] and [`super::svg`].

use super::ChartError;
use super::columns::Columns;
use super::palette::{Dash, FAINT_INK, INK, Rgb};
use super::text::{Typeface, Weight};
use crate::report::figure::Picture;

/// A position from the top left corner, in units of which [`Columns`] says how many are an inch.
pub(super) type Spot = (f64, f64);

/// Which end of a line of words its position is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Left,
    Middle,
    Right,
}

/// What is drawn, in the order of drawing.
#[derive(Clone, Debug)]
pub(super) enum Mark {
    /// An area; `opacity` 1 hides what is behind it.
    Polygon { corners: Vec<Spot>, color: Rgb, opacity: f64 },
    /// A disc.
    Disc { at: Spot, radius: f64, color: Rgb },
    /// A line through spots with round joints.
    Line { spots: Vec<Spot>, width: f64, color: Rgb, dash: Dash },
    /// A picture of `side` units; `at` is its left top corner.
    Picture { picture: Picture, at: Spot, side: f64 },
    /// A line of words; `at` is the left end of its base line.
    Words { words: String, face: Typeface, at: Spot, color: Rgb },
}

/// A sheet that is being drawn on; how high it is, is known at the end.
#[derive(Debug)]
pub(super) struct Canvas {
    pub(super) columns: Columns,
    marks: Vec<Mark>,
}

/// A sheet that is done.
#[derive(Clone, Debug)]
pub(super) struct Drawing {
    pub(super) columns: Columns,
    /// Height in units.
    pub(super) height: u32,
    pub(super) marks: Vec<Mark>,
}

impl Canvas {
    pub(super) fn new(columns: Columns) -> Self {
        Self { columns, marks: Vec::new() }
    }

    pub(super) fn done(self, height: f64) -> Drawing {
        Drawing { columns: self.columns, height: height.ceil() as u32, marks: self.marks }
    }

    /// Fills the polygon through `corners`.
    pub(super) fn polygon(&mut self, corners: &[Spot], color: Rgb) {
        self.area(corners, color, 1.0);
    }

    /// Fills the polygon through `corners`, so that what is behind shows through.
    pub(super) fn area(&mut self, corners: &[Spot], color: Rgb, opacity: f64) {
        if corners.iter().all(is_drawable) {
            self.marks.push(Mark::Polygon { corners: corners.to_vec(), color, opacity });
        }
    }

    /// Fills the rectangle between two corners.
    pub(super) fn rectangle(&mut self, a: Spot, b: Spot, color: Rgb) {
        self.polygon(&[a, (b.0, a.1), b, (a.0, b.1)], color);
    }

    /// Fills a disc.
    pub(super) fn disc(&mut self, at: Spot, radius: f64, color: Rgb) {
        if is_drawable(&at) {
            self.marks.push(Mark::Disc { at, radius, color });
        }
    }

    /// Draws a line through those of `spots` that can be drawn.
    pub(super) fn line(&mut self, spots: &[Spot], width: f64, color: Rgb, dash: Dash) {
        let spots: Vec<Spot> = spots.iter().copied().filter(is_drawable).collect();
        if spots.len() > 1 {
            self.marks.push(Mark::Line { spots, width, color, dash });
        }
    }

    /// Sets a picture with its left top corner at `at`, on whole units so that equal ones look equal.
    pub(super) fn picture(&mut self, picture: &Picture, at: Spot, side: f64) {
        if is_drawable(&at) {
            let at = (at.0.round(), at.1.round());
            self.marks.push(Mark::Picture { picture: picture.clone(), at, side: side.round() });
        }
    }

    /// Sets a line of words with `at` on its base line.
    pub(super) fn words(
        &mut self,
        words: &str,
        face: &Typeface,
        at: Spot,
        anchor: Anchor,
        color: Rgb,
    ) {
        let width = face.width(words);
        let left = match anchor {
            Anchor::Left => at.0,
            Anchor::Middle => at.0 - width / 2.0,
            Anchor::Right => at.0 - width,
        };
        let at = (left, at.1);
        if !words.is_empty() && is_drawable(&at) {
            self.marks.push(Mark::Words { words: words.to_owned(), face: face.clone(), at, color });
        }
    }

    /// Sets title and subtitle, which are lists of facts, in the left top corner; returns where the next thing may begin.
    pub(super) fn heading(&mut self, title: &str, subtitle: &str) -> Result<f64, ChartError> {
        let (margin, mut y) = (self.columns.margin(), self.columns.margin() - 18.0);
        let room = self.columns.width() - 2.0 * margin;
        let parts = [
            (title, Weight::SemiBold, 36.0, INK, 2),
            (subtitle, Weight::Regular, 26.0, FAINT_INK, self.columns.subtitle_lines()),
        ];
        for (words, weight, size, color, lines) in parts {
            let face = Typeface::new(weight, size)?;
            for line in face.wrap_list(words, room, lines) {
                y += size * 1.35;
                self.words(&line, &face, (margin, y), Anchor::Left, color);
            }
        }
        Ok(y + 26.0)
    }
}

/// Positions beyond any sheet would overflow the integers of what draws them.
fn is_drawable(spot: &Spot) -> bool {
    [spot.0, spot.1].iter().all(|c| c.is_finite() && c.abs() < 20_000.0)
}

/// Returns the box that words or a picture take: left, top, right, bottom; `None` for other marks.
#[cfg(test)]
pub(super) fn extent(mark: &Mark) -> Option<[f64; 4]> {
    match mark {
        Mark::Polygon { .. } | Mark::Disc { .. } | Mark::Line { .. } => None,
        Mark::Picture { at, side, .. } => Some([at.0, at.1, at.0 + side, at.1 + side]),
        Mark::Words { words, face, at, .. } => {
            // Most letters have no descender of more than a fifth.
            let size = face.width("nnnn") / 2.3;
            Some([at.0, at.1 - 0.75 * size, at.0 + face.width(words), at.1 + 0.2 * size])
        }
    }
}
