//! The tensors behind an architecture.
//!
//! All trained numbers lie in one flat tensor, of which the parameters are views: a moving
//! average or a momentum step over a whole network is then one operation. Convolution weights
//! are stored channels-last, as their inputs are, which spares a copy in every pass.

use rayon::prelude::*;
use tch::{Device, Kind, Tensor};
use thiserror::Error;

use super::declare::{Declarations, Declared, Role, Slot};
use super::init;

/// Views begin at multiples of this many numbers: vector instructions and cuDNN want alignment.
const ALIGNMENT: i64 = 64;

/// Why saved tensors do not fit.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum StateError {
    /// A tensor is not there.
    #[error("saved state has no {name:?}; it was written for another network or version")]
    Missing {
        /// Which.
        name: String,
    },
    /// A tensor that nothing asks for.
    #[error(
        "saved state has an unexpected {name:?}; it was written for another network or version"
    )]
    Unknown {
        /// Which.
        name: String,
    },
    /// A tensor has other sizes.
    #[error(
        "saved {name:?} has shape {found:?} where this network has {expected:?}; \
         it was written for another network"
    )]
    Shape {
        /// Which.
        name: String,
        /// Here.
        expected: Vec<i64>,
        /// There.
        found: Vec<i64>,
    },
}

/// Whether the parameters of a set collect gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gradient {
    /// They do.
    Tracked,
    /// They do not.
    None,
}

/// One trained tensor.
#[derive(Debug)]
pub struct Trainable {
    /// Its name.
    pub name: String,
    /// What it is.
    pub role: Role,
    /// A handle on it; moving it moves the network.
    pub tensor: Tensor,
}

/// Parameters and buffers of one or several networks.
#[derive(Debug)]
pub struct ParamSet {
    declared: Vec<Declared>,
    tensors: Vec<Tensor>,
    flat: Tensor,
}

impl ParamSet {
    /// Draws initial values from `seed`; gradients are tracked.
    pub fn drawn(declarations: &Declarations, seed: u64, device: Device, kind: Kind) -> Self {
        let set = Self::allocated(declarations.all().to_vec(), Gradient::Tracked, device, kind);
        let values: Vec<Vec<f32>> =
            set.declared.par_iter().map(|declared| init::values(declared, seed)).collect();
        tch::no_grad(|| {
            for ((declared, tensor), values) in set.declared.iter().zip(&set.tensors).zip(values) {
                let values = Tensor::from_slice(&values).reshape(&declared.shape);
                tensor.shallow_clone().copy_(&values);
            }
        });
        set
    }

    /// Returns a set of the first `tensors` tensors of this one, equal in value and without
    /// gradient: a target network.
    pub fn frozen_copy(&self, tensors: usize) -> Self {
        let declared = self.declared[..tensors.min(self.declared.len())].to_vec();
        let options = (self.flat.kind(), self.flat.device());
        let copy = Self::allocated(declared, Gradient::None, options.1, options.0);
        tch::no_grad(|| {
            for (to, from) in copy.tensors.iter().zip(&self.tensors) {
                to.shallow_clone().copy_(from);
            }
        });
        copy
    }

    fn allocated(declared: Vec<Declared>, gradient: Gradient, device: Device, kind: Kind) -> Self {
        let length = declared.iter().filter(|d| d.is_trainable()).map(room).sum::<i64>();
        let flat = Tensor::zeros([length], (kind, device));
        let mut views = views(&declared, &flat).into_iter();
        let tensors = declared
            .iter()
            .filter_map(|d| match d.role {
                Role::Weight | Role::Bias | Role::Norm => views.next().map(|view| {
                    view.set_requires_grad(match gradient {
                        Gradient::Tracked => true,
                        Gradient::None => false,
                    })
                }),
                Role::Buffer => Some(Tensor::zeros(&d.shape, (kind, device))),
                Role::Count => Some(Tensor::zeros(&d.shape, (Kind::Int64, Device::Cpu))),
            })
            .collect();
        ParamSet { declared, tensors, flat }
    }

    /// Returns the tensor of a slot.
    pub(super) fn get(&self, slot: Slot) -> &Tensor {
        &self.tensors[slot.0]
    }

