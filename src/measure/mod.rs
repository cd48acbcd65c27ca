//! The vocabulary of measures: numbers about a trained model beyond its loss.
//!
//! One file a measure, one line in the registry below; and the mathematics that they share with pictures
//! and commands. Asks a model in plain numbers only, and knows nothing of training, files or tables.

mod classes;
mod nearest;
mod principal;
#[cfg(test)]
mod reference;
mod rows;
#[cfg(test)]
mod testing;

pub use anomaly_auc::{area_under_curve, errors};
pub use frechet_distance::{FeatureClassifier, WIDEST, last_hidden};
pub use nearest::{Neighbor, nearest};
pub use principal::{Components, principal_components};
pub use rows::Rows;

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::Scale;
use crate::error::Flaw;
use crate::models::{Model, ModelFacts};
use crate::record::{Column, Extra, Measure, Metric, RunRow, run_columns};
use crate::rng::Seed;
use crate::tagged::OrNone;

/// A trained model and what it is measured with. Images are scaled as in training.
pub struct MeasureInput<'a> {
    /// The trained model.
    pub model: &'a dyn Model,
    /// All test images, or those in their place, `[images, channels, height, width]`.
    pub images: &'a [f32],
    /// Their classes, if anything tells them.
    pub labels: Option<&'a [u32]>,
    /// Training images, from which a chain of samples sets out; empty where they are not there.
    pub starts: &'a [f32],
    /// What black and white are to the model.
    pub scale: &'a Scale,
    /// In whose features samples and images are compared, or why there is none.
    pub feature_classifier: std::result::Result<FeatureClassifier<'a>, &'a str>,
    /// The run's seed: samples and draws follow from it.
    pub seed: Seed,
}

impl MeasureInput<'_> {
    /// The codes of all test images.
    fn codes(&self) -> Vec<f32> {
        self.model.encode(self.images, self.labels)
    }

    /// Some of the test images, spread evenly over all, with their classes.
    fn some(&self, count: usize) -> (Vec<f32>, Option<Vec<u32>>) {
        let images = Rows::new(self.images, self.model.images().len());
        let chosen = spread(count, images.len());
        let of_chosen = |labels: &[u32]| chosen.iter().map(|&index| labels[index]).collect();
        (images.pick(&chosen), self.labels.map(of_chosen))
    }
}

/// What was measured of a trained model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Taken {
    /// The numbers, by the measures' keys.
    pub numbers: Extra,
    /// Measures by their keys that have no number of these images, and why, in a sentence.
    pub left_out: Vec<(&'static str, String)>,
}

impl Taken {
    fn of(
        found: impl IntoIterator<Item = (&'static str, std::result::Result<f64, String>)>,
    ) -> Self {
        let mut left_out = Vec::new();
        let mut kept = |(key, number)| match number {
            Ok(number) => Some((key, Some(number))),
            Err(reason) => {
                left_out.push((key, reason));
                None
            }
        };
        Taken {
            numbers: found.into_iter().filter_map(&mut kept).collect(),
            left_out,
        }
    }

    /// The measures that have a number, in the order of the tables, by their keys.
    pub fn measures(&self) -> impl Iterator<Item = (&'static str, &'static Metric, f64)> {
        measures(&self.numbers)
    }
}

/// So many numbers below `all`, spread evenly; all of them where there are no more.
fn spread(count: usize, all: usize) -> Vec<usize> {
    let count = count.min(all);
    (0..count).map(|number| number * all / count).collect()
}

/// A measure with what a file says of it.
trait Take {
    /// Its column of `summary.csv`. What it needs of a model, [`obstacle`](Self::obstacle) says.
    const METRIC: Metric;

    /// Why such a model has no such number, in a sentence; `None` if it has.
    fn obstacle(&self, facts: &ModelFacts) -> Option<String>;

    /// Why there is no such number of these images, of a model that may have one, in a sentence; `None` if there is.
    fn lack(&self, _subject: &MeasureInput) -> Option<String> {
        None
    }

