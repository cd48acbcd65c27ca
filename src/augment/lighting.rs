//! `lighting`: the colors of an RGB image moved as light's color and strength move those of photographs.

use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::color::needs_color;
use super::{Image, OperationFields, always, outside};
use crate::error::Flaw;
use crate::rng::Rng;
use crate::shape::ImageShape;
use crate::value::{Drawn, Fraction};

/// How far the colors of ImageNet's pixels, in [0, 1], spread along each principal component (PyTorch's and
/// Torch's examples, after Krizhevsky et al. 2012).
const SPREADS: [f32; 3] = [0.2175, 0.0188, 0.0045];
/// The components' red, green and blue: a row a channel, a column a component.
const COMPONENTS: [[f32; 3]; 3] = [
    [-0.5675, 0.7192, 0.4009],
    [-0.5808, -0.0045, -0.8140],
    [-0.5836, -0.6948, 0.4203],
];

/// AlexNet's color noise: the same color is added to all pixels of an RGB image, the sum of ImageNet's three
/// principal components of color, each times its spread and a normally distributed number with mean 0
/// (Krizhevsky et al. 2012); clipped to [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lighting {
    /// Standard deviation of the numbers drawn, from 0 to 10; a number or a range as [low, high]. Default 0.1.
    #[serde(default = "tenth")]
    pub strength: Drawn,
    /// Share of the images that are changed. Default 1.
    #[serde(default = "always")]
    pub probability: Fraction,
}

fn tenth() -> Drawn {
    Drawn::fixed(0.1)
}

impl OperationFields for Lighting {
    /// The number for each component.
    type Draw = [f32; 3];

    fn check(&self, shape: ImageShape) -> Vec<Flaw> {
        if let Some(flaw) = needs_color(shape) {
            return vec![flaw];
        }
        let accepts = |strength: f64| (0.0..=10.0).contains(&strength);
        let flaw = outside(
            "strength",
            self.strength,
            accepts,
            "a strength from 0 to 10",
        );
        flaw.into_iter().collect()
    }

    fn draw(&self, _shape: ImageShape, rng: &mut Rng) -> [f32; 3] {
        let strength = self.strength.draw(rng) as f32;
        let mut number = || {
            let standard: f32 = StandardNormal.sample(rng);
            standard * strength
        };
        [number(), number(), number()]
    }

    fn apply(&self, numbers: &[f32; 3], image: &mut Image) {
        for (plane, shares) in image.planes().zip(COMPONENTS) {
            let added: f32 = (0..3).map(|i| shares[i] * SPREADS[i] * numbers[i]).sum();
            for value in plane {
                *value = (*value + added).clamp(0.0, 1.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Seed};

    fn lighting() -> Lighting {
        serde_json::from_str("{}").unwrap()
    }

    #[test]
    fn each_channel_is_moved_by_its_share_of_the_components() {
        let moved = |numbers: [f32; 3]| {
            let mut image = Image {
                shape: ImageShape::new(3, 1, 2),
                pixels: vec![0.5, 0.25, 0.5, 0.25, 0.5, 0.25],
            };
            lighting().apply(&numbers, &mut image);
            image.pixels
        };
        let near = |received: Vec<f32>, added: [f32; 3]| {
            for (at, value) in received.into_iter().enumerate() {
                let expected = [0.5, 0.25][at % 2] + added[at / 2];
                assert!((value - expected).abs() < 1e-6, "{at}: {value}, {expected}");
            }
        };
        near(
            moved([1.0, 0.0, 0.0]),
            [-0.123_431_25, -0.126_324, -0.126_933],
        );
        near(
            moved([0.0, 2.0, 0.0]),
            [0.027_041_92, -0.000_169_2, -0.026_124_48],
        );
        near(
            moved([0.0, 0.0, -1.0]),
            [-0.001_804_05, 0.003_663, -0.001_891_35],
        );
        assert_eq!(moved([100.0, 0.0, 0.0]), [0.0; 6]);
    }

    #[test]
    fn the_components_have_length_1_and_stand_at_right_angles() {
        for a in 0..3 {
            for b in 0..3 {
                let product: f32 = COMPONENTS.iter().map(|row| row[a] * row[b]).sum();
                let expected = if a == b { 1.0 } else { 0.0 };
                assert!((product - expected).abs() < 1e-3, "{a} {b}: {product}");
            }
        }
    }

    #[test]
    fn numbers_have_the_deviation_they_should() {
        let mut rng = Seed(0).stream(Purpose::Augment, &[]);
        let shape = ImageShape::new(3, 1, 1);
        let numbers: Vec<f32> = (0..10_000)
            .flat_map(|_| lighting().draw(shape, &mut rng))
            .collect();
        let mean = numbers.iter().sum::<f32>() / 30_000.0;
        let deviation = (numbers.iter().map(|n| n * n).sum::<f32>() / 30_000.0).sqrt();
        assert!(mean.abs() < 0.003, "{mean}");
        assert!((deviation - 0.1).abs() < 0.002, "{deviation}");
    }

    #[test]
    fn gray_images_have_no_colors() {
        let flaws = lighting().check(ImageShape::new(1, 28, 28));
        let message = "needs images of 3 channels (red, green, blue), these have 1 channel";
        assert_eq!(flaws, [Flaw::new("", message)]);
    }
}
