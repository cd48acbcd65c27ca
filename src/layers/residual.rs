//! `residual`: layers whose input is added to their output.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::wiring::{Block, Join, List, Wiring};
use super::{ActivationFunction, LayerSpec};
use crate::error::Flaw;

/// A residual unit (He et al. 2015): `activation(layers(x) + projection(x))`, where both sides of the sum
/// have one shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Residual {
    /// What the block is called in summaries, logs and grid keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The layers whose output the input is added to.
    pub layers: Vec<LayerSpec>,
    /// Layers on the input's own way, where the shape changes. Default none: the input as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub projection: Vec<LayerSpec>,
    /// Activation function after the sum. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<ActivationFunction>,
}

impl Block for Residual {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn lists(&self) -> Vec<List<'_>> {
        let mut lists = vec![List::new("", "layers", &self.layers)];
        if !self.projection.is_empty() {
            lists.push(List::new("projection", "projection", &self.projection));
        }
        lists
    }

    fn flaw(&self) -> Option<Flaw> {
        let message = "has no layers to add its input to";
        let is_empty = self.layers.is_empty();
        is_empty.then(|| Flaw::new("layers", message))
    }

    fn wire<T: Clone, W: Wiring<T>>(&self, input: T, wiring: &mut W) -> Result<T, W::Error> {
        let body = wiring.through(0, input.clone())?;
        let skip = match self.projection.is_empty() {
            true => input,
            false => wiring.through(1, input)?,
        };
        let sum = wiring.join(Join::Add, vec![body, skip])?;
        match self.activation {
            Some(function) => wiring.activate(function, sum),
            None => Ok(sum),
        }
    }
}
