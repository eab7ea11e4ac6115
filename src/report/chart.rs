//! Figures as PNG and SVG, both from one drawing. Knows sizes and colours, and nothing of sweeps.

#[cfg(test)]
mod anything;
mod axis;
mod bars;
mod canvas;
mod columns;
mod cost;
mod curves;
mod dots;
mod embedding;
#[cfg(test)]
mod extremes;
mod heat;
mod indexed;
mod legend;
mod lines;
mod marker;
mod neighbours;
mod palette;
mod panels;
mod parallel;
mod raster;
mod room;
mod shades;
mod svg;
mod text;
mod views;

use canvas::Drawing;

pub use columns::Columns;

use super::figure::Figure;

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

/// Draws a figure, returning the bytes of a PNG of [`Columns::pixels`]. The same figure gives the
/// same bytes.
///
/// # Errors
/// The font or the encoder fails, which no figure can bring about.
pub fn png(figure: &Figure, columns: Columns) -> Result<Vec<u8>, ChartError> {
    raster::png(&drawing(figure, columns)?)
}

/// Draws a figure, returning an SVG that needs no font. The same figure gives the same text.
///
/// # Errors
/// The font fails, which no figure can bring about.
pub fn svg(figure: &Figure, columns: Columns) -> Result<String, ChartError> {
    let heading = figure.heading();
    Ok(svg::alone(&drawing(figure, columns)?, &heading.title, &heading.caption))
}

/// Letters and pictures that the drawings of one page share, so that each is there once.
#[derive(Debug, Default)]
pub struct Shared(svg::Parts);

impl Shared {
    /// Draws a figure, returning an SVG for a page that holds [`Self::svg`] too.
    ///
    /// # Errors
    /// The font fails, which no figure can bring about.
    pub fn draw(&mut self, figure: &Figure, columns: Columns) -> Result<String, ChartError> {
        let heading = figure.heading();
        let drawing = drawing(figure, columns)?;
        Ok(svg::within(&drawing, &heading.title, &heading.caption, &mut self.0))
    }

    /// Returns an SVG that shows nothing, with what the drawings so far refer to.
    pub fn svg(&self) -> String {
        self.0.hidden()
    }
}

fn drawing(figure: &Figure, columns: Columns) -> Result<Drawing, ChartError> {
    match figure {
        Figure::Lines(figure) => lines::draw(figure, columns),
        Figure::Curves(figure) => curves::draw(figure, columns),
        Figure::Bars(figure) => bars::draw(figure, columns),
        Figure::Views(figure) => views::draw(figure, columns),
        Figure::Embedding(figure) => embedding::draw(figure, columns),
        Figure::Neighbours(figure) => neighbours::draw(figure, columns),
        Figure::Heat(figure) => heat::draw(figure, columns),
        Figure::Dots(figure) => dots::draw(figure, columns),
        Figure::Parallel(figure) => parallel::draw(figure, columns),
        Figure::Cost(figure) => cost::draw(figure, columns),
    }
}

#[cfg(test)]
mod tests {
    use super::super::analysis::analyse;
    use super::super::figure::{Panel, figures};
    use super::super::gathered::Gathered;
    use super::super::samples;
    use super::*;

    fn drawn(figure: &Figure) -> image::RgbImage {
        image::load_from_memory(&png(figure, Columns::Two).unwrap()).unwrap().to_rgb8()
    }

    /// A drawing of some other program's from the SVG.
    fn read_back(figure: &Figure, columns: Columns) -> image::RgbImage {
        let svg = svg(figure, columns).unwrap();
        let tree = resvg::usvg::Tree::from_str(&svg, &resvg::usvg::Options::default()).unwrap();
        let (width, scale) = (columns.pixels(), columns.width() as f32 / tree.size().width());
        let height = (tree.size().height() * scale).round() as u32;
        let mut sheet = resvg::tiny_skia::Pixmap::new(width, height).unwrap();
        let transform = resvg::tiny_skia::Transform::from_scale(scale, scale);
        resvg::render(&tree, transform, &mut sheet.as_mut());
        let pixels = sheet.data().chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        image::RgbImage::from_raw(width, height, pixels).unwrap()
    }

