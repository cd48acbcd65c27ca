//! A model that has learned nothing and real digits for it to be drawn with.
//!
//! `BURNLAB_LOOK` names a folder in which the tests leave what they draw, to be looked at.

use std::path::PathBuf;
use std::sync::OnceLock;

use image::RgbImage;
use image::codecs::gif::GifDecoder;
use image::{AnimationDecoder, ImageDecoder};

use super::{Drawing, PictureContext, PictureInput, PictureOutput, Pictures, TrainingPoint, Unit};
use crate::augment::Augment;
use crate::data::{Catalogue, DataFields, Folders, Scale, Splits};
use crate::layers::{ActivationFunction, Cost, LayerSpec};
use crate::models::testing::facts;
use crate::models::{Ability, Activations, Kind, Model, ModelFacts, WeightTensor};
use crate::network::Planned;
use crate::rng::{Purpose, Seed};
use crate::shape::{ImageShape, Shape};

const SHAPE: ImageShape = ImageShape::new(1, 28, 28);
const IMAGES: usize = 60;
const CLASSES: [&str; 10] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
];

/// A model whose answers follow from a few rules.
#[derive(Debug, Clone)]
pub struct Fake {
    pub facts: ModelFacts,
    pub corrupts: bool,
    pub augments: bool,
}

impl Fake {
    fn new(kind: Kind, code: Option<usize>) -> Self {
        let code = code.map(Shape::Features);
        Fake {
            facts: ModelFacts {
                test: IMAGES,
                ..facts(kind, SHAPE, CLASSES.len(), code)
            },
            corrupts: false,
            augments: true,
        }
    }

    /// With a code of 2 features.
    pub fn autoencoder() -> Self {
        Fake::new(Kind::Autoencoder, Some(2))
    }

    /// Of 10 latent numbers.
    pub fn gan() -> Self {
        Fake::new(Kind::Gan, Some(10))
    }

    pub fn classifier() -> Self {
        Fake::new(Kind::Classifier, None)
    }

    /// With a code of other features.
    pub fn with_code(mut self, features: usize) -> Self {
        self.facts.code = Some(Shape::Features(features));
        self
    }
}

fn waves(count: usize, step: f32) -> Vec<f32> {
    (0..count).map(|at| (at as f32 * step).sin()).collect()
}

impl Fake {
    fn features(&self) -> usize {
        self.facts.code.map_or(1, |code| code.len())
    }
}

impl Model for Fake {
    fn facts(&self) -> &ModelFacts {
        &self.facts
    }

    fn encode(&self, images: &[f32], _: Option<&[u32]>) -> Vec<f32> {
        let code = |image: &[f32]| -> Vec<f32> {
            let feature = |feature: usize| {
                let waves = waves(SHAPE.len(), 0.03 + 0.021 * feature as f32);
                image.iter().zip(waves).map(|(a, b)| a * b).sum::<f32>() / 20.0
            };
            (0..self.features()).map(feature).collect()
        };
        images.chunks_exact(SHAPE.len()).flat_map(code).collect()
    }

    /// A dot at the code.
    fn decode(&self, codes: &[f32], _: Option<&[u32]>) -> Vec<f32> {
        let image = |code: &[f32]| -> Vec<f32> {
            let z2 = code.get(1).copied().unwrap_or(0.0);
            let (x, y) = (14.0 + 3.0 * code[0], 14.0 - 3.0 * z2);
            let value = |at: usize| {
                let (right, down) = ((at % 28) as f32 - x, (at / 28) as f32 - y);
                (-(right * right + down * down) / 12.0).exp()
            };
            (0..SHAPE.len()).map(value).collect()
        };
        codes
            .chunks_exact(self.features())
            .flat_map(image)
            .collect()
    }

    /// Each image a little blurred.
    fn reconstruct(&self, images: &[f32], _: Option<&[u32]>) -> Vec<f32> {
        let before = |at: usize| images[at.saturating_sub(1)];
        let after = |at: usize| images[(at + 1).min(images.len() - 1)];
        let blurred = |at: usize| (before(at) + images[at] + after(at)) / 3.0;
        (0..images.len()).map(blurred).collect()
    }

