//! What workers showed, as a report keeps it: reduced to what its figures draw, in rows of less than
//! a mebibyte in all. Pure but for [`read`], which knows nothing of figures.

pub mod choice;
mod map;
pub mod read;
pub mod tiles;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::choice::Wanted;
pub use self::map::Map;
use self::tiles::Tiles;
use crate::ids::TrainKey;
use crate::protocol::exhibit::{Classes, Exhibit, NeighbourLabels, Neighbours, Pictures};

/// Most characters that the pictures of a figure take in the rows.
const VIEWS_ROOM: usize = 256 << 10;
const NEIGHBOURS_ROOM: usize = 256 << 10;
/// Sides that pictures are reduced to where they take more, in pixels.
const SIDES: [usize; 4] = [48, 32, 24, 16];
/// Test images whose neighbours are drawn, and how many of each.
const QUERIES: usize = 4;
const EACH: usize = 4;

/// What one trial shows in one figure, or that it shows nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "shows", rename_all = "snake_case")]
pub enum ExhibitRow {
    /// Training images and their views.
    Views(ViewsRow),
    /// Where test images lie in the embedding.
    Map(MapRow),
    /// Test images and their nearest neighbours.
    Neighbours(NeighboursRow),
    /// Nothing.
    Nothing {
        /// The trials that should.
        trials: Vec<TrainKey>,
        /// Why they do not, to stand after their names.
        why: String,
    },
}

/// Training images and their views.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ViewsRow {
    /// The trial.
    pub train_key: TrainKey,
    /// Pass over the images, from 0.
    pub epoch: u64,
    /// Numbers of the images.
    pub numbers: Vec<u32>,
    /// The images; `None` where they are those of the row before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub originals: Option<Tiles>,
    /// Their views of T.
    pub first: Tiles,
    /// Their views of T'.
    pub second: Tiles,
}

/// Where test images lie in the embedding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapRow {
    /// The trial.
    pub train_key: TrainKey,
    /// What labels mean.
    pub classes: Vec<String>,
    /// Classes of the data set.
    pub of_classes: u32,
    /// Place of each image's class in `classes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<u8>>,
    /// Coordinates.
    #[serde(flatten)]
    pub map: Map,
}

/// Test images and their nearest neighbours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeighboursRow {
    /// The trial.
    pub train_key: TrainKey,
    /// Images that were searched among.
    pub among: u32,
    /// Neighbours of each image.
    pub each: usize,
    /// What labels mean.
    pub classes: Vec<String>,
    /// Place of each test image's class in `classes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<u8>>,
    /// Whether each neighbour is of its image's class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_class: Option<Vec<bool>>,
    /// The test images; `None` where they are those of the row before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queries: Option<Tiles>,
    /// Their neighbours, image by image.
    pub found: Tiles,
}

/// What was found of a trial's exhibit.
pub type Found = BTreeMap<TrainKey, Result<Exhibit, String>>;

/// Reduces what was found to the rows of a report. The same exhibits give the same rows.
pub fn rows(wanted: &Wanted, found: &Found) -> Vec<ExhibitRow> {
    let of = |keys: &[TrainKey]| -> Vec<(TrainKey, &Exhibit)> {
        let read = |key: &TrainKey| Some((key.clone(), found.get(key)?.as_ref().ok()?));
        keys.iter().filter_map(read).collect()
    };
    let compared = of(&wanted.compared);
    let views = within(VIEWS_ROOM, |side| views(&of(&wanted.views), side));
    let neighbours = within(NEIGHBOURS_ROOM, |side| neighbours(&compared, side));
    let maps = compared.iter().map(|(key, exhibit)| ExhibitRow::Map(map_row(key, exhibit)));
    let views = views.into_iter().map(ExhibitRow::Views);
    let neighbours = neighbours.into_iter().map(ExhibitRow::Neighbours);
    views.chain(maps).chain(neighbours).chain(nothing(wanted, found)).collect()
}

/// Makes rows with the largest pictures that there is room for.
fn within<R>(room: usize, make: impl Fn(usize) -> Vec<(R, usize)>) -> Vec<R> {
    let mut made = Vec::new();
    for side in SIDES {
        made = make(side);
        if made.iter().map(|(_, taken)| taken).sum::<usize>() <= room {
            break;
        }
    }
    let mut taken = 0;
    let fits = |(row, more): (R, usize)| {
        taken += more;
        (taken <= room).then_some(row)
    };
    made.into_iter().map_while(fits).collect()
}