    /// The number, of a model and of images that nothing hinders it of; `None` if it is no finite one.
    fn take(&self, subject: &MeasureInput) -> Option<f64>;
}

/// Declares every measure once: its file, which is its name, and its fields.
macro_rules! measures {
    (
        asked { $($(#[doc = $doc:literal])* $asked:ident: $Asked:ident;)* }
        named { $($(#[doc = $named_doc:literal])* $named:ident: $Named:ident;)* }
        always { $($always:ident: $Always:ident;)* }
    ) => {
        $(mod $asked; pub use $asked::$Asked;)*
        $(mod $named; use $named::$Named;)*
        $(mod $always; use $always::$Always;)*

        /// A measure that has no fields.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum NamedMeasure {
            $($(#[doc = $named_doc])* $Named,)*
        }

        /// What is measured besides what is always measured; each may also be "none". Default none.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct Measures {
            $(
                $(#[doc = $doc])*
                #[serde(skip_serializing_if = "OrNone::is_none")]
                pub $asked: OrNone<$Asked>,
            )*
            /// Others, by their names, such as ["balanced_accuracy", "macro_f1"]; claims call them by their columns,
            /// `test_balanced_accuracy`. Default none.
            #[serde(skip_serializing_if = "Vec::is_empty")]
            pub metrics: Vec<NamedMeasure>,
        }

        impl Measures {
            /// Whether nothing is asked for.
            pub fn is_empty(&self) -> bool {
                self.metrics.is_empty() $(&& self.$asked.is_none())*
            }

            /// What cannot be measured of such a model; keys are such as `log_likelihood`.
            pub fn flaws(&self, facts: &ModelFacts) -> Vec<Flaw> {
                let mut flaws = Vec::new();
                $(
                    let obstacle = self.$asked.as_ref().and_then(|asked| asked.obstacle(facts));
                    flaws.extend(obstacle.map(|reason| {
                        let name = stringify!($asked);
                        Flaw::new(name, format!("`{name}` cannot be measured: {reason}"))
                    }));
                )*
                for (index, named) in self.metrics.iter().enumerate() {
                    let (name, obstacle) = match named {
                        $(NamedMeasure::$Named => (stringify!($named), $Named.obstacle(facts)),)*
                    };
                    let place = format!("metrics.{index}");
                    flaws.extend(obstacle.map(|reason| {
                        Flaw::new(place.clone(), format!("`{name}` cannot be measured: {reason}"))
                    }));
                    if self.metrics[..index].contains(named) {
                        flaws.push(Flaw::new(place, format!("`{name}` stands here twice")));
                    }
                }
                flaws
            }

            /// Why a column of `summary.csv` stays empty for such a model, in a sentence; `None` if it
            /// does not, or another room fills it.
            pub fn unmeasured(&self, column: &str, facts: &ModelFacts) -> Option<String> {
                $(
                    if column == $Asked::METRIC.name {
                        let asked = self.$asked.as_ref();
                        let unasked = || {
                            let key = concat!("measure.", stringify!($asked));
                            Some(format!("there is no `{key}`"))
                        };
                        return asked.map_or_else(unasked, |asked| asked.obstacle(facts));
                    }
                )*
                $(
                    if column == $Named::METRIC.name {
                        let unasked = || Some(concat!(
                            "there is no \"", stringify!($named), "\" in `measure.metrics`"
                        ).to_string());
                        return match self.metrics.contains(&NamedMeasure::$Named) {
                            true => $Named.obstacle(facts),
                            false => unasked(),
                        };
                    }
                )*
                $(
                    if column == $Always::METRIC.name {
                        return $Always.obstacle(facts);
                    }
                )*
                None
            }

            /// Whether nothing can be measured of such a model.
            pub fn is_idle(&self, facts: &ModelFacts) -> bool {
                let asked = [$(
                    self.$asked.as_ref().is_none_or(|asked| asked.obstacle(facts).is_some()),
                )*];
                let named = [$(
                    !self.metrics.contains(&NamedMeasure::$Named) || $Named.obstacle(facts).is_some(),
                )*];
                let always = [$($Always.obstacle(facts).is_some(),)*];
                asked.into_iter().chain(named).chain(always).all(|idle| idle)
            }

            /// Measures a trained model.
            pub fn take(&self, subject: &MeasureInput) -> Taken {
                let facts = subject.model.facts();
                let found = [
                    $({
                        let asked = self.$asked.as_ref();
                        asked.map(|asked| (stringify!($asked), number(asked, subject)))
                    },)*
                    $({
                        let is_asked = self.metrics.contains(&NamedMeasure::$Named);
                        is_asked.then(|| (stringify!($named), number(&$Named, subject)))
                    },)*
                    $({
                        let is_apt = $Always.obstacle(facts).is_none();
                        is_apt.then(|| (stringify!($always), number(&$Always, subject)))
                    },)*
                ];
                Taken::of(found.into_iter().flatten())
            }
        }

        /// Every measure.
        static MEASURES: &[Measure] = &[
            $(Measure { key: stringify!($asked), metric: &<$Asked as Take>::METRIC },)*
            $(Measure { key: stringify!($named), metric: &<$Named as Take>::METRIC },)*
            $(Measure { key: stringify!($always), metric: &<$Always as Take>::METRIC },)*
        ];
    };
}

measures! {
    asked {
        /// The importance-weighted estimate of the test images' log-likelihood (Burda et al. 2015), of
        /// models with a gaussian code.
        log_likelihood: LogLikelihood;
        /// How many of an image's 10 nearest neighbors in code space are of its class.
        precision_at_10: PrecisionAt10;
        /// The distance of a generative model's samples to the test images in the features of a trained
        /// classifier (Heusel et al. 2017).
        frechet_distance: FrechetDistance;
    }
    named {
        /// The share of a class's test images that are taken for it, mean over the classes.
        balanced_accuracy: BalancedAccuracy;
        /// The harmonic mean of precision and recall of each class, mean over the classes.
        macro_f1: MacroF1;
        /// The share of test images whose class is among the five likeliest answers.
        top5_accuracy: Top5Accuracy;
    }
    always {
        active_units: ActiveUnits;
        anomaly_auc: AnomalyAuc;
    }
}

/// The columns of `summary.csv`; the swept keys follow `seed`.
pub static RUN_COLUMNS: LazyLock<Vec<Column<RunRow>>> = LazyLock::new(|| run_columns(MEASURES));

/// The columns that claims may speak of.
pub fn metric_columns() -> impl Iterator<Item = &'static Column<RunRow>> {
    RUN_COLUMNS.iter().filter(|column| column.metric.is_some())
}

/// What was measured, in the order of the tables, by the measures' keys.
pub fn measures(taken: &Extra) -> impl Iterator<Item = (&'static str, &'static Metric, f64)> {
    let numbers = MEASURES.iter();
    numbers.filter_map(|measure| Some((measure.key, measure.metric, taken.get(measure.key)?)))
}

/// The metric in a column of `summary.csv`.
pub fn column_metric(name: &str) -> Option<&'static Metric> {
    metric_columns().find(|column| column.name == name)?.metric
}

/// A run's value of a metric, if it was measured.
pub fn metric(run: &RunRow, name: &str) -> Option<f64> {
    let column = metric_columns().find(|column| column.name == name)?;
    column.cell(run).number()
}

/// The number, or why there is none.
fn number(measure: &impl Take, subject: &MeasureInput) -> std::result::Result<f64, String> {
    let obstacle = measure.obstacle(subject.model.facts());
    if let Some(reason) = obstacle.or_else(|| measure.lack(subject)) {
        return Err(reason);
    }
    let taken = measure.take(subject).filter(|number| number.is_finite());
    taken.ok_or_else(|| "it is no finite number".to_string())
}

/// Why a measure that compares classes has no number of images without.
fn classes_lacking(subject: &MeasureInput) -> Option<String> {
    let unknown = subject.labels.is_none();
    unknown.then(|| "nothing tells the classes of the images".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_has_a_name_of_its_own_and_says_what_it_is() {
        let mut names: Vec<&str> = RUN_COLUMNS.iter().map(|column| &*column.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "{names:?}");
        assert!(RUN_COLUMNS.iter().all(|column| !column.doc.is_empty()));
        let doc = |name: &str| {
            let column = metric_columns().find(|column| column.name == name);
            column.map(|column| column.doc.as_str())
        };
        let elbo = "evidence lower bound of the log-likelihood (nats), \
                    on the test set with the best epoch's weights";
        assert_eq!(doc("best_test_elbo"), Some(elbo));
        assert_eq!(doc("device"), None, "claims speak of metrics only");
    }

    #[test]
    fn a_run_of_an_earlier_version_keeps_its_measures() {
        let written = r#"{"log_likelihood": -90.5, "active_units": null}"#;
        let extra: Extra = serde_json::from_str(written).unwrap();
        assert_eq!(extra.get("log_likelihood"), Some(-90.5));
        assert_eq!(extra.get("active_units"), None);
    }
}