    fn corrupt(&self, images: &[f32], seed: u64) -> Option<Vec<f32>> {
        use rand::Rng as _;
        let mut rng = Seed(seed).stream(Purpose::Dropout, &[]);
        let kept = images.iter().map(|pixel| match rng.random::<f32>() < 0.7 {
            true => *pixel,
            false => 0.0,
        });
        self.corrupts.then(|| kept.collect())
    }

    fn sample(&self, count: usize, _: Option<&[u32]>, _: &[f32], seed: u64) -> Option<Vec<f32>> {
        let start = (seed % 100) as f32;
        let codes: Vec<f32> = waves(count * self.features(), 2.3 + start).to_vec();
        self.facts
            .is_generative()
            .then(|| self.decode(&codes, None))
    }

    /// Right but for every seventh image, which is taken for the next class.
    fn scores(&self, images: &[f32]) -> Option<Vec<f32>> {
        let labels = &digits().test.labels;
        let score = |index: usize| -> Vec<f32> {
            let shift = u32::from(index.is_multiple_of(7));
            let answer = (labels[index] + shift) % 10;
            (0..10).map(|class| f32::from(class == answer)).collect()
        };
        let count = images.len() / SHAPE.len();
        self.facts
            .can(Ability::Classify)
            .then(|| (0..count).flat_map(score).collect())
    }

    fn activations(&self, layer: &str, images: &[f32], _: Option<&[u32]>) -> Option<Activations> {
        let shape = match layer {
            "encoder.conv2d_1" => Shape::image(32, 14, 14),
            "encoder.dense_1" => Shape::Features(50),
            _ => return None,
        };
        let bright: f32 = images.iter().sum::<f32>() / 100.0;
        let before: Vec<f32> = waves(shape.len(), 0.05)
            .iter()
            .map(|x| x * bright)
            .collect();
        Some(Activations {
            shape,
            after: before.iter().map(|value| value.max(0.0)).collect(),
            before,
            function: (shape.len() > 50).then_some(ActivationFunction::Relu {}),
        })
    }

    fn log_weights(&self, _: &[f32], _: Option<&[u32]>, _: usize, _: u64) -> Option<Vec<f64>> {
        None
    }

    fn weights(&self) -> Vec<WeightTensor> {
        let tensor = |name: &str, shape: &[usize]| WeightTensor {
            name: name.to_string(),
            shape: shape.to_vec(),
            values: waves(shape.iter().product(), 0.7),
        };
        vec![
            tensor("encoder/conv2d_1/weight", &[32, 1, 3, 3]),
            tensor("encoder/conv2d_1/bias", &[32]),
            tensor("decoder/dense_1/weight", &[20, 784]),
        ]
    }
}

fn digits() -> &'static Splits {
    static DIGITS: OnceLock<Splits> = OnceLock::new();
    DIGITS.get_or_init(|| {
        let fields: DataFields = toml::from_str("dataset = 'mnist'\ntrain = 60").unwrap();
        let catalogue = Catalogue::new(Folders::only("data"));
        catalogue.load(&fields, Seed(0)).unwrap()
    })
}

/// The digits' pixels from 0 to 1: of training and of test.
fn pixels() -> &'static [Vec<f32>; 2] {
    static PIXELS: OnceLock<[Vec<f32>; 2]> = OnceLock::new();
    PIXELS.get_or_init(|| {
        let Splits { train, test, .. } = digits();
        [train, test].map(|samples| samples.pixels.reals().into_owned())
    })
}

fn recipe(augments: bool) -> Augment {
    let text = "copies = [{ rotate = { degrees = 10 } }, 'flip',
                  [{ zoom = { factor = 0.8 } }, { noise = { standard_deviation = 0.1 } }]]
                random = [{ shift = { x = [-4, 4] } }]";
    toml::from_str(if augments { text } else { "" }).unwrap()
}

/// What the plan knows of a fake.
pub struct Outline {
    fake: Fake,
    layers: Vec<Planned>,
    augment: Augment,
}

fn layer(name: &str, json: &str, input: Shape, output: Shape) -> Planned {
    let spec: LayerSpec = serde_json::from_str(json).unwrap();
    Planned {
        name: name.to_string(),
        key: spec.key(),
        input,
        output,
        cost: Cost::default(),
        activation: None,
        spec,
        partner: None,
        is_frozen: false,
    }
}