    /// Returns the tensor of this name.
    pub fn named(&self, name: &str) -> Option<&Tensor> {
        let index = self.declared.iter().position(|d| d.name == name)?;
        self.tensors.get(index)
    }

    /// Counts a batch and returns how many there were since the statistics were forgotten.
    pub(super) fn count_batch(&self, slot: Slot) -> f64 {
        tch::no_grad(|| self.get(slot).shallow_clone().g_add_scalar_(1i64)).double_value(&[])
    }

    /// Makes the next batch the only one in the running statistics of BatchNorm.
    pub fn forget_statistics(&self) {
        for (declared, tensor) in self.declared.iter().zip(&self.tensors) {
            if declared.role == Role::Count {
                let _ = tensor.shallow_clone().zero_();
            }
        }
    }

    /// Returns the trained tensors in order.
    pub fn trainable(&self) -> Vec<Trainable> {
        self.declared
            .iter()
            .zip(&self.tensors)
            .filter(|(d, _)| d.is_trainable())
            .map(|(d, t)| Trainable {
                name: d.name.clone(),
                role: d.role,
                tensor: t.shallow_clone(),
            })
            .collect()
    }

    /// Returns the flat tensor of all trained numbers; between parameters lie zeros.
    pub(crate) fn flat(&self) -> &Tensor {
        &self.flat
    }

    /// Cuts [`ParamSet::flat`] into stretches that share a value, in order: each with its begin and
    /// its length, padding included.
    pub(crate) fn stretches(&self, value: impl Fn(&str) -> f64) -> Vec<(f64, i64, i64)> {
        let mut stretches: Vec<(f64, i64, i64)> = Vec::new();
        let mut begin = 0;
        for declared in self.declared.iter().filter(|d| d.is_trainable()) {
            let (value, length) = (value(&declared.name), room(declared));
            match stretches.last_mut() {
                Some((last, _, total)) if *last == value => *total += length,
                Some(_) | None => stretches.push((value, begin, length)),
            }
            begin += length;
        }
        stretches
    }

    /// Returns zeros in the layout of [`ParamSet::flat`], and views of them in the order and with
    /// the strides of [`ParamSet::trainable`].
    pub(crate) fn zeros_alike(&self) -> (Tensor, Vec<Tensor>) {
        let flat = self.flat.zeros_like();
        let views = views(&self.declared, &flat);
        (flat, views)
    }

    /// Moves every trained tensor: `self <- tau self + (1 - tau) newer` (BYOL, equation 1).
    /// Running statistics stay: each network keeps its own. `newer` begins with the same tensors.
    pub fn average_with(&self, newer: &ParamSet, tau: f64) {
        debug_assert!(newer.declared.starts_with(&self.declared));
        tch::no_grad(|| {
            let newer = newer.flat.narrow(0, 0, self.flat.size()[0]);
            let _ = self.flat.shallow_clone().lerp_(&newer, 1.0 - tau);
        });
    }

    /// Returns all tensors by name.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let tensors = self.tensors.iter().map(Tensor::detach);
        self.declared.iter().map(|d| d.name.clone()).zip(tensors).collect()
    }
}

/// Copies saved tensors into `places`, which are all of a network's or an optimizer's, by name.
///
/// # Errors
///
/// Fails, before anything is copied, unless the names are the same and so are the shapes.
pub(crate) fn restore(
    places: &[(String, Tensor)],
    saved: &[(String, Tensor)],
) -> Result<(), StateError> {
    let saved: std::collections::HashMap<&str, &Tensor> =
        saved.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let mut pairs = Vec::with_capacity(places.len());
    for (name, place) in places {
        let Some(&tensor) = saved.get(name.as_str()) else {
            return Err(StateError::Missing { name: name.clone() });
        };
        let (expected, found) = (place.size(), tensor.size());
        if expected != found {
            return Err(StateError::Shape { name: name.clone(), expected, found });
        }
        pairs.push((place, tensor));
    }
    if saved.len() > places.len() {
        let known: std::collections::HashSet<&str> =
            places.iter().map(|(name, _)| name.as_str()).collect();
        if let Some(name) = saved.keys().find(|name| !known.contains(**name)) {
            return Err(StateError::Unknown { name: (*name).to_owned() });
        }
    }
    tch::no_grad(|| {
        for (place, tensor) in pairs {
            place.shallow_clone().copy_(tensor);
        }
    });
    Ok(())
}

