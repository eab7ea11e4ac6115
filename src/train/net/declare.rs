//! What tensors an architecture needs, in order and by name, before any is allocated.
//!
//! Knows no values and no devices: counting a ResNet-200's parameters costs nothing.

use super::layer::{Activation, Layer};

/// What a tensor is to the optimizer, the moving average and the checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Trained; decayed and adapted by LARS.
    Weight,
    /// Trained; a bias of a linear layer.
    Bias,
    /// Trained; scale or offset of a normalisation.
    Norm,
    /// Not trained: a running mean or variance.
    Buffer,
    /// Not trained: how many batches a network has seen, a whole number that stays on the CPU.
    Count,
}

/// Initial value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Truncated normal with standard deviation 1/sqrt(fan in) before it is cut.
    TruncatedNormal,
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
}

/// One declared tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Unique in its set, as in `encoder.layer1.0.conv1.weight`.
    pub name: String,
    /// Sizes; convolutions are out, in, height, width.
    pub shape: Vec<i64>,
    /// What it is.
    pub role: Role,
    /// What it starts as.
    pub fill: Fill,
}

impl Declared {
    /// Returns how many numbers the tensor holds.
    pub fn numbers(&self) -> i64 {
        self.shape.iter().product()
    }

    /// Returns whether gradients move it.
    pub fn is_trainable(&self) -> bool {
        match self.role {
            Role::Weight | Role::Bias | Role::Norm => true,
            Role::Buffer | Role::Count => false,
        }
    }
}

/// Place of a tensor in its set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(pub(super) usize);

/// The tensors of one or several networks, in order of declaration.
#[derive(Clone, Debug, Default)]
pub struct Declarations(Vec<Declared>);

impl Declarations {
    /// Returns a scope in which names begin with `name` and a dot.
    pub fn scope(&mut self, name: &str) -> Scope<'_> {
        Scope { declarations: self, prefix: name.to_owned() }
    }

    /// Returns the tensors declared so far.
    pub fn all(&self) -> &[Declared] {
        &self.0
    }

    /// Returns how many numbers are trained.
    pub fn trainable_numbers(&self) -> i64 {
        self.0.iter().filter(|d| d.is_trainable()).map(Declared::numbers).sum()
    }
}

/// Declares tensors and layers under a common name.
#[derive(Debug)]
pub struct Scope<'a> {
    declarations: &'a mut Declarations,
    prefix: String,
}

impl Scope<'_> {
    /// Returns the scope one level down.
    pub fn within(&mut self, name: &str) -> Scope<'_> {
        let prefix = format!("{}.{name}", self.prefix);
        Scope { declarations: self.declarations, prefix }
    }

    /// Declares one tensor.
    pub fn tensor(&mut self, name: &str, shape: &[i64], role: Role, fill: Fill) -> Slot {
        let declared = &mut self.declarations.0;
        let name = format!("{}.{name}", self.prefix);
        declared.push(Declared { name, shape: shape.to_vec(), role, fill });
        Slot(declared.len() - 1)
    }

    /// Declares a count of batches.
    pub fn count(&mut self, name: &str) -> Slot {
        self.tensor(name, &[], Role::Count, Fill::Zeros)
    }

    /// Declares a square convolution without bias, padded to keep the size at stride 1.
    pub fn conv(&mut self, name: &str, from: i64, to: i64, side: i64, stride: i64) -> Layer {
        let shape = [to, from, side, side];
        let weight =
            self.within(name).tensor("weight", &shape, Role::Weight, Fill::TruncatedNormal);
        Layer::Conv { weight, stride, padding: side / 2 }
    }

    /// Declares a linear layer with bias.
    pub fn linear(&mut self, name: &str, from: i64, to: i64) -> Layer {
        let weight = self.linear_weight(name, from, to);
        let bias = self.within(name).tensor("bias", &[to], Role::Bias, Fill::Zeros);
        Layer::Linear { weight, bias: Some(bias) }
    }

    /// Declares a linear layer without bias.
    pub fn linear_without_bias(&mut self, name: &str, from: i64, to: i64) -> Layer {
        Layer::Linear { weight: self.linear_weight(name, from, to), bias: None }
    }

    fn linear_weight(&mut self, name: &str, from: i64, to: i64) -> Slot {
        self.within(name).tensor("weight", &[to, from], Role::Weight, Fill::TruncatedNormal)
    }

    /// Declares a BatchNorm with scale and offset, and what follows it.
    pub fn batch_norm(&mut self, name: &str, channels: i64, then: Activation) -> Layer {
        self.batch_norm_scaled(name, channels, Fill::Ones, then)
    }

    /// Declares a BatchNorm whose scale starts as `scale` says.
    pub fn batch_norm_scaled(
        &mut self,
        name: &str,
        channels: i64,
        scale: Fill,
        then: Activation,
    ) -> Layer {
        let mut scope = self.within(name);
        let scale = scope.tensor("weight", &[channels], Role::Norm, scale);
        let offset = Some(scope.tensor("bias", &[channels], Role::Norm, Fill::Zeros));
        let (mean, variance) = scope.running(channels);
        Layer::BatchNorm { scale, offset, mean, variance, then }
    }

    /// Declares a BatchNorm with a scale and no offset.
    pub fn batch_norm_without_offset(&mut self, name: &str, channels: i64) -> Layer {
        let mut scope = self.within(name);
        let scale = scope.tensor("weight", &[channels], Role::Norm, Fill::Ones);
        let (mean, variance) = scope.running(channels);
        Layer::BatchNorm { scale, offset: None, mean, variance, then: Activation::Identity }
    }

    fn running(&mut self, channels: i64) -> (Slot, Slot) {
        let mean = self.tensor("running_mean", &[channels], Role::Buffer, Fill::Zeros);
        let variance = self.tensor("running_var", &[channels], Role::Buffer, Fill::Ones);
        (mean, variance)
    }
}
