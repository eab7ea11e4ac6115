//! What the encoders of a few settings take for alike: test images with the training images nearest
//! to them.

use super::{Heading, Neighbour, NeighbourBlock, NeighbourRow, NeighboursFigure, Picture};
use crate::report::analysis::Analysis;
use crate::report::exhibits::choice::compared;
use crate::report::exhibits::tiles::Tiles;
use crate::report::exhibits::{ExhibitRow, NeighboursRow};
use crate::report::gathered::Gathered;

/// Returns the figure; `None` where no trial shows neighbours.
pub(super) fn figure(gathered: &Gathered, analysis: &Analysis) -> Option<NeighboursFigure> {
    let chosen = compared(gathered, analysis);
    let mut queries: Option<Vec<Picture>> = None;
    let (mut blocks, mut among, mut each) = (Vec::new(), 0, 0);
    for row in &gathered.exhibits {
        let ExhibitRow::Neighbours(row) = row else { continue };
        if let Some(tiles) = &row.queries {
            queries = tiles.pictures().map(|pictures| Picture::all(&pictures));
        }
        let Some(chosen) = chosen.iter().find(|chosen| chosen.trial == row.train_key) else {
            continue;
        };
        let Some(rows) = queries.as_ref().and_then(|queries| rows(row, queries)) else { continue };
        (among, each) = (row.among, row.each);
        let name = analysis.cells[chosen.cell].name();
        let note = super::note(gathered, analysis, chosen);
        blocks.push(NeighbourBlock { name, note, rows });
    }
    let images = blocks.first()?.rows.len();
    let is_labelled = blocks.iter().flat_map(|block| &block.rows).any(|row| row.class.is_some());
    let marked =
        if is_labelled { " A frame with a cross marks those of another class." } else { "" };
    let heading = Heading {
        file: "neighbours".to_owned(),
        title: "Nearest neighbours of test images".to_owned(),
        subtitle: format!(
            "{images} test images, each with its {each} nearest of {among} training images"
        ),
        caption: format!(
            "At the left of a row is a test image, beside it are for each setting the training images whose features have the largest cosine with its own, nearest first, among {among} that are the same for all settings; one seed each.{marked}"
        ),
    };
    Some(NeighboursFigure { heading, is_labelled, blocks })
}

fn rows(row: &NeighboursRow, queries: &[Picture]) -> Option<Vec<NeighbourRow>> {
    let found = Tiles::pictures(&row.found)?;
    let found = Picture::all(&found);
    let same_class = |place: usize| row.same_class.as_ref()?.get(place).copied();
    let class = |at: usize| {
        let label = *row.labels.as_ref()?.get(at)?;
        row.classes.get(usize::from(label)).cloned()
    };
    let each = row.each.max(1);
    let of = |(at, query): (usize, &Picture)| {
        let places = at * each..(at + 1) * each;
        let neighbour = |place: usize| {
            let picture = found.get(place)?.clone();
            Some(Neighbour { picture, same_class: same_class(place) })
        };
        let found = places.filter_map(neighbour).collect();
        NeighbourRow { query: query.clone(), class: class(at), found }
    };
    Some(queries.iter().enumerate().map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::super::super::analysis::analyse;
    use super::super::super::samples;
    use super::*;

    #[test]
    fn each_setting_has_the_same_images_and_its_own_neighbours() {
        let gathered = samples::with_exhibits(samples::collapsed_sweep());
        let figure = figure(&gathered, &analyse(&gathered)).unwrap();
        assert_eq!(figure.blocks.len(), 5);
        assert!(figure.is_labelled);
        let exhibit = samples::exhibit(1, 8, 8, 20);
        for (place, block) in figure.blocks.iter().enumerate() {
            assert_eq!(block.rows.len(), 4);
            for (row, first) in block.rows.iter().zip(&figure.blocks[0].rows) {
                assert_eq!((&row.query, &row.class), (&first.query, &first.class));
                assert_eq!(row.found.len(), 4);
                assert!(place == 0 || row.found != first.found);
            }
        }
        let row = &figure.blocks[1].rows[2];
        assert_eq!(&row.found[3].picture.rgb[..], exhibit.neighbours.found.iter().nth(15).unwrap());
        let same = exhibit.neighbours.labels.unwrap().same_class;
        assert_eq!(row.found[3].same_class, Some(same[15]));
        assert_eq!(row.class.as_deref(), Some("class 2"));
    }
}
