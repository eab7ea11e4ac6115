//! Test images with their nearest neighbours: a row an image, a block a setting.

use super::ChartError;
use super::canvas::{Anchor, Canvas, Drawing, Spot};
use super::columns::{Columns, enlarged};
use super::legend::{self, Entry, Sample};
use super::marker;
use super::palette::{self, FAINT_INK, INK, Rgb, WHITE};
use super::text::{Typeface, Weight};
use crate::report::figure::{NeighbourBlock, NeighboursFigure, Picture};

/// A picture is no larger: 16, 20, 40 and 80 pixels fit into it without a rest, 32 take 64.
const LARGEST: f64 = 80.0;
/// What stands at the left of each band.
const TEST_IMAGE: &str = "test image";
/// Between images and neighbours, between neighbours, between settings.
const FAR: f64 = 22.0;
const NEAR: f64 = 8.0;
const BETWEEN: f64 = 32.0;
/// Width of the frame around a picture.
const FRAME: f64 = 2.0;
/// Words above a setting: lines of its name, its note.
const LINE: f64 = 27.0;
const NAME_LINES: usize = 3;
const ABOVE: f64 = 30.0 + NAME_LINES as f64 * LINE + 14.0;
const BELOW: f64 = 24.0;

/// Where images and settings of a sheet stand.
struct Layout {
    /// Side of a picture.
    side: f64,
    /// Settings side by side.
    abreast: usize,
    /// Left end of the first setting, and how far the next is from there.
    left: f64,
    pitch: f64,
}

impl Layout {
    fn of(columns: Columns, pixels: usize, each: usize, settings: usize) -> Self {
        let (left, right) = columns.span();
        let (each, room) = (each.max(1) as f64, right - left);
        let side = enlarged(pixels, LARGEST.min((room - FAR - (each - 1.0) * NEAR) / (each + 1.0)));
        let block = each * (side + NEAR) - NEAR;
        let left = left + side + FAR;
        let fit = ((right - left + BETWEEN) / (block + BETWEEN)).floor().max(1.0) as usize;
        // As few bands as can be, all about as long.
        let abreast = settings.div_ceil(settings.div_ceil(fit).max(1)).max(1);
        let pitch = (right - left + BETWEEN) / abreast as f64;
        Self { side, abreast, left, pitch }
    }
}

/// Draws neighbours: the test images once at the left of each band, each setting beside them.
pub(super) fn draw(figure: &NeighboursFigure, columns: Columns) -> Result<Drawing, ChartError> {
    let mut canvas = Canvas::new(columns);
    let top = canvas.heading(&figure.heading.title, &figure.heading.subtitle)?;
    let entry = figure.is_labelled.then(|| Entry {
        name: "of another class than the test image of its row".to_owned(),
        color: other_class(),
        sample: Sample::Badge,
    });
    let top = legend::draw(&mut canvas, entry.as_slice(), top)?;
    let rows = || figure.blocks.iter().flat_map(|block| &block.rows);
    let each = rows().map(|row| row.found.len()).max().unwrap_or(0);
    let pixels = rows().map(|row| row.query.side).max().unwrap_or(1);
    let layout = Layout::of(columns, pixels, each, figure.blocks.len());
    let side = layout.side;
    let (mut y, mut others) = (top, Vec::new());
    for band in bands(&figure.blocks, layout.abreast) {
        let first = band.first().map_or(&[][..], |block| &block.rows);
        let place = |at: usize| y + ABOVE + at as f64 * (side + NEAR);
        let left = columns.span().0;
        words(&mut canvas, TEST_IMAGE, "", (left, y), side + FAR - NEAR)?;
        for (at, row) in first.iter().enumerate() {
            canvas.picture(&row.query, (left, place(at)), side);
        }
        for (column, block) in band.iter().enumerate() {
            let x = layout.left + column as f64 * layout.pitch;
            words(&mut canvas, &block.name, &block.note, (x, y), layout.pitch - BETWEEN)?;
            for (at, row) in block.rows.iter().enumerate() {
                for (rank, found) in row.found.iter().enumerate() {
                    let spot = (x + rank as f64 * (side + NEAR), place(at));
                    canvas.picture(&found.picture, spot, side);
                    others.extend((found.same_class == Some(false)).then_some(spot));
                }
            }
        }
        y = place(first.len()) + BELOW;
    }
    mark(&mut canvas, &others, side);
    Ok(canvas.done(y))
}

