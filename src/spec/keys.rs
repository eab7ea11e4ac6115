//! The one table of settings: what they are called, what they take, where they act. Validation,
//! suggestions and the reference all read it. Knows nothing of how a setting is used.

use std::fmt;
use std::ops::Bound;
use std::sync::LazyLock;

/// Which values a setting takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A whole number between two, both included.
    Int(u64, u64),
    /// A number between two bounds.
    Float(Bound<f64>, Bound<f64>),
    /// One of `valid`; `planned` names are known and refused.
    Word {
        /// What is built.
        valid: &'static [&'static str],
        /// What is known and not built.
        planned: &'static [&'static str],
    },
    /// A whole number from 1, or `"same"`.
    IntOrSame,
    /// Any text that is not empty.
    Text,
    /// One size of a layer or a list of them.
    Sizes,
    /// A list of augmentation operators.
    Ops,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Int(low, u64::MAX) => write!(f, "a whole number from {low}"),
            Kind::Int(low, high) => write!(f, "a whole number from {low} to {high}"),
            Kind::Float(low, high) => write_bounds(f, *low, *high),
            Kind::Word { valid, .. } => {
                let quoted: Vec<_> = valid.iter().map(|word| format!("\"{word}\"")).collect();
                match quoted.as_slice() {
                    [] => Ok(()),
                    [only] => f.write_str(only),
                    [head @ .., last] => write!(f, "{} or {last}", head.join(", ")),
                }
            }
            Kind::IntOrSame => f.write_str("a whole number from 1, or \"same\""),
            Kind::Text => f.write_str("a text"),
            Kind::Sizes => f.write_str("a layer's size or a list of sizes, each from 1 to 65536"),
            Kind::Ops => write!(f, "a list of operators ({})", op_names().join(", ")),
        }
    }
}

fn write_bounds(f: &mut fmt::Formatter<'_>, low: Bound<f64>, high: Bound<f64>) -> fmt::Result {
    match (low, high) {
        (Bound::Included(low), Bound::Unbounded) => write!(f, "a number from {low}"),
        (Bound::Excluded(low), Bound::Unbounded) => write!(f, "a number above {low}"),
        (low, high) => {
            let low = match low {
                Bound::Included(low) => format!("[{low}"),
                Bound::Excluded(low) => format!("({low}"),
                Bound::Unbounded => "(-inf".into(),
            };
            let high = match high {
                Bound::Included(high) => format!("{high}]"),
                Bound::Excluded(high) => format!("{high})"),
                Bound::Unbounded => "inf)".into(),
            };
            write!(f, "a number in {low}, {high}")
        }
    }
}

/// Where a setting acts. Elsewhere it is dropped when `[base]` says it, and an error on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acts {
    /// Everywhere.
    Always,
    /// Where another setting has one of these values.
    Where(Plain, &'static [&'static str]),
    /// Where another setting, a number, is of this kind.
    Number(Plain, Of),
    /// Where another setting is said.
    With(Plain),
}

/// Kinds of numbers on which it depends whether a setting acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Exactly 0.
    Zero,
    /// Exactly 1.
    One,
    /// Above 0.
    Positive,
}

impl Of {
    /// Returns whether a number is one of these.
    pub(crate) fn holds(self, number: f64) -> bool {
        match self {
            Of::Zero => number == 0.0,
            Of::One => number == 1.0,
            Of::Positive => number > 0.0,
        }
    }
}

impl fmt::Display for Of {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Of::Zero => "= 0",
            Of::One => "= 1",
            Of::Positive => "> 0",
        })
    }
}

impl fmt::Display for Acts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Acts::Always => f.write_str("always"),
            Acts::Where(key, values) => write!(f, "{} = {}", key.info().path, values.join(" | ")),
            Acts::Number(key, of) => write!(f, "{} {of}", key.info().path),
            Acts::With(key) => write!(f, "{} is set", key.info().path),
        }
    }
}

