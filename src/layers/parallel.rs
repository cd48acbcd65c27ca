//! `parallel`: branches that all start from one input and are joined.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::LayerSpec;
use super::wiring::{Block, Join, List, Wiring};
use crate::error::Flaw;

/// Branches side by side, as in GoogLeNet's inception module (Szegedy et al. 2014): each takes the
/// block's input, and their outputs are joined.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parallel {
    /// What the block is called in summaries, logs and grid keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Two or more, in the order in which they are joined.
    #[schemars(length(min = 2))]
    pub branches: Vec<Branch>,
    /// `concat` (default): one behind the other along the channels; `add`: their sum.
    #[serde(default)]
    pub join: Join,
}

/// One of the ways through a `parallel` block.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// What the names of its layers start with. Default `branch_1` and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Applied one after another; none passes the input on as it is.
    pub layers: Vec<LayerSpec>,
}

impl<'de> Deserialize<'de> for Branch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            #[serde(default)]
            name: Option<String>,
            layers: Vec<LayerSpec>,
        }
        /// serde would read a bare list of layers as the table's fields in order.
        struct OnlyTable;
        impl<'de> Visitor<'de> for OnlyTable {
            type Value = Branch;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a table with `layers`")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Branch, A::Error> {
                let Table { name, layers } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Branch { name, layers })
            }
        }
        deserializer.deserialize_map(OnlyTable)
    }
}

impl Block for Parallel {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn lists(&self) -> Vec<List<'_>> {
        let branches = self.branches.iter().enumerate();
        let list = |(index, branch): (usize, &'_ Branch)| {
            let name = branch.name.clone();
            name.unwrap_or_else(|| format!("branch_{}", index + 1))
        };
        branches
            .map(|(index, branch)| {
                let key = format!("branches.{index}.layers");
                List::new(list((index, branch)), key, &branch.layers)
            })
            .collect()
    }

    fn flaw(&self) -> Option<Flaw> {
        let message = match self.branches.len() {
            0 => "has 0 branches; two are the least",
            1 => "has 1 branch; two are the least",
            _ => return None,
        };
        Some(Flaw::new("branches", message))
    }

    fn wire<T: Clone, W: Wiring<T>>(&self, input: T, wiring: &mut W) -> Result<T, W::Error> {
        let outputs: Result<Vec<T>, W::Error> = (0..self.branches.len())
            .map(|branch| wiring.through(branch, input.clone()))
            .collect();
        wiring.join(self.join, outputs?)
    }
}
