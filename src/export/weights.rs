//! A trained encoder for PyTorch: the worker's weights under the names that torchvision's models
//! have, with what one must know to use them in the file's metadata. Links no libtorch: the numbers
//! are copied as bytes.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorInfo, TensorView};
use safetensors::{SafeTensorError, SafeTensors};
use serde_json::{Map, Value, json};

use super::VERSION;
use super::error::{ExportError, reading, writing};
use super::place::NewFile;
use crate::spec::run::{EncoderSpec, Stem};
use crate::store::rows::TrialRow;

/// What the worker puts before the names of an encoder's tensors.
const PREFIX: &str = "encoder.";

/// The worker's one count of batches, which torchvision has once for each BatchNorm.
const COUNT: &str = "num_batches_tracked";

/// What every BatchNorm has, by which it is known.
const RUNNING: &str = "running_mean";

/// A tensor to be written.
#[derive(Clone, Debug)]
pub struct Named<'d> {
    name: String,
    view: TensorView<'d>,
}

/// Reads the weights that a worker left, and checks that they are what it wrote.
///
/// # Errors
/// The file is gone, cannot be read, or has changed.
pub fn read(path: &Path, digest: &str) -> Result<Vec<u8>, ExportError> {
    let bytes = std::fs::read(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => {
            ExportError::Gone { what: "weights", path: path.to_owned() }
        }
        _ => reading(path)(source),
    })?;
    if blake3::hash(&bytes).to_hex().as_str() == digest {
        return Ok(bytes);
    }
    let cause = "its bytes are not those that the worker wrote".to_owned();
    Err(ExportError::Damaged { path: path.to_owned(), cause })
}

/// Returns the encoder's tensors under torchvision's names, in the order of a file: wide numbers
/// first, so that each lies where its size divides, then by name.
///
/// # Errors
/// The bytes are no safetensors file, or not of an encoder. `path` names it in errors.
pub fn renamed<'d>(bytes: &'d [u8], path: &Path) -> Result<Vec<Named<'d>>, ExportError> {
    let damaged = |cause: String| ExportError::Damaged { path: path.to_owned(), cause };
    let kept = SafeTensors::deserialize(bytes)
        .map_err(|error: SafeTensorError| damaged(error.to_string()))?;
    let count = kept.tensor(&format!("{PREFIX}{COUNT}")).ok();
    let mut named = Vec::new();
    for (name, view) in kept.iter() {
        let Some(name) = name.strip_prefix(PREFIX) else {
            return Err(damaged(format!("it holds `{name}`, which is no encoder's")));
        };
        if name == COUNT {
            continue;
        }
        if let (Some(norm), Some(count)) = (name.strip_suffix(RUNNING), &count) {
            named.push(Named { name: format!("{norm}{COUNT}"), view: count.clone() });
        }
        named.push(Named { name: name.to_owned(), view });
    }
    if named.is_empty() {
        return Err(damaged("it holds no tensor".to_owned()));
    }
    named.sort_by(|a, b| {
        let width = |named: &Named<'_>| std::cmp::Reverse(named.view.dtype().bitsize());
        (width(a), &a.name).cmp(&(width(b), &b.name))
    });
    Ok(named)
}

