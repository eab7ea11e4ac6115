//! Everything that determines what one training run computes, resolved and checked; the part of
//! a worker's order that is hashed into the trial's identity. Knows nothing of TOML, of where
//! files lie, of threads or devices.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{GroupKey, TrainKey};

/// Version of each thing whose change would change results without changing a setting.
///
/// A fingerprint test fails when results change and none of these was raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Semantics {
    /// Reading and generating images, subsets.
    pub data: u32,
    /// Drawing and applying views.
    pub augment: u32,
    /// Networks, losses, optimizer, schedules, order of images.
    pub training: u32,
}

/// What this version of byol-sweep computes.
pub const SEMANTICS: Semantics = Semantics { data: 1, augment: 1, training: 1 };

/// One training run, resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// Versions of the meaning of all the rest.
    pub semantics: Semantics,
    /// Seed of initial weights, order of images and views.
    pub seed: u64,
    /// The images. Trials of a sweep share what they have in common of a spec.
    pub data: Arc<DataSpec>,
    /// How the two views of an image are made.
    pub views: Arc<Views>,
    /// The network whose representation is kept.
    pub encoder: EncoderSpec,
    /// Head g on the representation.
    pub projector: HeadSpec,
    /// q, on the online projection (BYOL); absent in SimCLR.
    pub predictor: Option<Predictor>,
    /// What the prediction is compared with.
    pub target: Target,
    /// What is minimised.
    pub loss: Loss,
    /// How weights move.
    pub optimizer: OptimizerSpec,
    /// Passes over the training images.
    pub epochs: u32,
    /// Epochs of linear warm-up of the learning rate.
    pub warmup_epochs: f64,
    /// Images per optimizer and target update.
    pub update_batch_size: u32,
    /// Images per forward pass: what BatchNorm and SimCLR's negatives see. Divides
    /// `update_batch_size`.
    pub batch_size: u32,
    /// In which numbers the networks compute while they train. Weights and evaluation are float32
    /// always, and so are losses but for the products of TF32.
    #[serde(default, skip_serializing_if = "is_default")]
    pub precision: Precision,
}

/// In which numbers the networks compute while they train.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// float32.
    #[default]
    Fp32,
    /// float32 whose products round their inputs to 10 bits of mantissa on CUDA; float32 on a CPU.
    Tf32,
    /// bfloat16 in convolutions and matrix products.
    Bf16,
}

/// Which images are trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// The data set.
    pub source: Source,
    /// A subset with equally many images of each class.
    pub subset: Option<Subset>,
    /// Side of a view in pixels: images come out of the crop at this size.
    pub image_size: u32,
    /// Mean of each of the R, G, B channels, values in [0, 1].
    pub mean: [f64; 3],
    /// Standard deviation of each channel.
    pub std: [f64; 3],
}

/// A balanced subset of the training images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subset {
    /// Images kept.
    pub images: u32,
    /// Seed that chooses them; the same for all trials of a sweep unless it is an axis.
    pub seed: u64,
}

/// A data set.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// Procedural images, made in memory.
    Shapes {
        /// Training images.
        train: u32,
        /// Test images.
        test: u32,
        /// Side in pixels.
        side: u32,
        /// Seed of the generator.
        seed: u64,
    },
    /// CIFAR-10, binary version: 50,000 training and 10,000 test images of 32x32.
    Cifar10,
    /// IDX files as MNIST and its family use them, plain or gzipped.
    Idx {
        /// Digest of the files once measured.
        digest: Option<String>,
    },
    /// `train/<class>/*` and `val/<class>/*`, or a flat folder without labels.
    ImageFolder {
        /// Digest of the manifest (names and sizes) once measured.
        digest: Option<String>,
    },
}

impl Source {
    /// Returns the name that `data.name` uses.
    pub fn name(&self) -> &'static str {
        match self {
            Source::Shapes { .. } => "shapes",
            Source::Cifar10 => "cifar10",
            Source::Idx { .. } => "idx",
            Source::ImageFolder { .. } => "image_folder",
        }
    }
}

/// The two view distributions T and T'.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Views {
    /// T, of the first view.
    pub t: ViewRecipe,
    /// T', of the second view.
    pub t_prime: ViewRecipe,
}

/// One view distribution; an absent operator is not applied. Order of application: crop, flip,
/// colour jitter, grayscale, blur, solarize, normalise (BYOL, appendix B).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewRecipe {
    /// Random crop, resized; without it the whole image is resized.
    pub crop: Option<Crop>,
    /// Horizontal flip.
    pub flip: Option<Flip>,
    /// Brightness, contrast, saturation and hue, in a random order.
    pub color_jitter: Option<ColorJitter>,
    /// Luma in all three channels.
    pub grayscale: Option<Grayscale>,
    /// Gaussian blur.
    pub blur: Option<Blur>,
    /// Inversion of bright pixels.
    pub solarize: Option<Solarize>,
}

/// Random crop, resized with a bicubic kernel and clipped to [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// Smallest share of the image's area; the share is uniform in [min_area, max_area].
    pub min_area: f64,
    /// Largest share of the image's area.
    pub max_area: f64,
    /// Smallest width over height; its logarithm is uniform.
    pub min_aspect: f64,
    /// Largest width over height.
    pub max_aspect: f64,
}

