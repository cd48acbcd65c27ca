//! Layers named by patterns: what is frozen, and what takes its first weights from elsewhere.

use std::borrow::Cow;

use glob::Pattern;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Flaw, list_first, nearest};

/// Layers that a hint names; deep networks have hundreds.
const MOST_NAMED: usize = 12;

/// What was probably meant by the name of no layer, or which layers there are.
pub fn layer_hint(name: &str, names: &[&str]) -> String {
    match nearest(name, names) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("layers here: {}", list_first(names, MOST_NAMED)),
    }
}

/// Names of layers as patterns: `*` stands for any letters, `?` for one, `[12]` for one of these.
///
/// A pattern is for the whole name (`residual_1.conv2d_2`); one for the name of a block (`residual_1`)
/// takes all that is in it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Patterns(Vec<Pattern>);

impl Patterns {
    /// Whether there are no patterns.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them is for the layer of this name.
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| is_for(pattern, name))
    }

    /// The flaws of those that are for none of the layers, with their index as key. `owner` is the key
    /// that holds the patterns.
    pub fn flaws(&self, owner: &str, names: &[&str]) -> Vec<Flaw> {
        let idle = self
            .0
            .iter()
            .enumerate()
            .filter(|(_, pattern)| !names.iter().any(|name| is_for(pattern, name)));
        idle.map(|(index, pattern)| {
            let message = format!("`{pattern}` in `{owner}` is the name of no layer");
            Flaw::new(index.to_string(), message).hint(layer_hint(pattern.as_str(), names))
        })
        .collect()
    }
}

fn is_for(pattern: &Pattern, name: &str) -> bool {
    let blocks = name.match_indices('.').map(|(end, _)| &name[..end]);
    blocks.chain([name]).any(|name| pattern.matches(name))
}

/// One pattern, so that a broken one is found where it stands.
struct One(Pattern);

impl<'de> Deserialize<'de> for One {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Pattern::new(&text).map(One).map_err(|error| {
            let reason = error.msg;
            D::Error::custom(format!("`{text}` is no pattern of names: {reason}"))
        })
    }
}

impl<'de> Deserialize<'de> for Patterns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let all = Vec::<One>::deserialize(deserializer)?;
        Ok(Patterns(
            all.into_iter().map(|One(pattern)| pattern).collect(),
        ))
    }
}

impl Serialize for Patterns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Pattern::as_str))
    }
}

impl JsonSchema for Patterns {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Patterns".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": { "type": "string" } })
    }
}

/// Shared by this room's tests.
#[cfg(test)]
pub(super) fn patterns(texts: &[&str]) -> Patterns {
    serde_json::from_value(serde_json::json!(texts)).expect("the patterns parse")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_for_a_whole_name_or_for_a_block() {
        let of = |texts: &[&str], name: &str| patterns(texts).matches(name);
        assert!(of(&["conv*"], "conv2d_1"));
        assert!(!of(&["conv*"], "residual_1.conv2d_1"));
        assert!(of(&["*conv*"], "residual_1.conv2d_1"));
        assert!(of(&["residual_1"], "residual_1.projection.conv2d_1"));
        assert!(of(&["residual_[12]"], "residual_2.conv2d_1"));
        assert!(!of(&["residual"], "residual_1.conv2d_1"));
        assert!(!of(&["dense"], "dense_1"));
        assert!(of(&["a", "dense_?"], "dense_1"));
    }

    #[test]
    fn patterns_for_nothing_are_flaws_with_the_names_there_are() {
        let names = ["conv2d_1", "flatten_1"];
        let flaws = patterns(&["flatten*", "conv2_1", "head"]).flaws("freeze", &names);
        let found: Vec<(&str, &str, &str)> = flaws
            .iter()
            .map(|flaw| {
                (
                    flaw.key.as_str(),
                    flaw.message.as_str(),
                    flaw.hint.as_deref().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (
                    "1",
                    "`conv2_1` in `freeze` is the name of no layer",
                    "did you mean `conv2d_1`?"
                ),
                (
                    "2",
                    "`head` in `freeze` is the name of no layer",
                    "layers here: `conv2d_1` and `flatten_1`"
                ),
            ]
        );
    }

    #[test]
    fn patterns_go_round_and_broken_ones_are_refused() {
        let written = serde_json::to_string(&patterns(&["conv*", "dense_2"])).unwrap();
        assert_eq!(written, r#"["conv*","dense_2"]"#);
        let broken = serde_json::from_str::<Patterns>(r#"["conv[2d"]"#).unwrap_err();
        assert!(
            broken
                .to_string()
                .starts_with("`conv[2d` is no pattern of names: "),
            "{broken}"
        );
    }
}
