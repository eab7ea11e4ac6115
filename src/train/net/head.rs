//! Projector and predictor.
//!
//! Every linear layer has a bias, as in the pseudo-code of the paper's appendix J; the authors'
//! released code has none in the last. Where a BatchNorm follows the last layer there is none
//! either: it would be subtracted again.

use super::Network;
use super::declare::Scope;
use super::layer::{Activation, Sequential};
use crate::spec::run::{HeadSpec, OutputNorm};

/// Builds a head on vectors of size `from`; layers are numbered as in a PyTorch `Sequential`
/// of linear, BatchNorm and ReLU.
pub fn head(spec: &HeadSpec, from: i64, scope: Scope<'_>) -> Network {
    Network::new(scope, |scope| {
        let mut layers = Vec::new();
        let mut from = from;
        let mut index = 0;
        for &hidden in &spec.hidden {
            let to = i64::from(hidden);
            layers.push(scope.linear(&index.to_string(), from, to));
            layers.push(scope.batch_norm(&(index + 1).to_string(), to, Activation::Relu));
            from = to;
            index += 3;
        }
        let to = i64::from(spec.out);
        match spec.output_norm {
            OutputNorm::None => layers.push(scope.linear(&index.to_string(), from, to)),
            OutputNorm::BatchNorm => {
                layers.push(scope.linear_without_bias(&index.to_string(), from, to));
                layers.push(scope.batch_norm_without_offset(&(index + 1).to_string(), to));
            }
        }
        Sequential::new(layers, to)
    })
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::train::net::{Declarations, Mode, ParamSet};

    fn names(hidden: &[u32], output_norm: OutputNorm) -> Vec<String> {
        let mut declarations = Declarations::default();
        head(
            &HeadSpec { hidden: hidden.to_vec(), out: 4, output_norm, lr_multiplier: 1.0 },
            6,
            declarations.scope("projector"),
        );
        declarations
            .all()
            .iter()
            .filter(|d| d.is_trainable())
            .map(|d| d.name.trim_start_matches("projector.").to_owned())
            .collect()
    }

    #[test]
    fn depth_is_the_number_of_linear_layers() {
        assert_eq!(names(&[], OutputNorm::None), ["0.weight", "0.bias"]);
        assert_eq!(
            names(&[8], OutputNorm::None),
            ["0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"]
        );
        assert_eq!(names(&[8, 8], OutputNorm::None).len(), 10);
    }

    #[test]
    fn a_normalised_output_has_a_scale_and_no_bias_anywhere() {
        assert_eq!(names(&[], OutputNorm::BatchNorm), ["0.weight", "1.weight"]);
        let mut declarations = Declarations::default();
        let spec = HeadSpec {
            hidden: vec![8],
            out: 4,
            output_norm: OutputNorm::BatchNorm,
            lr_multiplier: 1.0,
        };
        let network = head(&spec, 6, declarations.scope("projector"));
        let params = ParamSet::drawn(&declarations, 1, Device::Cpu, Kind::Float);
        let z = network.forward(
            &params,
            &Tensor::randn([16, 6], (Kind::Float, Device::Cpu)),
            Mode::Train,
        );
        assert!(z.mean_dim(0, false, None).abs().max().double_value(&[]) < 1e-5);
        z.square().sum(Kind::Float).backward();
        assert!(params.named("projector.4.weight").unwrap().grad().defined());
    }
}
