//! What augmentations make of a few training images, setting by setting: what one of them leaves out
//! can be seen in its row.

use super::{Heading, Picture, Strip, ViewsFigure};
use crate::report::analysis::Analysis;
use crate::report::cell::{Cell, common_name, name_and_more};
use crate::report::exhibits::choice::strips;
use crate::report::exhibits::tiles::Tiles;
use crate::report::exhibits::{ExhibitRow, ViewsRow};
use crate::report::gathered::Gathered;

/// Returns the figure; `None` where no trial shows views.
pub(super) fn figure(gathered: &Gathered, analysis: &Analysis) -> Option<ViewsFigure> {
    let ways = strips(gathered, analysis);
    let rows = gathered.exhibits.iter().filter_map(|row| match row {
        ExhibitRow::Views(row) => Some(row),
        ExhibitRow::Map(_) | ExhibitRow::Neighbours(_) | ExhibitRow::Nothing { .. } => None,
    });
    let mut figure_rows: Vec<(&ViewsRow, Strip)> = Vec::new();
    for row in rows {
        let Some(way) = ways.iter().find(|way| way.trial == row.train_key) else { continue };
        let cells: Vec<&Cell> = way.cells.iter().map(|place| &analysis.cells[*place]).collect();
        let Some(pairs) = pairs(row) else { continue };
        let originals = row.originals.as_ref().and_then(Tiles::pictures).map(|p| Picture::all(&p));
        let name = name(&cells, analysis.cells.len());
        figure_rows.push((row, Strip { name, originals, pairs }));
    }
    let first = figure_rows.first().map(|(row, _)| *row)?;
    let images = first.numbers.len();
    let seed = super::seed_of(gathered, &first.train_key);
    let side = gathered.trials.first().map_or(0, |trial| trial.run.data.image_size);
    let heading = Heading {
        file: "views".to_owned(),
        title: "What augmentation leaves of an image".to_owned(),
        subtitle: format!(
            "{images} training images and their views T and T′, {seed}, epoch {}",
            first.epoch + 1
        ),
        caption: format!(
            "The row of images is what was augmented; below it, each pair is the view T (left) and the view T′ (right) of the image above, as the encoder saw them in epoch {} of {seed}, before they were normalised; views are {side} pixels wide. An operator draws the same numbers in every setting that has it, so that what differs within a column is what the setting changes. The images are chosen so that the paper's probabilities solarize the first, turn the second gray and mirror the third in one of its views.",
            first.epoch + 1
        ),
    };
    Some(ViewsFigure { heading, strips: figure_rows.into_iter().map(|(_, strip)| strip).collect() })
}

fn pairs(row: &ViewsRow) -> Option<Vec<[Picture; 2]>> {
    let (first, second) = (row.first.pictures()?, row.second.pictures()?);
    let pairs = Picture::all(&first).into_iter().zip(Picture::all(&second));
    Some(pairs.map(|(first, second)| [first, second]).collect())
}

/// Names cells that make their views alike: what they have in common.
fn name(cells: &[&Cell], all: usize) -> String {
    match cells {
        [one] => one.name(),
        cells if cells.len() == all => "all settings".to_owned(),
        cells => common_name(cells).unwrap_or_else(|| name_and_more(cells)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::analysis::analyse;
    use super::super::super::samples;
    use super::*;

    #[test]
    fn each_way_of_making_views_has_a_strip_under_the_images() {
        let gathered = samples::with_exhibits(samples::removal_sweep());
        let figure = figure(&gathered, &analyse(&gathered)).unwrap();
        let names: Vec<&str> = figure.strips.iter().map(|strip| strip.name.as_str()).collect();
        assert_eq!(
            names,
            ["all augmentations", "without flip", "without color jitter + grayscale"]
        );
        let has_images: Vec<bool> = figure.strips.iter().map(|s| s.originals.is_some()).collect();
        assert_eq!(has_images, [true, false, false], "the same images are shown once");
        assert!(figure.strips.iter().all(|strip| strip.pairs.len() == 6));
        let exhibit = samples::exhibit(0, 8, 8, 20);
        let pair = &figure.strips[0].pairs[1];
        assert_eq!(&pair[0].rgb[..], exhibit.views.first.iter().nth(1).unwrap());
        assert_eq!(&pair[1].rgb[..], exhibit.views.second.iter().nth(1).unwrap());
        assert!(figure.heading.caption.contains("in epoch 1 of seed 0,"));
    }

    #[test]
    fn methods_that_share_their_views_are_named_by_what_they_share() {
        let gathered = samples::with_exhibits(samples::batch_sweep());
        let figure = figure(&gathered, &analyse(&gathered)).unwrap();
        assert_eq!(figure.strips[0].name, "all settings");
    }

    #[test]
    fn a_damaged_row_is_left_out() {
        let mut gathered = samples::with_exhibits(samples::removal_sweep());
        let Some(ExhibitRow::Views(row)) = gathered.exhibits.get_mut(1) else { panic!() };
        row.first = serde_json::from_str(r#"{"side":8,"count":6,"png":"AAAA"}"#).unwrap();
        let figure = figure(&gathered, &analyse(&gathered)).unwrap();
        assert_eq!(figure.strips.len(), 2);
        gathered.exhibits.clear();
        assert_eq!(super::figure(&gathered, &analyse(&gathered)), None);
    }
}