/// What is known about a setting.
#[derive(Clone, Debug, PartialEq)]
pub struct Info {
    /// Key path in `[base]`.
    pub path: &'static str,
    /// Values that it takes.
    pub kind: Kind,
    /// Where it acts.
    pub acts: Acts,
    /// Default in words; empty where there is none.
    pub default: &'static str,
    /// One line for people.
    pub doc: &'static str,
}

macro_rules! plain_keys {
    ($($key:ident, $path:literal, $kind:expr, $acts:expr, $default:literal, $doc:literal;)*) => {
        /// A setting outside the recipes of the views. The order is the one of labels.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Plain {
            $(#[doc = $doc] $key,)*
        }

        const PLAIN: &[(Plain, Info)] = &[
            $((Plain::$key, Info {
                path: $path, kind: $kind, acts: $acts, default: $default, doc: $doc,
            }),)*
        ];
    };
}

const UNIT: Kind = Kind::Float(Bound::Included(0.0), Bound::Included(1.0));
const POSITIVE: Kind = Kind::Float(Bound::Excluded(0.0), Bound::Unbounded);
const SHARE: Kind = Kind::Float(Bound::Excluded(0.0), Bound::Included(1.0));
const COUNT: Kind = Kind::Int(1, u32::MAX as u64);
// BatchNorm has nothing to tell apart in one image, and no other image is a negative.
const BATCH: Kind = Kind::Int(2, u32::MAX as u64);
const SEED: Kind = Kind::Int(0, (1 << 53) - 1);
const SIDE: Kind = Kind::Int(8, 4096);
const WIDTH: Kind = Kind::Float(Bound::Excluded(0.0), Bound::Included(16.0));
const HALF: Kind = Kind::Float(Bound::Included(0.0), Bound::Included(0.5));

const fn words(valid: &'static [&'static str]) -> Kind {
    Kind::Word { valid, planned: &[] }
}

// Beyond these float32 has no room for what is computed from them.
const RATE: Kind = Kind::Float(Bound::Included(0.0), Bound::Included(1e6));
const POSITIVE_RATE: Kind = Kind::Float(Bound::Excluded(0.0), Bound::Included(1e6));
const TEMPERATURE: Kind = Kind::Float(Bound::Included(1e-4), Bound::Included(1e4));
const DEPTH: Kind = Kind::Int(1, 16);
const HEAD_Q: Acts = Acts::Where(Plain::PredictorKind, &["mlp"]);
const AVERAGED: Acts = Acts::Where(Plain::Target, &["average"]);
const SHAPES: Acts = Acts::Where(Plain::DataName, &["shapes"]);
const ON_DISK: Acts = Acts::Where(Plain::DataName, &["idx", "image_folder"]);
const RESNETS: &[&str] =
    &["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet200"];

