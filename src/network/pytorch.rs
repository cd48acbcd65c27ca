//! How PyTorch calls and lays out the tensors of a layer.
//!
//! A module whose attributes are called as the layers here takes them with `load_state_dict`. Batch
//! normalization's `num_batches_tracked` has no counterpart: `strict=False` does without it, and it counts
//! only where PyTorch's own `momentum` is `None`.
//!
//! ONNX is not written: no crate makes an ONNX model of a Burn module (`burn-onnx` reads only); export
//! it from PyTorch after loading the weights there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

    /// What a tensor is here: `role` is the last part of its name, `key` its layer's.
    pub fn counterpart(self, key: &str, role: &str) -> Counterpart {
        match self {
            Layout::Burnlab => Counterpart::same(role),
            Layout::Pytorch => pytorch(key, role),
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

/// Convolutions and embeddings are laid out alike; matrices are `[out, in]` there. A layer of several parts
/// has modules for them: `depthwise_weight` is `depthwise.weight`.
fn pytorch(key: &str, role: &str) -> Counterpart {
    let transposed = matches!(
        (key, role),
        ("dense", "weight")
            | ("squeeze_excite", "reduce_weight" | "expand_weight")
            | ("gaussian_code", "mean_weight" | "spread_weight")
    );
    let named = match (key, role) {
        (_, "gamma") => "weight".to_string(),
        (_, "beta") => "bias".to_string(),
        ("lstm", "bias") => "bias_ih_l0".to_string(),
        (_, "weight_ih" | "weight_hh" | "bias_ih" | "bias_hh") => format!("{role}_l0"),
        _ => match role.rsplit_once('_') {
            Some((part, last @ ("weight" | "bias"))) => format!("{part}.{last}"),
            _ => role.to_string(),
        },
    };
    Counterpart {
        role: named,
        transposed,
        addend: ((key, role) == ("lstm", "bias")).then_some("bias_hh_l0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(key: &str, role: &str) -> String {
        Layout::Pytorch.counterpart(key, role).role
    }

    #[test]
    fn tensors_are_called_as_pytorch_calls_them() {
        assert_eq!(role("conv2d", "weight"), "weight");
        assert_eq!(role("layer_normalization", "gamma"), "weight");
        assert_eq!(role("group_normalization", "beta"), "bias");
        assert_eq!(role("batch_normalization", "running_var"), "running_var");
        assert_eq!(
            role("separable_conv2d", "pointwise_weight"),
            "pointwise.weight"
        );
        assert_eq!(role("gru", "weight_hh"), "weight_hh_l0");
        assert_eq!(role("gru", "bias_hh"), "bias_hh_l0");
        assert_eq!(role("scale", "bias"), "bias");
    }

    #[test]
    fn an_lstms_bias_is_the_sum_of_two() {
        let bias = Layout::Pytorch.counterpart("lstm", "bias");
        assert_eq!(
            (bias.role.as_str(), bias.addend),
            ("bias_ih_l0", Some("bias_hh_l0"))
        );
        assert_eq!(Layout::Pytorch.counterpart("dense", "bias").addend, None);
        assert_eq!(
            Layout::Burnlab.counterpart("lstm", "bias"),
            Counterpart::same("bias")
        );
    }

    #[test]
    fn matrices_are_transposed_there_and_back() {
        let weight = Layout::Pytorch.counterpart("dense", "weight");
        let here = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let there = weight.values(here.clone(), &[2, 3]);
        assert_eq!(there, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(weight.shape(&[2, 3]), [3, 2]);
        assert_eq!(weight.values(there, &[3, 2]), here);
        let filters = Layout::Pytorch.counterpart("conv2d", "weight");
        assert_eq!(filters.shape(&[8, 1, 3, 2]), [8, 1, 3, 2]);
    }
}