/// Horizontal flip.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flip {
    /// Probability.
    pub p: f64,
}

/// Colour jitter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColorJitter {
    /// Probability that any of the four is applied.
    pub p: f64,
    /// Strength b of the brightness.
    pub brightness: f64,
    /// Strength c of the contrast.
    pub contrast: f64,
    /// Strength s of the saturation.
    pub saturation: f64,
    /// Strength h of the hue: its shift is uniform in [-h, h], as a fraction of the circle.
    pub hue: f64,
    /// What the strengths mean.
    #[serde(default, skip_serializing_if = "is_default")]
    pub arithmetic: JitterArithmetic,
}

/// What a colour jitter computes. The hue is the same in both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JitterArithmetic {
    /// The code of BYOL's authors: brightness adds a delta uniform in [-b, b]; contrast multiplies
    /// by a factor uniform in [1 - c, 1 + c] about the mean of each channel; the HSV saturation is
    /// multiplied by a factor uniform in [1 - s, 1 + s].
    #[default]
    Paper,
    /// `ColorJitter` of torchvision: brightness multiplies by a factor uniform in
    /// [max(0, 1 - b), 1 + b]; contrast and saturation, with factors uniform in the same way,
    /// blend with the mean of the gray image and with the gray image.
    Torchvision,
}

/// Grayscale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grayscale {
    /// Probability.
    pub p: f64,
}

/// Gaussian blur; the kernel is 2 * floor(side / 20) + 1 wide (23 at 224 px), zero padded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blur {
    /// Probability.
    pub p: f64,
    /// Smallest sigma in pixels; uniform in [min_sigma, max_sigma].
    pub min_sigma: f64,
    /// Largest sigma in pixels.
    pub max_sigma: f64,
}

/// Solarize: x below the threshold stays, else 1 - x.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Solarize {
    /// Probability.
    pub p: f64,
    /// Values in [0, 1].
    pub threshold: f64,
}

/// The encoder f.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum EncoderSpec {
    /// Four 3x3 convolutions with BatchNorm, ReLU and 2x2 max-pool between, then a global mean:
    /// 64, 128, 256, 256 channels times the width. For CPUs.
    Convnet {
        /// Multiplies all channel counts.
        width: f64,
    },
    /// ResNet v1 with the stride on the 3x3 convolution.
    Resnet {
        /// 18, 34, 50, 101, 152 or 200.
        depth: u32,
        /// Multiplies all channel counts, the stem included.
        width: u32,
        /// First layers.
        stem: Stem,
        /// Where the last BatchNorm of each block starts.
        #[serde(default, skip_serializing_if = "is_default")]
        last_scale: LastScale,
    },
}

/// Scale with which the last BatchNorm of each residual block starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastScale {
    /// 1, as in the paper's results.
    #[default]
    One,
    /// 0, as the released code with a current Haiku: every block starts as the identity.
    Zero,
}

/// First layers of a ResNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stem {
    /// 3x3 with stride 1 and no pooling, for images of 32 pixels.
    Small,
    /// 7x7 with stride 2, then 3x3 max-pool with stride 2.
    Imagenet,
}

/// Projector or predictor: linear layers with BatchNorm and ReLU after every one but the last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadSpec {
    /// Sizes of the hidden layers; none means one linear layer.
    pub hidden: Vec<u32>,
    /// Size of the output.
    pub out: u32,
    /// BatchNorm on the output, as SimCLR's projector has it and BYOL's heads do not.
    pub output_norm: OutputNorm,
    /// Multiplies the learning rate of its parameters (BYOL, Tables 21 and 22: lambda of the
    /// predictor, mu of the projector); 0 leaves them as they were drawn.
    #[serde(default = "unscaled", skip_serializing_if = "is_unscaled")]
    pub lr_multiplier: f64,
}

/// What stands between the online projection and the target's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Predictor {
    /// A trained head.
    Head(HeadSpec),
    /// The matrix that predicts best on the batch.
    Optimal(OptimalPredictor),
}

/// A predictor without parameters of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimalPredictor {
    /// `(Z^T Z)^-1 Z^T Z'` on the batch, constant for the gradient (BYOL, section 5 and appendix
    /// I.2).
    OptimalLinear,
}

/// Specs at the default are written as before there was a choice, which keeps their keys.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn unscaled() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_unscaled(multiplier: &f64) -> bool {
    *multiplier == 1.0
}

/// What follows the last linear layer of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputNorm {
    /// Nothing (BYOL, section 3.3).
    None,
    /// BatchNorm with a scale and no offset (SimCLR's code).
    BatchNorm,
}

/// What the online output is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// The projection of a moving average of the online network, without gradient.
    Average {
        /// Decay at the first update, in [0, 1].
        tau_base: f64,
        /// Course of tau.
        schedule: TauSchedule,
    },
    /// The online network's own projection; the gradient flows through both branches.
    Online,
}