plain_keys! {
    Method, "method",
        Kind::Word { valid: &["byol", "simclr"], planned: &["moco_v2", "supervised", "random"] },
        Acts::Always, "byol", "What is trained.";
    DataName, "data.name",
        Kind::Word {
            valid: &["shapes", "cifar10", "idx", "image_folder"],
            planned: &["cifar100", "stl10"],
        },
        Acts::Always, "", "The set of images; must be said.";
    DataPath, "data.path", Kind::Text, ON_DISK, "",
        "Folder of the images; must be said for idx and image_folder.";
    DataDigest, "data.digest", Kind::Text, ON_DISK, "measured",
        "Digest that the images must have.";
    DataTrainLimit, "data.train_limit", COUNT, Acts::Always, "all",
        "Train on this many images, equally many of each class.";
    DataSubsetSeed, "data.subset_seed", SEED, Acts::With(Plain::DataTrainLimit), "0",
        "Chooses the images of `data.train_limit`.";
    DataImageSize, "data.image_size", SIDE, Acts::Always,
        "32 for shapes (their side) and cifar10, 28 for idx, 224 for image_folder",
        "Side of a view in pixels.";
    ShapesTrain, "data.shapes.train", COUNT, SHAPES, "5000", "Training images to make.";
    ShapesTest, "data.shapes.test", COUNT, SHAPES, "1000", "Test images to make.";
    ShapesSide, "data.shapes.side", SIDE, SHAPES, "32", "Side of the images made, in pixels.";
    ShapesSeed, "data.shapes.seed", SEED, SHAPES, "0", "Seed of the images made.";
    EncoderName, "encoder.name",
        words(&[
            "convnet", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet200",
        ]),
        Acts::Always,
        "convnet for shapes and idx, resnet18 for cifar10, resnet50 for image_folder",
        "The network whose representation is kept.";
    EncoderWidth, "encoder.width", WIDTH, Acts::Always, "1",
        "Multiplies all channel counts; a whole number for a ResNet.";
    EncoderStem, "encoder.stem", words(&["small", "imagenet"]),
        Acts::Where(Plain::EncoderName, RESNETS), "small up to 64 pixels, else imagenet",
        "First layers of a ResNet: 3x3 with stride 1, or 7x7 with stride 2 and pooling.";
    EncoderLastScale, "encoder.last_scale", words(&["one", "zero"]),
        Acts::Where(Plain::EncoderName, RESNETS), "one",
        "Where the last BatchNorm scale of each residual block starts: 1 in the paper, 0 in later code.";
    ProjectorDepth, "projector.depth", DEPTH, Acts::Always, "2, or one more than hidden layers",
        "Linear layers of the projector; BatchNorm and ReLU follow all but the last.";
    ProjectorHidden, "projector.hidden", Kind::Sizes, Acts::Always,
        "4096 (BYOL) or 2048 (SimCLR); 512 for the convnet",
        "Sizes of the projector's hidden layers: one for all, or a list; [] is one linear layer.";
    ProjectorOut, "projector.out", Kind::Int(1, 65536), Acts::Always,
        "256 (BYOL) or 128 (SimCLR); 128 for the convnet", "Size of the projection.";
    ProjectorOutputNorm, "projector.output_norm", words(&["none", "batch_norm"]), Acts::Always,
        "none (BYOL) or batch_norm (SimCLR)", "What follows the projector's last layer.";
    ProjectorLr, "projector.lr_multiplier", RATE, Acts::Always, "1",
        "Multiplies the learning rate of the projector (mu in Table 22).";
    PredictorKind, "predictor.kind", words(&["mlp", "optimal_linear", "none"]), Acts::Always,
        "mlp (BYOL) or none (SimCLR)",
        "What predicts the target: a trained head, the best matrix on each batch (appendix I.2), or nothing.";
    PredictorDepth, "predictor.depth", DEPTH, HEAD_Q, "2, or one more than hidden layers",
        "Linear layers of the predictor; BatchNorm and ReLU follow all but the last.";
    PredictorHidden, "predictor.hidden", Kind::Sizes, HEAD_Q, "4096; 512 for the convnet",
        "Sizes of the predictor's hidden layers: one for all, or a list; [] is one linear layer.";
    PredictorOut, "predictor.out", Kind::Int(1, 65536), HEAD_Q, "projector.out",
        "Size of the prediction; it is compared with a projection, so the two must agree.";
    PredictorLr, "predictor.lr_multiplier", RATE, HEAD_Q, "1",
        "Multiplies the learning rate of the predictor (lambda in Tables 21 and 22).";
    Epochs, "epochs", Kind::Int(1, 1_000_000), Acts::Always, "300",
        "Passes over the training images.";
    WarmupEpochs, "warmup_epochs", Kind::Float(Bound::Included(0.0), Bound::Unbounded),
        Acts::Always, "10; a tenth of the epochs below 100 epochs",
        "Epochs of linear warm-up of the learning rate.";
    UpdateBatchSize, "update_batch_size", Kind::IntOrSame, Acts::Always, "same",
        "Images per optimizer and target update; gradients are averaged up to it.";
    BatchSize, "batch_size", BATCH, Acts::Always, "4096; 256 for the convnet",
        "Images per forward pass: what BatchNorm and SimCLR's negatives see.";
    Target, "target", words(&["average", "stop_gradient", "online"]), Acts::Always,
        "average (BYOL) or online (SimCLR)",
        "Whose projection is compared with: a moving average's, or the online network's own without or with gradient.";
    TauBase, "tau_base", UNIT, AVERAGED, "0.99",
        "Decay of the target network at the first update; 0 copies the online network.";
    TauSchedule, "tau_schedule", words(&["cosine", "constant"]), AVERAGED, "cosine",
        "Course of the decay; tau_base = 0 is constant always.";
    Beta, "beta", RATE, Acts::Always, "0 (BYOL) or 1 (SimCLR)",
        "Weight of the negatives in InfoNCE (equation 8); 0 leaves BYOL's regression.";
    Temperature, "temperature", TEMPERATURE, Acts::Number(Plain::Beta, Of::Positive), "0.1",
        "Temperature of InfoNCE and NT-Xent (alpha in the paper).";
    LossScale, "loss_scale", words(&["mean_over_views", "sum_of_directions", "info_nce"]),
        Acts::Number(Plain::Beta, Of::One), "mean_over_views (SimCLR); info_nce where beta is said",
        "Constant in front of NT-Xent: 1, 2, or 4 temperature.";
    LossNormalization, "loss_normalization", words(&["l2", "layer", "batch", "none"]),
        Acts::Number(Plain::Beta, Of::Zero), "l2",
        "What predictions and targets go through before their squared distance (Table 20).";
    OptimizerName, "optimizer.name", words(&["lars", "sgd"]), Acts::Always, "lars", "Optimizer.";
    BaseLr, "optimizer.base_lr", POSITIVE_RATE, Acts::Always, "0.3",
        "Learning rate at 256 images an update; scaled by update_batch_size / 256.";
    Momentum, "optimizer.momentum", Kind::Float(Bound::Included(0.0), Bound::Excluded(1.0)),
        Acts::Always, "0.9", "Momentum, no Nesterov.";
    WeightDecay, "optimizer.weight_decay", UNIT, Acts::Always, "1e-6",
        "Weight decay; biases and normalisation are left out.";
    TrustCoefficient, "optimizer.trust_coefficient", POSITIVE_RATE,
        Acts::Where(Plain::OptimizerName, &["lars"]), "1e-3", "eta of LARS.";
    Precision, "precision", words(&["fp32", "tf32", "bf16"]), Acts::Always, "fp32",
        "Numbers in which the networks compute; bf16 is slow on CPUs without AVX-512.";
    AugmentPreset, "augment.preset", words(&["byol", "byol_small", "simclr", "simclr_small"]),
        Acts::Always, "byol",
        "How views are made; the small ones leave blur out, as is the custom at 32 pixels.";
    AugmentOnly, "augment.only", Kind::Ops, Acts::Always, "all",
        "Keeps these operators of both views, and no other.";
    AugmentJitter, "augment.jitter", words(&["paper", "torchvision"]), Acts::Always, "paper",
        "Arithmetic of the colour jitter: that of BYOL's code, or of torchvision's ColorJitter.";
}

