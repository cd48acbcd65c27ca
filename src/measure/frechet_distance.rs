//! How far a generative model's samples are from real images, seen with a trained classifier's eyes.

use nalgebra::{DMatrix, DVector, SymmetricEigen};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MeasureInput, Rows, Take};
use crate::data::Scale;
use crate::models::{Model, ModelFacts, in_turn};
use crate::record::{Better, Metric};
use crate::rng::Purpose;
use crate::run_name::RunName;
use crate::tagged::Choice;
use crate::value::Positive;

/// Images that the classifier looks at at a time.
const AT_A_TIME: usize = 500;

/// Bytes of samples that are drawn at a time.
const DRAWN: usize = 256 << 20;

/// Features at most: the distance takes matrices of this size apart.
pub const WIDEST: usize = 2048;

/// The distance of normal distributions fitted to the features of all test images and to those of `samples` samples:
/// Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium", 2017,
/// equation 6, with a classifier of one's own in place of Inception.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FrechetDistance {
    /// Samples drawn, however many test images there are. Default 10,000.
    #[serde(default = "ten_thousand")]
    pub samples: Positive,
    /// The classifier in whose features they are compared, which is trained first.
    pub run: RunName,
    /// The layer of the classifier that gives the features, 2048 at most. Default: of the layers with
    /// weights the one before the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
}

fn ten_thousand() -> Positive {
    Positive(10_000)
}

/// The classifier that looks.
#[derive(Clone, Copy)]
pub struct FeatureClassifier<'a> {
    /// The classifier, whose hidden layer gives the features.
    pub model: &'a dyn Model,
    /// What it was trained with.
    pub scale: &'a Scale,
}

impl Choice for FrechetDistance {
    const WHAT: &'static str = "a measure";
}

impl Take for FrechetDistance {
    const METRIC: Metric = Metric {
        better: Some(Better::Less),
        shown: true,
        ..Metric::new(
            "frechet_distance",
            "of samples to test images, in a classifier's features",
        )
    };

    fn obstacle(&self, facts: &ModelFacts) -> Option<String> {
        (!facts.is_generative()).then(|| "no samples can be drawn from the model".to_string())
    }

    fn lack(&self, subject: &MeasureInput) -> Option<String> {
        let sets_out = subject.model.facts().chain.is_some();
        let starts = (sets_out && subject.starts.is_empty())
            .then_some("the training images are not there, from which its samples set out");
        let reason = subject.feature_classifier.err().or(starts);
        reason.map(String::from)
    }

    fn take(&self, subject: &MeasureInput) -> Option<f64> {
        let feature_classifier = subject.feature_classifier.ok()?;
        let layer = match &self.layer {
            Some(layer) => layer.clone(),
            None => default_layer(feature_classifier.model)?,
        };
        let mut real = Features::new(subject, feature_classifier, &layer);
        real.add(subject.images)?;
        let mut drawn = Features::new(subject, feature_classifier, &layer);
        let samples = self.samples.get();
        let at_a_time = (DRAWN / (4 * subject.model.images().len())).max(1);
        for first in (0..samples).step_by(at_a_time) {
            let count = at_a_time.min(samples - first);
            drawn.add(&draw(subject, first, count)?)?;
        }
        Some(real.moments()?.distance(&drawn.moments()?))
    }
}

/// The samples from this number on: of all classes in turn, where the model is conditional.
fn draw(subject: &MeasureInput, first: usize, count: usize) -> Option<Vec<f32>> {
    let model = subject.model;
    let labels = in_turn(first, count, model.facts().classes);
    let labels: Vec<u32> = labels.map(|label| label as u32).collect();
    let real = Rows::new(subject.starts, model.images().len());
    let starts: Vec<usize> = in_turn(first, count, real.len()).collect();
    let place = match first {
        0 => vec![1],
        first => vec![1, first as u64],
    };
    let seed = subject.seed.number(Purpose::Extra, &place);
    let labels = model.facts().is_conditional.then_some(labels.as_slice());
    model.sample(count, labels, &real.pick(&starts), seed)
}

/// The layer before the last one, if there are two, of those that tensors belong to.
pub fn last_hidden<'a>(layers: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut layers: Vec<&str> = layers.into_iter().collect();
    layers.dedup();
    layers.len().checked_sub(2).map(|before| layers[before])
}

/// What the classifier's layer makes of images.
struct Features<'a> {
    subject: &'a MeasureInput<'a>,
    classifier: FeatureClassifier<'a>,
    layer: &'a str,
    /// `[images, width]`
    values: Vec<f32>,
    width: usize,
}

impl<'a> Features<'a> {
    fn new(
        subject: &'a MeasureInput<'a>,
        classifier: FeatureClassifier<'a>,
        layer: &'a str,
    ) -> Self {
        Features {
            subject,
            classifier,
            layer,
            values: Vec::new(),
            width: 0,
        }
    }

    /// Adds those of images that are scaled as the model measured takes them; `None` where there is no such layer.
    fn add(&mut self, images: &[f32]) -> Option<()> {
        let (subject, classifier) = (self.subject, self.classifier);
        for some in images.chunks(AT_A_TIME * subject.model.images().len()) {
            let mut seen = some.to_vec();
            subject.scale.undo(&mut seen, subject.model.images());
            let shape = classifier.model.images();
            classifier.scale.apply(&mut seen, shape);
            let activations = classifier.model.activations(self.layer, &seen, None)?;
            self.width = activations.shape.len();
            self.values.extend(activations.after);
        }
        Some(())
    }

