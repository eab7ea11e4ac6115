//! A trained encoder's features as arrays that numpy opens: what evaluation sees, image by image.
//! Writes to a folder of the caller's; tells nobody anything.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use super::error::TrainError;
use super::method::Model;
use super::poll::Poll;
use super::{checkpoint, features, native, net, training_set};
use crate::augment::Frame;
use crate::data::Split;
use crate::protocol::{WorkDevice, WorkOrder};
use crate::spec::run::DataSpec;

/// The label of an image that has none.
const UNLABELLED: i64 = -1;

/// Writes, for each split of the set that the order's evaluation judges on, `SPLIT_features.npy`
/// (float32, [images, size]) and `SPLIT_labels.npy` (int64, one an image), and `classes.json`.
///
/// # Errors
/// Fails when images or weights do not serve, or the folder cannot be written.
pub fn features(order: &WorkOrder, weights: &Path, folder: &Path) -> Result<(), TrainError> {
    native::allow_tf32(false);
    let device = match order.device {
        WorkDevice::Cuda if tch::Cuda::is_available() => Device::Cuda(0),
        WorkDevice::Cuda | WorkDevice::Cpu => Device::Cpu,
    };
    let (data, path) = match &order.eval.data {
        Some(source) => {
            let trained_on = DataSpec::clone(&order.run.data);
            let data = DataSpec { source: source.clone(), subset: None, ..trained_on };
            (Arc::new(data), order.eval_data_path.as_deref())
        }
        None => (order.run.data.clone(), order.data_path.as_deref()),
    };
    let set = training_set(&data, path)?;
    let mut model = Model::new(&order.run, device, Kind::Float)?;
    let misfit = |error: net::StateError| TrainError::Checkpoint {
        path: weights.to_owned(),
        problem: error.to_string(),
    };
    model.load_encoder(&checkpoint::read(weights)?).map_err(misfit)?;
    let frame = Frame::of(&data);
    for (name, split) in [("train", Some(&set.train)), ("test", set.test.as_ref())] {
        let Some(split) = split else { continue };
        let found = features::of_split(&model, split, &frame, device, Poll::NEVER)?;
        found.write_npy(folder.join(format!("{name}_features.npy")))?;
        labels(split).write_npy(folder.join(format!("{name}_labels.npy")))?;
    }
    let path = folder.join("classes.json");
    let classes = serde_json::json!(set.train.classes).to_string();
    fs::write(&path, classes).map_err(|source| TrainError::File { doing: "write", path, source })
}

fn labels(split: &Split) -> Tensor {
    match &split.labels {
        Some(labels) => {
            let labels: Vec<i64> = labels.iter().map(|&label| i64::from(label)).collect();
            Tensor::from_slice(&labels)
        }
        None => Tensor::full([split.len() as i64], UNLABELLED, (Kind::Int64, Device::Cpu)),
    }
}
