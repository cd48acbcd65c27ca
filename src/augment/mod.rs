//! The vocabulary of image operations: one file an operation, one line an operation in the registry
//! below, and the recipe of an experiment's `[augment]` table made of them.
//!
//! An operation file holds its fields as a TOML file writes them, its check, its draw (all that is
//! random) and its apply (which is pure). An operation knows nothing of datasets, training or files.

pub mod batch;
mod color;
mod policy;
mod recipe;
#[cfg(test)]
mod reference;
mod resample;
mod smooth;

pub use recipe::{Augment, Chain};
pub use resample::{Border, Interpolation};

use rand::Rng as _;

use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::tagged::{one_key_enum, write_table};
use crate::value::{Drawn, Fraction};

/// One image: `pixels` are `[channels, height, width]`, values in [0, 1], black is 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// Its channels, height and width.
    pub shape: ImageShape,
    /// `[channels, height, width]`, row by row, from 0 to 1.
    pub pixels: Vec<f32>,
}

impl Image {
    /// The pixels of each channel, `[height, width]`.
    fn planes(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let plane = (self.shape.height * self.shape.width).max(1);
        self.pixels.chunks_exact_mut(plane)
    }

    /// Replaces every pixel by a function of it, clipped to [0, 1].
    fn change(&mut self, change: impl Fn(f32) -> f32) {
        for pixel in &mut self.pixels {
            *pixel = change(*pixel).clamp(0.0, 1.0);
        }
    }
}

/// An operation as the file writes it.
trait OperationFields {
    /// What [`draw`](Self::draw) leaves for [`apply`](Self::apply) to do.
    type Draw;

    /// What is wrong with the fields for images of this shape; keys are the fields' names.
    fn check(&self, shape: ImageShape) -> Vec<Flaw>;

    /// All that is random, for one image.
    fn draw(&self, shape: ImageShape, rng: &mut Rng) -> Self::Draw;

    /// Does to the image what was drawn; the same every time.
    fn apply(&self, draw: &Self::Draw, image: &mut Image);
}

