//! Images and labels drawn at random, as torchvision's FakeData: to try networks at a size whose real data
//! is not at hand. Nothing can be learned from them.

use rand::Rng as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::format::{Format, Labels, Outline, Part, Progress, Raw, Values};
use crate::error::{Result, thousands};
use crate::rng::{Purpose, Seed};
use crate::shape::ImageShape;
use crate::value::Positive;

/// Pixels of all images together: what a large machine holds.
const MOST_PIXELS: usize = 10_000_000_000;
const MOST_CLASSES: usize = 1_000_000;

/// Random pixels and labels, the same ones always.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fake {
    /// `[channels, height, width]`. Default [3, 224, 224].
    #[serde(default = "imagenet")]
    pub shape: [Positive; 3],
    /// Number of classes, up to 1,000,000. Default 1000.
    #[serde(default = "thousand")]
    pub classes: Positive,
    /// Number of training images. Default 256.
    #[serde(default = "train")]
    pub train: Positive,
    /// Number of test images. Default 64.
    #[serde(default = "test")]
    pub test: Positive,
}

fn imagenet() -> [Positive; 3] {
    [3, 224, 224].map(Positive)
}

fn thousand() -> Positive {
    Positive(1000)
}

fn train() -> Positive {
    Positive(256)
}

fn test() -> Positive {
    Positive(64)
}

impl Fake {
    /// What is wrong with it: more than a machine holds.
    pub fn check(&self) -> Result<(), String> {
        if self.classes.get() > MOST_CLASSES {
            return Err(format!(
                "expected at most {} classes, received {}",
                thousands(MOST_CLASSES),
                thousands(self.classes.get())
            ));
        }
        let images = self.train.get() + self.test.get();
        let factors = self.shape.map(Positive::get);
        let pixels = factors
            .iter()
            .try_fold(images, |product, &size| product.checked_mul(size));
        if pixels.is_none_or(|pixels| pixels > MOST_PIXELS) {
            return Err(format!(
                "expected at most {} pixel values in all, received {} images of {}",
                thousands(MOST_PIXELS),
                thousands(images),
                self.image()
            ));
        }
        Ok(())
    }

    fn image(&self) -> ImageShape {
        let [channels, height, width] = self.shape.map(Positive::get);
        ImageShape::new(channels, height, width)
    }

    /// The numbers of the classes, as names.
    pub(super) fn class_names(&self) -> Vec<String> {
        (0..self.classes.get())
            .map(|class| class.to_string())
            .collect()
    }

    /// Apart from the pixels, so that a check need not draw those.
    fn labels_of(&self, part: u64, count: Positive) -> Vec<u32> {
        let mut rng = Seed(0).stream(Purpose::Fake, &[part, 0]);
        let classes = self.classes.get() as u32;
        (0..count.get())
            .map(|_| rng.random_range(0..classes))
            .collect()
    }

    fn part(&self, part: u64, count: Positive) -> Part {
        let mut pixels = vec![0; count.get() * self.image().len()];
        let mut rng = Seed(0).stream(Purpose::Fake, &[part, 1]);
        rng.fill(pixels.as_mut_slice());
        Part {
            pixels: Values::Eight(pixels),
            labels: self.labels_of(part, count),
        }
    }
}

impl Format for Fake {
    fn outline(&self) -> Result<Outline> {
        Ok(Outline {
            shape: self.image(),
            train: self.train.get(),
            test: self.test.get(),
            validation: 0,
            notes: Vec::new(),
            is_read_anew: false,
        })
    }

    fn labels(&self) -> Result<Labels> {
        Ok(Labels {
            train: self.labels_of(0, self.train),
            validation: Vec::new(),
            test: self.labels_of(1, self.test),
        })
    }

    fn read(&self, _: Progress) -> Result<Raw> {
        Ok(Raw {
            shape: self.image(),
            train: self.part(0, self.train),
            validation: None,
            test: self.part(1, self.test),
            checksums: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Catalogue, DataFields, DatasetSpec, Folders};
    use super::*;

    fn fields(fake: &str) -> DataFields {
        let spec: DatasetSpec = serde_json::from_str(&format!(r#"{{"fake": {fake}}}"#)).unwrap();
        DataFields::new(spec)
    }

    fn catalogue() -> Catalogue {
        Catalogue::new(Folders::only("none"))
    }

    #[test]
    fn images_are_random_and_the_same_each_time() {
        let fields = fields(r#"{"shape": [2, 5, 4], "classes": 3, "train": 300, "test": 60}"#);
        let splits = catalogue().load(&fields, Seed(0)).unwrap();
        assert_eq!(splits, catalogue().load(&fields, Seed(7)).unwrap());
        assert_eq!(splits.class_names, ["0", "1", "2"]);
        assert_eq!((splits.train.len(), splits.test.len()), (300, 60));
        assert_eq!(splits.train.shape, ImageShape::new(2, 5, 4));
        assert_eq!(splits.train.pixels.len(), 300 * 40);
        assert_ne!(splits.train.image(0), splits.test.image(0));
        assert_ne!(splits.train.image(0), splits.train.image(1));
        let mean = splits.train.pixels.reals().iter().sum::<f32>() / (300.0 * 40.0);
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        for class in 0..3 {
            let share = splits.train.labels.iter().filter(|&&label| label == class);
            assert!((70..130).contains(&share.count()), "class {class}");
        }
    }

    #[test]
    fn a_check_draws_no_pixels() {
        // No machine of ours has room for its 9 thousand million pixels.
        let fields = fields(r#"{"shape": [1, 1, 100000], "classes": 1000, "train": 90000}"#);
        let (facts, flaws) = catalogue().check(&fields).unwrap();
        assert_eq!(
            (facts.train, facts.test, facts.classes.len()),
            (90_000, 64, 1000)
        );
        assert_eq!(flaws, []);
    }

    #[test]
    fn without_fields_it_has_the_size_of_imagenet() {
        let facts = catalogue().describe(&fields("{}").dataset).unwrap();
        assert_eq!(facts.shape, ImageShape::new(3, 224, 224));
        assert_eq!(
            (facts.train, facts.test, facts.classes.len()),
            (256, 64, 1000)
        );
        assert_eq!(facts.name, "fake");
    }

    #[test]
    fn more_than_a_machine_holds_is_reported() {
        let message = |fake: &str| {
            let read = serde_json::from_str::<DatasetSpec>(&format!(r#"{{"fake": {fake}}}"#));
            read.unwrap_err().to_string()
        };
        let text = message(r#"{"shape": [3, 100000, 100000]}"#);
        let expected = "expected at most 10,000,000,000 pixel values in all, received 320 images of 3x100000x100000";
        assert!(text.starts_with(expected), "{text}");
        let text = message(r#"{"shape": [16777216, 16777216, 16777216]}"#);
        assert!(
            text.starts_with("expected at most 10,000,000,000 pixel values"),
            "{text}"
        );
        let text = message(r#"{"classes": 16777216}"#);
        let expected = "expected at most 1,000,000 classes, received 16,777,216";
        assert!(text.starts_with(expected), "{text}");
    }
}
