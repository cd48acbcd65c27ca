//! Which other runs a run needs, each by the key that names it.

use std::path::Path;

use super::Settings;
use crate::data::Generated;
use crate::run_name::RunName;

/// The key of the run whose weights come first.
pub const START: &str = "start.run";

/// The key of the run that generates images of all classes.
pub const GENERATOR: &str = "data.generated.run";

/// The key of the runs that generate images, one for each class that is trained on.
pub const GENERATORS: &str = "data.generated.runs";

/// The key of the run that labels generated images.
pub const LABELER: &str = "data.generated.labels.classifier";

/// The key of the classifier in whose features samples are compared with images.
pub const FEATURE_CLASSIFIER: &str = "measure.frechet_distance.run";

/// A run that must be done before another one can begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Dependency {
    /// Where the settings name it.
    pub key: &'static str,
    /// The run that is named.
    pub run: RunName,
}

impl Settings {
    /// Whether anything must be there before a run can begin: other runs, or a file of weights.
    pub fn needs_something(&self) -> bool {
        let asked = !self.data.generated.is_none() || !self.measure.frechet_distance.is_none();
        asked || !self.start.is_none()
    }

    /// The runs that a run with these settings needs where the data has `classes` classes; those of one key
    /// in the order of their classes.
    pub fn needs(&self, classes: usize) -> Vec<Dependency> {
        let need = |key| move |run: RunName| Dependency { key, run };
        let start = self.start.as_ref().and_then(|start| start.run.clone());
        let mut needs: Vec<Dependency> = start.map(need(START)).into_iter().collect();
        let distance = self.measure.frechet_distance.as_ref();
        needs.extend(
            distance
                .map(|distance| distance.run.clone())
                .map(need(FEATURE_CLASSIFIER)),
        );
        let Some(generated) = self.data.generated.as_ref() else {
            return needs;
        };
        needs.extend(generated.run.clone().map(need(GENERATOR)));
        if let Some(runs) = &generated.runs {
            let ids = self.data.ids(classes);
            let trained = self.data.trained(classes).into_iter();
            let of_class = trained.map(|label| Generated::run_of(runs, ids[label as usize]));
            needs.extend(of_class.map(need(GENERATORS)));
        }
        let labels = generated.labels.as_ref();
        needs.extend(
            labels
                .map(|labels| labels.classifier.clone())
                .map(need(LABELER)),
        );
        needs
    }

    /// Names a run that was found for a key such that it is found from everywhere, in the experiment of
    /// this file.
    pub fn locate(&mut self, key: &str, file: &Path, variant: &str, seed: u64) {
        let generated = self.data.generated.0.as_mut();
        let name = match key {
            GENERATOR => generated.and_then(|generated| generated.run.as_mut()),
            LABELER => generated
                .and_then(|generated| generated.labels.as_mut())
                .map(|labels| &mut labels.classifier),
            FEATURE_CLASSIFIER => {
                let distance = self.measure.frechet_distance.0.as_mut();
                distance.map(|distance| &mut distance.run)
            }
            // `runs` is one name for several; a start becomes one from a file.
            _ => None,
        };
        if let Some(name) = name {
            *name = RunName {
                experiment: Some(file.display().to_string()),
                variant: Some(variant.to_string()),
                seed: Some(seed),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_that_names_a_run_is_a_need() {
        let needs = |data: &str, start: &str| -> Vec<String> {
            let text = format!(
                "{start}\n[data]\ndataset = 'mnist'\n{data}\n[augment]\ncopies = []\n
                 [model.classifier]\nlayers = ['flatten']\n
                 [train]\nepochs = 1\nbatch_size = 1\nloss = 'cross_entropy'\nseeds = [0]\n
                 optimizer = {{ sgd = {{ learning_rate = 1.0 }} }}"
            );
            let settings: Settings = toml::from_str(&text).expect("the settings parse");
            let needs = settings.needs(3).into_iter();
            needs
                .map(|need| format!("{} {}", need.key, need.run.variant.unwrap_or_default()))
                .collect()
        };
        assert_eq!(needs("", ""), [""; 0]);
        assert_eq!(needs("", "start = { weights = 'x' }"), [""; 0]);
        assert_eq!(
            needs(
                "generated = { run = { variant = 'a' }, labels = { classifier = { variant = 'b' } } }",
                "start = { run = { variant = 'c' } }"
            ),
            [
                "start.run c",
                "data.generated.run a",
                "data.generated.labels.classifier b"
            ]
        );
        assert_eq!(
            needs(
                "",
                "measure = { frechet_distance = { run = { variant = 'd' } } }"
            ),
            ["measure.frechet_distance.run d"]
        );
        assert_eq!(
            needs(
                "classes = [7, 0, 4]\ntrain_classes = [4, 7]\n
                 generated = { runs = { variant = 'of-{class}' } }",
                ""
            ),
            ["data.generated.runs of-7", "data.generated.runs of-4"]
        );
    }
}
