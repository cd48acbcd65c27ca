//! Images that trained models generate, added to the real ones of a training set.
//!
//! They depend on the models, the real images and the seed alone, so that a run that goes on from a
//! checkpoint goes on with the same ones.

use super::{Job, SourceModel};
use crate::config::{GENERATOR, GENERATORS, LABELER};
use crate::data::{Generated, PixelValues, Samples, Splits, shares};
use crate::error::{Error, Problem, Result, thousands};
use crate::models::{in_turn, likeliest, softmax};
use crate::rng::{Purpose, Seed};

/// Images that are drawn at a time.
const AT_A_TIME: usize = 500;

/// How many images are drawn for each wanted one before a classifier's doubts end the run.
const PATIENCE: usize = 20;

/// Adds the images that the settings ask for to the training set.
///
/// # Errors
/// An earlier run's weights cannot be read, or a classifier is sure of too few images.
pub(super) fn add(job: &Job, splits: &mut Splits) -> Result<()> {
    let Some(generated) = job.settings.data.generated.as_ref() else {
        return Ok(());
    };
    let count = generated.count(splits.train.len());
    let shares = shares(count, splits.trained.len());
    let wanted: Vec<(u32, usize)> = splits.trained.iter().copied().zip(shares).collect();
    let (real, classes) = (&splits.train, &splits.class_names);
    let generated =
        Generators::load(job, generated)?.generate(&wanted, real, classes, Seed(job.seed))?;
    splits.train.pixels.append(generated.pixels);
    splits.train.labels.extend(generated.labels);
    Ok(())
}

/// What generates the images, and where their labels come from.
enum Generators {
    /// Of the class that it is given, or unconditional where there is one class only.
    Conditional(SourceModel),
    /// A model for each class that is wanted, in their order.
    OnePerClass(Vec<SourceModel>),
    /// Of no class in particular; those of which the classifier is that sure are kept.
    Labeled {
        generator: SourceModel,
        classifier: SourceModel,
        confidence: f64,
    },
}

impl Generators {
    fn load(job: &Job, generated: &Generated) -> Result<Self> {
        if generated.runs.is_some() {
            return Ok(Generators::OnePerClass(SourceModel::all(job, GENERATORS)?));
        }
        let generator = SourceModel::only(job, GENERATOR)?;
        Ok(match &generated.labels {
            None => Generators::Conditional(generator),
            Some(labels) => Generators::Labeled {
                generator,
                classifier: SourceModel::only(job, LABELER)?,
                confidence: labels.confidence.get(),
            },
        })
    }

    /// For each label and count of `wanted`, images of that label in turn; `real` are images of the same shape,
    /// from which chains set out.
    ///
    /// # Errors
    /// The classifier is sure of too few.
    fn generate(
        &self,
        wanted: &[(u32, usize)],
        real: &Samples,
        classes: &[String],
        seed: Seed,
    ) -> Result<Samples> {
        let mut generated = GeneratedImages {
            real,
            classes,
            seed,
            pixels: Vec::new(),
            labels: Vec::new(),
        };
        match self {
            Generators::Conditional(generator) => {
                for &(label, count) in wanted {
                    generated.add(generator, label, count)?;
                }
            }
            Generators::OnePerClass(generators) => {
                for (generator, &(label, count)) in generators.iter().zip(wanted) {
                    generated.add(generator, label, count)?;
                }
            }
            Generators::Labeled {
                generator,
                classifier,
                confidence,
            } => generated.add_labeled(generator, classifier, *confidence, wanted)?,
        }
        Ok(Samples {
            shape: real.shape,
            pixels: PixelValues::Reals(generated.pixels),
            labels: generated.labels,
        })
    }
}

impl SourceModel {
    /// The models of all runs that a key names.
    fn all(job: &Job, key: &str) -> Result<Vec<Self>> {
        let named = job.earlier.iter().filter(|earlier| earlier.key == key);
        named
            .map(|earlier| earlier.load(job.catalogue, job.device))
            .collect()
    }

