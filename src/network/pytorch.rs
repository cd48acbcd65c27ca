//! How PyTorch calls and lays out the tensors of a layer.
//!
//! A module whose attributes are called as the layers here takes them with `load_state_dict`. Batch
//! normalization's `num_batches_tracked` has no counterpart: `strict=False` does without it, and it counts
//! only where PyTorch's own `momentum` is `None`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::layers::InPytorch;

/// How the tensors of a file of weights are called and laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// As `weights.safetensors` of a run has them.
    #[default]
    Burnlab,
    /// As a PyTorch module's `state_dict` has them.
    Pytorch,
}

impl Layout {
    /// Whether it is the one that needs no mention.
    pub fn is_default(&self) -> bool {
        *self == Layout::default()
    }

    /// What a tensor is there: `role` is the last part of its name here, `layer` what its layer says.
    pub fn counterpart(self, layer: InPytorch, role: &str) -> Counterpart {
        match self {
            Layout::Burnlab => Counterpart::same(role),
            Layout::Pytorch => pytorch(layer, role),
        }
    }
}

/// What a tensor is in another layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counterpart {
    /// The last parts of its name: `weight`, `reduce.weight`.
    pub role: String,
    /// Whether its two axes are swapped.
    pub transposed: bool,
    /// A tensor of the same shape that is added to it there; written as zeros.
    pub addend: Option<&'static str>,
}

impl Counterpart {
    fn same(role: &str) -> Self {
        Counterpart {
            role: role.to_string(),
            transposed: false,
            addend: None,
        }
    }

    /// The shape there of a tensor that has this shape here, and the other way round.
    pub fn shape(&self, shape: &[usize]) -> Vec<usize> {
        match (self.transposed, shape) {
            (true, &[rows, columns]) => vec![columns, rows],
            _ => shape.to_vec(),
        }
    }

    /// Values laid out as here, `shape`, laid out as there; to come back, give the shape there.
    pub fn values(&self, values: Vec<f32>, shape: &[usize]) -> Vec<f32> {
        match (self.transposed, shape) {
            (true, &[_, columns]) => (0..columns)
                .flat_map(|column| values.iter().skip(column).step_by(columns).copied())
                .collect(),
            _ => values,
        }
    }
}

/// Whatever the layer does not say is laid out the same. A layer of several parts has modules for them:
/// `depthwise_weight` is `depthwise.weight`.
fn pytorch(layer: InPytorch, role: &str) -> Counterpart {
    if let Some((_, [one, other])) = layer.sums.iter().find(|(sum, _)| *sum == role) {
        return Counterpart {
            addend: Some(other),
            ..Counterpart::same(one)
        };
    }
    let named = match role {
        "gamma" => "weight".to_string(),
        "beta" => "bias".to_string(),
        "weight_ih" | "weight_hh" | "bias_ih" | "bias_hh" => format!("{role}_l0"),
        _ => match role.rsplit_once('_') {
            Some((part, last @ ("weight" | "bias"))) => format!("{part}.{last}"),
            _ => role.to_string(),
        },
    };
    Counterpart {
        role: named,
        transposed: layer.transposed.contains(&role),
        addend: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(role: &str) -> String {
        let layer = InPytorch::default();
        Layout::Pytorch.counterpart(layer, role).role
    }

    #[test]
    fn tensors_are_called_as_pytorch_calls_them() {
        assert_eq!(role("weight"), "weight");
        assert_eq!(role("gamma"), "weight");
        assert_eq!(role("beta"), "bias");
        assert_eq!(role("running_var"), "running_var");
        assert_eq!(role("pointwise_weight"), "pointwise.weight");
        assert_eq!(role("weight_hh"), "weight_hh_l0");
        assert_eq!(role("bias_hh"), "bias_hh_l0");
        assert_eq!(role("bias"), "bias");
    }

    #[test]
    fn a_tensor_may_be_the_sum_of_two() {
        let layer = InPytorch {
            sums: &[("bias", ["bias_ih_l0", "bias_hh_l0"])],
            ..InPytorch::default()
        };
        let bias = Layout::Pytorch.counterpart(layer, "bias");
        assert_eq!(
            (bias.role.as_str(), bias.addend),
            ("bias_ih_l0", Some("bias_hh_l0"))
        );
        let weight = Layout::Pytorch.counterpart(layer, "weight_ih");
        assert_eq!(weight.addend, None);
        assert_eq!(
            Layout::Burnlab.counterpart(layer, "bias"),
            Counterpart::same("bias")
        );
    }

    #[test]
    fn matrices_are_transposed_there_and_back() {
        let layer = InPytorch {
            transposed: &["weight"],
            ..InPytorch::default()
        };
        let weight = Layout::Pytorch.counterpart(layer, "weight");
        let here = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let there = weight.values(here.clone(), &[2, 3]);
        assert_eq!(there, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(weight.shape(&[2, 3]), [3, 2]);
        assert_eq!(weight.values(there, &[3, 2]), here);
        let filters = Layout::Pytorch.counterpart(InPytorch::default(), "weight");
        assert_eq!(filters.shape(&[8, 1, 3, 2]), [8, 1, 3, 2]);
    }
}
