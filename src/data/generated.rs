//! `[data.generated]`: images that trained models generate, added to a training set.
//!
//! Says which models and how many images; that the models are what they should be is the plan's to see.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Flaw;
use crate::run_name::RunName;
use crate::tagged::Choice;
use crate::value::{Fraction, Positive};

/// What stands for a class's id in `runs`.
const CLASS: &str = "{class}";

/// Images that generative runs make, beside the real ones of the training set; those runs are trained
/// first. The augmentation recipe is applied to them too. It says one of `run` and `runs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Generated {
    /// Images in all, equally many of each class; what does not divide evenly goes to the lowest classes.
    /// Default the number of real ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<Positive>,
    /// A generative run for all classes. One that is not conditional needs `labels`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunName>,
    /// A generative run for each class: `{class}` in its names stands for the class's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs: Option<RunName>,
    /// What labels the images of a model that is not conditional.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<GeneratedLabels>,
}

/// A classifier that labels generated images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GeneratedLabels {
    /// A run with the same classes; it is trained first.
    pub classifier: RunName,
    /// The least probability of an image's likeliest class with which it is kept; others are drawn in
    /// place of those below. Default 0.9.
    #[serde(default = "sure")]
    pub confidence: Fraction,
}

fn sure() -> Fraction {
    Fraction(0.9)
}

impl Choice for Generated {
    const WHAT: &'static str = "generated images";
}

impl Generated {
    /// Number of images beside `real` real ones.
    pub fn count(&self, real: usize) -> usize {
        self.count.map_or(real, Positive::get)
    }

    /// The run of `runs` for a class of the dataset.
    pub fn run_of(runs: &RunName, class: usize) -> RunName {
        let named = |name: &Option<String>| {
            let name = name.as_ref();
            name.map(|name| name.replace(CLASS, &class.to_string()))
        };
        RunName {
            experiment: named(&runs.experiment),
            variant: named(&runs.variant),
            seed: runs.seed,
        }
    }

    /// What is wrong with it for `classes` classes; keys are the fields' names.
    pub(super) fn flaw(&self, classes: usize) -> Option<Flaw> {
        match (&self.run, &self.runs) {
            (Some(_), Some(_)) => {
                let message = "`generated` says both `run` and `runs`";
                Some(Flaw::new("runs", message).hint("keep one of them"))
            }
            (None, None) => {
                let message = "`generated` does not say which run generates the images";
                let hint = "run = { experiment = \"NAME\", variant = \"NAME\" }";
                Some(Flaw::new("", message).hint(hint))
            }
            (None, Some(runs)) => {
                let names = [&runs.experiment, &runs.variant];
                let mut names = names.into_iter().flatten();
                if self.labels.is_some() {
                    let message =
                        "with `runs` every image is of its run's class: there is nothing to label";
                    Some(Flaw::new("labels", message).hint("leave it out"))
                } else if classes > 1 && !names.any(|name| name.contains(CLASS)) {
                    let message = "`runs` is one run for all classes";
                    let hint =
                        "`{class}` stands for a class's id: runs = { variant = \"digit-{class}\" }";
                    Some(Flaw::new("runs", message).hint(hint))
                } else {
                    None
                }
            }
            (Some(_), None) => None,
        }
    }
}

/// `count` things divided among `among`: equally, and the remainder to the first ones.
pub fn shares(count: usize, among: usize) -> Vec<usize> {
    let (each, over) = (count / among.max(1), count % among.max(1));
    (0..among).map(|at| each + usize::from(at < over)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Generated {
        toml::from_str(text).expect("the table parses")
    }

    #[test]
    fn the_default_count_is_the_number_of_real_images() {
        assert_eq!(read("run = {}").count(70), 70);
        assert_eq!(read("run = {}\ncount = 5").count(70), 5);
        assert_eq!(shares(11, 4), [3, 3, 3, 2]);
        assert_eq!(shares(2, 3), [1, 1, 0]);
    }

    #[test]
    fn a_class_is_named_by_its_id() {
        let runs = read("runs = { experiment = 'x/{class}', variant = 'digit-{class}', seed = 3 }");
        let of_seven = Generated::run_of(&runs.runs.unwrap(), 7);
        assert_eq!(of_seven.experiment.as_deref(), Some("x/7"));
        assert_eq!(of_seven.variant.as_deref(), Some("digit-7"));
        assert_eq!(of_seven.seed, Some(3));
    }

    #[test]
    fn it_names_one_kind_of_generator() {
        let message = |text: &str| {
            let flaw = read(text).flaw(2);
            flaw.map(|flaw| format!("{}: {}", flaw.key, flaw.message))
        };
        assert_eq!(message("run = {}\nlabels = { classifier = {} }"), None);
        assert_eq!(message("runs = { variant = 'of-{class}' }"), None);
        let message = |text: &str| message(text).unwrap();
        assert_eq!(
            message("count = 3"),
            ": `generated` does not say which run generates the images"
        );
        assert_eq!(
            message("run = {}\nruns = {}"),
            "runs: `generated` says both `run` and `runs`"
        );
        assert_eq!(
            message("runs = { variant = 'a' }"),
            "runs: `runs` is one run for all classes"
        );
        assert_eq!(
            message("runs = { variant = 'of-{class}' }\nlabels = { classifier = {} }"),
            "labels: with `runs` every image is of its run's class: there is nothing to label"
        );
    }
}