fn views(of: &[(TrainKey, &Exhibit)], side: usize) -> Vec<(ViewsRow, usize)> {
    let mut rows = Vec::new();
    let mut before: Option<&Pictures> = None;
    for (key, exhibit) in of {
        let views = &exhibit.views;
        let tiles = |pictures: &Pictures| Tiles::of(&pictures.reduced(side).coarse());
        let (Some(first), Some(second)) = (tiles(&views.first), tiles(&views.second)) else {
            continue;
        };
        let is_new = before != Some(&views.originals);
        let originals = if is_new { tiles(&views.originals) } else { None };
        before = Some(&views.originals);
        let taken = [Some(&first), Some(&second), originals.as_ref()];
        let taken = taken.into_iter().flatten().map(Tiles::characters).sum();
        let (train_key, numbers) = (key.clone(), views.numbers.clone());
        let row = ViewsRow { train_key, epoch: views.epoch, numbers, originals, first, second };
        rows.push((row, taken));
    }
    rows
}

fn neighbours(of: &[(TrainKey, &Exhibit)], side: usize) -> Vec<(NeighboursRow, usize)> {
    let mut rows = Vec::new();
    let mut before: Option<&Pictures> = None;
    for (key, exhibit) in of {
        let Neighbours { among, each, queries, found, cosines: _, labels } = &exhibit.neighbours;
        let shown = queries.len().min(QUERIES);
        let kept = (*each).min(EACH);
        let place = |at: usize| (at / kept.max(1)) * each + at % kept.max(1);
        let places: Vec<usize> = (0..shown * kept).map(place).collect();
        let tiles = |pictures: &Pictures, places: &[usize]| {
            Tiles::of(&pictures.only(places).reduced(side).coarse())
        };
        let Some(all) = tiles(found, &places) else { continue };
        let is_new = before != Some(queries);
        let queries_shown: Vec<usize> = (0..shown).collect();
        let new = is_new.then(|| tiles(queries, &queries_shown)).flatten();
        before = Some(queries);
        let taken = all.characters() + new.as_ref().map_or(0, Tiles::characters);
        let row = NeighboursRow {
            train_key: key.clone(),
            among: *among,
            each: kept,
            classes: exhibit.classes.names.clone(),
            labels: labels.as_ref().map(|labels| labels.queries[..shown].to_vec()),
            same_class: labels.as_ref().map(|NeighbourLabels { same_class, .. }| {
                places.iter().filter_map(|place| same_class.get(*place).copied()).collect()
            }),
            queries: new,
            found: all,
        };
        rows.push((row, taken));
    }
    rows
}

fn map_row(key: &TrainKey, exhibit: &Exhibit) -> MapRow {
    let Classes { names, of } = &exhibit.classes;
    MapRow {
        train_key: key.clone(),
        classes: names.clone(),
        of_classes: *of,
        labels: exhibit.points.labels.clone(),
        map: Map::of(&exhibit.points),
    }
}

/// Tells which trials show nothing, those of one reason together.
fn nothing(wanted: &Wanted, found: &Found) -> Vec<ExhibitRow> {
    let mut reasons: BTreeMap<&str, Vec<TrainKey>> = BTreeMap::new();
    for key in wanted.all() {
        if let Some(Err(why)) = found.get(key) {
            reasons.entry(why).or_default().push(key.clone());
        }
    }
    let row =
        |(why, trials): (&str, Vec<TrainKey>)| ExhibitRow::Nothing { trials, why: why.to_owned() };
    reasons.into_iter().map(row).collect()
}