/// Returns what one must know to use a trial's encoder.
pub fn facts(trial: &TrialRow, sweep: &str) -> BTreeMap<String, String> {
    let data = &trial.run.data;
    let mut facts: BTreeMap<String, String> = [
        // What PyTorch's own tools ask for.
        ("format", "pt".to_owned()),
        ("byol_sweep.version", VERSION.to_owned()),
        ("byol_sweep.sweep", sweep.to_owned()),
        ("byol_sweep.trial", trial.train_key.to_string()),
        ("byol_sweep.group", trial.group_key.to_string()),
        ("byol_sweep.seed", trial.run.seed.to_string()),
        ("byol_sweep.encoder", json!(trial.run.encoder).to_string()),
        ("byol_sweep.image_size", data.image_size.to_string()),
        ("byol_sweep.mean", json!(data.mean).to_string()),
        ("byol_sweep.std", json!(data.std).to_string()),
        ("byol_sweep.spec", json!(trial.run).to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if let Some(verdict) = trial.verdict {
        facts.insert("byol_sweep.verdict".to_owned(), verdict.as_str().to_owned());
    }
    let differences = differences(&trial.run.encoder).join("; ");
    if !differences.is_empty() {
        facts.insert("byol_sweep.differences".to_owned(), differences);
    }
    facts
}

/// Says in what an encoder differs from torchvision's model of its name; nothing where it is that
/// model without `fc`.
pub fn differences(encoder: &EncoderSpec) -> Vec<String> {
    let (depth, width, stem) = match encoder {
        EncoderSpec::Convnet { .. } => {
            return vec![
                "torchvision has no such convnet: docs/exports.md shows its module".to_owned(),
            ];
        }
        EncoderSpec::Resnet { depth, width, stem, last_scale: _ } => (*depth, *width, *stem),
    };
    let mut differences = Vec::new();
    match stem {
        Stem::Small => differences
            .push("conv1 is 3x3 with stride 1 and padding 1, and no max-pool follows".to_owned()),
        Stem::Imagenet => {}
    }
    if depth < 50 {
        differences.push(
            "layer1.0 has a downsample (1x1 convolution and BatchNorm), as in the code of BYOL"
                .to_owned(),
        );
    }
    if width != 1 {
        differences.push(format!("all channels are {width} times as many"));
    }
    if depth == 200 {
        differences.push("torchvision has no resnet200: Bottleneck, [3, 24, 36, 3]".to_owned());
    }
    differences
}

/// Writes a safetensors file: length of the header, header, numbers. The order of its metadata is
/// that of the names, so that equal weights give equal bytes.
///
/// # Errors
/// The disk refuses.
pub fn write(
    file: &mut NewFile,
    named: &[Named<'_>],
    facts: &BTreeMap<String, String>,
) -> Result<(), ExportError> {
    let mut header = Map::new();
    header.insert("__metadata__".to_owned(), json!(facts));
    let mut offset = 0;
    for Named { name, view } in named {
        let end = offset + view.data().len();
        let info = TensorInfo {
            dtype: view.dtype(),
            shape: view.shape().to_vec(),
            data_offsets: (offset, end),
        };
        header.insert(name.clone(), serde_json::to_value(info).unwrap_or(Value::Null));
        offset = end;
    }
    let mut header = Value::Object(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(Dtype::I64.bitsize() / 8), b' ');
    let target = file.target().to_owned();
    let mut put = |bytes: &[u8]| file.file().write_all(bytes).map_err(writing(&target));
    put(&(header.len() as u64).to_le_bytes())?;
    put(&header)?;
    named.iter().try_for_each(|named| put(named.view.data()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::Existing;
    use crate::spec::run::LastScale;

    fn kept(tensors: &[(&str, Dtype, &[usize], &[u8])]) -> Vec<u8> {
        let views = tensors.iter().map(|(name, dtype, shape, data)| {
            (*name, TensorView::new(*dtype, shape.to_vec(), data).unwrap())
        });
        safetensors::serialize(views, None).unwrap()
    }

    fn worker_left() -> Vec<u8> {
        kept(&[
            ("encoder.conv1.weight", Dtype::F32, &[1], &[1, 2, 3, 4]),
            ("encoder.bn1.running_mean", Dtype::F32, &[1], &[5, 6, 7, 8]),
            ("encoder.layer1.0.downsample.1.running_mean", Dtype::F32, &[1], &[9; 4]),
            ("encoder.num_batches_tracked", Dtype::I64, &[], &[7, 0, 0, 0, 0, 0, 0, 0]),
        ])
    }

    #[test]
    fn names_are_torchvisions_and_numbers_stay() {
        let bytes = worker_left();
        let scratch = tempfile::tempdir().unwrap();
        let target = scratch.path().join("encoder.safetensors");
        let mut file = NewFile::begin(&target, Existing::Kept).unwrap();
        let named = renamed(&bytes, Path::new("kept")).unwrap();
        write(&mut file, &named, &[("format".to_owned(), "pt".to_owned())].into()).unwrap();
        file.commit().unwrap();
        let written = std::fs::read(&target).unwrap();
        let read = SafeTensors::deserialize(&written).unwrap();
        let mut names = read.names();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "bn1.num_batches_tracked",
                "bn1.running_mean",
                "conv1.weight",
                "layer1.0.downsample.1.num_batches_tracked",
                "layer1.0.downsample.1.running_mean",
            ]
        );
        assert_eq!(read.tensor("conv1.weight").unwrap().data(), [1, 2, 3, 4]);
        let count = read.tensor("bn1.num_batches_tracked").unwrap();
        assert_eq!((count.shape(), count.data()[0]), (&[][..], 7));
        let (_, metadata) = SafeTensors::read_metadata(&written).unwrap();
        assert_eq!(metadata.metadata().as_ref().unwrap()["format"], "pt");
    }

    #[test]
    fn what_is_no_encoder_is_refused_with_its_file() {
        let other = kept(&[("online.projector.0.weight", Dtype::F32, &[1], &[0; 4])]);
        for bytes in [&b"no safetensors"[..], &other, &kept(&[])] {
            let error = renamed(bytes, Path::new("some/weights")).unwrap_err();
            assert!(error.to_string().starts_with("some/weights is damaged: "), "{error}");
        }
    }

    #[test]
    fn weights_are_gone_changed_or_whole() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("weights.safetensors");
        let digest = blake3::hash(b"whole").to_hex().to_string();
        assert!(matches!(read(&path, &digest), Err(ExportError::Gone { .. })));
        std::fs::write(&path, "wh0le").unwrap();
        assert!(matches!(read(&path, &digest), Err(ExportError::Damaged { .. })));
        std::fs::write(&path, "whole").unwrap();
        assert_eq!(read(&path, &digest).unwrap(), b"whole");
    }

    #[test]
    fn only_what_torchvision_lacks_is_a_difference() {
        let resnet = |depth, width, stem| EncoderSpec::Resnet {
            depth,
            width,
            stem,
            last_scale: LastScale::One,
        };
        assert_eq!(differences(&resnet(50, 1, Stem::Imagenet)), [""; 0]);
        assert_eq!(differences(&resnet(18, 1, Stem::Imagenet)).len(), 1);
        assert_eq!(differences(&resnet(200, 2, Stem::Small)).len(), 3);
    }
}