    fn in_all_widths(figures: Vec<Figure>) -> impl Iterator<Item = (Figure, Columns)> {
        let both = |figure: Figure| Columns::ALL.map(|columns| (figure.clone(), columns));
        figures.into_iter().flat_map(both)
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
            assert_eq!(image.width(), Columns::Two.pixels());
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

    fn shown(gathered: &Gathered) -> Vec<Figure> {
        let mut figures = all_figures(gathered);
        figures.retain(|figure| {
            matches!(figure, Figure::Views(_) | Figure::Embedding(_) | Figure::Neighbours(_))
        });
        figures
    }

    #[test]
    fn pictures_at_the_extremes_stay_on_their_sheet() {
        let wide = samples::with_exhibits(samples::wide_arms());
        let figures = shown(&wide);
        assert_eq!(figures.len(), 3);
        for (figure, columns) in in_all_widths(figures) {
            let bytes = png(&figure, columns).unwrap();
            let image = image::load_from_memory(&bytes).unwrap().to_rgb8();
            let (width, height) = image.dimensions();
            assert_eq!(width, columns.pixels());
            assert!((300..3000).contains(&height), "{}: {height}", figure.heading().file);
            assert!(ink(&image) > 0.01, "{}", figure.heading().file);
            let at_edge = |x: u32, y: u32| x < 8 || y < 8 || x + 8 >= width || y + 8 >= height;
            for (x, y, pixel) in image.enumerate_pixels().filter(|(x, y, _)| at_edge(*x, *y)) {
                assert_eq!(pixel.0, [255; 3], "{} {columns:?} at {x}, {y}", figure.heading().file);
            }
        }
    }

    #[test]
    fn no_words_or_pictures_lie_on_each_other() {
        let gathered = [
            samples::with_exhibits(samples::wide_arms()),
            samples::with_exhibits(samples::collapsed_sweep()),
        ];
        for (figure, columns) in in_all_widths(gathered.iter().flat_map(shown).collect()) {
            let drawing = drawing(&figure, columns).unwrap();
            let boxes: Vec<[f64; 4]> = drawing.marks.iter().filter_map(canvas::extent).collect();
            for (at, a) in boxes.iter().enumerate() {
                for b in &boxes[at + 1..] {
                    let apart = a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1];
                    assert!(apart, "{} {columns:?}: {a:?} {b:?}", figure.heading().file);
                }
            }
        }
    }

    #[test]
    fn an_svg_holds_its_pictures_as_png() {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;
        let figure = shown(&samples::with_exhibits(samples::removal_sweep())).remove(0);
        let Figure::Views(views) = &figure else { panic!("no views") };
        let text = svg(&figure, Columns::Two).unwrap();
        let held = |name: &str| {
            let (_, symbol) = text.split_once(&format!("<symbol id=\"{name}\"")).unwrap();
            let (_, rest) = symbol.split_once("href=\"data:image/png;base64,").unwrap();
            let bytes = STANDARD.decode(rest.split('"').next().unwrap()).unwrap();
            image::load_from_memory(&bytes).unwrap().to_rgb8().into_raw()
        };
        let shown = text.split("<use href=\"#p").skip(1);
        let shown: Vec<Vec<u8>> =
            shown.map(|rest| held(&format!("p{}", rest.split('"').next().unwrap()))).collect();
        let originals = views.strips[0].originals.iter().flatten();
        let pairs = views.strips.iter().flat_map(|strip| strip.pairs.iter().flatten());
        let expected: Vec<&Vec<u8>> = originals.chain(pairs).map(|picture| &picture.rgb).collect();
        assert!(shown.iter().eq(expected), "the pictures are others");
    }

    /// Pictures of a drawing, and how many of them differ.
    fn pictures(figure: &Figure, columns: Columns) -> (usize, usize) {
        let drawing = drawing(figure, columns).unwrap();
        let picture = |mark: &canvas::Mark| match mark {
            canvas::Mark::Picture { picture, .. } => Some(picture.rgb.clone()),
            canvas::Mark::Polygon { .. }
            | canvas::Mark::Disc { .. }
            | canvas::Mark::Line { .. }
            | canvas::Mark::Words { .. } => None,
        };
        let all: Vec<Vec<u8>> = drawing.marks.iter().filter_map(picture).collect();
        let distinct: std::collections::BTreeSet<&Vec<u8>> = all.iter().collect();
        (all.len(), distinct.len())
    }

    /// Noise, of which an encoder saves nothing: real pictures take less. Words take the rest.
    #[test]
    fn pictures_of_32_pixels_take_few_bytes() {
        let gathered = samples::with_pictures(samples::removal_sweep(), 32);
        let mut figures = shown(&gathered);
        figures.retain(Figure::has_pictures);
        assert_eq!(figures.len(), 2);
        for (figure, columns) in in_all_widths(figures) {
            let (all, distinct) = pictures(&figure, columns);
            let (png, svg) = (png(&figure, columns).unwrap(), svg(&figure, columns).unwrap());
            let place = format!("{} {columns:?}", figure.heading().file);
            let taken = (png.len(), svg.len());
            assert!(taken.0 < 48_000 + 4_000 * all, "{place}: {taken:?} of {all}");
            assert!(taken.1 < 35_000 + 4_000 * distinct, "{place}: {taken:?} of {distinct}");
        }
    }

