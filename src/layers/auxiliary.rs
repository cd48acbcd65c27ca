//! `auxiliary`: a side classifier that helps training.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LayerSpec;
use super::wiring::{Block, List, Wiring};
use crate::value::NonNegative;

/// A side classifier, as GoogLeNet has two (Szegedy et al. 2014): the block passes its input on as it is;
/// in training its layers' scores `[batch, classes]` enter the loss too, with `weight`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Auxiliary {
    /// What the block is called in summaries, logs and grid keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What its loss is multiplied by. Default 0.3, as in GoogLeNet.
    #[serde(default = "three_tenths")]
    pub weight: NonNegative,
    /// From the block's input to one score a class.
    pub layers: Vec<LayerSpec>,
}

fn three_tenths() -> NonNegative {
    NonNegative(0.3)
}

impl Block for Auxiliary {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn lists(&self) -> Vec<List<'_>> {
        vec![List::new("", "layers", &self.layers)]
    }

    fn is_side_classifier(&self) -> bool {
        true
    }

    fn wire<T: Clone, W: Wiring<T>>(&self, input: T, wiring: &mut W) -> Result<T, W::Error> {
        if wiring.looks_aside() {
            let scores = wiring.through(0, input.clone())?;
            wiring.aside(self.weight.get(), scores)?;
        }
        Ok(input)
    }
}
