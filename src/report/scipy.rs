//! What SciPy says of fixed data, for tests; `tests/fixtures/report/scipy_vectors.py` made it.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct Vectors {
    pub(super) samples: BTreeMap<String, Sample>,
    pub(super) pairs: BTreeMap<String, Pair>,
    pub(super) holm: BTreeMap<String, Family>,
    pub(super) spearman: BTreeMap<String, Ranked>,
}

#[derive(Deserialize)]
pub(super) struct Sample {
    pub(super) values: Vec<f64>,
    pub(super) mean: f64,
    pub(super) sd: f64,
    pub(super) t95: (f64, f64),
    pub(super) bca95_of_all_resamples: Option<(f64, f64)>,
    pub(super) bca95_of_a_million: Option<(f64, f64)>,
}

#[derive(Deserialize)]
pub(super) struct Pair {
    pub(super) a: Vec<f64>,
    pub(super) b: Vec<f64>,
    pub(super) p: f64,
    pub(super) t95: (f64, f64),
}

#[derive(Deserialize)]
pub(super) struct Family {
    pub(super) p: Vec<f64>,
    pub(super) adjusted: Vec<f64>,
}

#[derive(Deserialize)]
pub(super) struct Ranked {
    pub(super) a: Vec<f64>,
    pub(super) b: Vec<f64>,
    pub(super) rho: f64,
}

pub(super) fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../tests/fixtures/report/scipy.json")).unwrap()
}

pub(super) fn assert_close(found: (f64, f64), expected: (f64, f64), within: f64, what: &str) {
    let close = |a: f64, b: f64| (a - b).abs() <= within;
    assert!(
        close(found.0, expected.0) && close(found.1, expected.1),
        "{what}: {found:?} for {expected:?}"
    );
}
