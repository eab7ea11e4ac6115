//! Choosing part of a training set, the same part on every machine.

use super::draw::Draw;
use super::{DataError, Split};
use crate::spec::run::Subset;

/// Chooses a subset of `split` with equally many images of each class; without labels, any.
///
/// Returns rising indices. The choice depends on the seed, the labels and the size alone, and a
/// larger subset holds a smaller one of the same seed.
pub fn subset(split: &Split, wanted: Subset) -> Result<Vec<u32>, DataError> {
    let Some(labels) = &split.labels else {
        let all = (0..split.len()).map(|i| i as u32).collect();
        return choose(all, wanted.images, wanted.seed, 0, || "the data set".to_owned());
    };
    let classes = split.classes.len();
    let images = wanted.images;
    let uneven = DataError::UnevenSubset { images, classes };
    let share = match images.checked_rem(classes as u32) {
        Some(0) => images / classes as u32,
        Some(_) | None => return Err(uneven),
    };
    let mut members = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        if let Some(members) = members.get_mut(usize::from(label)) {
            members.push(index as u32);
        }
    }
    let mut chosen = Vec::with_capacity(images as usize);
    for (class, members) in members.into_iter().enumerate() {
        let name = || format!("class `{}`", split.classes[class]);
        chosen.extend(choose(members, share, wanted.seed, class as u64, name)?);
    }
    chosen.sort_unstable();
    Ok(chosen)
}

/// Takes the first `n` of a shuffle of `from`, sorted.
fn choose(
    mut from: Vec<u32>,
    n: u32,
    seed: u64,
    stream: u64,
    of: impl Fn() -> String,
) -> Result<Vec<u32>, DataError> {
    let has = from.len();
    if has < n as usize {
        return Err(DataError::SmallForSubset { of: of(), has, needed: n });
    }
    let mut draw = Draw::at(*b"subset.1", [seed, stream, 0]);
    for place in 0..n as usize {
        let other = place + draw.below((has - place) as u32) as usize;
        from.swap(place, other);
    }
    from.truncate(n as usize);
    from.sort_unstable();
    Ok(from)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Images;
    use super::*;

    fn split(labels: Option<Vec<u16>>, images: usize, classes: usize) -> Split {
        let images = Images::Memory { side: 1, pixels: vec![0; images * 3] };
        Split { images, labels, classes: (0..classes).map(|c| format!("c{c}")).collect() }
    }

    #[test]
    fn a_seed_fixes_the_choice() {
        let split = split(Some((0..40).map(|i| i % 4).collect()), 40, 4);
        let of = |seed| subset(&split, Subset { images: 8, seed }).unwrap();
        assert_eq!(of(3), of(3));
        assert_ne!(of(3), of(4));
        // Held so that a change of the draw is seen as a change of semantics.
        assert_eq!(of(0), [1, 8, 11, 14, 29, 30, 32, 35]);
    }

    #[test]
    fn what_cannot_be_balanced_is_an_error() {
        let split = split(Some(vec![0, 0, 0, 1]), 4, 2);
        let error = |images| subset(&split, Subset { images, seed: 0 }).unwrap_err().to_string();
        assert_eq!(
            error(3),
            "a balanced subset of 3 images is not possible with 2 classes: use a multiple of 2"
        );
        assert_eq!(
            error(4),
            "a subset needs 2 images of class `c1`, which has 1: ask for fewer images"
        );
    }

    #[test]
    fn without_labels_any_images_do() {
        let split = split(None, 10, 0);
        assert_eq!(subset(&split, Subset { images: 3, seed: 0 }).unwrap().len(), 3);
        assert!(matches!(
            subset(&split, Subset { images: 11, seed: 0 }),
            Err(DataError::SmallForSubset { has: 10, needed: 11, .. })
        ));
    }

    proptest! {
        #[test]
        fn subsets_are_balanced_sorted_and_nested(
            per_class in 1u32..20, more in 0u32..10, classes in 1u32..6, seed: u64,
        ) {
            let labels = (0..classes * 30).map(|i| ((i * 7 + 3) % classes) as u16).collect();
            let split = split(Some(labels), classes as usize * 30, classes as usize);
            let small = subset(&split, Subset { images: per_class * classes, seed }).unwrap();
            prop_assert!(small.is_sorted_by(|a, b| a < b));
            let counts = split.select(&small).unwrap().class_counts();
            prop_assert!(counts.iter().all(|&count| count == per_class as usize));
            let images = (per_class + more) * classes;
            let large = subset(&split, Subset { images, seed }).unwrap();
            prop_assert!(small.iter().all(|index| large.contains(index)));
        }
    }
}
