//! The `[start]` table: what the first weights are taken from, and for which layers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Flaw, did_you_mean};
use crate::network::{Layout, Map, Naming, Patterns, begins};
use crate::run_name::RunName;
use crate::tagged::Choice;

/// Trained weights to start from: a file's, or another run's, which is trained first. Layers without a
/// counterpart must be left out with `include` or `exclude`; they start fresh.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// A safetensors file, looked up beside this file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<PathBuf>,
    /// A run of this or another experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunName>,
    /// Whether the run's weights of the epoch that is best by its `train.best` are taken, not its final ones.
    /// Default false.
    #[serde(default, skip_serializing_if = "is_not")]
    pub best: bool,
    /// How the file calls and lays out its tensors. Default burnlab.
    #[serde(default, skip_serializing_if = "Layout::is_default")]
    pub layout: Layout,
    /// What is taken away where the file's names begin with it, such as "module.". Default nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strip: Option<String>,
    /// What the file calls layers, or blocks of them, and what they are called here: `{ "fc" = "dense_1" }`.
    /// Default what they are called here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
    /// Whose network the file is of, if all its layers are this network's, whatever they are called here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<Map>,
    /// Layers that take their weights from there, as patterns of their names. Default all.
    #[serde(default, skip_serializing_if = "Patterns::is_empty")]
    pub include: Patterns,
    /// Layers that do not, whatever `include` says. Default none.
    #[serde(default, skip_serializing_if = "Patterns::is_empty")]
    pub exclude: Patterns,
}

impl Choice for Start {
    const WHAT: &'static str = "weights to start from";
}

fn is_not(value: &bool) -> bool {
    !value
}

impl Start {
    /// Whether the layer of this name takes its weights from there.
    pub fn takes(&self, layer: &str) -> bool {
        let included = self.include.is_empty() || self.include.matches(layer);
        included && !self.exclude.matches(layer)
    }

    /// What the file calls layers and tensors.
    pub fn naming(&self) -> Naming {
        Naming {
            layout: self.layout,
            strip: self.strip.clone(),
            rename: self.rename.clone(),
            map: self.map,
        }
    }

    /// The file to start from, where that and no run is named.
    pub fn file(&self) -> Option<&Path> {
        self.weights.as_deref().filter(|_| self.run.is_none())
    }