    fn only(job: &Job, key: &str) -> Result<Self> {
        let model = SourceModel::all(job, key)?.into_iter().next();
        model.ok_or_else(|| Error::bug(format!("the run of `{key}` was not handed on")))
    }

    /// Pixels of an image for each label, and of a real one that a chain sets out from.
    fn sample(&self, labels: &[u32], mut starts: Vec<f32>, seed: u64) -> Result<Vec<f32>> {
        self.scale.apply(&mut starts, self.model.images());
        let sampled = self.model.sample(labels.len(), Some(labels), &starts, seed);
        let mut pixels = sampled
            .ok_or_else(|| Error::bug("a model that is not generative is to generate images"))?;
        self.scale.undo(&mut pixels, self.model.images());
        Ok(pixels)
    }

    /// The likeliest class of each image and its probability, by the softmax of its scores.
    fn label(&self, pixels: &[f32]) -> Result<Vec<(u32, f64)>> {
        let mut images = pixels.to_vec();
        self.scale.apply(&mut images, self.model.images());
        let scores = self.model.scores(&images);
        let scores =
            scores.ok_or_else(|| Error::bug("a model that is no classifier is to label"))?;
        let answers = scores.chunks_exact(self.model.facts().classes);
        Ok(answers.map(with_probability).collect())
    }
}

/// The class of the highest score and its probability.
fn with_probability(scores: &[f32]) -> (u32, f64) {
    let class = likeliest(scores);
    (class as u32, softmax(scores)[class])
}

/// Images on their way.
struct GeneratedImages<'a> {
    real: &'a Samples,
    /// Their names, for errors.
    classes: &'a [String],
    seed: Seed,
    /// From 0 to 1, `[images, channels, height, width]`.
    pixels: Vec<f32>,
    labels: Vec<u32>,
}

impl GeneratedImages<'_> {
    fn add(&mut self, generator: &SourceModel, label: u32, count: usize) -> Result<()> {
        let real = self.real_of(Some(label));
        for (draw, first) in (0..count).step_by(AT_A_TIME).enumerate() {
            let labels = vec![label; AT_A_TIME.min(count - first)];
            let place = [u64::from(label), draw as u64];
            let seed = self.seed.number(Purpose::Generated, &place);
            let pixels =
                generator.sample(&labels, self.starts(&real, first, labels.len()), seed)?;
            self.pixels.extend(pixels);
            self.labels.extend(labels);
        }
        Ok(())
    }

    fn add_labeled(
        &mut self,
        generator: &SourceModel,
        classifier: &SourceModel,
        confidence: f64,
        wanted: &[(u32, usize)],
    ) -> Result<()> {
        let size = self.real.shape.len();
        let real = self.real_of(None);
        let mut missing = wanted.to_vec();
        let most: usize = PATIENCE * wanted.iter().map(|(_, count)| count).sum::<usize>();
        let mut kept: Vec<(u32, Vec<f32>)> = Vec::new();
        for (draw, drawn) in (0..).step_by(AT_A_TIME).enumerate() {
            let Some((label, count)) = missing.iter().find(|(_, count)| *count > 0) else {
                break;
            };
            if drawn >= most {
                let (label, count) = (*label, *count);
                let class = &self.classes[label as usize];
                return Err(too_doubtful(drawn, class, count, confidence));
            }
            let seed = self.seed.number(Purpose::Generated, &[draw as u64]);
            // The model is unconditional: it ignores these labels.
            let starts = self.starts(&real, drawn, AT_A_TIME);
            let pixels = generator.sample(&[0; AT_A_TIME], starts, seed)?;
            let images = pixels.chunks_exact(size);
            for (image, (class, probability)) in images.zip(classifier.label(&pixels)?) {
                let room = missing
                    .iter_mut()
                    .find(|(label, count)| *label == class && *count > 0);
                if let (Some((_, count)), true) = (room, probability >= confidence) {
                    *count -= 1;
                    kept.push((class, image.to_vec()));
                }
            }
        }
        kept.sort_by_key(|(label, _)| *label);
        for (label, pixels) in kept {
            self.pixels.extend(pixels);
            self.labels.push(label);
        }
        Ok(())
    }

    /// Places of the real images of a class, or of all where there are none of it.
    fn real_of(&self, label: Option<u32>) -> Vec<usize> {
        let real = self.real;
        let all = 0..real.len();
        let of_class = |&at: &usize| label.is_none_or(|label| real.labels[at] == label);
        let chosen: Vec<usize> = all.clone().filter(of_class).collect();
        match chosen.is_empty() {
            true => all.collect(),
            false => chosen,
        }
    }

    /// Pixels of so many real images, taken in turn from those at `places`, beginning at `first`.
    fn starts(&self, places: &[usize], first: usize, count: usize) -> Vec<f32> {
        let numbers = in_turn(first, count, places.len());
        let images = numbers.map(|number| self.real.image(places[number]));
        images.flat_map(|image| image.into_owned()).collect()
    }
}

