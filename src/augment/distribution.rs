//! Every drawn parameter against its definition (BYOL, table 6 and its code; torchvision's
//! `ColorJitter`): Kolmogorov-Smirnov and chi-square bounds that chance passes once in a thousand.
//! The seed is fixed, so a pass stays a pass until draws change.

use std::collections::BTreeMap;

use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::draw::{Adjustment, Coordinates, Drawn, View, draw};
use crate::spec::run::{
    Blur, ColorJitter, Crop, Flip, Grayscale, JitterArithmetic, Solarize, ViewRecipe,
};

const DRAWS: u64 = 20_000;

const CROP: Crop = Crop { min_area: 0.08, max_area: 1.0, min_aspect: 0.75, max_aspect: 4.0 / 3.0 };

const JITTER: ColorJitter = ColorJitter {
    p: 0.8,
    brightness: 0.4,
    contrast: 0.4,
    saturation: 0.2,
    hue: 0.1,
    arithmetic: JitterArithmetic::Paper,
};

/// T' of table 6.
pub(super) const T_PRIME: ViewRecipe = ViewRecipe {
    crop: Some(CROP),
    flip: Some(Flip { p: 0.5 }),
    color_jitter: Some(JITTER),
    grayscale: Some(Grayscale { p: 0.2 }),
    blur: Some(Blur { p: 0.1, min_sigma: 0.1, max_sigma: 2.0 }),
    solarize: Some(Solarize { p: 0.2, threshold: 0.5 }),
};

pub(super) fn drawn(recipe: &ViewRecipe, view: View) -> Vec<Drawn> {
    let at = |image| Coordinates { seed: 5, epoch: 2, image, view };
    (0..DRAWS).map(|image| draw(recipe, at(image))).collect()
}

fn jittered(jitter: ColorJitter) -> Vec<[Adjustment; 4]> {
    let recipe = ViewRecipe { color_jitter: Some(jitter), ..ViewRecipe::default() };
    drawn(&recipe, View::Second).iter().filter_map(|drawn| drawn.color_jitter).collect()
}

/// Asserts that no value lies outside, and that the largest distance of the empirical distribution
/// from `cdf` is below the Kolmogorov-Smirnov bound at 0.001 (1.9495 over the root of n).
#[track_caller]
fn assert_distribution(mut values: Vec<f64>, low: f64, high: f64, cdf: impl Fn(f64) -> f64) {
    let n = values.len() as f64;
    assert!(n > 1000.0, "{n} values are too few");
    assert!(values.iter().all(|value| (low..=high).contains(value)), "outside {low} to {high}");
    values.sort_by(f64::total_cmp);
    let distance = |(i, value): (usize, &f64)| {
        let expected = cdf(*value);
        ((i + 1) as f64 / n - expected).max(expected - i as f64 / n)
    };
    let distance = values.iter().enumerate().map(distance).fold(0.0, f64::max);
    assert!(distance * n.sqrt() < 1.9495, "distance {distance} of {n} values");
}

#[track_caller]
fn assert_uniform(values: Vec<f64>, low: f64, high: f64) {
    assert_distribution(values, low, high, |value| (value - low) / (high - low));
}

/// Asserts that `values` fall on 0 to `cells` - 1 equally often, by chi-square at 0.001.
#[track_caller]
fn assert_even(values: impl IntoIterator<Item = usize>, cells: usize) {
    let mut counts = vec![0.0; cells];
    values.into_iter().for_each(|value| counts[value] += 1.0);
    let expected = counts.iter().sum::<f64>() / cells as f64;
    let statistic: f64 = counts.iter().map(|count| (count - expected).powi(2) / expected).sum();
    let bound = ChiSquared::new(cells as f64 - 1.0).unwrap().inverse_cdf(0.999);
    assert!(statistic < bound, "chi-square {statistic} is not below {bound}: {counts:?}");
}

/// Asserts that `p` of all draws happened, within 3.29 standard deviations (0.001).
#[track_caller]
fn assert_rate(drawn: &[Drawn], p: f64, happened: impl Fn(&Drawn) -> bool) {
    let n = drawn.len() as f64;
    let count = drawn.iter().filter(|drawn| happened(drawn)).count() as f64;
    assert!((count - n * p).abs() < 3.29 * (n * p * (1.0 - p)).sqrt(), "{count} of {n}, not {p}");
}

