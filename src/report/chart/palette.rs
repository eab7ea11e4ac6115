//! Colours, markers and dashes that people with any colour vision can tell apart: the palette of
//! Okabe and Ito (2008), and a shape beside every colour.

/// Red, green, blue.
pub(super) type Rgb = (u8, u8, u8);

pub(super) const WHITE: Rgb = (255, 255, 255);
/// Words and axes.
pub(super) const INK: Rgb = (38, 38, 38);
/// Words of second rank.
pub(super) const FAINT_INK: Rgb = (105, 105, 105);
/// Grid.
pub(super) const GRID: Rgb = (230, 230, 230);

/// Without its yellow, which is too light on white.
const COLORS: [Rgb; 7] = [
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
    (60, 60, 60),
];

/// A marker's outline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
    TriangleDown,
}

const SHAPES: [Shape; 5] =
    [Shape::Circle, Shape::Square, Shape::Triangle, Shape::Diamond, Shape::TriangleDown];

/// Lengths of ink and gap in pixels; `None` for a whole line.
pub(super) type Dash = Option<(f64, f64)>;

const DASHES: [Dash; 3] = [None, Some((16.0, 9.0)), Some((4.0, 7.0))];

/// Returns the colour of a style.
pub(super) fn color(style: usize) -> Rgb {
    COLORS[style % COLORS.len()]
}

/// Returns the marker of a style.
pub(super) fn shape(style: usize) -> Shape {
    SHAPES[style % SHAPES.len()]
}

/// Returns the dash of a style: colours are used up first.
pub(super) fn dash(style: usize) -> Dash {
    DASHES[(style / COLORS.len()) % DASHES.len()]
}

/// Returns a colour mixed with white; 1 keeps it.
pub(super) fn tint(color: Rgb, strength: f64) -> Rgb {
    let mix = |channel: u8| (255.0 - (255.0 - f64::from(channel)) * strength).round() as u8;
    (mix(color.0), mix(color.1), mix(color.2))
}