fn too_doubtful(drawn: usize, class: &str, missing: usize, confidence: f64) -> Error {
    let message = format!(
        "of {} generated images too few are surely of the class `{class}`: {} more are wanted",
        thousands(drawn),
        thousands(missing),
    );
    let hint = format!(
        "lower `data.generated.labels.confidence`, which is {confidence}, or train the generator for longer"
    );
    Error::run(Problem::new(message).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Scale;
    use crate::models::testing::facts;
    use crate::models::{Activations, Kind, Model, ModelFacts, WeightTensor};
    use crate::shape::ImageShape;

    /// Makes images of two pixels: its label (or the one that it always takes) over 10, and the image
    /// that the chain sets out from. Takes images for the class that their first pixel says, a half sure.
    struct Fake {
        always: Option<f32>,
        facts: ModelFacts,
    }

    fn fake(always: Option<f32>) -> Fake {
        let facts = facts(Kind::Autoencoder, ImageShape::new(1, 1, 2), 3, None);
        Fake {
            always,
            facts: ModelFacts {
                is_conditional: true,
                has_gaussian_code: true,
                ..facts
            },
        }
    }

    impl Model for Fake {
        fn facts(&self) -> &ModelFacts {
            &self.facts
        }
        fn encode(&self, _: &[f32], _: Option<&[u32]>) -> Vec<f32> {
            Vec::new()
        }
        fn decode(&self, _: &[f32], _: Option<&[u32]>) -> Vec<f32> {
            Vec::new()
        }
        fn reconstruct(&self, _: &[f32], _: Option<&[u32]>) -> Vec<f32> {
            Vec::new()
        }
        fn corrupt(&self, _: &[f32], _: u64) -> Option<Vec<f32>> {
            None
        }
        fn sample(
            &self,
            count: usize,
            labels: Option<&[u32]>,
            starts: &[f32],
            seed: u64,
        ) -> Option<Vec<f32>> {
            let drawn = Seed(seed).number(Purpose::Fake, &[]) % 3;
            let image = |at: usize| {
                let message = labels.map(|labels| labels[at] as f32);
                let class = self.always.or(message.filter(|message| *message > 0.0));
                let class = class.unwrap_or((drawn as usize + at) as f32 % 3.0);
                [class * 0.1 * 4.0 - 2.0, starts[2 * at + 1]]
            };
            Some((0..count).flat_map(image).collect())
        }
        fn scores(&self, images: &[f32]) -> Option<Vec<f32>> {
            let of_image = |image: &[f32]| {
                let class = (image[0] * 10.0).round();
                [0.0, 1.0, 2.0].map(|known| if known == class { 2f32.ln() } else { 0.0 })
            };
            Some(images.chunks_exact(2).flat_map(of_image).collect())
        }
        fn activations(&self, _: &str, _: &[f32], _: Option<&[u32]>) -> Option<Activations> {
            None
        }
        fn log_weights(&self, _: &[f32], _: Option<&[u32]>, _: usize, _: u64) -> Option<Vec<f64>> {
            None
        }
        fn weights(&self) -> Vec<WeightTensor> {
            Vec::new()
        }
    }

    /// One that works on pixels from -2 to 2.
    fn generator(always: Option<f32>) -> SourceModel {
        SourceModel {
            model: Box::new(fake(always)),
            scale: Scale::Range([-2.0, 2.0]),
        }
    }

    fn real() -> Samples {
        Samples {
            shape: ImageShape::new(1, 1, 2),
            pixels: PixelValues::Reals(vec![0.5, 0.25, 0.5, 0.75, 0.5, 1.0]),
            labels: vec![2, 1, 2],
        }
    }

    fn generate(generators: &Generators, wanted: &[(u32, usize)], seed: u64) -> Result<Samples> {
        let classes = ["ant", "bee", "cat"].map(String::from);
        generators.generate(wanted, &real(), &classes, Seed(seed))
    }

    /// First pixels, second pixels.
    fn pixels(samples: &Samples) -> (Vec<f32>, Vec<f32>) {
        let rounded = |pixel: f32| (pixel * 100.0).round() / 100.0;
        let values = samples.pixels.reals();
        let images = values.chunks_exact(2);
        images
            .map(|image| (rounded(image[0]), rounded(image[1])))
            .unzip()
    }

    #[test]
    fn a_conditional_model_generates_images_of_the_class() {
        let generators = Generators::Conditional(generator(None));
        let samples = generate(&generators, &[(1, 2), (2, 3)], 0).unwrap();
        assert_eq!(samples.labels, [1, 1, 2, 2, 2]);
        let (classes, starts) = pixels(&samples);
        assert_eq!(classes, [0.1, 0.1, 0.2, 0.2, 0.2]);
        assert_eq!(starts, [0.75, 0.75, 0.25, 1.0, 0.25]);
    }

    #[test]
    fn a_model_for_each_class_makes_the_images_of_that_class() {
        let models = [7.0, 15.0].map(|class| generator(Some(class))).into();
        let samples = generate(&Generators::OnePerClass(models), &[(0, 1), (2, 600)], 0).unwrap();
        assert_eq!(samples.counts(3), [1, 0, 600]);
        let (classes, _) = pixels(&samples);
        // What is whiter than white is white.
        assert_eq!((classes[0], classes[600]), (0.7, 1.0));
    }

    fn labeled(always: Option<f32>, confidence: f64) -> Generators {
        Generators::Labeled {
            generator: generator(always),
            classifier: SourceModel {
                model: Box::new(fake(None)),
                scale: Scale::default(),
            },
            confidence,
        }
    }

    #[test]
    fn a_classifier_labels_what_it_is_sure_of() {
        let wanted = [(0, 180), (1, 170), (2, 170)];
        let samples = generate(&labeled(None, 0.5), &wanted, 0).unwrap();
        assert_eq!(samples.counts(3), [180, 170, 170]);
        assert!(samples.labels.is_sorted());
        let (classes, _) = pixels(&samples);
        let of_label = |label: &u32| *label as f32 / 10.0;
        let expected: Vec<f32> = samples.labels.iter().map(of_label).collect();
        assert_eq!(classes, expected);
        let only_some = generate(&labeled(None, 0.5), &[(2, 5)], 0).unwrap();
        assert_eq!(only_some.labels, [2; 5]);
    }

    #[test]
    fn a_classifier_that_doubts_ends_the_run() {
        let message = |always, confidence| {
            let error = generate(&labeled(always, confidence), &[(0, 30), (1, 30)], 0).unwrap_err();
            assert_eq!(error.kind, crate::error::Kind::Run);
            error.to_string()
        };
        assert_eq!(
            message(Some(1.0), 0.5),
            "error: of 1,500 generated images too few are surely of the class `ant`: 30 more are wanted\n  \
             hint: lower `data.generated.labels.confidence`, which is 0.5, or train the generator for longer"
        );
        assert!(message(None, 0.6).contains("of the class `ant`"));
    }

    #[test]
    fn the_images_are_those_of_the_seed() {
        let drawn = |seed| generate(&labeled(None, 0.5), &[(0, 4), (1, 1)], seed).unwrap();
        assert_eq!(drawn(3), drawn(3));
        let starts = |seed| pixels(&drawn(seed)).1;
        assert!((0..9).any(|seed| starts(seed) != starts(9)));
    }
}