    /// The file in a run's folder.
    pub fn file_name(&self) -> &'static str {
        match self.best {
            true => "best.safetensors",
            false => "weights.safetensors",
        }
    }

    /// The same start from a run's file, now that there is one.
    pub fn from_file(&self, path: &Path) -> Start {
        Start {
            weights: Some(path.to_path_buf()),
            run: None,
            best: false,
            ..self.clone()
        }
    }

    /// What is wrong with it for a network with these layers; keys are below `[start]`.
    pub fn flaws(&self, layers: &[&str]) -> Vec<Flaw> {
        let mut flaws: Vec<Flaw> = Vec::new();
        match (&self.weights, &self.run) {
            (Some(_), Some(_)) => {
                let message = "`start` says both `weights` and `run`";
                flaws.push(Flaw::new("run", message).hint("keep one of them"));
            }
            (None, None) => {
                let message = "`start` does not say what to start from";
                let hint = "weights = \"FILE.safetensors\", or run = { variant = \"NAME\" }";
                flaws.push(Flaw::new("", message).hint(hint));
            }
            (Some(_), None) if self.best => {
                let message = "`best` chooses among the weights of a run, not in a file";
                flaws.push(Flaw::new("best", message));
            }
            (None, Some(_)) if !self.layout.is_default() => {
                let message = "`layout` says how a file is laid out; runs have burnlab's own";
                flaws.push(Flaw::new("layout", message).hint("leave it out"));
            }
            (None, Some(_)) => {
                let said = [
                    ("strip", self.strip.is_some()),
                    ("rename", !self.rename.is_empty()),
                    ("map", self.map.is_some()),
                ];
                let said = said.into_iter().filter(|(_, is_said)| *is_said);
                flaws.extend(said.map(|(key, _)| {
                    let message =
                        format!("`{key}` says what a file calls layers; runs have their own names");
                    Flaw::new(key, message).hint("leave it out")
                }));
            }
            _ => {}
        }
        flaws.extend(self.rename_flaws(layers));
        for (key, patterns) in [("include", &self.include), ("exclude", &self.exclude)] {
            let idle = patterns.flaws(key, layers).into_iter();
            flaws.extend(idle.map(|flaw| flaw.under(key)));
        }
        if flaws.is_empty() && !layers.iter().any(|layer| self.takes(layer)) {
            let message =
                "`include` and `exclude` leave no layer that takes its weights from there";
            flaws.push(Flaw::new("", message));
        }
        flaws
    }

    /// What is wrong with new names for a network with these layers.
    fn rename_flaws(&self, layers: &[&str]) -> Vec<Flaw> {
        if self.map.is_some() && !self.rename.is_empty() {
            let message = "`map` and `rename` both say what layers are called";
            return vec![Flaw::new("rename", message).hint("keep one of them")];
        }
        // A layer, a block of them, or a tensor of one.
        let is_known = |name: &str| {
            layers
                .iter()
                .any(|layer| begins(layer, name) || begins(name, layer))
        };
        let unknown = self.rename.values().filter(|name| !is_known(name));
        unknown
            .map(|name| {
                let message = format!("`{name}` in `rename` is the name of no layer");
                Flaw::new("rename", message).maybe_hint(did_you_mean(name, layers))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(text: &str) -> Start {
        toml::from_str(text).expect("the table parses")
    }

    #[test]
    fn layers_are_taken_unless_left_out() {
        let all = start("weights = 'a'");
        assert!(all.takes("conv2d_1"));
        let some = start("weights = 'a'\ninclude = ['conv*']\nexclude = ['conv2d_2']");
        assert!(some.takes("conv2d_1") && !some.takes("conv2d_2") && !some.takes("dense_1"));
    }

    #[test]
    fn a_start_says_one_thing_to_start_from() {
        let message = |text: &str| -> Vec<String> {
            let flaws = start(text).flaws(&["conv2d_1", "dense_1"]);
            flaws
                .into_iter()
                .map(|flaw| format!("{}: {}", flaw.key, flaw.message))
                .collect()
        };
        assert_eq!(message("weights = 'a'"), [""; 0]);
        assert_eq!(
            message("best = true"),
            [": `start` does not say what to start from"]
        );
        assert_eq!(
            message("weights = 'a'\nrun = {}"),
            ["run: `start` says both `weights` and `run`"]
        );
        assert_eq!(
            message("run = {}\nlayout = 'pytorch'"),
            ["layout: `layout` says how a file is laid out; runs have burnlab's own"]
        );
        assert_eq!(
            message("run = {}\nstrip = 'a.'\nmap = 'torchvision'"),
            [
                "strip: `strip` says what a file calls layers; runs have their own names",
                "map: `map` says what a file calls layers; runs have their own names"
            ]
        );
        assert_eq!(
            message("weights = 'a'\nrename = { fc = 'dense_1', head = 'dense_1.weight' }"),
            [""; 0]
        );
        assert_eq!(
            message("weights = 'a'\nrename = { fc = 'dense_2' }"),
            ["rename: `dense_2` in `rename` is the name of no layer"]
        );
        assert_eq!(
            message("weights = 'a'\nrename = { fc = 'dense_1' }\nmap = 'torchvision'"),
            ["rename: `map` and `rename` both say what layers are called"]
        );
        assert_eq!(
            message("run = {}\nexclude = ['dense_2']"),
            ["exclude.0: `dense_2` in `exclude` is the name of no layer"]
        );
        assert_eq!(
            message("run = {}\ninclude = ['dense_1']\nexclude = ['dense*']"),
            [": `include` and `exclude` leave no layer that takes its weights from there"]
        );
    }

    #[test]
    fn a_start_from_a_file_stays_what_it_was_but_for_its_source() {
        let run = start("run = { variant = 'a' }\nbest = true\ninclude = ['conv*']");
        let file = run.from_file(Path::new("x/best.safetensors"));
        assert_eq!(
            file,
            start("weights = 'x/best.safetensors'\ninclude = ['conv*']")
        );
        let text = toml::to_string(&file).unwrap();
        assert_eq!(
            text,
            "weights = \"x/best.safetensors\"\ninclude = [\"conv*\"]\n"
        );
    }
}
