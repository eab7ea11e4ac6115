//! Figures as PNG. Knows pixels, and nothing of sweeps.

mod axis;
mod bars;
mod canvas;
mod legend;
mod lines;
mod marker;
mod palette;
mod text;

use super::figure::Figure;

/// Width of every chart in pixels: readable at half of it.
pub const WIDTH: u32 = 1600;

/// A chart that cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// The embedded font cannot be read.
    #[error("the embedded font is broken: {0}")]
    Font(#[from] ab_glyph::InvalidFont),
    /// Drawing or encoding failed.
    #[error("drawing failed: {0}")]
    Draw(String),
}

/// Draws a figure, returning the bytes of a PNG that is [`WIDTH`] pixels wide. The same figure
/// gives the same bytes.
///
/// # Errors
/// The font or the encoder fails, which no figure can bring about.
pub fn png(figure: &Figure) -> Result<Vec<u8>, ChartError> {
    match figure {
        Figure::Lines(figure) => lines::draw_lines(figure),
        Figure::Curves(figure) => lines::draw_curves(figure),
        Figure::Bars(figure) => bars::draw(figure),
    }
}

#[cfg(test)]
mod tests {
    use super::super::analysis::analyse;
    use super::super::figure::{CurveFigure, Heading, Line, Origin, Panel, Point, figures};
    use super::super::gathered::Gathered;
    use super::super::samples;
    use super::*;

    fn drawn(gathered: &Gathered) -> Vec<image::RgbImage> {
        let decoded = |figure: &Figure| {
            let bytes = png(figure).unwrap();
            if let Some(folder) = std::env::var_os("BYOL_SWEEP_KEEP_CHARTS") {
                let name = format!("{}-{}.png", gathered.sweep.name, figure.heading().file);
                std::fs::write(std::path::Path::new(&folder).join(name), &bytes).unwrap();
            }
            image::load_from_memory(&bytes).unwrap().to_rgb8()
        };
        figures(gathered, &analyse(gathered)).iter().map(decoded).collect()
    }

    /// Share of the pixels that are not white.
    fn ink(image: &image::RgbImage) -> f64 {
        let inked = image.pixels().filter(|pixel| pixel.0 != [255; 3]).count();
        inked as f64 / f64::from(image.width() * image.height())
    }

    #[test]
    fn every_kind_of_figure_is_drawn_at_its_size() {
        for gathered in
            [samples::batch_sweep(), samples::tau_sweep(), samples::augmentation_sweep(2)]
        {
            for image in drawn(&gathered) {
                assert_eq!(image.width(), WIDTH);
                assert!((700..2400).contains(&image.height()), "{}", image.height());
                assert!((0.01..0.3).contains(&ink(&image)), "{}", ink(&image));
                // Nothing runs over the edge.
                let edge = image.enumerate_pixels().filter(|(x, y, _)| {
                    *x < 8 || *y < 8 || *x >= image.width() - 8 || *y >= image.height() - 8
                });
                assert!(edge.into_iter().all(|(_, _, pixel)| pixel.0 == [255; 3]));
            }
        }
    }

    #[test]
    fn one_point_and_equal_values_are_drawn() {
        let figure = |points: Vec<Point>| {
            let line = |style| Line {
                name: "an arm with a name that is longer than any legend has room for, ".repeat(6),
                style,
                origin: Origin::Ours,
                points: points.clone(),
            };
            Figure::Curves(CurveFigure {
                heading: Heading {
                    file: "curves".to_owned(),
                    title: "A title that does not end where the paper ends ".repeat(5),
                    subtitle: String::new(),
                    caption: String::new(),
                },
                panels: vec![Panel {
                    y_label: "loss".to_owned(),
                    lines: vec![line(0), line(25)],
                    levels: Vec::new(),
                }],
            })
        };
        let point = |x, y| Point { x, y, spread: None, seeds: Vec::new() };
        for points in [
            vec![],
            vec![point(0.0, 0.0)],
            vec![point(0.0, 5.0), point(10.0, 5.0)],
            vec![point(0.0, -1e300), point(1.0, 1e300)],
            vec![point(0.0, f64::NAN), point(1.0, 1e-300)],
        ] {
            assert!(
                ink(&image::load_from_memory(&png(&figure(points)).unwrap()).unwrap().to_rgb8())
                    > 0.0
            );
        }
    }
}