impl Outline {
    pub fn of(fake: Fake) -> Outline {
        let conv2d = r#"{"conv2d": {"filters": 32, "kernel": 3, "stride": 2}}"#;
        let maps = Shape::image(32, 14, 14);
        let flat = Shape::Features(maps.len());
        let code = Shape::Features(fake.features());
        let image = Shape::Features(784);
        Outline {
            augment: recipe(fake.augments),
            fake,
            layers: vec![
                layer("encoder.conv2d_1", conv2d, Shape::Image(SHAPE), maps),
                layer("encoder.flatten_1", r#""flatten""#, maps, flat),
                layer("encoder.dense_1", r#"{"dense": {"units": 2}}"#, flat, code),
                layer(
                    "decoder.dense_1",
                    r#"{"dense": {"units": 784}}"#,
                    code,
                    image,
                ),
            ],
        }
    }

    pub fn context(&self) -> PictureContext<'_> {
        PictureContext {
            model: &self.fake.facts,
            layers: &self.layers,
            augment: &self.augment,
        }
    }
}

/// The flaws of one entry of `draw`, as TOML, without the hints.
pub fn messages(fake: Fake, drawing: &str) -> Vec<String> {
    let drawing = read(drawing);
    let flaws = drawing.check(&Outline::of(fake).context());
    let text = flaws
        .into_iter()
        .map(|flaw| format!("{}: {}", flaw.key, flaw.message));
    text.collect()
}

pub fn read(drawing: &str) -> Drawing {
    let text = match drawing.starts_with('{') {
        true => format!("draw = [{drawing}]"),
        false => format!("draw = ['{drawing}']"),
    };
    let mut pictures: Pictures = toml::from_str(&text).unwrap();
    pictures.draw.remove(0)
}

/// A fake and what it is shown.
pub struct FakeInput {
    fake: Fake,
    classes: Vec<String>,
    augment: Augment,
}

impl FakeInput {
    pub fn at(fake: Fake) -> FakeInput {
        FakeInput {
            augment: recipe(fake.augments),
            fake,
            classes: CLASSES.map(String::from).to_vec(),
        }
    }

    pub fn subject(&self) -> PictureInput<'_> {
        let [train, test] = pixels();
        PictureInput {
            model: &self.fake,
            test: &test[..IMAGES * SHAPE.len()],
            labels: &digits().test.labels[..IMAGES],
            classes: &self.classes,
            train,
            augment: &self.augment,
            scale: &Scale::Range([0.0, 1.0]),
            seed: Seed(0),
            point: TrainingPoint {
                epoch: 5,
                number: 5,
                unit: Unit::Epoch,
                is_last: true,
            },
        }
    }

    /// Draws one entry of `draw`, leaves it where it can be looked at, and gives the picture or the
    /// first frame.
    pub fn save(&self, name: &str, drawing: &str) -> RgbImage {
        let drawn = read(drawing).draw(&self.subject());
        match drawn.first().expect("something is drawn") {
            PictureOutput::Picture(picture) | PictureOutput::Frame(picture) => {
                look(name, picture);
                picture.clone()
            }
            PictureOutput::Film(film) => {
                let gif = film.gif().unwrap();
                assert_eq!(frames_of(&gif), film.frames.len());
                if let Some(path) = looked_at(&format!("{name}.gif")) {
                    std::fs::write(path, gif).unwrap();
                }
                film.frames[0].clone()
            }
            other => panic!("no picture: {other:?}"),
        }
    }
}

pub fn look(name: &str, picture: &RgbImage) {
    if let Some(path) = looked_at(&format!("{name}.png")) {
        super::canvas::framed(picture).save(path).unwrap();
    }
}

fn looked_at(name: &str) -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os("BURNLAB_LOOK")?).join(name))
}

/// Frames of a GIF, all as large as the film.
pub fn frames_of(gif: &[u8]) -> usize {
    let decoder = GifDecoder::new(std::io::Cursor::new(gif)).unwrap();
    let size = decoder.dimensions();
    let frames = decoder.into_frames().collect_frames().unwrap();
    assert!(
        frames
            .iter()
            .all(|frame| frame.buffer().dimensions() == size)
    );
    frames.len()
}
