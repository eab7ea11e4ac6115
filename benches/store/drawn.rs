//! A sweep that every kind of figure is drawn of: two settings for a map, three for parallel
//! coordinates, and in each attempt's folder what a worker leaves there to be shown.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use byol_sweep::protocol::WorkerEvent;
use byol_sweep::protocol::exhibit::{
    ARTIFACT, Classes, Exhibit, NeighbourLabels, Neighbours, Pictures, Points, Views,
};
use serde_json::Value;

/// 1,000 trials, ten seeds a cell.
pub(crate) const SWEEP: &str = r#"schema = 1
name = "drawn"
[base]
data.name = "shapes"
update_batch_size = 64
batch_size = 64
[grid]
method = ["byol", "simclr"]
projector.depth = [1, 2, 3, 4, 5]
optimizer.base_lr = { linspace = [0.1, 1.0, 10] }
[replicates]
seeds = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
"#;

/// Figures that must have been drawn, as `figures.json` calls their kinds.
const KINDS: [&str; 6] = ["heat", "parallel", "curves", "views", "embedding", "neighbours"];

/// What a worker leaves: as many images, features and neighbours, of a ResNet-18 and 32 pixels.
const SIDE: usize = 32;
const POINTS: usize = 300;
const FEATURES: usize = 512;
const CLASSES: usize = 10;
const QUERIES: usize = 8;
const EACH: usize = 6;

/// Different files that attempts leave; many have the same one, so that they fit into memory.
const DIFFERENT: usize = 16;

/// Files of attempts, made once.
pub(crate) struct Shelf(Vec<(PathBuf, String)>);

impl Shelf {
    pub(crate) fn fill(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let file = |variant: usize| {
            let bytes = exhibit(variant).to_bytes()?;
            let path = folder.join(variant.to_string());
            std::fs::write(&path, &bytes)?;
            Ok((path, blake3::hash(&bytes).to_hex().to_string()))
        };
        Ok(Self((0..DIFFERENT).map(file).collect::<anyhow::Result<_>>()?))
    }

    /// Leaves a file in an attempt's folder and returns what its worker says of it.
    pub(crate) fn leave(&self, trial: u32, folder: &Path) -> anyhow::Result<WorkerEvent> {
        let (path, digest) = &self.0[trial as usize % DIFFERENT];
        let file = "exhibit.safetensors";
        std::fs::create_dir_all(folder)?;
        std::fs::hard_link(path, folder.join(file))?;
        Ok(WorkerEvent::Artifact {
            artifact: ARTIFACT.into(),
            file: file.into(),
            digest: digest.clone(),
        })
    }
}

/// Returns the figures of a report, each with its kind; an error where a kind is missing.
pub(crate) fn figures(report: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(report.join("figures.json"))?;
    let document: Value = serde_json::from_str(&text)?;
    let figures = document["figures"].as_array().map(Vec::as_slice).unwrap_or_default();
    let kinds: Vec<&str> = figures.iter().filter_map(|figure| figure["kind"].as_str()).collect();
    for kind in KINDS {
        ensure!(kinds.contains(&kind), "no figure of kind {kind} was drawn: {kinds:?}");
    }
    let names = figures.iter().filter_map(|figure| figure["heading"]["file"].as_str());
    let each: Vec<String> =
        names.zip(&kinds).map(|(name, kind)| format!("{name} ({kind})")).collect();
    Ok(each.join(", "))
}

/// Numbers in -1..1 that do not repeat.
fn noise(place: usize) -> f32 {
    ((place as f64 * 12.9898).sin() * 43_758.545_3).fract() as f32
}

fn pictures(count: usize, variant: usize) -> Pictures {
    let bytes = SIDE * SIDE * 3;
    let byte = |at: usize| (noise(at + variant * 7_919).abs() * 255.0) as u8;
    Pictures { side: SIDE, rgb: (0..bytes * count).map(byte).collect() }
}

/// Clusters of classes on the sphere.
fn features(variant: usize) -> Vec<f32> {
    let point = |at: usize| {
        let raw: Vec<f32> = (0..FEATURES)
            .map(|dimension| {
                let centre = noise(variant * 31 + (at % CLASSES) * FEATURES + dimension);
                centre + noise(1_000_003 + (variant * POINTS + at) * FEATURES + dimension)
            })
            .collect();
        let length = raw.iter().map(|value| value * value).sum::<f32>().sqrt();
        raw.into_iter().map(move |value| value / length)
    };
    (0..POINTS).flat_map(point).collect()
}

fn exhibit(variant: usize) -> Exhibit {
    let class = |at: usize| (at % CLASSES) as u8;
    Exhibit {
        classes: Classes {
            names: (0..CLASSES).map(|class| format!("class {class}")).collect(),
            of: CLASSES as u32,
        },
        views: Views {
            numbers: (0..6).collect(),
            epoch: 0,
            originals: pictures(6, 0),
            first: pictures(6, variant + 1),
            second: pictures(6, variant + 100),
        },
        points: Points {
            size: FEATURES,
            features: features(variant),
            labels: Some((0..POINTS).map(class).collect()),
        },
        neighbours: Neighbours {
            among: 2048,
            each: EACH,
            queries: pictures(QUERIES, 500),
            found: pictures(QUERIES * EACH, variant + 1_000),
            cosines: vec![0.9; QUERIES * EACH],
            labels: Some(NeighbourLabels {
                queries: (0..QUERIES).map(class).collect(),
                same_class: (0..QUERIES * EACH).map(|at| at % 3 > 0).collect(),
            }),
        },
    }
}