impl Plain {
    /// Returns what is known about it.
    pub fn info(self) -> &'static Info {
        &PLAIN[self as usize].1
    }
}

/// An operator of a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Op {
    /// Random crop.
    Crop,
    /// Horizontal flip.
    Flip,
    /// Colour jitter.
    ColorJitter,
    /// Grayscale.
    Grayscale,
    /// Gaussian blur.
    Blur,
    /// Solarize.
    Solarize,
}

/// All operators, in the order of application.
pub const OPS: [Op; 6] =
    [Op::Crop, Op::Flip, Op::ColorJitter, Op::Grayscale, Op::Blur, Op::Solarize];

impl Op {
    /// Returns the name that files use.
    pub fn name(self) -> &'static str {
        match self {
            Op::Crop => "crop",
            Op::Flip => "flip",
            Op::ColorJitter => "color_jitter",
            Op::Grayscale => "grayscale",
            Op::Blur => "blur",
            Op::Solarize => "solarize",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        OPS.into_iter().find(|op| op.name() == name)
    }
}

pub(crate) fn op_names() -> Vec<&'static str> {
    OPS.into_iter().map(Op::name).collect()
}

macro_rules! params {
    ($($param:ident, $op:ident, $name:literal, $kind:expr, $default:literal, $doc:literal;)*) => {
        /// A parameter of an operator.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Param {
            $(#[doc = $doc] $param,)*
        }

        const PARAMS: &[(Param, Op, &str, Kind, &str, &str)] =
            &[$((Param::$param, Op::$op, $name, $kind, $default, $doc),)*];
    };
}