/// Brightness, contrast, saturation, hue: 0 to 3, with the amount.
fn slot(adjustment: Adjustment) -> (usize, f64) {
    match adjustment {
        Adjustment::Brightness(amount) | Adjustment::Scale(amount) => (0, amount),
        Adjustment::Contrast(amount) | Adjustment::AboutMeanLuma(amount) => (1, amount),
        Adjustment::Saturation(amount) | Adjustment::AboutLuma(amount) => (2, amount),
        Adjustment::Hue(amount) => (3, amount),
    }
}

fn amounts(jitters: &[[Adjustment; 4]]) -> [Vec<f64>; 4] {
    let mut amounts: [Vec<f64>; 4] = Default::default();
    for (slot, amount) in jitters.iter().flatten().copied().map(slot) {
        amounts[slot].push(amount);
    }
    amounts
}

#[test]
fn crops_are_uniform_in_area_log_uniform_in_aspect() {
    for view in [View::First, View::Second] {
        let crops: Vec<_> = drawn(&T_PRIME, view).iter().map(|drawn| drawn.crop.unwrap()).collect();
        assert_uniform(crops.iter().map(|crop| crop.share).collect(), 0.08, 1.0);
        let aspects = crops.iter().map(|crop| crop.aspect).collect();
        let (low, high) = (0.75f64, 4.0f64 / 3.0);
        let log_uniform = |aspect: f64| (aspect / low).ln() / (high / low).ln();
        assert_distribution(aspects, low, high, log_uniform);
    }
}

/// 18 x 18 of 40 x 31 pixels: sqrt(0.25 * 1240) = 17.6. That leaves 23 columns and 14 rows.
#[test]
fn crops_start_at_every_place_that_holds_them_equally_often() {
    let crop = Crop { min_area: 0.25, max_area: 0.25, min_aspect: 1.0, max_aspect: 1.0 };
    let recipe = ViewRecipe { crop: Some(crop), ..ViewRecipe::default() };
    let areas: Vec<_> =
        drawn(&recipe, View::First).iter().map(|drawn| drawn.crop.unwrap().area(40, 31)).collect();
    assert!(areas.iter().all(|area| (area.width, area.height) == (18, 18)));
    assert_even(areas.iter().map(|area| area.x), 23);
    assert_even(areas.iter().map(|area| area.y), 14);
    assert_even(areas.iter().map(|area| area.y * 23 + area.x), 23 * 14);
}

#[test]
fn operators_happen_as_often_as_they_should() {
    let drawn = drawn(&T_PRIME, View::Second);
    assert_rate(&drawn, 0.5, |drawn| drawn.flip);
    assert_rate(&drawn, 0.8, |drawn| drawn.color_jitter.is_some());
    assert_rate(&drawn, 0.2, |drawn| drawn.grayscale);
    assert_rate(&drawn, 0.1, |drawn| drawn.blur.is_some());
    assert_rate(&drawn, 0.2, |drawn| drawn.solarize == Some(0.5));
}

#[test]
fn sigmas_are_uniform() {
    let sigmas = drawn(&T_PRIME, View::Second).iter().filter_map(|drawn| drawn.blur).collect();
    assert_uniform(sigmas, 0.1, 2.0);
}

#[test]
fn the_papers_amounts_are_uniform() {
    let [brightness, contrast, saturation, hue] = amounts(&jittered(JITTER));
    assert_uniform(brightness, -0.4, 0.4);
    assert_uniform(contrast, 0.6, 1.4);
    assert_uniform(saturation, 0.8, 1.2);
    assert_uniform(hue, -0.1, 0.1);
}

#[test]
fn torchvisions_amounts_are_uniform() {
    let jitter = ColorJitter { arithmetic: JitterArithmetic::Torchvision, ..JITTER };
    let [brightness, contrast, saturation, hue] = amounts(&jittered(jitter));
    assert_uniform(brightness, 0.6, 1.4);
    assert_uniform(contrast, 0.6, 1.4);
    assert_uniform(saturation, 0.8, 1.2);
    assert_uniform(hue, -0.1, 0.1);

    let beyond = ColorJitter { brightness: 1.5, contrast: 1.5, saturation: 1.5, ..jitter };
    let [brightness, contrast, saturation, _] = amounts(&jittered(beyond));
    for factors in [brightness, contrast, saturation] {
        assert_uniform(factors, 0.0, 2.5);
    }
}

