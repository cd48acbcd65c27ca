//! What a file of weights calls the tensors of a network's layers.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Layout;

/// Whose names of layers a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Map {
    /// torchvision's, of alexnet, the vgg, resnet and resnext networks and googlenet: the layers that have weights
    /// are matched in the order of a forward pass, whatever the network calls them. Tensors are laid out as
    /// PyTorch's.
    Torchvision,
}

/// From the names of a file to those of a network's layers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Naming {
    /// How tensors are called within their layer, and laid out.
    pub layout: Layout,
    /// What is taken away where a name begins with it.
    pub strip: Option<String>,
    /// Beginnings of names, whole parts of them, and what stands there instead.
    pub rename: BTreeMap<String, String>,
    /// Whose names of layers the file has.
    pub map: Option<Map>,
}

impl Naming {
    /// Of a file with the names of a network's own layers.
    pub fn of(layout: Layout) -> Self {
        Naming {
            layout,
            ..Naming::default()
        }
    }

    /// How tensors are laid out.
    pub fn layout(&self) -> Layout {
        match self.map {
            Some(Map::Torchvision) => Layout::Pytorch,
            None => self.layout,
        }
    }

    /// A name without what `strip` says.
    pub fn stripped<'a>(&self, name: &'a str) -> &'a str {
        let strip = self.strip.as_deref().unwrap_or_default();
        name.strip_prefix(strip).unwrap_or(name)
    }

    /// What a tensor of the file is called here; of several beginnings the longest counts.
    pub fn name(&self, name: &str) -> String {
        let name = self.stripped(name);
        let begins = |key: &&String| begins(name, key);
        match self
            .rename
            .keys()
            .filter(begins)
            .max_by_key(|key| key.len())
        {
            Some(key) => format!("{}{}", self.rename[key], &name[key.len()..]),
            None => name.to_string(),
        }
    }
}

/// Whether a name is `beginning` or goes on after it with a dot.
pub fn begins(name: &str, beginning: &str) -> bool {
    let rest = name.strip_prefix(beginning);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_a_beginning_and_get_another() {
        let rename = [
            ("layer4", "last"),
            ("layer4.0.downsample.0", "last.projection.conv"),
        ];
        let naming = Naming {
            strip: Some("module.".to_string()),
            rename: rename
                .map(|(from, to)| (from.to_string(), to.to_string()))
                .into(),
            ..Naming::default()
        };
        let name = |name: &str| naming.name(name);
        assert_eq!(name("module.layer4.0.conv1.weight"), "last.0.conv1.weight");
        assert_eq!(
            name("module.layer4.0.downsample.0.weight"),
            "last.projection.conv.weight"
        );
        assert_eq!(name("layer40.weight"), "layer40.weight");
        assert_eq!(name("module.fc.bias"), "fc.bias");
    }
}
