//! One image: a figure of random place, size and turn on a ground, each with random colour, slope
//! and noise. All draws of an image come from its own stream, in the order written here.

use super::super::draw::Draw;
use super::figure::Figure;

/// Samples a pixel in each direction.
const SAMPLES: u32 = 3;
/// Share of the image that the figure covers, drawn alike for all figures.
const AREA: (f64, f64) = (0.13, 0.26);
/// Least difference of luma between figure and ground, out of 255: what grayscale leaves visible.
const CONTRAST: f64 = 50.0;
/// Largest change of a channel from one edge of the image to the other.
const SLOPE: f64 = 40.0;
/// Largest amplitude of the noise of an image.
const NOISE: f64 = 20.0;

/// Draws image `at` = (seed, part, index) into `pixels`, `side * side * 3` bytes.
pub(super) fn render(figure: Figure, at: [u64; 3], side: u32, pixels: &mut [u8]) {
    let mut draw = Draw::at(*b"shapes.1", at);
    let placed = Placed::draw(figure, &mut draw);
    let (ground, front) = two_paints(&mut draw);
    let noise = draw.between(0.0, NOISE);
    draw.bytes(pixels);
    let (pixels, _) = pixels.as_chunks_mut::<3>();
    let scale = 1.0 / f64::from(side);
    for (index, pixel) in (0u32..).zip(pixels) {
        let (column, row) = (f64::from(index % side), f64::from(index / side));
        let (x, y) = ((column + 0.5) * scale, (row + 0.5) * scale);
        let share = placed.coverage(column, row, scale);
        for (channel, value) in pixel.iter_mut().enumerate() {
            let (ground, front) = (ground.value(channel, x, y), front.value(channel, x, y));
            let grain = (f64::from(*value) - 127.5) / 127.5 * noise;
            // The cast saturates, as a sensor does.
            *value = (ground + (front - ground) * share + grain + 0.5) as u8;
        }
    }
}

/// A figure in an image whose sides are 1 long.
struct Placed {
    figure: Figure,
    center: (f64, f64),
    turn: (f64, f64),
    size: f64,
}

impl Placed {
    fn draw(figure: Figure, draw: &mut Draw) -> Self {
        let size = (draw.between(AREA.0, AREA.1) / figure.area()).sqrt();
        let turn = draw.direction();
        // Mostly inside: at most a tip is cut off.
        let margin = (figure.reach() * size * 0.9).min(0.5);
        let mut place = || draw.between(margin, 1.0 - margin);
        Self { figure, center: (place(), place()), turn, size }
    }

    /// Returns the share of a pixel that the figure covers.
    fn coverage(&self, column: f64, row: f64, scale: f64) -> f64 {
        let (dx, dy) =
            ((column + 0.5) * scale - self.center.0, (row + 0.5) * scale - self.center.1);
        let beyond = self.figure.reach() * self.size + scale;
        if dx * dx + dy * dy > beyond * beyond {
            return 0.0;
        }
        let mut covered = 0;
        for sample in 0..SAMPLES * SAMPLES {
            let offset = |step: u32| (f64::from(step) + 0.5) / f64::from(SAMPLES) - 0.5;
            let x = dx + offset(sample % SAMPLES) * scale;
            let y = dy + offset(sample / SAMPLES) * scale;
            let (across, up) =
                (x * self.turn.0 + y * self.turn.1, y * self.turn.0 - x * self.turn.1);
            covered += u32::from(self.figure.covers(across / self.size, up / self.size));
        }
        f64::from(covered) / f64::from(SAMPLES * SAMPLES)
    }
}

/// A colour that changes evenly in one direction.
struct Paint {
    color: [f64; 3],
    slope: [f64; 3],
    toward: (f64, f64),
}

impl Paint {
    fn draw(draw: &mut Draw) -> Self {
        let color = std::array::from_fn(|_| draw.between(10.0, 245.0));
        let slope = std::array::from_fn(|_| draw.between(-SLOPE, SLOPE));
        Self { color, slope, toward: draw.direction() }
    }

    fn value(&self, channel: usize, x: f64, y: f64) -> f64 {
        let along = (x - 0.5) * self.toward.0 + (y - 0.5) * self.toward.1;
        self.color[channel] + self.slope[channel] * along
    }

    fn luma(&self) -> f64 {
        let [r, g, b] = self.color;
        0.299 * r + 0.587 * g + 0.114 * b
    }
}

/// Draws ground and figure again until they differ without their hues too. The two are
/// exchangeable, so that neither is the darker one.
fn two_paints(draw: &mut Draw) -> (Paint, Paint) {
    loop {
        let (ground, front) = (Paint::draw(draw), Paint::draw(draw));
        if (ground.luma() - front.luma()).abs() >= CONTRAST {
            return (ground, front);
        }
    }
}
