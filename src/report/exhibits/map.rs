//! Directions of features on a plane: principal components, and t-SNE that starts from them. The same
//! features give the same coordinates. Knows nothing of labels.

use bhtsne::tSNE;
use serde::{Deserialize, Serialize};

use crate::protocol::exhibit::Points;

/// Units that a length of 1 has in the rows.
const UNITS: f64 = 1000.0;
/// Fewer images have no neighbourhoods that t-SNE could keep.
const LEAST: usize = 16;
const PERPLEXITY: f64 = 30.0;
const STEPS: usize = 500;
/// Spread of the coordinates that t-SNE starts from (Kobak and Berens 2019).
const START: f64 = 1e-4;

/// Coordinates of images, x and y by turns, in thousandths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Map {
    /// Along the two first principal components, of features of length 1.
    pub pca: Vec<i32>,
    /// Thousandths of the variance that each of the two has.
    pub shares: [i32; 2],
    /// t-SNE, the furthest from the middle at 1; `None` for too few images, or equal ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tsne: Option<Vec<i32>>,
}

impl Map {
    /// Places images.
    pub(super) fn of(points: &Points) -> Self {
        let rows: Vec<&[f32]> = points.rows().collect();
        let Components { coordinates, shares } = components(&rows);
        let whole = |value: f64| (value * UNITS).round() as i32;
        let flat = |all: &[[f64; 2]]| all.iter().flatten().copied().map(whole).collect();
        Self {
            pca: flat(&coordinates),
            shares: shares.map(whole),
            tsne: tsne(&rows, &coordinates).as_deref().map(flat),
        }
    }

    /// Returns coordinates from their row.
    pub fn placed(flat: &[i32]) -> Vec<[f64; 2]> {
        let (pairs, _) = flat.as_chunks::<2>();
        pairs.iter().map(|pair| pair.map(|value| f64::from(value) / UNITS)).collect()
    }
}

struct Components {
    coordinates: Vec<[f64; 2]>,
    /// Of the variance, in [0, 1].
    shares: [f64; 2],
}

/// Places rows along their two first principal components, by power iteration on their inner
/// products. Of a component's two directions, the one is taken whose furthest row is positive.
fn components(rows: &[&[f32]]) -> Components {
    let count = rows.len();
    let mut products = centred_products(rows);
    let total: f64 = (0..count).map(|at| products[at * count + at]).sum();
    let mut coordinates = vec![[0.0; 2]; count];
    let mut shares = [0.0; 2];
    // What rounding leaves of equal rows is no variance.
    let least = 1e-9 * count as f64;
    for axis in 0..2 {
        let Some((value, vector)) = leading(&products, count).filter(|(value, _)| *value > least)
        else {
            break;
        };
        shares[axis] = value / total;
        for (place, component) in coordinates.iter_mut().zip(&vector) {
            place[axis] = component * value.sqrt();
        }
        for (row, a) in vector.iter().enumerate() {
            for (column, b) in vector.iter().enumerate() {
                products[row * count + column] -= value * a * b;
            }
        }
    }
    Components { coordinates, shares }
}

/// Inner products of rows less their mean.
fn centred_products(rows: &[&[f32]]) -> Vec<f64> {
    let count = rows.len();
    let mut mean = vec![0.0; rows.first().map_or(0, |row| row.len())];
    for row in rows {
        for (mean, value) in mean.iter_mut().zip(*row) {
            *mean += f64::from(*value) / count as f64;
        }
    }
    let less_mean =
        |row: &&[f32]| row.iter().zip(&mean).map(|(v, m)| f64::from(*v) - m).collect::<Vec<f64>>();
    let centred: Vec<Vec<f64>> = rows.iter().map(less_mean).collect();
    let mut products = vec![0.0; count * count];
    for a in 0..count {
        for b in 0..=a {
            let product = centred[a].iter().zip(&centred[b]).map(|(x, y)| x * y).sum();
            products[a * count + b] = product;
            products[b * count + a] = product;
        }
    }
    products
}

/// Returns the largest eigenvalue of a symmetric matrix without negative ones, and its vector.
fn leading(matrix: &[f64], count: usize) -> Option<(f64, Vec<f64>)> {
    const MOST: usize = 1000;
    const CLOSE: f64 = 1e-12;
    let largest =
        (0..count).max_by(|a, b| matrix[a * count + a].total_cmp(&matrix[b * count + b]))?;
    let mut vector = matrix[largest * count..(largest + 1) * count].to_vec();
    normalise(&mut vector)?;
    let mut value = 0.0;
    for _ in 0..MOST {
        let mut next: Vec<f64> = matrix
            .chunks_exact(count)
            .map(|row| row.iter().zip(&vector).map(|(a, b)| a * b).sum())
            .collect();
        value = normalise(&mut next)?;
        let moved: f64 = next.iter().zip(&vector).map(|(a, b)| (a - b).powi(2)).sum();
        vector = next;
        if moved < CLOSE {
            break;
        }
    }
    let furthest = vector.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs()))?;
    if furthest < 0.0 {
        vector.iter_mut().for_each(|value| *value = -*value);
    }
    Some((value, vector))
}