/// Returns a sentence about what shows nothing, with the trials' names in words.
pub(super) fn sentences(
    rows: &[ExhibitRow],
    name: impl Fn(&TrainKey) -> Option<String>,
) -> Vec<String> {
    let shows = rows.iter().any(|row| !matches!(row, ExhibitRow::Nothing { .. }));
    let sentence = |row: &ExhibitRow| match row {
        ExhibitRow::Views(_) | ExhibitRow::Map(_) | ExhibitRow::Neighbours(_) => None,
        ExhibitRow::Nothing { trials, why } => {
            let names: Vec<String> = trials.iter().filter_map(&name).collect();
            Some(if shows {
                format!("Left out of the pictures: {}, which {why}.", names.join("; "))
            } else {
                format!("Views, embedding and neighbours are left out: the trials {why}.")
            })
        }
    };
    rows.iter().filter_map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn wanted(keys: &[TrainKey]) -> Wanted {
        Wanted { views: keys.to_vec(), compared: keys[..keys.len().min(6)].to_vec() }
    }

    fn keys(count: u64) -> Vec<TrainKey> {
        (0..count).map(|seed| samples::run("byol", 256, seed).train_key()).collect()
    }

    #[test]
    fn rows_of_the_largest_report_stay_below_a_mebibyte() {
        let keys = keys(16);
        let noisy = |at: usize| samples::exhibit(at as u8, 64, 40, 20);
        let found: Found =
            keys.iter().enumerate().map(|(at, key)| (key.clone(), Ok(noisy(at)))).collect();
        let rows = rows(&wanted(&keys), &found);
        let text: String = rows.iter().map(|row| serde_json::to_string(row).unwrap()).collect();
        // Maps of 300 images have four numbers of at most six characters for each.
        assert!(text.len() + 6 * 300 * 4 * 6 < 1 << 20, "{}", text.len());
        let of = |is: fn(&ExhibitRow) -> bool| rows.iter().filter(|row| is(row)).count();
        assert_eq!(of(|row| matches!(row, ExhibitRow::Views(_))), 16);
        assert_eq!(of(|row| matches!(row, ExhibitRow::Map(_))), 6);
        assert_eq!(of(|row| matches!(row, ExhibitRow::Neighbours(_))), 6);
    }

    #[test]
    fn small_pictures_are_kept_as_they_are_and_told_once() {
        let keys = keys(2);
        let mut other = samples::exhibit(3, 8, 8, 20);
        let one = samples::exhibit(0, 8, 8, 20);
        other.views.originals = one.views.originals.clone();
        other.neighbours.queries = one.neighbours.queries.clone();
        let found: Found =
            [(keys[0].clone(), Ok(one.clone())), (keys[1].clone(), Ok(other.clone()))].into();
        let rows = rows(&wanted(&keys), &found);
        let ExhibitRow::Views(first) = &rows[0] else { panic!("{rows:?}") };
        assert_eq!(first.originals.as_ref().unwrap().pictures(), Some(one.views.originals));
        assert_eq!(first.second.pictures(), Some(one.views.second));
        let ExhibitRow::Views(second) = &rows[1] else { panic!("{rows:?}") };
        assert_eq!(
            (second.originals.as_ref(), second.first.pictures()),
            (None, Some(other.views.first))
        );
        let ExhibitRow::Neighbours(second) = &rows[5] else { panic!("{rows:?}") };
        assert_eq!((second.queries.as_ref(), second.each), (None, EACH));
        let found = second.found.pictures().unwrap();
        let expected = &other.neighbours.found;
        // The second image's first neighbour is the seventh of all.
        assert_eq!(found.iter().nth(EACH), expected.iter().nth(6));
        let same = &other.neighbours.labels.unwrap().same_class;
        assert_eq!(second.same_class.as_ref().unwrap()[EACH], same[6]);
    }

    #[test]
    fn what_shows_nothing_is_told_once_for_each_reason() {
        let keys = keys(3);
        let bad = |why: &str| Err(why.to_owned());
        let found: Found = [
            (keys[0].clone(), Ok(samples::exhibit(0, 8, 8, 20))),
            (keys[1].clone(), bad("left none")),
            (keys[2].clone(), bad("left none")),
        ]
        .into();
        let some = rows(&wanted(&keys), &found);
        let name =
            |key: &TrainKey| keys.iter().position(|k| k == key).map(|at| format!("no. {at}"));
        let told = sentences(&some, name);
        assert_eq!(told, ["Left out of the pictures: no. 1; no. 2, which left none."]);
        let none: Found = keys.iter().map(|key| (key.clone(), bad("left none"))).collect();
        let told = sentences(&rows(&wanted(&keys), &none), name);
        assert_eq!(told, ["Views, embedding and neighbours are left out: the trials left none."]);
    }
}