    /// `None` where there are none, or not all are finite: of NaN no eigenvalues are ever found.
    fn moments(&self) -> Option<Moments> {
        let sound = self.width > 0 && self.values.iter().all(|value| value.is_finite());
        sound.then(|| Moments::of(Rows::new(&self.values, self.width)))
    }
}

/// The last hidden layer of a model.
fn default_layer(model: &dyn Model) -> Option<String> {
    let weights = model.weights();
    let names = weights.iter().map(|tensor| tensor.name.as_str());
    let layers = names.filter_map(|name| Some(name.rsplit_once('/')?.0));
    last_hidden(layers).map(String::from)
}

/// The normal distribution nearest to many features.
pub(super) struct Moments {
    mean: DVector<f64>,
    covariance: DMatrix<f64>,
}

impl Moments {
    pub fn of(features: Rows) -> Self {
        Moments {
            mean: features.mean(),
            covariance: features.covariance(),
        }
    }

    /// `|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))`, from 0. The last trace is that of the root of
    /// `S1^(1/2) S2 S1^(1/2)`, which is symmetric.
    pub fn distance(&self, other: &Moments) -> f64 {
        let root = root(&self.covariance);
        let product = &root * &other.covariance * &root;
        let product = (&product + product.transpose()) * 0.5;
        let values = product.symmetric_eigenvalues();
        let common: f64 = values.iter().map(|value| value.max(0.0).sqrt()).sum();
        let traces = self.covariance.trace() + other.covariance.trace();
        let means = (&self.mean - &other.mean).norm_squared();
        // Of equal distributions rounding may leave less than nothing.
        (means + traces - 2.0 * common).max(0.0)
    }
}

/// The symmetric root of a covariance.
fn root(covariance: &DMatrix<f64>) -> DMatrix<f64> {
    let SymmetricEigen {
        eigenvectors,
        eigenvalues,
    } = SymmetricEigen::new(covariance.clone());
    let roots = eigenvalues.map(|value| value.max(0.0).sqrt());
    &eigenvectors * DMatrix::from_diagonal(&roots) * eigenvectors.transpose()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Fake;
    use super::*;

    #[test]
    fn one_dimension_is_worked_out_by_hand() {
        let of = |values: &[f32]| Moments::of(Rows::new(values, 1));
        // Means 0 and 3, standard deviations 1 and 3: 9 + (1 - 3)^2.
        let (narrow, wide) = (of(&[-1.0, 0.0, 1.0]), of(&[0.0, 3.0, 6.0]));
        assert!((narrow.distance(&wide) - 13.0).abs() < 1e-12);
        assert!((wide.distance(&narrow) - 13.0).abs() < 1e-12);
        assert!(wide.distance(&wide) < 1e-12);
    }

    #[test]
    fn samples_are_seen_on_the_classifier_s_scale() {
        // The fake's features are the images themselves and its samples are drawn from 0 to 1.
        let images: Vec<f32> = (0..400).map(|at| (at * 37 % 101) as f32 / 200.0).collect();
        let (model, feature_classifier) = (Fake::new(), Fake::new());
        let fields: FrechetDistance = toml::from_str("samples = 50\nrun = {}").unwrap();
        const UNIT: Scale = Scale::Range([0.0, 1.0]);
        let labels = [0; 100];
        let subject = || model.subject(&images, &labels);
        assert_eq!(fields.take(&subject()), None);
        let distance = |from: &Scale, to: &Scale| {
            let feature_classifier = FeatureClassifier {
                model: &feature_classifier,
                scale: to,
            };
            let feature_classifier = Ok(feature_classifier);
            let subject = MeasureInput {
                scale: from,
                feature_classifier,
                ..subject()
            };
            fields.take(&subject).unwrap()
        };
        let broken = vec![f32::NAN; 400];
        let blind = MeasureInput {
            images: &broken,
            feature_classifier: Ok(FeatureClassifier {
                model: &feature_classifier,
                scale: &UNIT,
            }),
            ..subject()
        };
        assert_eq!(fields.take(&blind), None);
        let same = distance(&UNIT, &UNIT);
        let tenfold = distance(&UNIT, &Scale::Range([0.0, 10.0]));
        assert!(same > 0.1, "{same}");
        assert!((tenfold / same - 100.0).abs() < 1e-3, "{same} {tenfold}");
    }

    #[test]
    fn a_chain_without_images_to_set_out_from_has_no_distance() {
        let mut model = Fake::new();
        model.0.chain = Some(3);
        let classifier = Fake::new();
        let fields: FrechetDistance = toml::from_str("run = {}").unwrap();
        let images = [0.5; 8];
        let looked_at = MeasureInput {
            feature_classifier: Ok(FeatureClassifier {
                model: &classifier,
                scale: &Scale::Range([0.0, 1.0]),
            }),
            ..model.subject(&images, &[0, 0])
        };
        assert_eq!(fields.lack(&looked_at), None);
        let reason = fields.lack(&MeasureInput {
            starts: &[],
            ..looked_at
        });
        let expected = "the training images are not there, from which its samples set out";
        assert_eq!(reason.as_deref(), Some(expected));
    }

    #[test]
    fn features_are_those_of_the_last_hidden_layer() {
        assert_eq!(default_layer(&Fake::new()).as_deref(), Some("dense_1"));
    }
}
