//! Few colours for a sheet of many: what is drawn has a dozen, and their blends at its edges need no
//! more than a byte a pixel. Knows nothing of figures.

use std::collections::BTreeMap;

/// Colours of a palette, and how many of them are there because they are frequent; the others stand
/// where the frequent ones leave the widest gaps.
const MOST: usize = 256;
const FREQUENT: usize = 96;
/// How far a channel may be from what was drawn, which is seen at no edge. A sheet that needs more keeps
/// all its colours.
const TOLERANCE: u8 = 20;

type Rgb = [u8; 3];

/// A sheet as places in a palette.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Indexed {
    /// At most 256 colours.
    pub(super) palette: Vec<Rgb>,
    /// One for each pixel.
    pub(super) places: Vec<u8>,
}

/// Returns a sheet of RGB with few colours; `None` where that would be seen.
pub(super) fn indexed(pixels: &[u8]) -> Option<Indexed> {
    let (pixels, _) = pixels.as_chunks::<3>();
    let mut counts: BTreeMap<Rgb, usize> = BTreeMap::new();
    for run in pixels.chunk_by(|a, b| a == b) {
        *counts.entry(run[0]).or_default() += run.len();
    }
    let palette = palette(&counts)?;
    let place = |color: &Rgb| {
        let apart = |of: &Rgb| (apart(of, color), distance(of, color));
        let (place, _) = palette.iter().enumerate().min_by_key(|(_, of)| apart(of))?;
        u8::try_from(place).ok()
    };
    let places: BTreeMap<Rgb, u8> =
        counts.keys().filter_map(|color| Some((*color, place(color)?))).collect();
    Some(Indexed { places: pixels.iter().map(|color| places[color]).collect(), palette })
}

/// The most frequent colours, and then again and again the one that is furthest from all of them;
/// `None` where those are too few.
fn palette(counts: &BTreeMap<Rgb, usize>) -> Option<Vec<Rgb>> {
    let mut by_count: Vec<(Rgb, usize)> = counts.iter().map(|(c, n)| (*c, *n)).collect();
    by_count.sort_by_key(|(color, count)| (std::cmp::Reverse(*count), *color));
    let first = by_count.len().min(FREQUENT);
    let mut palette: Vec<Rgb> = by_count[..first].iter().map(|(color, _)| *color).collect();
    let nearest = |color: &Rgb| palette.iter().map(|of| apart(of, color)).min().unwrap_or(u8::MAX);
    let mut others: Vec<(u8, Rgb)> =
        by_count[first..].iter().map(|(color, _)| (nearest(color), *color)).collect();
    while let Some(&(gap, furthest)) = others.iter().max_by_key(|(gap, _)| *gap) {
        if palette.len() == MOST {
            return (gap <= TOLERANCE).then_some(palette);
        }
        palette.push(furthest);
        for (gap, color) in &mut others {
            *gap = (*gap).min(apart(&furthest, color));
        }
        others.retain(|(gap, _)| *gap > 0);
    }
    Some(palette)
}

/// The largest difference of a channel.
fn apart(a: &Rgb, b: &Rgb) -> u8 {
    a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

fn distance(a: &Rgb, b: &Rgb) -> u32 {
    a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfolded(indexed: &Indexed) -> Vec<u8> {
        indexed.places.iter().flat_map(|place| indexed.palette[usize::from(*place)]).collect()
    }

    #[test]
    fn few_colours_are_kept_as_they_are() {
        let pixels: Vec<u8> = (0..=255).flat_map(|at| [at, 255 - at, 7]).collect();
        assert_eq!(unfolded(&indexed(&pixels).unwrap()), pixels);
        assert_eq!(indexed(&[]).unwrap().palette, Vec::<Rgb>::new());
    }

    #[test]
    fn blends_of_many_colours_stay_near_and_what_is_frequent_stays() {
        let (ink, paper, mark) = ([38, 38, 38], [255; 3], [213, 94, 0]);
        let mix = |a: Rgb, b: Rgb, share: u32| {
            [0, 1, 2]
                .map(|c| ((u32::from(a[c]) * share + u32::from(b[c]) * (300 - share)) / 300) as u8)
        };
        let edges = (0..=300).flat_map(|share| {
            [mix(ink, paper, share), mix(mark, paper, share), mix(ink, mark, share)]
        });
        let whole = [ink, paper, mark].into_iter().flat_map(|color| vec![color; 500]);
        let pixels: Vec<u8> = whole.chain(edges).flatten().collect();
        let shown = unfolded(&indexed(&pixels).unwrap());
        assert_eq!(shown[..4500], pixels[..4500]);
        let furthest = shown.iter().zip(&pixels).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(furthest <= TOLERANCE, "{furthest}");
    }

    #[test]
    fn a_sheet_of_all_colours_keeps_them() {
        let steps = || (0..=255u8).step_by(15);
        let all = steps().flat_map(|r| steps().flat_map(move |g| steps().map(move |b| [r, g, b])));
        assert_eq!(indexed(&all.flatten().collect::<Vec<u8>>()), None);
    }
}
