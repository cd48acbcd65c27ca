//! The names of layers: given by the file or counted, each of its own within its list.

use std::collections::{HashMap, HashSet};

use super::position::ListPosition;
use crate::error::Flaw;
use crate::layers::{LayerSpec, List};

/// Each layer's name within its list, and the flaws of given ones.
pub(super) fn names(specs: &[LayerSpec], position: &ListPosition) -> (Vec<String>, Vec<Flaw>) {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut names: Vec<String> = Vec::with_capacity(specs.len());
    let mut first: HashMap<String, usize> = HashMap::new();
    let mut flaws = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        let (given, called) = spec.name();
        let count = counts.entry(called).or_default();
        *count += 1;
        let name = match given {
            Some(name) => name.to_string(),
            None => format!("{called}_{count}"),
        };
        let flaw = |text: String| {
            let key = position.at(index, &format!("{}.name", spec.key()));
            Flaw::new(key, format!("{} {text}", position.title(specs, index)))
        };
        if let Some(&other) = first.get(&name) {
            let earlier = position.title(specs, other);
            flaws.push(
                flaw(format!("is named `{name}` like {earlier}"))
                    .hint("give each layer a name of its own"),
            );
        } else if !is_plain(&name) {
            flaws.push(
                flaw(format!("is named `{name}`"))
                    .hint("a name is made of letters, digits, `_` and `-`"),
            );
        }
        flaws.extend(scope_flaw(spec).map(|(name, text)| {
            let key = position.at(index, &format!("{}.{name}", spec.key()));
            Flaw::new(key, format!("{} {text}", position.title(specs, index)))
        }));
        first.entry(name.clone()).or_insert(index);
        names.push(name);
    }
    (names, flaws)
}

/// The first of a block's lists whose name is wrong, by the key of its name, and what is wrong with it.
fn scope_flaw(spec: &LayerSpec) -> Option<(String, String)> {
    let mut scopes = HashSet::new();
    let flaw = |list: List| {
        let scope = list.scope.as_str();
        let message = if !scopes.insert(scope.to_string()) {
            format!("has two branches named `{scope}`")
        } else if !scope.is_empty() && !is_plain(scope) {
            format!("has a branch named `{scope}`: a name is made of letters, digits, `_` and `-`")
        } else {
            return None;
        };
        let position = list.key.strip_suffix("layers").unwrap_or_default();
        Some((format!("{position}name"), message))
    };
    spec.lists().into_iter().find_map(flaw)
}

/// Whether a name can stand in scopes and file keys.
fn is_plain(name: &str) -> bool {
    let plain = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
    !name.is_empty() && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use crate::network::testing::*;

    #[test]
    fn layers_are_named_by_key_and_number_unless_the_file_names_them() {
        let names: Vec<String> = planned(EXAMPLE)
            .layers
            .into_iter()
            .map(|layer| layer.name)
            .collect();
        assert_eq!(
            names,
            [
                "conv2d_1",
                "conv2d_2",
                "deep",
                "max_pool2d_1",
                "flatten_1",
                "dense_1",
                "dense_2"
            ]
        );
    }

    #[test]
    fn names_differ_and_are_plain() {
        expect_flaw(
            "{ flatten = { name = 'dense_2' } }, { dense = { units = 5 } }, { dense = { units = 10 } }",
            "2.dense.name",
            "layer 3 (`dense`) is named `dense_2` like layer 1 (`flatten`)",
            "give each layer a name of its own",
        );
        expect_flaw(
            "'flatten', { dense = { name = 'a/b', units = 10 } }",
            "1.dense.name",
            "layer 2 (`dense`) is named `a/b`",
            "a name is made of letters, digits, `_` and `-`",
        );
    }
}
