//! Views against ones that are not ours.
//!
//! `fixtures/augment/golden.json` holds float64 results of Pillow, of `colorsys` and of the
//! published formulas in NumPy; `fixtures/augment/make.py` writes it and says which is which.

use std::collections::BTreeSet;

use byol_sweep::augment::{Adjustment, Area, CropDraw, Drawn, Frame, Pixels, view};
use serde::Deserialize;

/// One view: the part `area` (column, row, width, height) of the image at `side` x `side` pixels,
/// changed by what is there, then normalised.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Begins with the operator that it is about.
    name: String,
    /// Width and height.
    image: [u32; 2],
    area: [usize; 4],
    side: u32,
    flip: bool,
    jitter: Vec<(String, f64)>,
    grayscale: bool,
    blur: Option<f64>,
    solarize: Option<f64>,
    mean: [f64; 3],
    std: [f64; 3],
    /// Of the view's pixels, the first and then each `every`-th are in `expected`.
    every: usize,
    expected: Vec<f64>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../fixtures/augment/golden.json")).unwrap()
}

/// The image of `make.py` of this size, channels last.
fn image([width, height]: [u32; 2]) -> Vec<u8> {
    let level = |x: u32, y: u32, c: u32| {
        let across_and_down = x * (c + 1) + y * (3 - c);
        let gradient = 192 * across_and_down / ((width - 1) * (c + 1) + (height - 1) * (3 - c));
        let place = 31 * x * x + 17 * y * y + 13 * x * y + 101 * c;
        let noise = place.wrapping_mul(2_654_435_761) >> 26;
        if (x + 2 * y).is_multiple_of(13) {
            255 * ((x + y + c) % 2)
        } else if (x + y).is_multiple_of(11) {
            7 * x % 256
        } else {
            gradient + noise
        }
    };
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    places.flat_map(|(x, y)| [0, 1, 2].map(|c| u8::try_from(level(x, y, c)).unwrap())).collect()
}

/// A draw that shows exactly this part.
fn showing([x, y, width, height]: [usize; 4], [whole_width, whole_height]: [u32; 2]) -> CropDraw {
    let (whole_width, whole_height) = (whole_width as usize, whole_height as usize);
    let middle = |start: usize, free: usize| (start as f64 + 0.5) / (free + 1) as f64;
    let draw = CropDraw {
        share: (width * height) as f64 / (whole_width * whole_height) as f64,
        aspect: width as f64 / height as f64,
        x: middle(x, whole_width - width),
        y: middle(y, whole_height - height),
    };
    assert_eq!(draw.area(whole_width, whole_height), Area { x, y, width, height });
    draw
}

fn adjustment(name: &str, amount: f64) -> Adjustment {
    match name {
        "brightness" => Adjustment::Brightness(amount),
        "contrast" => Adjustment::Contrast(amount),
        "saturation" => Adjustment::Saturation(amount),
        "hue" => Adjustment::Hue(amount),
        "torchvision_brightness" => Adjustment::Scale(amount),
        "torchvision_contrast" => Adjustment::AboutMeanLuma(amount),
        "torchvision_saturation" => Adjustment::AboutLuma(amount),
        other => panic!("no adjustment is called {other}"),
    }
}

/// Four adjustments: those of the case, then ones that change nothing, not even by rounding.
fn jitter(named: &[(String, f64)]) -> Option<[Adjustment; 4]> {
    let mut adjustments = [Adjustment::Scale(1.0); 4];
    for (slot, (name, amount)) in adjustments.iter_mut().zip(named) {
        *slot = adjustment(name, *amount);
    }
    (!named.is_empty()).then_some(adjustments)
}

fn shown(case: &Case) -> Vec<f32> {
    let rgb = image(case.image);
    let pixels = Pixels::new(case.image[0], case.image[1], &rgb).unwrap();
    let drawn = Drawn {
        crop: Some(showing(case.area, case.image)),
        flip: case.flip,
        color_jitter: jitter(&case.jitter),
        grayscale: case.grayscale,
        blur: case.blur,
        solarize: case.solarize,
    };
    let frame = Frame::new(case.side, case.mean, case.std);
    let mut out = vec![f32::NAN; frame.len()];
    view(pixels, &drawn, &frame, &mut out).unwrap();
    let kept = out.as_chunks::<3>().0.iter().step_by(case.every);
    kept.flatten().copied().collect()
}

/// Values in [0, 1] may differ by 1e-6, be they resized, blurred or changed pixel by pixel. That is
/// sixteen roundings of 32-bit floats (6e-8 each); the largest difference measured is 3.2e-7, of
/// an order of four adjustments, and 2.4e-7 of a resize. Normalising divides by the standard
/// deviation.
fn tolerance(case: &Case) -> f64 {
    1e-6 / case.std.into_iter().fold(1.0, f64::min)
}

#[test]
fn every_view_is_the_one_of_the_reference() {
    for case in cases() {
        let actual = shown(&case);
        assert_eq!(actual.len(), case.expected.len(), "{}", case.name);
        let distances = actual.iter().zip(&case.expected).map(|(a, e)| (f64::from(*a) - e).abs());
        let farthest = distances.fold(0.0, |a: f64, b| if a.is_nan() || a > b { a } else { b });
        assert!(farthest < tolerance(&case), "{}: {farthest:e} from the reference", case.name);
    }
}

#[test]
fn every_operator_and_every_order_has_a_reference() {
    let cases = cases();
    let operators: BTreeSet<_> =
        cases.iter().filter_map(|case| case.name.split([' ', ',']).next()).collect();
    let expected = [
        "blur",
        "brightness",
        "contrast",
        "copy",
        "crop_resize",
        "everything",
        "flip",
        "grayscale",
        "hue",
        "normalise",
        "order",
        "saturation",
        "solarize",
        "torchvision_brightness",
        "torchvision_contrast",
        "torchvision_order",
        "torchvision_saturation",
    ];
    assert!(operators.iter().eq(&expected), "{operators:?}");
    for kind in ["order", "torchvision_order"] {
        let orders: BTreeSet<Vec<&str>> = cases
            .iter()
            .filter(|case| case.name.split(' ').next() == Some(kind))
            .map(|case| case.jitter.iter().map(|(name, _)| name.as_str()).collect())
            .collect();
        assert_eq!(orders.len(), 24, "{kind}");
        assert!(orders.iter().all(|order| order.iter().collect::<BTreeSet<_>>().len() == 4));
    }
}