/// The settings side by side: no more than there is room for, and all of the same test images.
fn bands(blocks: &[NeighbourBlock], abreast: usize) -> Vec<&[NeighbourBlock]> {
    let queries = |block: &NeighbourBlock| -> Vec<Picture> {
        block.rows.iter().map(|row| row.query.clone()).collect()
    };
    let alike = blocks.chunk_by(|a, b| queries(a) == queries(b));
    alike.flat_map(|blocks| blocks.chunks(abreast)).collect()
}

/// Sets a name and a note above pictures.
fn words(
    canvas: &mut Canvas,
    name: &str,
    note: &str,
    (x, y): Spot,
    width: f64,
) -> Result<(), ChartError> {
    let face = Typeface::new(Weight::SemiBold, 24.0)?;
    let faint = Typeface::new(Weight::Regular, 20.0)?;
    let lines = face.wrap_list(name, width, NAME_LINES);
    let first = y + 30.0 + (NAME_LINES - lines.len()) as f64 * LINE;
    for (at, line) in lines.iter().enumerate() {
        canvas.words(line, &face, (x, first + at as f64 * LINE), Anchor::Left, INK);
    }
    if !note.is_empty() {
        let note = faint.wrap(note, width, 1).remove(0);
        canvas.words(&note, &faint, (x, y + ABOVE - 15.0), Anchor::Left, FAINT_INK);
    }
    Ok(())
}

fn other_class() -> Rgb {
    palette::color(1)
}

/// Draws a frame around pictures of another class, and a cross in their corner. Both lie on whole
/// units: they are equal for all pictures.
fn mark(canvas: &mut Canvas, others: &[Spot], side: f64) {
    let others: Vec<Spot> = others.iter().map(|(x, y)| (x.round(), y.round())).collect();
    for (x, y) in &others {
        let (left, top) = (x - FRAME / 2.0, y - FRAME / 2.0);
        let (right, bottom) = (left + side + FRAME, top + side + FRAME);
        let frame =
            [(left, top), (right, top), (right, bottom), (left, bottom), (left, top), (right, top)];
        canvas.line(&frame, FRAME, other_class(), None);
    }
    let badge = (side / 4.0).clamp(12.0, 18.0).round();
    for (x, y) in others {
        let corner = (x + side - badge, y);
        canvas.rectangle((corner.0 - 2.0, y), (x + side, y + badge + 2.0), WHITE);
        marker::badge(canvas, corner, badge, other_class());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::figure::NeighbourRow;

    #[test]
    fn bands_are_about_as_long_and_no_wider_than_the_sheet() {
        let abreast = |settings| Layout::of(Columns::Two, 32, 4, settings).abreast;
        assert_eq!([0, 1, 2, 4, 5, 6, 7, 9].map(abreast), [1, 1, 2, 4, 3, 3, 4, 3]);
        for settings in 1..9 {
            let layout = Layout::of(Columns::One, 32, 4, settings);
            assert!(layout.pitch - BETWEEN >= 4.0 * layout.side + 3.0 * NEAR, "{settings}");
        }
    }

    #[test]
    fn the_images_have_a_heading_in_each_band() {
        use crate::report::analysis::analyse;
        use crate::report::chart::canvas::Mark;
        use crate::report::figure::{Figure, figures};
        use crate::report::samples;
        let gathered = samples::with_exhibits(samples::collapsed_sweep());
        let drawn = figures(&gathered, &analyse(&gathered)).into_iter().find_map(|figure| {
            let Figure::Neighbours(figure) = figure else { return None };
            draw(&figure, Columns::One).ok()
        });
        let words = |mark: &Mark| match mark {
            Mark::Words { words, .. } => Some(words.clone()),
            _ => None,
        };
        let words: Vec<String> = drawn.unwrap().marks.iter().filter_map(words).collect();
        let above = |name: &str| words.iter().position(|words| words == name).unwrap();
        for name in ["tau base 0", "tau base 0.99"] {
            let at = above(name);
            assert_eq!(words[at - 2..at], ["test", "image"], "{words:?}");
        }
        assert!(!words.contains(&String::new()));
    }

    #[test]
    fn settings_share_test_images_only_where_they_are_the_same() {
        let block = |shade: u8| NeighbourBlock {
            name: String::new(),
            note: String::new(),
            rows: vec![NeighbourRow {
                query: Picture { side: 1, rgb: vec![shade; 3] },
                class: None,
                found: Vec::new(),
            }],
        };
        let blocks = [1, 1, 1, 1, 1, 2, 1].map(block);
        let lengths: Vec<usize> = bands(&blocks, 3).iter().map(|band| band.len()).collect();
        assert_eq!(lengths, [3, 2, 1, 1]);
    }
}