/// Returns how many numbers of a flat tensor a parameter takes, padding included.
fn room(declared: &Declared) -> i64 {
    (declared.numbers() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT
}

/// Cuts a flat tensor into views, one for each trained tensor.
fn views(declared: &[Declared], flat: &Tensor) -> Vec<Tensor> {
    let mut offset = 0;
    declared
        .iter()
        .filter(|d| d.is_trainable())
        .map(|d| {
            let piece = flat.narrow(0, offset, d.numbers());
            offset += room(d);
            let view = match d.shape[..] {
                [out, from, height, width] => {
                    piece.view([out, height, width, from]).permute([0, 3, 1, 2])
                }
                _ => piece.view(d.shape.as_slice()),
            };
            view.detach()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::run::EncoderSpec;
    use crate::train::net::{Mode, Network};

    fn small() -> (Declarations, Network) {
        let mut declarations = Declarations::default();
        let spec = EncoderSpec::Convnet { width: 0.125 };
        let network = Network::encoder(&spec, declarations.scope("encoder")).unwrap();
        (declarations, network)
    }

    fn drawn(seed: u64) -> ParamSet {
        ParamSet::drawn(&small().0, seed, Device::Cpu, Kind::Float)
    }

    #[test]
    fn a_seed_fixes_the_initial_weights() {
        tch::manual_seed(1);
        let (first, other) = (drawn(3), drawn(4));
        tch::manual_seed(2);
        assert!(first.flat().equal(drawn(3).flat()));
        assert!(!first.flat().equal(other.flat()));
    }

    #[test]
    fn moving_the_flat_tensor_moves_the_network() {
        let (_, network) = small();
        let params = drawn(3);
        let images = Tensor::randn([2, 3, 8, 8], (Kind::Float, Device::Cpu));
        let before = network.forward(&params, &images, Mode::Train);
        let _ = tch::no_grad(|| params.flat().shallow_clone().zero_());
        let after = network.forward(&params, &images, Mode::Train);
        assert!(before.abs().max().double_value(&[]) > 0.0);
        assert_eq!(after.abs().max().double_value(&[]), 0.0);
    }

    #[test]
    fn convolution_weights_are_channels_last() {
        let params = drawn(3);
        let weight = params.named("encoder.conv2.weight").unwrap();
        assert_eq!(weight.size(), [16, 8, 3, 3]);
        assert_eq!(weight.stride(), [72, 1, 24, 8]);
    }

    #[test]
    fn state_survives_a_round_trip_and_errors_name_the_tensor() {
        let (from, to) = (drawn(3), drawn(4));
        restore(&to.state(), &from.state()).unwrap();
        assert!(to.flat().equal(from.flat()));

        let mut saved = from.state();
        let (lost, _) = saved.remove(0);
        assert_eq!(restore(&to.state(), &saved), Err(StateError::Missing { name: lost.clone() }));
        saved.push((lost.clone(), Tensor::zeros([2], (Kind::Float, Device::Cpu))));
        let error = restore(&to.state(), &saved).unwrap_err();
        assert!(matches!(error, StateError::Shape { name, .. } if name == lost));
        let mut saved = from.state();
        saved.push(("extra".into(), Tensor::zeros([2], (Kind::Float, Device::Cpu))));
        let error = restore(&to.state(), &saved).unwrap_err();
        assert_eq!(error, StateError::Unknown { name: "extra".into() });
    }

    #[test]
    fn a_frozen_copy_is_equal_apart_and_without_gradient() {
        let params = drawn(3);
        let copy = params.frozen_copy(usize::MAX);
        assert!(copy.flat().equal(params.flat()));
        assert!(copy.trainable().iter().all(|p| !p.tensor.requires_grad()));
        assert!(params.trainable().iter().all(|p| p.tensor.requires_grad()));
        let _ = tch::no_grad(|| params.flat().shallow_clone().zero_());
        assert!(!copy.flat().equal(params.flat()));
    }
}
