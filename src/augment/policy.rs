//! The operations that RandAugment and TrivialAugment choose from, and how strong they are.
//!
//! As torchvision's `RandAugment` and `TrivialAugmentWide`.

use rand::Rng as _;

use super::resample::{Beyond, Border, Mapping, resample};
use super::{Image, Interpolation, color, rotate};
use crate::rng::Rng;
use crate::shape::ImageShape;

/// Magnitudes from the weakest to the strongest.
pub const BINS: usize = 31;

/// One operation with its strength, of either sign.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    Identity,
    /// Columns by row.
    ShearX(f64),
    /// Rows by column.
    ShearY(f64),
    /// Pixels to the right.
    TranslateX(f64),
    /// Pixels down.
    TranslateY(f64),
    /// Degrees.
    Rotate(f64),
    /// What is added to a factor of 1.
    Brightness(f64),
    Color(f64),
    Contrast(f64),
    Sharpness(f64),
    /// Bits that are kept.
    Posterize(usize),
    /// Threshold.
    Solarize(f64),
    Autocontrast,
    Equalize,
}

/// The largest strengths of a space of operations.
#[derive(Debug, Clone, Copy)]
pub struct Space {
    pub shear: f64,
    /// Pixels to the right or left, and down or up.
    pub translate: [f64; 2],
    pub degrees: f64,
    /// Of what is added to a factor of 1.
    pub enhance: f64,
    /// Bits that the strongest takes away.
    pub bits: f64,
}

/// How many operations there are.
pub const OPERATIONS: usize = 14;

impl Space {
    /// An operation, each as likely as any other, of a magnitude below [`BINS`], with either sign.
    pub fn draw(&self, magnitude: usize, rng: &mut Rng) -> Step {
        let which = rng.random_range(0..OPERATIONS);
        let sign = if rng.random::<bool>() { 1.0 } else { -1.0 };
        self.step(which, magnitude, sign)
    }

    /// One of the [`OPERATIONS`], in torchvision's order.
    pub fn step(&self, which: usize, magnitude: usize, sign: f64) -> Step {
        let share = magnitude as f64 / (BINS - 1) as f64;
        let by = |most: f64| sign * share * most;
        match which {
            0 => Step::Identity,
            1 => Step::ShearX(by(self.shear)),
            2 => Step::ShearY(by(self.shear)),
            3 => Step::TranslateX(by(self.translate[0]).trunc()),
            4 => Step::TranslateY(by(self.translate[1]).trunc()),
            5 => Step::Rotate(by(self.degrees)),
            6 => Step::Brightness(by(self.enhance)),
            7 => Step::Color(by(self.enhance)),
            8 => Step::Contrast(by(self.enhance)),
            9 => Step::Sharpness(by(self.enhance)),
            10 => Step::Posterize(8 - (share * self.bits).round_ties_even() as usize),
            11 => Step::Solarize(1.0 - share),
            12 => Step::Autocontrast,
            _ => Step::Equalize,
        }
    }
}

impl Step {
    pub fn apply(self, image: &mut Image, fill: f64) {
        match self {
            Step::Identity => {}
            Step::ShearX(by) => moved(image, Mapping::about_corner([[1.0, 0.0], [by, 1.0]]), fill),
            Step::ShearY(by) => moved(image, Mapping::about_corner([[1.0, by], [0.0, 1.0]]), fill),
            Step::TranslateX(by) => moved(image, Mapping::moved(0.0, by), fill),
            Step::TranslateY(by) => moved(image, Mapping::moved(by, 0.0), fill),
            Step::Rotate(degrees) => moved(image, rotate::turned(degrees, image.shape), fill),
            Step::Brightness(by) => color::brighten(image, 1.0 + by),
            Step::Color(by) => color::saturate(image, 1.0 + by),
            Step::Contrast(by) => color::contrast(image, 1.0 + by),
            Step::Sharpness(by) => color::sharpen(image, 1.0 + by),
            Step::Posterize(bits) => color::posterize(image, bits),
            Step::Solarize(threshold) => color::solarize(image, threshold),
            Step::Autocontrast => color::autocontrast(image),
            Step::Equalize => color::equalize(image),
        }
    }
}

fn moved(image: &mut Image, mapping: Mapping, fill: f64) {
    let beyond = Beyond {
        border: Border::Constant,
        fill,
    };
    resample(image, mapping, Interpolation::Nearest, beyond);
}

/// Moves in pixels of RandAugment's: a share of the image's sides.
pub fn randaugment(shape: ImageShape) -> Space {
    let most = 150.0 / 331.0;
    Space {
        shear: 0.3,
        translate: [most * shape.width as f64, most * shape.height as f64],
        degrees: 30.0,
        enhance: 0.9,
        bits: 4.0,
    }
}

/// TrivialAugment's wide space.
pub const TRIVIAL: Space = Space {
    shear: 0.99,
    translate: [32.0, 32.0],
    degrees: 135.0,
    enhance: 0.99,
    bits: 6.0,
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn drawn(space: Space, magnitude: usize) -> BTreeMap<String, Vec<Step>> {
        let mut rng = crate::rng::Seed(1).stream(crate::rng::Purpose::Augment, &[]);
        let mut steps: BTreeMap<String, Vec<Step>> = BTreeMap::new();
        for _ in 0..2800 {
            let step = space.draw(magnitude, &mut rng);
            let text = format!("{step:?}");
            let name = text.split('(').next().unwrap_or_default().to_string();
            steps.entry(name).or_default().push(step);
        }
        steps
    }

    #[test]
    fn all_operations_are_drawn_alike_with_both_signs() {
        let steps = drawn(randaugment(ImageShape::new(3, 32, 64)), 9);
        assert_eq!(steps.len(), OPERATIONS);
        assert!(steps.values().all(|of| (140..260).contains(&of.len())));
        let both = |name: &str, one: Step, other: Step| {
            let of = &steps[name];
            assert!(of.contains(&one) && of.contains(&other), "{of:?}");
            assert!(of.iter().all(|step| *step == one || *step == other));
        };
        // 0.3 of the largest strengths, as torchvision's table has them.
        let near = |share: f64| 9.0 / 30.0 * share;
        both("ShearX", Step::ShearX(near(0.3)), Step::ShearX(-near(0.3)));
        both("TranslateX", Step::TranslateX(8.0), Step::TranslateX(-8.0));
        both("TranslateY", Step::TranslateY(4.0), Step::TranslateY(-4.0));
        both("Rotate", Step::Rotate(9.0), Step::Rotate(-9.0));
        assert!(
            steps["Posterize"]
                .iter()
                .all(|step| *step == Step::Posterize(7))
        );
        assert!(
            steps["Solarize"]
                .iter()
                .all(|step| *step == Step::Solarize(0.7))
        );
    }

    #[test]
    fn the_weakest_changes_nothing_and_the_strongest_most() {
        let steps = drawn(TRIVIAL, 0);
        assert!(
            steps["Posterize"]
                .iter()
                .all(|step| *step == Step::Posterize(8))
        );
        assert!(
            steps["Rotate"]
                .iter()
                .all(|step| *step == Step::Rotate(0.0))
        );
        let steps = drawn(TRIVIAL, 30);
        assert!(
            steps["Posterize"]
                .iter()
                .all(|step| *step == Step::Posterize(2))
        );
        assert!(
            steps["Solarize"]
                .iter()
                .all(|step| *step == Step::Solarize(0.0))
        );
        assert!(steps["Rotate"].contains(&Step::Rotate(-135.0)));
    }
}
