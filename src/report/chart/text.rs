//! Words on a chart, in the embedded font: measuring, wrapping, and the pixels or outlines of a
//! line. Glyphs are placed here and not by plotters, whose placement leaves out their side bearings.

use std::fmt::Write;

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, Glyph, InvalidFont, OutlineCurve, Point, PxScale, ScaleFont, point};

static REGULAR: LazyLock<Result<FontRef<'static>, InvalidFont>> = LazyLock::new(|| {
    FontRef::try_from_slice(include_bytes!("../../../assets/fonts/Inter-Regular.otf"))
});
static SEMI_BOLD: LazyLock<Result<FontRef<'static>, InvalidFont>> = LazyLock::new(|| {
    FontRef::try_from_slice(include_bytes!("../../../assets/fonts/Inter-SemiBold.otf"))
});

/// Weight of the letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Regular,
    SemiBold,
}

/// A font at a size in units per em.
#[derive(Clone, Debug)]
pub(super) struct Typeface {
    weight: Weight,
    size: f64,
    font: &'static FontRef<'static>,
    scale: PxScale,
}

/// A glyph's outline in units of its font, upwards from the base line.
pub(super) struct Outlined {
    /// The same for the same glyph of the same font, and for no other.
    pub(super) name: String,
    /// As SVG's `d`.
    pub(super) path: String,
    /// Where it stands, in units of the font from the left end of the line.
    pub(super) x: f64,
}

impl Typeface {
    pub(super) fn new(weight: Weight, size: f64) -> Result<Self, InvalidFont> {
        let font = match weight {
            Weight::Regular => &REGULAR,
            Weight::SemiBold => &SEMI_BOLD,
        };
        let font = font.as_ref().map_err(|_| InvalidFont)?;
        // ab_glyph scales by the height of a line, people think in ems.
        let em = font.units_per_em().unwrap_or(1000.0);
        let scale = PxScale::from(size as f32 * font.height_unscaled() / em);
        Ok(Self { weight, size, font, scale })
    }

    /// Returns the same font, `factor` times as large.
    pub(super) fn scaled(&self, factor: f64) -> Self {
        let scale = PxScale { x: self.scale.x * factor as f32, y: self.scale.y * factor as f32 };
        Self { size: self.size * factor, scale, ..self.clone() }
    }

    /// Returns the width of a line in pixels.
    pub(super) fn width(&self, text: &str) -> f64 {
        self.place(text, 0.0, 0.0).1
    }

    /// Returns the lines of `text` set in `width` pixels, at most `lines` of them; words that do
    /// not fit are cut with an ellipsis.
    pub(super) fn wrap(&self, text: &str, width: f64, lines: usize) -> Vec<String> {
        let mut done: Vec<String> = Vec::new();
        let mut line = String::new();
        let mut words = text.split_whitespace().peekable();
        while let Some(word) = words.next() {
            let longer = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if line.is_empty() || self.width(&longer) <= width {
                line = longer;
            } else if done.len() + 1 < lines {
                done.push(std::mem::replace(&mut line, word.to_owned()));
            } else {
                line = format!("{line} …");
                while words.next().is_some() {}
            }
        }
        done.push(line);
        done.into_iter().map(|line| self.cut(line, width)).collect()
    }

    /// Like [`Self::wrap`], broken after commas where that gives no more lines: names of settings
    /// are lists.
    pub(super) fn wrap_list(&self, text: &str, width: f64, lines: usize) -> Vec<String> {
        let mut done: Vec<String> = Vec::new();
        for part in text.split_inclusive(", ") {
            let longer = done.last().map(|line| format!("{line}{part}"));
            match (done.last_mut(), longer) {
                (Some(line), Some(longer)) if self.width(longer.trim_end()) <= width => {
                    *line = longer;
                }
                _ => done.push(part.to_owned()),
            }
        }
        let done: Vec<String> = done.into_iter().map(|line| line.trim_end().to_owned()).collect();
        let wrapped = self.wrap(text, width, lines);
        let fits = done.len() <= wrapped.len() && done.iter().all(|line| self.width(line) <= width);
        if fits && !done.is_empty() { done } else { wrapped }
    }

    fn cut(&self, line: String, width: f64) -> String {
        if self.width(&line) <= width {
            return line;
        }
        let mut kept: Vec<char> = line.trim_end_matches('…').trim_end().chars().collect();
        while kept.len() > 1 && self.width(&format!("{}…", String::from_iter(&kept))) > width {
            kept.pop();
        }
        format!("{}…", String::from_iter(kept).trim_end())
    }

