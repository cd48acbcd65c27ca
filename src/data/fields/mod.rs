//! The `[data]` table as an experiment writes it.

mod classes;
mod counts;
mod dataset_spec;

use schemars::JsonSchema;

pub use classes::Classes;
pub use counts::{Pick, Subset, Validation};
pub use dataset_spec::DatasetSpec;

use super::generated::Generated;
use super::scale::Scale;
use crate::tagged::OrNone;

/// Which images are used, and for what.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataFields {
    /// A dataset's name, or `{ idx = "DIR" }`, or `{ folder = "DIR" }` (or a table with `path`, `size` and more in the
    /// place of "DIR"), or `{ fake = {} }`.
    pub dataset: DatasetSpec,
    /// Training images: "all", the number of first ones, a share such as 0.1 (the first ones of each class, in proportion), or
    /// `{ count = N, pick = "stratified" }`; picked from what validation leaves.
    #[serde(default)]
    pub train: Subset,
    /// Validation images: a count, taken from the end of the training set; a fraction, taken from the end of
    /// each of its classes; or { folds = 5 } for cross-validation: every seed holds out another fifth of each class, so that means
    /// over the seeds 0 to 4 are means over all folds.
    #[serde(default)]
    pub validation: Validation,
    /// Classes to keep, of all parts, by ids or names; they are numbered anew from 0 in this order. Or "all".
    /// Of a folder whose classes are called by numbers, a number is a name.
    #[serde(default)]
    pub classes: Classes,
    /// Classes that training and validation keep of those; the test set keeps all of them. Or "all".
    #[serde(default, skip_serializing_if = "Classes::is_all")]
    pub train_classes: Classes,
    /// What pixel values become before an image meets the network: what black and white are, as [low, high]; or "standardize",
    /// so that each channel has a mean of 0 and a standard deviation of 1 over the images that are trained on, without augmented copies; or these
    /// moments, as { mean = 0.5, standard_deviation = 0.25 }, with a list for channel by channel.
    #[serde(default)]
    pub scale: Scale,
    /// Images that trained models generate, beside the real ones. Default "none".
    #[serde(default, skip_serializing_if = "OrNone::is_none")]
    pub generated: OrNone<Generated>,
}

impl DataFields {
    /// A dataset with everything else as it is by default.
    pub fn new(dataset: DatasetSpec) -> Self {
        DataFields {
            dataset,
            train: Subset::default(),
            validation: Validation::default(),
            classes: Classes::default(),
            train_classes: Classes::default(),
            scale: Scale::default(),
            generated: OrNone::default(),
        }
    }

    /// Whether the images that the dataset itself keeps for validation are used: the table takes none of training.
    pub fn has_own_validation(&self) -> bool {
        self.validation == Validation::default()
    }

    /// The ids of the chosen ones of the dataset's `classes` classes, in the order of their labels.
    pub fn ids(&self, classes: usize) -> Vec<usize> {
        match &self.classes {
            Classes::All => (0..classes).collect(),
            Classes::Only(ids) => ids.clone(),
            Classes::Named(_) => Vec::new(),
        }
    }