/// Declares every operation once: its file, which is its TOML key, and its fields.
macro_rules! operations {
    ($($(#[doc = $doc:literal])* $file:ident: $Name:ident;)*) => {
        $(mod $file;)*
        $(pub use $file::$Name;)*

        one_key_enum! {
            /// One operation of a recipe: a table with the operation's key, or only its name.
            #[derive(Debug, Clone, PartialEq)]
            Operation, "an operation", "Operation", write_table {
                $($(#[doc = $doc])* $file: $Name($Name);)*
            }
        }

        impl Operation {
            /// What is wrong with it for images of this shape; keys are such as `zoom.factor`.
            pub fn check(&self, shape: ImageShape) -> Vec<Flaw> {
                let flaws = match self {
                    $(Operation::$Name(fields) => fields.check(shape),)*
                };
                flaws.into_iter().map(|flaw| flaw.under(self.key())).collect()
            }

            /// Draws what is random and, with its probability, changes the image.
            ///
            /// Takes the same numbers from `rng` whether or not the image is changed.
            pub fn apply(&self, image: &mut Image, rng: &mut Rng) {
                match self {
                    $(Operation::$Name(fields) => draw_and_apply(fields, fields.probability, image, rng),)*
                }
            }
        }
    };
}

operations! {
    /// A turn about the image's center.
    rotate: Rotate;
    /// A change of scale about the image's center; the image keeps its size.
    zoom: Zoom;
    /// A move to the side, up or down.
    shift: Shift;
    /// Rows or columns slid along each other about the image's center.
    shear: Shear;
    /// The mirror image.
    flip: Flip;
    /// Values drawn nearer to or further from their mean.
    contrast: Contrast;
    /// A number added to all values.
    brightness: Brightness;
    /// A normally distributed number added to each value.
    noise: Noise;
    /// The colors of an RGB image moved together.
    lighting: Lighting;
    /// A rectangle painted over at a random place.
    cutout: Cutout;
    /// The image moved by whole pixels, within a margin around it.
    random_crop: RandomCrop;
    /// A part of the image, enlarged to its size.
    random_resized_crop: RandomResizedCrop;
    /// A rectangle of random size and proportions painted over.
    random_erasing: RandomErasing;
    /// The image as seen from aside.
    perspective: Perspective;
    /// Every pixel moved a little, its neighbors alike.
    elastic: Elastic;
    /// The image out of focus.
    blur: Blur;
    /// Edges made stronger or weaker.
    sharpness: Sharpness;
    /// Colors moved along the circle of colors.
    hue: Hue;
    /// Colors drawn nearer to or further from gray.
    saturation: Saturation;
    /// Colors made gray.
    grayscale: Grayscale;
    /// The negative.
    invert: Invert;
    /// Bright values made their opposite.
    solarize: Solarize;
    /// Fewer shades.
    posterize: Posterize;
    /// All shades about as frequent.
    equalize: Equalize;
    /// All shades from black to white.
    autocontrast: Autocontrast;
    /// One of several operations.
    one_of: OneOf;
    /// Some operations of many, all of one strength.
    rand_augment: RandAugment;
    /// One operation of many, of any strength.
    trivial_augment: TrivialAugment;
}

fn draw_and_apply<T: OperationFields>(
    fields: &T,
    probability: Fraction,
    image: &mut Image,
    rng: &mut Rng,
) {
    let happens = rng.random::<f64>() < probability.get();
    let draw = fields.draw(image.shape, rng);
    if happens {
        fields.apply(&draw, image);
    }
}

fn always() -> Fraction {
    Fraction(1.0)
}

fn black() -> Fraction {
    Fraction(0.0)
}

/// The flaw of a factor by which an image is led away from, or to, something plainer.
fn factor_flaw(factor: Drawn) -> Option<Flaw> {
    let accepts = |factor: f64| (0.0..=256.0).contains(&factor);
    outside("factor", factor, accepts, "a factor from 0 to 256")
}

/// The flaw of a field that leaves its range; none if all that may be drawn lies inside.
fn outside(key: &str, drawn: Drawn, accepts: impl Fn(f64) -> bool, expected: &str) -> Option<Flaw> {
    if accepts(drawn.low()) && accepts(drawn.high()) {
        return None;
    }
    let received = match drawn {
        Drawn([low, high]) if low == high => low.to_string(),
        Drawn([low, high]) => format!("[{low}, {high}]"),
    };
    let message = format!("expected {expected}, received {received}");
    Some(Flaw::new(key, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Seed};

    fn read(json: &str) -> Result<Operation, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    /// One value of each operation, with all that has a default left out.
    const SAMPLES: [&str; 28] = [
        r#"{"rotate": {"degrees": [-10, 10]}}"#,
        r#"{"zoom": {"factor": [0.8, 1.2]}}"#,
        r#"{"shift": {"x": [-2, 2]}}"#,
        r#"{"shear": {"degrees": [-10, 10]}}"#,
        r#""flip""#,
        r#"{"contrast": {"factor": [0.5, 2]}}"#,
        r#"{"brightness": {"delta": [-0.5, 0.5]}}"#,
        r#"{"noise": {"standard_deviation": 0.1}}"#,
        r#""lighting""#,
        r#"{"cutout": {"size": 2}}"#,
        r#"{"random_crop": {"padding": 1}}"#,
        r#""random_resized_crop""#,
        r#""random_erasing""#,
        r#""perspective""#,
        r#"{"elastic": {"alpha": [5, 10], "sigma": 2}}"#,
        r#"{"blur": {"sigma": [0, 2]}}"#,
        r#"{"sharpness": {"factor": [0, 3]}}"#,
        r#"{"hue": {"degrees": [-90, 90]}}"#,
        r#"{"saturation": {"factor": [0, 3]}}"#,
        r#""grayscale""#,
        r#""invert""#,
        r#""solarize""#,
        r#"{"posterize": {"bits": 3}}"#,
        r#""equalize""#,
        r#""autocontrast""#,
        r#"{"one_of": {"operations": ["flip", "invert"]}}"#,
        r#""rand_augment""#,
        r#""trivial_augment""#,
    ];

    fn gradient(shape: ImageShape) -> Image {
        let pixels = (0..shape.len()).map(|i| (i * 7 % 13) as f32 / 12.0);
        Image {
            shape,
            pixels: pixels.collect(),
        }
    }

    #[test]
    fn every_operation_reads_writes_and_checks() {
        for (sample, name) in SAMPLES.iter().zip(Operation::NAMES) {
            let operation = read(sample).unwrap();
            assert_eq!(operation.key(), *name);
            let written = serde_json::to_string(&operation).unwrap();
            assert_eq!(read(&written), Ok(operation.clone()));
            assert_eq!(operation.check(ImageShape::new(3, 5, 6)), []);
        }
        assert_eq!(SAMPLES.len(), Operation::NAMES.len());
    }

    #[test]
    fn every_operation_keeps_shape_and_range_and_repeats() {
        for sample in SAMPLES {
            let operation = read(sample).unwrap();
            for shape in [ImageShape::new(1, 5, 6), ImageShape::new(3, 4, 1)] {
                let apply = |place: u64| {
                    let mut image = gradient(shape);
                    let mut rng = Seed(3).stream(Purpose::Augment, &[place]);
                    operation.apply(&mut image, &mut rng);
                    image
                };
                let image = apply(0);
                assert_eq!(image.pixels.len(), shape.len(), "{sample}");
                assert!(
                    image.pixels.iter().all(|p| (0.0..=1.0).contains(p)),
                    "{sample}"
                );
                assert_eq!(image, apply(0), "{sample}");
            }
        }
    }

    #[test]
    fn probability_decides_image_by_image_and_moves_no_later_draw() {
        let shape = ImageShape::new(1, 2, 2);
        let flip = |probability: f64| {
            read(&format!(r#"{{"flip": {{"probability": {probability}}}}}"#)).unwrap()
        };
        let mut changed = 0;
        for place in 0..1000 {
            let mut image = gradient(shape);
            let mut rng = Seed(0).stream(Purpose::Augment, &[place]);
            flip(0.3).apply(&mut image, &mut rng);
            changed += usize::from(image != gradient(shape));
            let mut other = Seed(0).stream(Purpose::Augment, &[place]);
            flip(0.0).apply(&mut gradient(shape), &mut other);
            assert_eq!(rng, other);
        }
        assert!((250..350).contains(&changed), "{changed} of 1000");
    }

    #[test]
    fn mistakes_are_reported_in_the_words_of_the_file() {
        let message = |json| read(json).unwrap_err();
        assert!(message(r#""rotat""#).starts_with(
            "unknown variant `rotat`, expected one of `rotate`, `zoom`, `shift`, `shear`, `flip`"
        ));
        assert!(message(r#"{"rotate": {"degree": 1}}"#).starts_with(
            "unknown field `degree`, expected one of `degrees`, `interpolation`, `border`, `fill`, `probability`"
        ));
        assert!(
            message(r#"{"rotate": {"degrees": 1, "probability": 2}}"#)
                .starts_with("invalid value: floating point `2.0`, expected a number from 0 to 1")
        );
        assert!(
            message(r#"{"rotate": {"degrees": 1}, "flip": {}}"#).starts_with(
                "expected an operation as the table's only key, found a second key `flip`"
            )
        );
    }

    #[test]
    fn ranges_are_checked_at_both_ends() {
        let message = |json| {
            let flaws = read(json).unwrap().check(ImageShape::new(1, 28, 28));
            flaws
                .into_iter()
                .map(|flaw| (flaw.key, flaw.message))
                .next()
        };
        let flaw = |key: &str, message: &str| Some((key.to_string(), message.to_string()));
        assert_eq!(
            message(r#"{"rotate": {"degrees": [-1e308, 1e308]}}"#)
                .unwrap()
                .0,
            "rotate.degrees"
        );
        assert_eq!(message(r#"{"rotate": {"degrees": -360}}"#), None);
        assert_eq!(
            message(r#"{"contrast": {"factor": [-1, 2]}}"#),
            flaw(
                "contrast.factor",
                "expected a factor from 0 to 256, received [-1, 2]"
            )
        );
        assert_eq!(
            message(r#"{"noise": {"standard_deviation": [0, 1.5]}}"#),
            flaw(
                "noise.standard_deviation",
                "expected a standard deviation from 0 to 1, received [0, 1.5]"
            )
        );
        assert_eq!(
            message(r#"{"brightness": {"delta": 1}}"#),
            flaw(
                "brightness.delta",
                "expected a number between -1 and 1, which leaves something to see, received 1"
            )
        );
    }

    #[test]
    fn the_schema_knows_every_operation() {
        let schema = schemars::schema_for!(Operation);
        let alternatives = schema.get("oneOf").unwrap().as_array().unwrap();
        assert_eq!(alternatives.len(), Operation::NAMES.len() + 1);
        for (alternative, name) in alternatives.iter().zip(Operation::NAMES) {
            assert_eq!(alternative["required"][0], *name);
            assert_eq!(alternative["additionalProperties"], false);
        }
        let alone = &alternatives[Operation::NAMES.len()]["enum"];
        assert_eq!(
            *alone,
            serde_json::json!([
                "shift",
                "flip",
                "lighting",
                "random_resized_crop",
                "random_erasing",
                "perspective",
                "grayscale",
                "invert",
                "solarize",
                "equalize",
                "autocontrast",
                "rand_augment",
                "trivial_augment"
            ])
        );
    }
}