    /// Hands every pixel of a line to `ink`: position and coverage in [0, 1]. `x` is the left end,
    /// `y` the base line.
    pub(super) fn draw(&self, text: &str, x: f64, y: f64, mut ink: impl FnMut(i32, i32, f32)) {
        for glyph in self.place(text, x, y).0 {
            let Some(outline) = self.font.outline_glyph(glyph) else { continue };
            let corner = outline.px_bounds().min;
            outline.draw(|dx, dy, coverage| {
                ink(corner.x as i32 + dx as i32, corner.y as i32 + dy as i32, coverage.min(1.0));
            });
        }
    }

    /// Returns how high capitals reach above the base line, and letters below it.
    pub(super) fn reach(&self) -> (f64, f64) {
        (self.size * 0.73, self.size * 0.21)
    }

    /// Returns the outlines of a line, and the size of a unit of the font.
    pub(super) fn outlined(&self, text: &str) -> (f64, Vec<Outlined>) {
        let em = self.font.units_per_em().unwrap_or(1000.0);
        let prefix = match self.weight {
            Weight::Regular => 'r',
            Weight::SemiBold => 's',
        };
        let whole = Self { scale: PxScale::from(self.font.height_unscaled()), ..self.clone() };
        let glyphs = whole.place(text, 0.0, 0.0).0.into_iter().filter_map(|glyph| {
            let curves = self.font.outline(glyph.id)?.curves;
            Some(Outlined {
                name: format!("{prefix}{}", glyph.id.0),
                path: path(&curves),
                x: f64::from(glyph.position.x),
            })
        });
        (self.size / f64::from(em), glyphs.collect())
    }

    fn place(&self, text: &str, x: f64, y: f64) -> (Vec<Glyph>, f64) {
        let font = self.font.as_scaled(self.scale);
        let mut glyphs: Vec<Glyph> = Vec::new();
        let mut across = x as f32;
        for character in text.chars() {
            let id = font.glyph_id(character);
            if let Some(last) = glyphs.last() {
                across += font.kern(last.id, id);
            }
            glyphs.push(id.with_scale_and_position(self.scale, point(across, y as f32)));
            across += font.h_advance(id);
        }
        (glyphs, f64::from(across) - x)
    }
}

/// An outline as SVG's `d`.
fn path(curves: &[OutlineCurve]) -> String {
    let mut path = String::new();
    let mut at: Option<Point> = None;
    let write = |path: &mut String, command: char, points: &[Point]| {
        path.push(command);
        for (place, point) in points.iter().enumerate() {
            let gap = if place > 0 { " " } else { "" };
            let _ = write!(path, "{gap}{} {}", point.x.round(), point.y.round());
        }
    };
    for curve in curves {
        let (start, end) = match curve {
            OutlineCurve::Line(a, b)
            | OutlineCurve::Quad(a, _, b)
            | OutlineCurve::Cubic(a, _, _, b) => (*a, *b),
        };
        if at != Some(start) {
            write(&mut path, 'M', &[start]);
        }
        match curve {
            OutlineCurve::Line(_, b) => write(&mut path, 'L', &[*b]),
            OutlineCurve::Quad(_, c, b) => write(&mut path, 'Q', &[*c, *b]),
            OutlineCurve::Cubic(_, c, d, b) => write(&mut path, 'C', &[*c, *d, *b]),
        }
        at = Some(end);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_has_every_sign_that_reports_use() {
        for weight in [Weight::Regular, Weight::SemiBold] {
            let face = Typeface::new(weight, 20.0).unwrap();
            for sign in "AZaz09 %±−–…×τβ′†[](),.:;+≥".chars() {
                assert_ne!(face.font.glyph_id(sign).0, 0, "{sign}");
            }
        }
    }

    #[test]
    fn lines_are_wrapped_and_cut_to_their_width() {
        let face = Typeface::new(Weight::Regular, 20.0).unwrap();
        let lines = face.wrap("remove blur and solarize in the second view", 150.0, 2);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| face.width(line) <= 150.0), "{lines:?}");
        assert!(lines[1].ends_with('…'), "{lines:?}");
        assert_eq!(face.wrap("short", 150.0, 2), ["short"]);
        assert!(face.width(&face.wrap(&"w".repeat(99), 150.0, 1)[0]) <= 150.0);
        assert_eq!(face.wrap("", 150.0, 1), [""]);
        assert_eq!(face.wrap_list("", 150.0, 1), [""]);
        let list = "target average, beta 0.5";
        let room = face.width("target average, beta") + 1.0;
        assert_eq!(face.wrap(list, room, 2), ["target average, beta", "0.5"]);
        assert_eq!(face.wrap_list(list, room, 2), ["target average,", "beta 0.5"]);
    }
}