/// Course of tau over the updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TauSchedule {
    /// `1 - (1 - tau_base) (cos(pi k / K) + 1) / 2` (BYOL, section 3.3).
    Cosine,
    /// tau_base throughout (the only meaning of tau_base = 0).
    Constant,
}

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Loss {
    /// Mean over images of the SUM over both directions of `|n(prediction) - n(target)|^2`, which
    /// is `2 - 2 cos` with n the l2 normalisation (BYOL, equation 2).
    Regression {
        /// n.
        #[serde(default, skip_serializing_if = "is_default")]
        normalization: Normalization,
    },
    /// NT-Xent over the 2N views of a batch, with SimCLR's constants.
    NtXent {
        /// Divides the cosine similarities.
        temperature: f64,
        /// The constant in front. It matters: LARS leaves BatchNorm and biases unscaled.
        scale: NtXentScale,
    },
    /// BYOL's InfoNCE, both orders of the views summed (equation 8). Its corners are other losses:
    /// at beta = 1 it is NT-Xent times 4 temperature; at beta = 0 it is the regression less 4.
    InfoNce {
        /// Weighs the negatives; neither 0 nor 1.
        beta: f64,
        /// alpha: divides the cosine similarities, and multiplies the negative term.
        temperature: f64,
    },
}

/// What predictions and targets go through before their squared distance (BYOL, Table 20).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// Division by the length.
    #[default]
    L2,
    /// Over the dimensions of a vector, without parameters, then division by sqrt(d).
    Layer,
    /// Over the batch, without parameters, then division by sqrt(d).
    Batch,
    /// Nothing.
    None,
}

/// Constant in front of NT-Xent, relative to its mean over the 2N views.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NtXentScale {
    /// 1: the mean over 2N views (SimCLR, equation 1).
    MeanOverViews,
    /// 2: the sum of the two directional means (SimCLR's code).
    SumOfDirections,
    /// 4 temperature: both orders of BYOL's InfoNCE at beta = 1 (BYOL, F.4 and F.5).
    InfoNce,
}

/// How weights move. The learning rate is `base_lr * update_batch_size / 256`, after a linear
/// warm-up on a cosine to zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum OptimizerSpec {
    /// LARS as the authors of BYOL and of SimCLR publish it: weight decay enters the norm; biases
    /// and normalisation parameters are excluded from decay and adaptation.
    Lars {
        /// Learning rate at 256 images an update.
        base_lr: f64,
        /// Momentum, no Nesterov.
        momentum: f64,
        /// Weight decay.
        weight_decay: f64,
        /// eta of the adaptation.
        trust_coefficient: f64,
    },
    /// SGD with momentum; weight decay on the same parameters as in LARS.
    Sgd {
        /// Learning rate at 256 images an update.
        base_lr: f64,
        /// Momentum, no Nesterov.
        momentum: f64,
        /// Weight decay.
        weight_decay: f64,
    },
}

impl OptimizerSpec {
    /// Returns the learning rate at 256 images an update.
    pub fn base_lr(&self) -> f64 {
        match *self {
            Self::Lars { base_lr, .. } | Self::Sgd { base_lr, .. } => base_lr,
        }
    }

    /// Returns the weight decay.
    pub fn weight_decay(&self) -> f64 {
        match *self {
            Self::Lars { weight_decay, .. } | Self::Sgd { weight_decay, .. } => weight_decay,
        }
    }
}

impl RunSpec {
    /// Returns the canonical JSON: keys sorted, numbers in one form, so that equal specs are
    /// equal texts.
    pub fn canonical_json(&self) -> String {
        canonical(self)
    }

    /// Returns the trial's identity.
    pub fn train_key(&self) -> TrainKey {
        TrainKey::of_canonical_json(&self.canonical_json())
    }

    /// Returns the identity that trials share which differ only in the seed.
    pub fn group_key(&self) -> GroupKey {
        // A seed of its own kind, so that no trial's JSON equals a group's.
        let mut value = serde_json::to_value(self).expect("plain data serialises");
        value["seed"] = serde_json::Value::Null;
        GroupKey::of_canonical_json(&value.to_string())
    }

    /// Returns how many forward passes make an update.
    pub fn accumulation(&self) -> u32 {
        self.update_batch_size / self.batch_size
    }

    /// Returns the number of updates K for `images` training images: floor(epochs * images /
    /// update_batch_size), as the authors' code counts.
    pub fn updates(&self, images: u64) -> u64 {
        u64::from(self.epochs) * images / u64::from(self.update_batch_size)
    }
}

/// Adds every value below `value` with its path.
pub(crate) fn flatten(path: &str, value: &serde_json::Value, found: &mut Vec<(String, String)>) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                let dot = if path.is_empty() { "" } else { "." };
                flatten(&format!("{path}{dot}{key}"), value, found);
            }
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_)
        | serde_json::Value::Array(_) => {
            found.push((path.to_owned(), value.to_string()));
        }
    }
}

/// Returns JSON with sorted keys.
pub(crate) fn canonical<T: Serialize>(value: &T) -> String {
    // `serde_json::Map` is a BTreeMap here (no `preserve_order` feature), which sorts.
    serde_json::to_value(value).expect("plain data serialises").to_string()
}