params! {
    CropMinArea, Crop, "min_area", SHARE, "0.08", "Smallest share of the image's area.";
    CropMaxArea, Crop, "max_area", SHARE, "1", "Largest share of the image's area.";
    CropMinAspect, Crop, "min_aspect", POSITIVE, "3/4", "Smallest width over height.";
    CropMaxAspect, Crop, "max_aspect", POSITIVE, "4/3", "Largest width over height.";
    FlipP, Flip, "p", UNIT, "0.5", "Probability of the flip.";
    JitterP, ColorJitter, "p", UNIT, "0.8", "Probability of the colour jitter.";
    Brightness, ColorJitter, "brightness", UNIT, "0.4 (byol)",
        "Brightness delta is 0 plus or minus it; torchvision's factor is 1 plus or minus it.";
    Contrast, ColorJitter, "contrast", UNIT, "0.4 (byol)", "Contrast factor is 1 plus or minus it.";
    Saturation, ColorJitter, "saturation", UNIT, "0.2 (byol)",
        "Saturation factor is 1 plus or minus it.";
    Hue, ColorJitter, "hue", HALF, "0.1 (byol)", "Largest hue shift, a fraction of the circle.";
    GrayscaleP, Grayscale, "p", UNIT, "0.2", "Probability of the grayscale.";
    BlurP, Blur, "p", UNIT, "1 in T, 0.1 in T' (byol)", "Probability of the blur.";
    BlurMinSigma, Blur, "min_sigma", POSITIVE, "0.1", "Smallest sigma in pixels.";
    BlurMaxSigma, Blur, "max_sigma", POSITIVE, "2", "Largest sigma in pixels.";
    SolarizeP, Solarize, "p", UNIT, "0 in T, 0.2 in T' (byol)", "Probability of the inversion.";
    SolarizeThreshold, Solarize, "threshold", UNIT, "0.5", "Values below it stay.";
}

impl Param {
    /// Returns the operator that it belongs to.
    pub fn op(self) -> Op {
        PARAMS[self as usize].1
    }

    /// Returns all parameters, operator by operator.
    pub fn all() -> impl Iterator<Item = Param> {
        PARAMS.iter().map(|row| row.0)
    }
}

/// Which views a setting of the augmentation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// T and T'.
    Both,
    /// T, of the first view.
    T,
    /// T', of the second view.
    TPrime,
}

const SCOPES: [Scope; 3] = [Scope::Both, Scope::T, Scope::TPrime];

impl Scope {
    fn prefix(self) -> &'static str {
        match self {
            Scope::Both => "augment",
            Scope::T => "augment.t",
            Scope::TPrime => "augment.t_prime",
        }
    }
}

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// One outside the recipes of the views.
    Plain(Plain),
    /// `augment.remove`, `augment.t.remove`, `augment.t_prime.remove`.
    Remove(Scope),
    /// `augment.blur.p`, `augment.t.blur.p`, ...
    Param(Scope, Param),
}

struct Row {
    key: Key,
    info: Info,
}

static TABLE: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let mut rows: Vec<Row> =
        PLAIN.iter().map(|(key, info)| Row { key: Key::Plain(*key), info: info.clone() }).collect();
    for scope in SCOPES {
        rows.push(Row {
            key: Key::Remove(scope),
            info: Info {
                path: format!("{}.remove", scope.prefix()).leak(),
                kind: Kind::Ops,
                acts: Acts::Always,
                default: "none",
                doc: "Leaves these operators out.",
            },
        });
    }
    for scope in SCOPES {
        rows.extend(PARAMS.iter().map(|&(param, op, name, kind, default, doc)| Row {
            key: Key::Param(scope, param),
            info: Info {
                path: format!("{}.{}.{name}", scope.prefix(), op.name()).leak(),
                kind,
                acts: Acts::Always,
                default,
                doc,
            },
        }));
    }
    rows
});

