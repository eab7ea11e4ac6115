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

/// Returns a colour between two: `share` 1 is the first.
pub(super) fn mixed(a: Rgb, b: Rgb, share: f64) -> Rgb {
    let mix = |a: u8, b: u8| (f64::from(b) + (f64::from(a) - f64::from(b)) * share).round() as u8;
    (mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// Returns CIE lightness, from 0 for black to 100 for white.
pub(super) fn lightness(color: Rgb) -> f64 {
    let [red, green, blue] = linear(color);
    let y = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    if y > 0.008_856 { 116.0 * y.cbrt() - 16.0 } else { 903.3 * y }
}

/// Whether words on a colour are white.
pub(super) fn is_dark(color: Rgb) -> bool {
    lightness(color) < 56.0
}

/// Light of each channel, from 0 to 1.
fn linear(color: Rgb) -> [f64; 3] {
    [color.0, color.1, color.2].map(|channel| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    })
}

/// Returns a colour mixed with white; 1 keeps it.
pub(super) fn tint(color: Rgb, strength: f64) -> Rgb {
    let mix = |channel: u8| (255.0 - (255.0 - f64::from(channel)) * strength).round() as u8;
    (mix(color.0), mix(color.1), mix(color.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Machado, Oliveira and Fernandes (2009), table 1, severity 1: what the colour-blind see.
    const DEFICIENCIES: [(&str, [[f64; 3]; 3]); 3] = [
        (
            "protanopia",
            [
                [0.152286, 1.052583, -0.204868],
                [0.114503, 0.786281, 0.099216],
                [-0.003882, -0.048116, 1.051998],
            ],
        ),
        (
            "deuteranopia",
            [
                [0.367322, 0.860646, -0.227968],
                [0.280085, 0.672501, 0.047413],
                [-0.011820, 0.042940, 0.968881],
            ],
        ),
        (
            "tritanopia",
            [
                [1.255528, -0.076749, -0.178779],
                [-0.078411, 0.930809, 0.147602],
                [0.004733, 0.691367, 0.303900],
            ],
        ),
    ];

    fn times(matrix: &[[f64; 3]; 3], light: [f64; 3]) -> [f64; 3] {
        matrix.map(|row| row.iter().zip(light).map(|(a, b)| a * b).sum::<f64>().clamp(0.0, 1.0))
    }

    /// CIELAB under D65.
    fn lab(light: [f64; 3]) -> [f64; 3] {
        const XYZ: [[f64; 3]; 3] = [
            [0.412_456, 0.357_576, 0.180_438],
            [0.212_673, 0.715_152, 0.072_175],
            [0.019_334, 0.119_192, 0.950_304],
        ];
        let f = |t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
        let [x, y, z] = XYZ.map(|row| row.iter().zip(light).map(|(a, b)| a * b).sum::<f64>());
        let (x, y, z) = (f(x / 0.950_47), f(y), f(z / 1.088_83));
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    fn apart(a: [f64; 3], b: [f64; 3]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn colours_stay_apart_for_every_colour_vision() {
        let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        for (name, matrix) in DEFICIENCIES.into_iter().chain([("none", identity)]) {
            let seen = COLORS.map(|color| lab(times(&matrix, linear(color))));
            for (a, one) in seen.iter().enumerate() {
                for (b, other) in seen.iter().enumerate().skip(a + 1) {
                    let difference = apart(*one, *other);
                    assert!(difference > 11.0, "{name}: {a} and {b} are {difference:.1} apart");
                }
                let paper = apart(*one, lab([1.0; 3]));
                assert!(paper > 25.0, "{name}: {a} is {paper:.1} from the paper");
            }
            // Two methods, as the paper's figures have them.
            assert!(apart(seen[0], seen[1]) > 40.0, "{name}");
        }
    }
}