    /// Labels that training and validation keep of `classes` classes, ascending.
    pub fn trained(&self, classes: usize) -> Vec<u32> {
        let kept = |id: usize| match &self.train_classes {
            Classes::All => true,
            Classes::Only(ids) => ids.contains(&id),
            Classes::Named(_) => false,
        };
        let ids = self.ids(classes).into_iter().zip(0..);
        ids.filter(|(id, _)| kept(*id))
            .map(|(_, label)| label)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::registry;
    use super::*;

    fn read(text: &str) -> Result<DataFields, String> {
        toml::from_str(text).map_err(|error| error.message().to_string())
    }

    #[test]
    fn a_dataset_alone_is_enough_and_says_the_rest_when_written() {
        let fields = read("dataset = 'mnist'").unwrap();
        assert_eq!(fields, DataFields::new(fields.dataset.clone()));
        assert_eq!(
            serde_json::to_string(&fields).unwrap(),
            r#"{"dataset":"mnist","train":"all","validation":0,"classes":"all","scale":[0.0,1.0]}"#
        );
    }

    #[test]
    fn every_form_of_every_key_goes_round() {
        for text in [
            "dataset = 'cifar-10'\ntrain = 1000\nvalidation = 0.25\nclasses = [7, 0]\nscale = [-1, 1]",
            "dataset = 'mnist'\ntrain = 0.1",
            "dataset = { idx = 'x' }\ntrain = { count = 10, pick = 'stratified' }\nvalidation = 5",
            "dataset = { fake = { shape = [1, 8, 8], classes = 3 } }\nvalidation = 16",
            "dataset = { folder = 'x' }\ntrain = { count = 10, pick = 'random' }\nvalidation = 0.0",
            "dataset = 'mnist'\ntrain_classes = [0]\ngenerated = { run = { variant = 'a' }, count = 5 }",
        ] {
            let fields = read(text).unwrap();
            let json = serde_json::to_string(&fields).unwrap();
            assert_eq!(serde_json::from_str::<DataFields>(&json).unwrap(), fields);
        }
        let first = read("dataset = 'mnist'\ntrain = { count = 10 }").unwrap();
        assert_eq!(first, read("dataset = 'mnist'\ntrain = 10").unwrap());
        let all = read("dataset = 'mnist'\ntrain = 1.0").unwrap();
        assert_eq!(all, read("dataset = 'mnist'").unwrap());
    }

    #[test]
    fn wrong_values_say_what_is_expected() {
        let wrong = |text: &str| read(text).unwrap_err();
        assert_eq!(
            wrong("dataset = 'minst'"),
            "unknown variant `minst`, expected one of `mnist`, `fashion-mnist`, `kmnist`, `qmnist`, \
             `emnist-balanced`, `emnist-byclass`, `emnist-bymerge`, `emnist-letters`, `emnist-digits`, \
             `emnist-mnist`, `cifar-10`"
        );
        assert_eq!(
            wrong("dataset = { dir = 'x' }"),
            "unknown variant `dir`, expected one of `idx`, `folder`, `fake`"
        );
        assert_eq!(
            wrong("dataset = 3"),
            "invalid type: integer `3`, expected a dataset's name, \
             { idx = \"DIR\" }, { folder = \"DIR\" } or { fake = {} }"
        );
        assert_eq!(
            wrong("dataset = 'mnist'\ntrain = 'most'"),
            "invalid value: string \"most\", expected \"all\", a count, a share such as 0.1, \
             or { count = N, pick = \"stratified\" }"
        );
        assert_eq!(
            wrong("dataset = 'mnist'\ntrain = 1.5"),
            "invalid value: floating point `1.5`, expected \"all\", a count, a share such as 0.1, \
             or { count = N, pick = \"stratified\" }"
        );
        assert_eq!(
            wrong("dataset = 'mnist'\ntrain = { count = 3, pick = 'best' }"),
            "unknown variant `best`, expected one of `first`, `stratified`, `random`"
        );
        assert_eq!(
            wrong("dataset = 'mnist'\ntrain = { count = 3, pik = 'first' }"),
            "unknown field `pik`, expected `count` or `pick`"
        );
        assert_eq!(
            wrong("dataset = 'mnist'\nvalidation = 1.5"),
            "invalid value: floating point `1.5`, expected a count, a fraction below 1, or { folds = 5 }"
        );
        assert_eq!(
            wrong("dataset = 'mnist'\nclasses = []"),
            "invalid length 0, expected \"all\", or class ids as [0, 1, 7], or names"
        );
    }

    #[test]
    fn the_schema_names_the_datasets() {
        let schema = schemars::schema_for!(DataFields);
        let text = serde_json::to_string(&schema).unwrap();
        assert!(
            text.contains(&serde_json::to_string(registry::NAMES).unwrap()),
            "{text}"
        );
    }

    #[test]
    fn classes_to_train_on_keep_the_labels_of_all() {
        let fields =
            read("dataset = 'mnist'\nclasses = [7, 3, 1]\ntrain_classes = [1, 7]").unwrap();
        assert_eq!(fields.ids(3), [7, 3, 1]);
        assert_eq!(fields.trained(3), [0, 2]);
        let all = read("dataset = 'mnist'").unwrap();
        assert_eq!(all.trained(3), [0, 1, 2]);
        let one = read("dataset = 'mnist'\ntrain_classes = [4]").unwrap();
        assert_eq!(one.trained(10), [4]);
    }
}
