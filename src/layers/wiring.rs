//! How a block's lists of layers are joined: said once, followed by shapes, batches and drawings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ActivationFunction, LayerSpec};
use crate::error::Flaw;

/// One of a block's lists of layers.
#[derive(Debug, Clone, PartialEq)]
pub struct List<'a> {
    /// What the names of its layers start with, below the block's own name; empty for nothing.
    pub scope: String,
    /// Where the list stands below the block's fields: `layers`, `branches.0.layers`.
    pub key: String,
    /// The layers, in order.
    pub layers: &'a [LayerSpec],
}

impl<'a> List<'a> {
    /// A list of a block; `scope` stands before its layers' names, `key` is the field that holds it.
    pub fn new(scope: impl Into<String>, key: impl Into<String>, layers: &'a [LayerSpec]) -> Self {
        List {
            scope: scope.into(),
            key: key.into(),
            layers,
        }
    }
}

/// How several outputs become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// One behind the other along the channels, in the order of the branches.
    #[default]
    Concat,
    /// Their sum, value by value.
    Add,
}

/// A layer that holds lists of layers.
pub trait Block {
    /// The `name` the file gives it, if any.
    fn name(&self) -> Option<&str>;

    /// Its lists, numbered from 0 for [`wire`](Self::wire).
    fn lists(&self) -> Vec<List<'_>>;

    /// What a block without a name is called after, if not its key.
    fn called(&self) -> Option<&str> {
        None
    }

    /// What is wrong with it whatever its input; keys are its fields.
    fn flaw(&self) -> Option<Flaw> {
        None
    }

    /// Whether its layers stand in the row that it stands in, so that any of them may be left out.
    fn is_row(&self) -> bool {
        false
    }

    /// Whether it is a side classifier, which only training looks at.
    fn is_side_classifier(&self) -> bool {
        false
    }

    /// What gives this list its input, if not what stands before the block.
    fn giver(&self, _list: usize) -> Option<&str> {
        None
    }

    /// Leads `input` through the lists to the block's output.
    fn wire<T: Clone, W: Wiring<T>>(&self, input: T, wiring: &mut W) -> Result<T, W::Error>
    where
        Self: Sized;
}

/// What goes through a block: shapes, batches, names of nodes.
pub trait Wiring<T> {
    /// Why a value cannot be led through.
    type Error;

    /// Leads a value through the list with this number.
    fn through(&mut self, list: usize, input: T) -> Result<T, Self::Error>;

    /// Makes one of several, two at least.
    fn join(&mut self, join: Join, parts: Vec<T>) -> Result<T, Self::Error>;

    /// Applies a function.
    fn activate(&mut self, function: ActivationFunction, value: T) -> Result<T, Self::Error>;

    /// Whether anybody wants to know of side classifiers.
    fn looks_aside(&self) -> bool {
        true
    }

    /// Takes the scores of a side classifier, which count in the loss with this weight.
    fn aside(&mut self, weight: f64, scores: T) -> Result<(), Self::Error>;
}
