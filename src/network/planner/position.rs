//! Where a list of layers stands, and what its layers are called in what is said of them.

use crate::error::Flaw;
use crate::layers::{GIVER, LayerSpec};

/// Where a list of layers stands.
pub(super) struct ListPosition {
    /// The name of the block around it; empty for none.
    pub scope: String,
    /// The key of the list below that of the outermost one; empty for that itself.
    pub key: String,
    /// What gives its first layer its input.
    pub giver: String,
}

impl ListPosition {
    /// The key of something at the layer with this index.
    pub fn at(&self, index: usize, below: &str) -> String {
        let parts = [self.key.as_str(), &index.to_string(), below];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(".")
    }

    /// ``layer 4 (`dense`)``, inside a block ``layer 2 (`conv2d`) of `residual_1` ``.
    pub fn title(&self, specs: &[LayerSpec], index: usize) -> String {
        let layer = format!("layer {} (`{}`)", index + 1, specs[index].key());
        match self.scope.as_str() {
            "" => layer,
            scope => format!("{layer} of `{scope}`"),
        }
    }

    pub fn giver(&self, specs: &[LayerSpec], index: usize) -> String {
        match index {
            0 => self.giver.clone(),
            _ => self.title(specs, index - 1),
        }
    }

    /// The full names that a name may stand for here, the nearest first.
    pub fn outwards<'a>(&'a self, name: &'a str) -> impl Iterator<Item = String> + 'a {
        let ends = self.scope.rmatch_indices('.').map(|(end, _)| end);
        let scopes = [self.scope.len()].into_iter().chain(ends);
        let inner = scopes.map(move |end| format!("{}.{name}", &self.scope[..end]));
        inner.chain([name.to_string()])
    }

    pub fn full(&self, name: &str) -> String {
        match self.scope.as_str() {
            "" => name.to_string(),
            scope => format!("{scope}.{name}"),
        }
    }
}

/// A layer's own flaw as the network reports it.
pub(super) fn placed(
    flaw: Flaw,
    specs: &[LayerSpec],
    index: usize,
    position: &ListPosition,
) -> Flaw {
    let message = flaw.message.replace(GIVER, &position.giver(specs, index));
    let key = match flaw.key.as_str() {
        "" => String::new(),
        field => format!("{}.{field}", specs[index].key()),
    };
    Flaw {
        key: position.at(index, &key),
        message: format!("{} {message}", position.title(specs, index)),
        hint: flaw.hint,
    }
}
