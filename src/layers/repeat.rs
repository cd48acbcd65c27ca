//! `repeat`: the same list of layers several times in a row, each with weights of its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LayerSpec;
use super::wiring::{Block, List, Wiring};
use crate::error::{Flaw, thousands};
use crate::value::Positive;

/// More repetitions than any network of the field has.
const MOST_TIMES: usize = 1000;

/// A list of layers `times` times in a row. The names of the layers start with the block's name and the
/// number of the repetition, from 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// What the block is called in summaries, logs and grid keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How often.
    pub times: Positive,
    /// What is repeated; every repetition has weights of its own.
    pub layers: Vec<LayerSpec>,
}

impl Block for Repeat {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn lists(&self) -> Vec<List<'_>> {
        (1..=self.times.get())
            .map(|number| List::new(number.to_string(), "layers", &self.layers))
            .collect()
    }

    fn flaw(&self) -> Option<Flaw> {
        let message = format!(
            "repeats its layers more than {} times",
            thousands(MOST_TIMES)
        );
        (self.times.get() > MOST_TIMES).then(|| Flaw::new("times", message))
    }

    fn giver(&self, list: usize) -> Option<&str> {
        (list > 0).then_some("the repetition before")
    }

    fn wire<T: Clone, W: Wiring<T>>(&self, input: T, wiring: &mut W) -> Result<T, W::Error> {
        (0..self.times.get()).try_fold(input, |value, list| wiring.through(list, value))
    }
}
