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

    fn drawn(figure: &Figure) -> image::RgbImage {
        image::load_from_memory(&png(figure).unwrap()).unwrap().to_rgb8()
    }

    fn all_figures(gathered: &Gathered) -> Vec<Figure> {
        figures(gathered, &analyse(gathered))
    }

    /// Share of the pixels that are not white.
    fn ink(image: &image::RgbImage) -> f64 {
        let inked = image.pixels().filter(|pixel| pixel.0 != [255; 3]).count();
        inked as f64 / f64::from(image.width() * image.height())
    }

    #[test]
    fn every_kind_of_figure_is_drawn_at_its_size() {
        let mut figures = all_figures(&samples::tau_sweep());
        figures.push(all_figures(&samples::augmentation_sweep(2)).remove(0));
        for figure in figures {
            let image = drawn(&figure);
            assert_eq!(image.width(), WIDTH);
            assert!((500..2400).contains(&image.height()), "{}", image.height());
            assert!((0.01..0.3).contains(&ink(&image)), "{}", ink(&image));
            // Nothing runs over the edge.
            for (place, row) in image.rows().enumerate() {
                let row: Vec<_> = row.collect();
                let at_edge = place < 8 || place + 8 >= image.height() as usize;
                let edge = if at_edge { row.len() } else { 8 };
                let mut ends = row[..edge].iter().chain(&row[row.len() - 8..]);
                assert!(ends.all(|pixel| pixel.0 == [255; 3]), "row {place}");
            }
        }
    }

    /// The same figure without its marks of a collapse, its words kept.
    fn unmarked(figure: &Figure) -> Figure {
        let clear = |panels: &mut [Panel]| {
            let lines = panels.iter_mut().flat_map(|panel| &mut panel.lines);
            lines.flat_map(|line| &mut line.points).for_each(|point| point.collapsed = false);
        };
        let mut figure = figure.clone();
        match &mut figure {
            Figure::Lines(figure) => clear(&mut figure.panels),
            Figure::Curves(figure) => clear(&mut figure.panels),
            Figure::Bars(figure) => {
                let bars = figure.rows.iter_mut().flat_map(|row| &mut row.bars);
                bars.for_each(|bar| bar.collapsed = false);
            }
        }
        figure
    }

    #[test]
    fn a_collapse_is_marked_in_every_kind_of_figure_and_in_its_legend() {
        let mut figures = all_figures(&samples::collapsed_sweep());
        figures.push(all_figures(&samples::removal_sweep()).remove(0));
        for figure in figures {
            let (marked, plain) = (drawn(&figure), drawn(&unmarked(&figure)));
            // A row more in the legend moves all below it down.
            let pixels = |image: &image::RgbImage| f64::from(image.width() * image.height());
            let (with, without) = (ink(&marked) * pixels(&marked), ink(&plain) * pixels(&plain));
            assert!(with > without + 500.0, "{}: {with} {without}", figure.heading().file);
        }
    }

    /// To look at: `BYOL_SWEEP_CHARTS=/tmp/charts cargo test keep_all_charts -- --ignored`.
    #[test]
    #[ignore = "writes pictures for people to look at"]
    fn keep_all_charts() {
        let folder = std::path::PathBuf::from(std::env::var_os("BYOL_SWEEP_CHARTS").unwrap());
        for gathered in [
            samples::batch_sweep(),
            samples::tau_sweep(),
            samples::collapsed_sweep(),
            samples::augmentation_sweep(2),
            samples::removal_sweep(),
            samples::wide_sweep(),
        ] {
            for figure in all_figures(&gathered) {
                let name = format!("{}-{}.png", gathered.sweep.name, figure.heading().file);
                let bytes = png(&figure).unwrap();
                std::fs::write(folder.join(&name), &bytes).unwrap();
                let whole = image::load_from_memory(&bytes).unwrap();
                let (width, height) = (whole.width() / 2, whole.height() / 2);
                let half = whole.resize(width, height, image::imageops::FilterType::Triangle);
                half.save(folder.join(format!("half-{name}"))).unwrap();
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
        let point = Point::plain;
        for points in [
            vec![],
            vec![point(0.0, 0.0)],
            vec![point(0.0, 5.0), point(10.0, 5.0)],
            vec![point(0.0, -1e300), point(1.0, 1e300)],
            vec![point(0.0, f64::NAN), point(1.0, 1e-300)],
        ] {
            assert!(ink(&drawn(&figure(points))) > 0.0);
        }
    }
}
