//! How wide a chart is in print, and what follows from that. Words have one size on all charts,
//! which is 7 to 11 points.

/// Units an inch: pixels of a PNG, a little more than twice those of a screen.
pub(super) const UNITS_PER_INCH: f64 = 237.0;

/// How many columns of a two-column page a chart is wide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Columns {
    /// 3.25 inches.
    One,
    /// 6.75 inches.
    #[default]
    Two,
}

impl Columns {
    /// Both.
    pub const ALL: [Self; 2] = [Self::One, Self::Two];

    /// Returns the width of a PNG in pixels.
    pub fn pixels(self) -> u32 {
        match self {
            Self::One => 770,
            Self::Two => 1600,
        }
    }

    /// Returns the width in units.
    pub(super) fn width(self) -> f64 {
        f64::from(self.pixels())
    }

    /// Returns the white margin left and right.
    pub(super) fn margin(self) -> f64 {
        match self {
            Self::One => 28.0,
            Self::Two => 48.0,
        }
    }

    /// Returns the ends of what lies between the margins.
    pub(super) fn span(self) -> (f64, f64) {
        (self.margin(), self.width() - self.margin())
    }

    /// Returns the height of a pair of axes.
    pub(super) fn panel_height(self) -> f64 {
        match self {
            Self::One => 430.0,
            Self::Two => 560.0,
        }
    }

    /// Returns how many pairs of axes stand side by side at most.
    pub(super) fn panels_abreast(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// Returns how many lines the subtitle may have.
    pub(super) fn subtitle_lines(self) -> usize {
        match self {
            Self::One => 4,
            Self::Two => 2,
        }
    }

    /// Returns the widest that names left of an axis may be before they are wrapped.
    pub(super) fn names(self) -> f64 {
        match self {
            Self::One => 290.0,
            Self::Two => 460.0,
        }
    }
}

/// Returns how large a picture of so many pixels is drawn where there is `room`: as many times as it
/// fits, so that each of its pixels is a square of whole ones; smaller than it is where it must be.
pub(super) fn enlarged(pixels: usize, room: f64) -> f64 {
    let pixels = pixels.max(1) as f64;
    if pixels <= room { (room / pixels).floor() * pixels } else { room.floor() }
}