impl Key {
    /// How many settings there are.
    pub(crate) const COUNT: usize = PLAIN.len() + SCOPES.len() * (1 + PARAMS.len());

    /// Returns its number, below [`Key::COUNT`].
    pub(crate) fn index(self) -> usize {
        match self {
            Key::Plain(key) => key as usize,
            Key::Remove(scope) => PLAIN.len() + scope as usize,
            Key::Param(scope, param) => {
                PLAIN.len() + SCOPES.len() + scope as usize * PARAMS.len() + param as usize
            }
        }
    }

    /// Returns what is known about it.
    pub fn info(self) -> &'static Info {
        &TABLE[self.index()].info
    }

    /// Returns the key path in `[base]`.
    pub fn path(self) -> &'static str {
        self.info().path
    }

    /// Returns the setting of this path.
    pub fn named(path: &str) -> Option<Key> {
        TABLE.iter().find(|row| row.info.path == path).map(|row| row.key)
    }

    /// Returns whether longer paths begin with this one.
    pub(crate) fn is_prefix(path: &str) -> bool {
        let below =
            |row: &Row| row.info.path.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        TABLE.iter().any(below)
    }
}

/// Returns all settings, in the order of the reference.
pub fn keys() -> impl Iterator<Item = &'static Info> {
    TABLE.iter().map(|row| &row.info)
}

/// Returns the candidate that `word` was most likely meant to be, if one is near.
pub(crate) fn nearest<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<&'c str> {
    let similarity = |candidate: &str| strsim::normalized_damerau_levenshtein(word, candidate);
    candidates
        .into_iter()
        .map(|candidate| (similarity(candidate), candidate))
        .filter(|(similarity, _)| *similarity >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Returns the setting that an unknown path was most likely meant to be: one in the same table,
/// else one with the same last part (`base_lr`), else the nearest.
pub(crate) fn nearest_path(path: &str) -> Option<&'static str> {
    if let Some((table, name)) = path.rsplit_once('.')
        && Key::is_prefix(table)
    {
        let in_table =
            |info: &&'static Info| info.path.rsplit_once('.').is_some_and(|p| p.0 == table);
        let last = |path: &'static str| &path[table.len() + 1..];
        let likely = nearest(name, keys().filter(in_table).map(|info| last(info.path)));
        let ends =
            |path: &&'static str| last(path).strip_suffix(name).is_some_and(|p| p.ends_with('_'));
        let mut paths = keys().filter(in_table).map(|info| info.path);
        return paths.find(|path| Some(last(path)) == likely || (likely.is_none() && ends(path)));
    }
    let ends_so =
        |info: &&Info| info.path.strip_suffix(path).is_some_and(|rest| rest.ends_with('.'));
    keys().find(ends_so).map(|info| info.path).or_else(|| nearest(path, keys().map(|i| i.path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_at_its_number_and_by_its_path() {
        assert_eq!(TABLE.len(), Key::COUNT);
        for (number, row) in TABLE.iter().enumerate() {
            assert_eq!(row.key.index(), number);
            assert_eq!(Key::named(row.info.path), Some(row.key));
            assert!(!Key::is_prefix(row.info.path), "{} is a table too", row.info.path);
        }
        for (number, (key, _)) in PLAIN.iter().enumerate() {
            assert_eq!(*key as usize, number);
        }
        for (number, row) in PARAMS.iter().enumerate() {
            assert_eq!(row.0 as usize, number);
        }
    }

    #[test]
    fn a_typo_finds_its_key() {
        assert_eq!(nearest_path("tau_bsae"), Some("tau_base"));
        assert_eq!(nearest_path("base_lr"), Some("optimizer.base_lr"));
        assert_eq!(nearest_path("optimiser.base_lr"), Some("optimizer.base_lr"));
        assert_eq!(nearest_path("optimizer.lr"), Some("optimizer.base_lr"));
        assert_eq!(nearest_path("optimizer.momentun"), Some("optimizer.momentum"));
        assert_eq!(nearest_path("optimizer.epsilon"), None);
        assert_eq!(nearest_path("colour"), None);
    }
}
