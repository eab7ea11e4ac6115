//! Losses between BYOL and SimCLR against vectors that PyTorch's own operators and autograd made
//! from the published formulas (tests/fixtures/family/make.py).
#![cfg(feature = "torch")]

use byol_sweep::spec::run::Normalization;
use byol_sweep::train::method::loss::{self, Pair};
use serde_json::Value;
use tch::{Kind, Tensor};

const NAMES: [&str; 4] = ["p1", "p2", "t1", "t2"];

/// Of float64, where sums come in another order; and of float32 with about seven digits, whose
/// exponentials at a temperature of 0.01 lose two of them.
const TOLERANCES: [(Kind, f64); 2] = [(Kind::Double, 1e-9), (Kind::Float, 2e-4)];

fn cases(part: &str) -> Vec<Value> {
    let text = include_str!("../fixtures/family/golden.json");
    let golden: Value = serde_json::from_str(text).unwrap();
    golden[part].as_array().unwrap().clone()
}

fn tensor(rows: &Value, kind: Kind) -> Tensor {
    let rows: Vec<Vec<f64>> = serde_json::from_value(rows.clone()).unwrap();
    let shape = [rows.len() as i64, rows[0].len() as i64];
    Tensor::from_slice(&rows.concat()).view(shape).to_kind(kind)
}

#[track_caller]
fn assert_near(found: &Tensor, expected: &Value, tolerance: f64, what: &str) {
    let expected = tensor(expected, Kind::Double);
    let apart = (found.to_kind(Kind::Double) - &expected).abs().max().double_value(&[]);
    let largest = expected.abs().max().double_value(&[]).max(1.0);
    assert!(apart <= tolerance * largest, "{what}: {apart}");
}

/// Compares a loss and the gradients of all four of its inputs, in both kinds of numbers.
fn check(part: &str, compute: impl Fn(&Value, &Pair, &Pair) -> Tensor) {
    for (number, case) in cases(part).iter().enumerate() {
        for (kind, tolerance) in TOLERANCES {
            let leaves = NAMES.map(|name| tensor(&case[name], kind).set_requires_grad(true));
            let pair = |first: &Tensor, second: &Tensor| Pair {
                first: first.shallow_clone(),
                second: second.shallow_clone(),
            };
            let [p1, p2, t1, t2] = &leaves;
            let loss = compute(case, &pair(p1, p2), &pair(t1, t2));
            assert_eq!(loss.kind(), kind);
            let expected = case["loss"].as_f64().unwrap();
            let apart = (loss.double_value(&[]) - expected).abs();
            assert!(apart <= tolerance * expected.abs().max(1.0), "{part} {number}: {apart}");
            loss.backward();
            for (name, leaf) in NAMES.iter().zip(&leaves) {
                let what = format!("{part} {number}, gradient of {name}, {kind:?}");
                assert_near(&leaf.grad(), &case[format!("grad_{name}")], tolerance, &what);
            }
        }
    }
}

#[test]
fn info_nce_at_any_beta_and_temperature() {
    check("info_nce", |case, predictions, targets| {
        let setting = |name: &str| case[name].as_f64().unwrap();
        loss::info_nce(predictions, targets, setting("beta"), setting("temperature"))
    });
}

#[test]
fn the_regression_under_every_normalisation() {
    check("regression", |case, predictions, targets| {
        let normalization: Normalization =
            serde_json::from_value(case["normalization"].clone()).unwrap();
        loss::regression(predictions, targets, normalization)
    });
}

#[test]
fn the_optimal_linear_predictor() {
    for (number, case) in cases("optimal").iter().enumerate() {
        for (kind, tolerance) in TOLERANCES {
            let (z, target) = (tensor(&case["z"], kind), tensor(&case["target"], kind));
            let found = loss::optimal_prediction(&z, &target);
            assert_near(&found, &case["prediction"], tolerance, &format!("{number}, {kind:?}"));
        }
    }
}