    #[test]
    fn a_png_shows_a_picture_where_it_stands() {
        let figure = shown(&samples::with_exhibits(samples::removal_sweep())).remove(0);
        let image = drawn(&figure);
        let drawing = drawing(&figure, Columns::Two).unwrap();
        for mark in &drawing.marks {
            let canvas::Mark::Picture { picture, at, side } = mark else { continue };
            let (x, y, side) = (at.0 as u32, at.1 as u32, *side as u32);
            let there = image::imageops::crop_imm(&image, x, y, side, side).to_image();
            let mean = |bytes: &[u8]| {
                bytes.iter().map(|byte| f64::from(*byte)).sum::<f64>() / bytes.len() as f64
            };
            assert!((mean(there.as_raw()) - mean(&picture.rgb)).abs() < 4.0);
        }
    }

    fn some_of_every_kind() -> Vec<Figure> {
        let mut figures = all_figures(&samples::collapsed_sweep());
        figures.truncate(2);
        figures.push(all_figures(&samples::augmentation_sweep(2)).remove(0));
        figures
    }

    #[test]
    fn another_program_sees_in_the_svg_what_the_png_shows() {
        for (figure, columns) in in_all_widths(some_of_every_kind()) {
            let ours = image::load_from_memory(&png(&figure, columns).unwrap()).unwrap().to_rgb8();
            let theirs = read_back(&figure, columns);
            assert_eq!(ours.dimensions(), theirs.dimensions());
            let apart = largest_difference(&ours, &theirs);
            assert!(apart < 30.0, "{} {columns:?}: {apart}", figure.heading().file);
        }
    }