/// The choice of the arithmetic changes what amounts mean, and neither who is jittered, nor in
/// which order, nor how far along its range an amount lies.
#[test]
fn both_arithmetics_take_the_same_draws() {
    let torchvision = ColorJitter { arithmetic: JitterArithmetic::Torchvision, ..JITTER };
    let (paper, other) = (jittered(JITTER), jittered(torchvision));
    assert_eq!(paper.len(), other.len());
    for (paper, other) in paper.iter().flatten().zip(other.iter().flatten()) {
        let ((paper_slot, paper), (slot, other)) = (slot(*paper), slot(*other));
        assert_eq!(paper_slot, slot);
        let shift = if slot == 0 { 1.0 } else { 0.0 };
        assert!((paper + shift - other).abs() < 1e-12);
    }
}

#[test]
fn every_order_comes_equally_often() {
    for arithmetic in [JitterArithmetic::Paper, JitterArithmetic::Torchvision] {
        let jitters = jittered(ColorJitter { arithmetic, ..JITTER });
        let orders: Vec<_> =
            jitters.iter().map(|jitter| jitter.map(|adjustment| slot(adjustment).0)).collect();
        let mut numbers: BTreeMap<[usize; 4], usize> = BTreeMap::new();
        for order in &orders {
            let next = numbers.len();
            numbers.entry(*order).or_insert(next);
        }
        assert_eq!(numbers.len(), 24);
        assert_even(orders.iter().map(|order| numbers[order]), 24);
    }
}

/// No two parameters go together, in one view or across the views of an image: all 435 correlations
/// lie within 4.5 standard errors, which chance passes in one case of 300.
#[test]
fn parameters_are_drawn_independently() {
    let certain = ViewRecipe {
        color_jitter: Some(ColorJitter { p: 1.0, ..JITTER }),
        blur: Some(Blur { p: 1.0, min_sigma: 0.1, max_sigma: 2.0 }),
        ..T_PRIME
    };
    let numbers = |certain: &Drawn, drawn: &Drawn| {
        let (crop, jitter) = (certain.crop.unwrap(), certain.color_jitter.unwrap().map(slot));
        let amount = |wanted| jitter.iter().find(|(slot, _)| *slot == wanted).unwrap().1;
        let happened = |happened: bool| f64::from(u8::from(happened));
        [
            [crop.share, crop.aspect.ln(), crop.x, crop.y, certain.blur.unwrap()],
            [amount(0), amount(1), amount(2), amount(3), jitter[0].0 as f64],
            [
                happened(drawn.flip),
                happened(drawn.color_jitter.is_some()),
                happened(drawn.grayscale),
                happened(drawn.blur.is_some()),
                happened(drawn.solarize.is_some()),
            ],
        ]
    };
    let mut columns: Vec<Vec<f64>> = vec![Vec::new(); 30];
    for (first, view) in [(0, View::First), (15, View::Second)] {
        for (certain, drawn) in drawn(&certain, view).iter().zip(&drawn(&T_PRIME, view)) {
            let row = numbers(certain, drawn);
            for (column, number) in columns[first..].iter_mut().zip(row.as_flattened()) {
                column.push(*number);
            }
        }
    }
    let columns: Vec<_> = columns.iter().map(|column| standardised(column)).collect();
    for (i, a) in columns.iter().enumerate() {
        for (j, b) in columns.iter().enumerate().skip(i + 1) {
            let sum: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
            let errors = sum / (DRAWS as f64).sqrt();
            assert!(errors.abs() < 4.5, "columns {i} and {j}: {errors} standard errors");
        }
    }
}

/// Mean 0 and standard deviation 1.
fn standardised(column: &[f64]) -> Vec<f64> {
    let n = column.len() as f64;
    let mean = column.iter().sum::<f64>() / n;
    let deviation = (column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    column.iter().map(|value| (value - mean) / deviation).collect()
}
