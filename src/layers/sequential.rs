//! `sequential`: layers one after another, under one name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LayerSpec;
use super::wiring::{Block, List, Wiring};

/// A list of layers under one name, which the names of its layers start with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sequential {
    /// What the block is called in summaries, logs and grid keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The entry of `[blocks]` it was made of, which names it if `name` does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub made_of: Option<String>,
    /// Applied one after another.
    pub layers: Vec<LayerSpec>,
}

impl Block for Sequential {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn called(&self) -> Option<&str> {
        self.made_of.as_deref()
    }

    fn lists(&self) -> Vec<List<'_>> {
        vec![List::new("", "layers", &self.layers)]
    }

    fn is_row(&self) -> bool {
        true
    }

    fn wire<T: Clone, W: Wiring<T>>(&self, input: T, wiring: &mut W) -> Result<T, W::Error> {
        wiring.through(0, input)
    }
}