    /// Of the mean shades of any square of two pictures: edges may be rounded differently, but not a
    /// mark be elsewhere.
    fn largest_difference(a: &image::RgbImage, b: &image::RgbImage) -> f64 {
        const SIDE: u32 = 12;
        let shade = |image: &image::RgbImage, x: u32, y: u32| {
            let square = image::imageops::crop_imm(image, x, y, SIDE, SIDE).to_image();
            let sum: u32 = square.as_raw().iter().copied().map(u32::from).sum();
            f64::from(sum) / f64::from(square.width() * square.height() * 3)
        };
        let corners = (0..a.height())
            .step_by(SIDE as usize)
            .flat_map(|y| (0..a.width()).step_by(SIDE as usize).map(move |x| (x, y)));
        corners.map(|(x, y)| (shade(a, x, y) - shade(b, x, y)).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn charts_are_small_and_an_svg_says_what_it_shows() {
        for figure in some_of_every_kind() {
            let text = svg(&figure, Columns::Two).unwrap();
            assert_eq!(text, svg(&figure, Columns::Two).unwrap());
            assert!(text.len() < 50_000, "{}: {}", figure.heading().file, text.len());
            let pixels = png(&figure, Columns::Two).unwrap().len();
            assert!(pixels < 80_000, "{}: {pixels}", figure.heading().file);
            assert!(text.contains(&format!("<title>{}</title>", figure.heading().title)));
            assert!(text.contains("width=\"6.751in\""), "{}", &text[..200]);
            let Figure::Lines(lines) = figure else { continue };
            for tick in &lines.ticks {
                assert!(text.contains(&format!("aria-label=\"{}\"", tick.label)), "{tick:?}");
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
            Figure::Views(_) | Figure::Embedding(_) | Figure::Neighbours(_) => {}
            Figure::Heat(figure) => {
                let squares = figure.panels.iter_mut().flat_map(|panel| &mut panel.squares);
                squares.for_each(|square| square.collapsed = false);
            }
            Figure::Dots(figure) => {
                let dots = figure.panels.iter_mut().flat_map(|panel| &mut panel.dots);
                dots.for_each(|dot| dot.collapsed = false);
            }
            Figure::Parallel(figure) => {
                figure.courses.iter_mut().for_each(|course| course.collapsed = false);
            }
            Figure::Cost(figure) => {
                let points = figure.groups.iter_mut().flat_map(|group| &mut group.points);
                points.for_each(|point| point.collapsed = false);
            }
        }
        figure
    }

    #[test]
    fn a_collapse_is_marked_in_every_kind_of_figure() {
        let mut figures = all_figures(&samples::collapsed_sweep());
        // What was asked for cannot collapse.
        figures.retain(|figure| figure.heading().file != "schedules");
        figures.push(all_figures(&samples::removal_sweep()).remove(0));
        let mut collapsing = [
            samples::depth_sweep(),
            samples::variants_sweep(),
            samples::search_sweep(60),
            samples::costly_sweep(),
        ];
        for (gathered, place) in collapsing.iter_mut().zip([0, 0, 0, 1]) {
            gathered.trials[1].verdict = Some(crate::outcome::Verdict::Collapsed);
            figures.push(all_figures(gathered).remove(place));
        }
        for figure in figures {
            let (marked, plain) = (drawn(&figure), drawn(&unmarked(&figure)));
            let file = &figure.heading().file;
            if marked.dimensions() == plain.dimensions() {
                let differing = marked.pixels().zip(plain.pixels()).filter(|(a, b)| a != b).count();
                assert!(differing > 100, "{file}: {differing}");
            } else {
                // A row more in the legend moves all below it down.
                let inked = |image: &image::RgbImage| {
                    ink(image) * f64::from(image.width() * image.height())
                };
                assert!(inked(&marked) > inked(&plain) + 500.0, "{file}");
            }
        }
    }

    /// The same with everything diverged, and with imports beside bars.
    fn marked(mut figure: Figure) -> Figure {
        match &mut figure {
            Figure::Lines(figure) => {
                let lines = figure.panels.iter_mut().flat_map(|panel| &mut panel.lines);
                lines.flat_map(|line| &mut line.points).for_each(|point| point.diverged = true);
            }
            Figure::Bars(figure) => {
                figure.imports = vec!["one".to_owned(), "another".to_owned()];
                for bar in figure.rows.iter_mut().flat_map(|row| &mut row.bars) {
                    bar.diverged = true;
                    bar.imported = vec![bar.value.map(|v| v * 0.8), bar.value.map(|v| v * 0.5)];
                }
            }
            Figure::Dots(figure) => {
                let dots = figure.panels.iter_mut().flat_map(|panel| &mut panel.dots);
                dots.for_each(|dot| dot.diverged = true);
            }
            Figure::Heat(figure) => {
                let squares = figure.panels.iter_mut().flat_map(|panel| &mut panel.squares);
                squares.for_each(|square| square.diverged = true);
            }
            Figure::Curves(_)
            | Figure::Views(_)
            | Figure::Embedding(_)
            | Figure::Neighbours(_)
            | Figure::Parallel(_)
            | Figure::Cost(_) => {}
        }
        figure
    }

    /// To look at: `BYOL_SWEEP_CHARTS=/tmp/charts cargo test keep_all_charts -- --ignored`.
    #[test]
    #[ignore = "writes pictures for people to look at"]
    fn keep_all_charts() {
        let shown = [
            samples::with_exhibits(samples::removal_sweep()),
            samples::with_exhibits(samples::collapsed_sweep()),
            samples::with_exhibits(samples::wide_arms()),
        ];
        for gathered in samples::all().into_iter().chain(shown) {
            keep(&gathered.sweep.name, all_figures(&gathered));
        }
    }

    #[test]
    #[ignore = "writes pictures for people to look at"]
    fn keep_marked_charts() {
        let all = [
            samples::batch_sweep(),
            samples::collapsed_sweep(),
            samples::augmentation_sweep(2),
            samples::depth_sweep(),
            samples::variants_sweep(),
        ];
        for gathered in all {
            let first = all_figures(&gathered).remove(0);
            keep(&format!("marked-{}", gathered.sweep.name), vec![marked(first)]);
        }
    }

    fn keep(sweep: &str, figures: Vec<Figure>) {
        let folder = std::path::PathBuf::from(std::env::var_os("BYOL_SWEEP_CHARTS").unwrap());
        for (figure, columns) in in_all_widths(figures) {
            let name = format!("{sweep}-{}-{columns:?}.png", figure.heading().file);
            let bytes = png(&figure, columns).unwrap();
            std::fs::write(folder.join(&name), &bytes).unwrap();
            let whole = image::load_from_memory(&bytes).unwrap();
            let (width, height) = (whole.width() / 2, whole.height() / 2);
            let half = whole.resize(width, height, image::imageops::FilterType::Triangle);
            half.save(folder.join(format!("half-{name}"))).unwrap();
        }
    }
}