/// Scales to length 1; returns the length before, `None` for 0.
fn normalise(vector: &mut [f64]) -> Option<f64> {
    let length = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
    if length <= 0.0 || !length.is_finite() {
        return None;
    }
    vector.iter_mut().for_each(|value| *value /= length);
    Some(length)
}

/// Places rows by exact t-SNE from their principal components.
fn tsne(rows: &[&[f32]], from: &[[f64; 2]]) -> Option<Vec<[f64; 2]>> {
    let count = rows.len();
    let spread = (from.iter().map(|[x, _]| x * x).sum::<f64>() / count as f64).sqrt();
    if count < LEAST || spread <= 0.0 {
        return None;
    }
    let start: Vec<f64> = from.iter().flatten().map(|value| value / spread * START).collect();
    // Sums over several threads come in any order.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().ok()?;
    let placed = pool.install(|| {
        tSNE::<f64, &[f32], 2>::new(rows)
            .perplexity(PERPLEXITY.min(((count - 1) as f64 / 3.0).floor()))
            .epochs(STEPS)
            .initial_embedding(start)
            .exact(|a, b| a.iter().zip(*b).map(|(a, b)| f64::from(a - b).powi(2)).sum())
            .embedding()
    });
    let reach = placed.iter().copied().map(f64::abs).fold(0.0, f64::max);
    if !placed.iter().all(|value| value.is_finite()) || reach <= 0.0 {
        return None;
    }
    let (pairs, _) = placed.as_chunks::<2>();
    Some(pairs.iter().map(|pair| pair.map(|value| value / reach)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(rows: &[Vec<f32>]) -> Points {
        Points { size: rows[0].len(), features: rows.concat(), labels: None }
    }

    /// Three directions with a little around each, by turns.
    fn three_groups(count: usize) -> Points {
        let row = |at: usize| {
            let mut row = vec![0.0f32; 6];
            row[at % 3] = 1.0;
            row[3 + at % 2] = 0.02 * (at as f32 * 0.7).sin();
            row
        };
        points(&(0..count).map(row).collect::<Vec<_>>())
    }

    #[test]
    fn principal_components_are_those_of_a_turned_cross() {
        // Arms of 2 and 1, turned by 3-4-5 and moved.
        let turned = |x: f32, y: f32| [5.0 + 0.6 * x - 0.8 * y, 7.0 + 0.8 * x + 0.6 * y, -1.0];
        let rows = [turned(2.0, 0.0), turned(-2.0, 0.0), turned(0.0, 1.0), turned(0.0, -1.0)];
        let rows: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
        let Components { coordinates, shares } = components(&rows);
        let expected = [[2.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 1.0]];
        for (found, expected) in coordinates.iter().zip(expected) {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found.abs() - expected).abs() < 1e-5, "{coordinates:?}");
            }
        }
        assert!(coordinates[0][0] * coordinates[1][0] < 0.0);
        assert!((shares[0] - 0.8).abs() < 1e-6 && (shares[1] - 0.2).abs() < 1e-6);
    }

    #[test]
    fn groups_stay_together_and_apart_on_both_maps() {
        let map = Map::of(&three_groups(30));
        for flat in [&map.pca, map.tsne.as_ref().unwrap()] {
            let placed = Map::placed(flat);
            assert_eq!(placed.len(), 30);
            let apart = |a: usize, b: usize| {
                (placed[a][0] - placed[b][0]).hypot(placed[a][1] - placed[b][1])
            };
            for at in 0..27 {
                let others = (0..30).filter(|b| b % 3 != at % 3).map(|b| apart(at, b));
                let nearest = others.fold(f64::MAX, f64::min);
                assert!(apart(at, at + 3) < nearest, "{at}");
            }
        }
        assert!(map.shares[0] + map.shares[1] > 950, "{:?}", map.shares);
        assert_eq!(map.tsne.unwrap().iter().map(|v| v.abs()).max(), Some(1000));
    }

    #[test]
    fn the_same_features_give_the_same_map_on_any_number_of_threads() {
        let points = three_groups(20);
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Map::of(&points))
        };
        assert_eq!(with(1), with(7));
        assert_eq!(Map::of(&points), with(3));
    }

    #[test]
    fn equal_images_and_few_images_have_no_neighbourhoods() {
        let equal = Map::of(&points(&vec![vec![0.6f32, 0.8]; 40]));
        assert_eq!((equal.pca, equal.shares, equal.tsne), (vec![0; 80], [0, 0], None));
        let one = Map::of(&points(&[vec![1.0]]));
        assert_eq!((one.pca, one.tsne), (vec![0, 0], None));
        assert_eq!(Map::of(&three_groups(15)).tsne, None);
        assert!(Map::of(&three_groups(16)).tsne.is_some());
    }
}
