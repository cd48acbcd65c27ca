//! `random_erasing`: a rectangle of random size and proportions painted over.

use rand::Rng as _;
use rand::SeedableRng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::random_resized_crop::{Rectangle, area_and_ratio_flaws};
use super::{Image, OperationFields, always, black};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Drawn, Fraction};

/// A rectangle of random size, proportions and place painted over in all channels (Zhong et al. 2017,
/// arXiv:1708.04896), as torchvision's `RandomErasing`; where ten that are drawn are not smaller than the image, nothing happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RandomErasing {
    /// The rectangle's share of the image's area, above 0, at most 1; a number or a range as [low, high]. Default
    /// [0.02, 0.33].
    #[serde(default = "areas")]
    pub area: Drawn,
    /// Its height over its width, from 0.01 to 100, drawn evenly in logarithms; a number or a range as [low, high].
    /// Default [0.3, 3.3].
    #[serde(default = "ratios")]
    pub ratio: Drawn,
    /// Whether every value of it is drawn evenly from 0 to 1, in place of `fill`; torchvision's `random` is normal noise, for
    /// images whose mean is 0. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub noise: bool,
    /// Value it is painted with. Default 0, black.
    #[serde(default = "black")]
    pub fill: Fraction,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

fn areas() -> Drawn {
    Drawn([0.02, 0.33])
}

fn ratios() -> Drawn {
    Drawn([0.3, 3.3])
}

impl OperationFields for RandomErasing {
    /// The rectangle, if one fits, and what its noise is drawn from.
    type Draw = (Option<Rectangle>, u64);

    fn check(&self, _shape: ImageShape) -> Vec<Flaw> {
        area_and_ratio_flaws(self.area, self.ratio)
    }

    fn draw(&self, shape: ImageShape, rng: &mut Rng) -> Self::Draw {
        let ratio = Drawn([self.ratio.high().recip(), self.ratio.low().recip()]);
        let most = [shape.height, shape.width].map(|side| side.saturating_sub(1));
        let rectangle = Rectangle::draw(self.area, ratio, shape, most, rng);
        (rectangle, rng.random())
    }

    fn apply(&self, (rectangle, seed): &Self::Draw, image: &mut Image) {
        let Some(Rectangle { place, size }) = rectangle else {
            return;
        };
        let mut rng = Rng::seed_from_u64(*seed);
        let (width, fill) = (image.shape.width, self.fill.get() as f32);
        for plane in image.planes() {
            for row in place[0]..place[0] + size[0] {
                for pixel in &mut plane[row * width + place[1]..][..size[1]] {
                    *pixel = match self.noise {
                        true => rng.random(),
                        false => fill,
                    };
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erased(json: &str) -> Vec<f32> {
        let erasing: RandomErasing = serde_json::from_str(json).unwrap();
        let mut image = Image {
            shape: ImageShape::new(2, 2, 3),
            pixels: vec![1.0; 12],
        };
        let rectangle = Rectangle {
            place: [1, 1],
            size: [1, 2],
        };
        erasing.apply(&(Some(rectangle), 3), &mut image);
        image.pixels
    }

    #[test]
    fn a_rectangle_is_painted_in_every_channel() {
        let plain = [1.0, 1.0, 1.0, 1.0, 0.25, 0.25];
        assert_eq!(erased(r#"{"fill": 0.25}"#), [plain, plain].concat());
        let noise = erased(r#"{"noise": true}"#);
        let painted = [noise[4], noise[5], noise[10], noise[11]];
        assert!(
            painted.iter().all(|value| (0.0..1.0).contains(value)),
            "{painted:?}"
        );
        assert!(painted[0] != painted[1] && painted[0] != painted[2]);
        assert_eq!(noise, erased(r#"{"noise": true}"#));
    }

    #[test]
    fn rectangles_are_smaller_than_the_image_and_the_ratio_is_height_over_width() {
        let erasing = |json: &str| serde_json::from_str::<RandomErasing>(json).unwrap();
        let shape = ImageShape::new(1, 8, 8);
        let mut rng = Rng::seed_from_u64(0);
        let whole = erasing(r#"{"area": 1, "ratio": 1}"#);
        assert_eq!(whole.draw(shape, &mut rng).0, None);
        let flat = erasing(r#"{"area": 0.25, "ratio": 0.25}"#);
        let size = flat.draw(shape, &mut rng).0.map(|rectangle| rectangle.size);
        assert_eq!(size, None);
        let flat = erasing(r#"{"area": 0.125, "ratio": 0.5}"#);
        let size = flat.draw(shape, &mut rng).0.map(|rectangle| rectangle.size);
        assert_eq!(size, Some([2, 4]));
    }

    #[test]
    fn ranges_that_cannot_be_are_flaws() {
        let flaws = |json: &str| {
            let erasing: RandomErasing = serde_json::from_str(json).unwrap();
            let flaws = erasing.check(ImageShape::new(1, 8, 8)).into_iter();
            flaws
                .map(|flaw| format!("{}: {}", flaw.key, flaw.message))
                .collect::<Vec<_>>()
        };
        assert_eq!(flaws("{}"), [""; 0]);
        assert_eq!(
            flaws(r#"{"area": [0, 1.5], "ratio": 0}"#),
            [
                "area: expected a share above 0 and at most 1, received [0, 1.5]",
                "ratio: expected a ratio from 0.01 to 100, received 0"
            ]
        );
    }
}
