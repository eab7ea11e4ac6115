//! Where test images lie in the embedding of a few settings: the two first principal components on
//! one scale, so that a collapse is small, and t-SNE, which shows who is whose neighbour.

use super::{EmbeddingFigure, EmbeddingMap, Heading};
use crate::report::analysis::Analysis;
use crate::report::exhibits::choice::compared;
use crate::report::exhibits::{ExhibitRow, Map, MapRow};
use crate::report::gathered::Gathered;

/// Returns the figure; `None` where no trial shows features.
pub(super) fn figure(gathered: &Gathered, analysis: &Analysis) -> Option<EmbeddingFigure> {
    let chosen = compared(gathered, analysis);
    let rows: Vec<&MapRow> = gathered
        .exhibits
        .iter()
        .filter_map(|row| match row {
            ExhibitRow::Map(row) => Some(row),
            ExhibitRow::Views(_) | ExhibitRow::Neighbours(_) | ExhibitRow::Nothing { .. } => None,
        })
        .collect();
    let map = |row: &&MapRow| {
        let chosen = chosen.iter().find(|chosen| chosen.trial == row.train_key)?;
        let pca = Map::placed(&row.map.pca);
        let [first, second] = row.map.shares.map(|share| f64::from(share) / 10.0);
        Some(EmbeddingMap {
            name: analysis.cells[chosen.cell].name(),
            note: super::note(gathered, analysis, chosen),
            shares: [first, second],
            tsne: row.map.tsne.as_ref().map(|flat| Map::placed(flat)).unwrap_or_default(),
            labels: row.labels.clone().filter(|labels| labels.len() == pca.len()),
            pca,
        })
    };
    let maps: Vec<EmbeddingMap> = rows.iter().filter_map(map).collect();
    let (first, images) = (rows.first()?, maps.first()?.pca.len());
    let reach = maps.iter().flat_map(|map| map.pca.iter().flatten()).copied().map(f64::abs);
    let reach = reach.fold(0.0, f64::max).max(0.05);
    let classes = first.classes.clone();
    let colored = match classes.len() as u32 {
        0 => "They have no labels.".to_owned(),
        few if few < first.of_classes => {
            format!("{few} of {} classes are shown, which lie evenly among all.", first.of_classes)
        }
        _ => "Colours and shapes are classes.".to_owned(),
    };
    let heading = Heading {
        file: "embedding-map".to_owned(),
        title: "Test images in the embedding".to_owned(),
        subtitle: format!(
            "{images} test images by {}, trained encoder, features scaled to length 1",
            if classes.is_empty() { "position" } else { "class" }
        ),
        caption: format!(
            "The same {images} test images as the encoder of each setting sees them, one seed each. Left: the two first principal components of features of length 1, all on one scale: a collapse is a dot, and beyond that the size of a cloud ranks no settings. Right: t-SNE from there (exact, perplexity 30 or a third of the images, 500 steps), which keeps neighbourhoods and not distances; every map has a scale of its own. {colored} The reference is what changes are against."
        ),
    };
    Some(EmbeddingFigure { heading, classes, reach, maps })
}

#[cfg(test)]
mod tests {
    use super::super::super::analysis::analyse;
    use super::super::super::samples;
    use super::*;

    #[test]
    fn the_settings_that_stand_out_are_placed_on_one_scale() {
        let gathered = samples::with_exhibits(samples::collapsed_sweep());
        let figure = figure(&gathered, &analyse(&gathered)).unwrap();
        let told: Vec<(&str, &str)> =
            figure.maps.iter().map(|map| (map.name.as_str(), map.note.as_str())).collect();
        assert_eq!(told[0], ("tau base 0", "seed 1, 31.4 %, worst, collapsed"));
        assert_eq!(told[2], ("tau base 0.99", "seed 0, 88.0 %, reference, best"));
        assert_eq!((figure.maps.len(), figure.classes.len()), (5, 10));
        for map in &figure.maps {
            assert_eq!((map.pca.len(), map.tsne.len()), (20, 20));
            assert_eq!(map.labels.as_ref().unwrap().len(), 20);
            assert!(map.pca.iter().flatten().all(|value| value.abs() <= figure.reach));
        }
    }

    #[test]
    fn images_without_labels_have_no_classes() {
        let mut gathered = samples::with_exhibits(samples::tau_sweep());
        for row in &mut gathered.exhibits {
            if let ExhibitRow::Map(row) = row {
                (row.labels, row.classes, row.of_classes) = (None, Vec::new(), 0);
            }
        }
        let figure = figure(&gathered, &analyse(&gathered)).unwrap();
        assert!(figure.classes.is_empty() && figure.maps[0].labels.is_none());
        assert!(figure.heading.caption.contains("They have no labels."));
    }
}
