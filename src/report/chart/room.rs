//! Where words may stand among what a pair of axes shows: over no other words, and over as little else
//! as can be. Knows nothing of figures.

use super::axis::Frame;
use super::canvas::Spot;
use super::text::Typeface;

/// Words keep so far from ink where they can.
const AIR: f64 = 8.0;

/// A rectangle.
struct Area {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Area {
    fn of(face: &Typeface, words: &str, (left, base): Spot) -> Self {
        let (above, below) = face.reach();
        Self { left, top: base - above, right: left + face.width(words), bottom: base + below }
    }

    fn holds(&self, other: &Self) -> bool {
        self.left <= other.left
            && other.right <= self.right
            && self.top <= other.top
            && other.bottom <= self.bottom
    }

    fn meets(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn is_near(&self, (x, y): Spot) -> bool {
        (self.left - AIR..self.right + AIR).contains(&x)
            && (self.top - AIR..self.bottom + AIR).contains(&y)
    }
}

/// The room within a pair of axes.
pub(super) struct Room {
    whole: Area,
    words: Vec<Area>,
    ink: Vec<Spot>,
}

impl Room {
    /// Returns the room of axes that show `ink`. It ends below the name of the upward axis, and above
    /// the numbers of the sideward one.
    pub(super) fn new(frame: &Frame, ink: Vec<Spot>) -> Self {
        let whole = Area {
            left: frame.left - 8.0,
            top: frame.top - 18.0,
            right: frame.right + 20.0,
            bottom: frame.bottom,
        };
        Self { whole, words: Vec::new(), ink }
    }

    /// Takes that of `places`, left ends of a base line, where words cover the least; of equal ones
    /// the first. `None` where they would be over other words everywhere.
    pub(super) fn take(
        &mut self,
        face: &Typeface,
        words: &str,
        places: impl IntoIterator<Item = Spot>,
    ) -> Option<Spot> {
        let areas = places.into_iter().map(|place| (place, Area::of(face, words, place)));
        let free = areas.filter(|(_, area)| {
            self.whole.holds(area) && !self.words.iter().any(|other| other.meets(area))
        });
        let covered = |area: &Area| self.ink.iter().filter(|spot| area.is_near(**spot)).count();
        let (place, area) = free.min_by_key(|(_, area)| covered(area))?;
        self.words.push(area);
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::Weight;
    use super::*;

    fn room(ink: Vec<Spot>) -> (Room, Typeface) {
        let (x, y) = ((0.0, 1.0), (0.0, 1.0));
        let frame = Frame { left: 0.0, right: 500.0, top: 0.0, bottom: 300.0, x, y };
        (Room::new(&frame, ink), Typeface::new(Weight::Regular, 20.0).unwrap())
    }

    #[test]
    fn a_place_is_taken_once() {
        let (mut room, face) = room(Vec::new());
        let places = [(10.0, 100.0), (15.0, 105.0), (10.0, 200.0)];
        let taken: Vec<_> = (0..3).map(|_| room.take(&face, "words", places)).collect();
        assert_eq!(taken, [Some(places[0]), Some(places[2]), None]);
    }

    #[test]
    fn words_cover_little_and_stay_within() {
        let (mut room, face) = room(vec![(20.0, 95.0), (30.0, 95.0), (20.0, 195.0)]);
        let places = [(10.0, 100.0), (490.0, 100.0), (10.0, 299.0), (10.0, 200.0)];
        assert_eq!(room.take(&face, "words", places), Some(places[3]));
        assert_eq!(room.take(&face, "words", [(f64::NAN, 100.0)]), None);
    }
}
