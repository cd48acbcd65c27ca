//! The operations against the answers of SciPy, Pillow and torchvision for digits, a texture and a picture.
//!
//! The answers are committed; the scripts beside them make them anew.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use serde::Deserialize;
use serde_json::Value;

use super::elastic::displacement;
use super::perspective::corners;
use super::policy::{Space, Step, TRIVIAL, randaugment};
use super::random_resized_crop::Rectangle;
use super::{Image, Interpolation, Operation, OperationFields, RandAugment, TrivialAugment};
use crate::rng::{Purpose, Rng, Seed};
use crate::shape::ImageShape;

const SCIPY: &str = "tests/peers/augment/answers";
const TORCHVISION: &str = "tests/peers/torch/augment";

#[derive(Deserialize)]
struct Index {
    /// `[images, channels, height, width]` of each set, in the order of their pixels.
    images: BTreeMap<String, [usize; 4]>,
    cases: Vec<Case>,
    /// Operations of policies, one after another.
    #[serde(default)]
    policies: Vec<Policy>,
    #[serde(default)]
    draws: Vec<Draws>,
    /// A policy's operations: name, whether they have both signs, magnitudes.
    #[serde(default)]
    tables: BTreeMap<String, Vec<(String, bool, Vec<f64>)>>,
}

#[derive(Deserialize)]
struct Case {
    images: String,
    operation: Operation,
    /// What the operation draws by chance.
    drawn: Option<Value>,
}

#[derive(Deserialize)]
struct Policy {
    images: String,
    policy: String,
    /// Operation, number of the magnitude, sign.
    steps: Vec<(String, usize, f64)>,
}

/// Means of what an operation draws.
#[derive(Deserialize)]
struct Draws {
    operation: Operation,
    /// `[channels, height, width]`.
    shape: [usize; 3],
    means: Vec<f64>,
}

/// Images that operations are applied to, `[images, channels, height, width]`.
struct Input {
    shape: ImageShape,
    pixels: Vec<f32>,
}

/// A peer's cases, and its answers one after another.
struct Peer {
    index: Index,
    inputs: BTreeMap<String, Input>,
    answers: Vec<f32>,
    wrong: Vec<String>,
}

impl Peer {
    fn read(path: &str) -> Self {
        let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
        let index = std::fs::read_to_string(format!("{path}.json")).unwrap();
        let index: Index = serde_json::from_str(&index).unwrap();
        let file = std::fs::File::open(format!("{path}.f32.gz")).unwrap();
        let mut bytes = Vec::new();
        let mut unzip = flate2::read::GzDecoder::new(file);
        unzip.read_to_end(&mut bytes).unwrap();
        let pixels = bytes
            .chunks_exact(4)
            .map(|four| f32::from_le_bytes(four.try_into().unwrap()));
        let mut answers: Vec<f32> = pixels.collect();
        let mut inputs = BTreeMap::new();
        for (name, [count, channels, height, width]) in &index.images {
            let shape = ImageShape::new(*channels, *height, *width);
            let pixels = answers.drain(..count * shape.len()).collect();
            inputs.insert(name.clone(), Input { shape, pixels });
        }
        Peer {
            index,
            inputs,
            answers,
            wrong: Vec::new(),
        }
    }

    /// Compares what a change makes of images with the first of the answers, on average and at most.
    fn compare(
        &mut self,
        images: &str,
        what: &str,
        [mean, most]: [f64; 2],
        change: impl Fn(&mut Image),
    ) {
        let Input { shape, pixels } = &self.inputs[images];
        let mut found = Vec::with_capacity(pixels.len());
        for pixels in pixels.chunks(shape.len()) {
            let mut image = Image {
                shape: *shape,
                pixels: pixels.to_vec(),
            };
            change(&mut image);
            found.extend(image.pixels);
        }
        let expected = self.answers.drain(..found.len());
        let differences: Vec<f64> = found
            .iter()
            .zip(expected)
            .map(|(a, b)| f64::from((a - b).abs()))
            .collect();
        let average = differences.iter().sum::<f64>() / differences.len() as f64;
        let largest = differences.iter().copied().fold(0.0, f64::max);
        let line = format!("{images} {what}: {average:.1e} on average, {largest:.1e} at most");
        println!("{line}");
        if average > mean || largest > most {
            self.wrong.push(line);
        }
    }

    fn compare_operations(&mut self, tolerance: fn(&Operation) -> [f64; 2]) {
        for case in std::mem::take(&mut self.index.cases) {
            let what = format!("{:?} {:?}", case.operation, case.drawn);
            let moves = self.inputs.get("moves").map(|moves| moves.pixels.clone());
            let change = |image: &mut Image| case.apply(image, moves.as_deref());
            let allowed = tolerance(&case.operation);
            self.compare(&case.images, &what, allowed, change);
        }
    }

    fn compare_policies(&mut self) {
        for case in std::mem::take(&mut self.index.policies) {
            let shape = self.inputs[&case.images].shape;
            let steps = self.steps(&case, shape);
            let allowed = steps
                .iter()
                .map(step_tolerance)
                .fold([0.0; 2], f64_pairs_max);
            let change = |image: &mut Image| match (case.policy.as_str(), steps.as_slice()) {
                ("trivial_augment", [step]) => fields::<TrivialAugment>().apply(step, image),
                _ => fields::<RandAugment>().apply(&steps, image),
            };
            let what = format!("{} {:?}", case.policy, case.steps);
            self.compare(&case.images, &what, allowed, change);
        }
    }

    /// The steps as they are drawn.
    fn steps(&self, case: &Policy, shape: ImageShape) -> Vec<Step> {
        let space = space(&case.policy, shape);
        let step = |(name, magnitude, sign): &(String, usize, f64)| {
            let mut rows = self.index.tables[&case.policy].iter();
            let which = rows.position(|row| row.0 == *name).unwrap();
            space.step(which, *magnitude, *sign)
        };
        case.steps.iter().map(step).collect()
    }

    fn finish(self) {
        assert!(self.wrong.is_empty(), "{:#?}", self.wrong);
        let left = self.answers.len();
        assert_eq!(left, 0, "answers without a case");
    }
}

fn f64_pairs_max(one: [f64; 2], other: [f64; 2]) -> [f64; 2] {
    [one[0].max(other[0]), one[1].max(other[1])]
}

/// An operation of which nothing is said.
fn fields<T: serde::de::DeserializeOwned>() -> T {
    serde_json::from_str("{}").unwrap()
}

fn space(policy: &str, shape: ImageShape) -> Space {
    match policy {
        "rand_augment" => randaugment(shape),
        "trivial_augment" => TRIVIAL,
        _ => panic!("there is no policy `{policy}`"),
    }
}

impl Case {
    fn apply(&self, image: &mut Image, moves: Option<&[f32]>) {
        let Some(drawn) = self.drawn.clone() else {
            let mut rng = Seed(0).stream(Purpose::Augment, &[]);
            self.operation.apply(image, &mut rng);
            return;
        };
        match &self.operation {
            Operation::Elastic(fields) => {
                let (alpha, sigma) = (fields.alpha.low(), fields.sigma.low());
                let size = [image.shape.height, image.shape.width];
                let (down, right) = moves.unwrap().split_at(size[0] * size[1]);
                let moves = [down, right].map(|moves| displacement(moves, size, alpha, sigma));
                fields.apply(&moves, image);
            }
            Operation::Perspective(fields) => fields.apply(&read(drawn), image),
            Operation::RandomCrop(fields) => fields.apply(&read(drawn), image),
            Operation::RandomResizedCrop(fields) => fields.apply(&rectangle(drawn), image),
            Operation::RandomErasing(fields) => {
                fields.apply(&(Some(rectangle(drawn)), 0), image);
            }
            other => panic!("`{}` draws nothing", other.key()),
        }
    }
}

fn read<T: serde::de::DeserializeOwned>(drawn: Value) -> T {
    serde_json::from_value(drawn).unwrap()
}

fn rectangle(drawn: Value) -> Rectangle {
    let sides: BTreeMap<String, [usize; 2]> = read(drawn);
    Rectangle {
        place: sides["place"],
        size: sides["size"],
    }
}

/// `None` where the operation only rearranges pixels.
fn interpolation(operation: &Operation) -> Option<Interpolation> {
    match operation {
        Operation::Rotate(fields) => Some(fields.interpolation),
        Operation::Zoom(fields) => Some(fields.interpolation),
        Operation::Shift(fields) => Some(fields.interpolation),
        Operation::Shear(fields) => Some(fields.interpolation),
        Operation::Perspective(fields) => Some(fields.interpolation),
        Operation::Elastic(fields) => Some(fields.interpolation),
        Operation::RandomResizedCrop(fields) => Some(fields.interpolation),
        _ => None,
    }
}

/// A step of the 8 bits that Pillow and torchvision's policies work with, and a little.
const BIT: f64 = 1.001 / 255.0;

/// How far an operation may be from SciPy's and Pillow's answers, on average and at most.
fn scipy_tolerance(operation: &Operation) -> [f64; 2] {
    use Operation as Of;
    match (operation, interpolation(operation)) {
        (Of::Perspective(_) | Of::Elastic(_), _) => [1e-5, 1e-4],
        (_, Some(Interpolation::Bilinear)) => [1e-5; 2],
        // Two different cubics: SciPy's is a B-spline over the whole image, ours Catmull-Rom.
        (_, Some(Interpolation::Bicubic)) => [0.01, 1.0],
        (Of::Saturation(_) | Of::Sharpness(_) | Of::Grayscale(_), _) => [0.6 * BIT, 1.6 * BIT],
        (Of::Autocontrast(_), _) => [0.6 * BIT, BIT],
        (Of::Blur(_) | Of::Hue(_), _) => [1e-5; 2],
        (Of::Posterize(_) | Of::Solarize(_), _) => [1e-6; 2],
        (Of::Invert(_) | Of::Equalize(_), _) => [1e-6; 2],
        _ => [0.0; 2],
    }
}

/// The same of torchvision's.
fn torchvision_tolerance(operation: &Operation) -> [f64; 2] {
    use Operation as Of;
    match (operation, interpolation(operation)) {
        // torchvision's places between pixels have 32 bits.
        (_, Some(Interpolation::Bilinear | Interpolation::Bicubic)) => [1e-6, 1e-5],
        // Its gray has 0.2989 of red, where the standard says 0.299.
        (Of::Saturation(_) | Of::Grayscale(_), _) => [1.1e-4; 2],
        // Answers are rounded to 20 binary places.
        _ => [1e-6, 2e-6],
    }
}

/// The same of a policy's step.
fn step_tolerance(step: &Step) -> [f64; 2] {
    match step {
        // torchvision cuts what it computes to whole steps of 255, and gray and smooth values before that.
        Step::Brightness(_) | Step::Sharpness(_) | Step::Autocontrast => [0.6 * BIT, 1.6 * BIT],
        Step::Color(_) | Step::Contrast(_) => [1.1 * BIT, 2.1 * BIT],
        _ => [1e-6; 2],
    }
}

#[test]
fn the_operations_agree_with_scipy_and_pillow() {
    let mut scipy = Peer::read(SCIPY);
    scipy.compare_operations(scipy_tolerance);
    scipy.finish();
}

#[test]
fn the_operations_and_policies_agree_with_torchvision() {
    let mut torchvision = Peer::read(TORCHVISION);
    torchvision.compare_operations(torchvision_tolerance);
    torchvision.compare_policies();
    torchvision.finish();
}

/// The numbers that an operation draws: place and size of a rectangle, moves of corners, the mean square of an elastic
/// distortion's.
fn numbers(operation: &Operation, shape: ImageShape, rng: &mut Rng) -> Vec<f64> {
    let of = |Rectangle { place, size }| [place, size].concat().into_iter().map(|at| at as f64);
    match operation {
        Operation::RandomErasing(fields) => {
            let whole = Rectangle {
                place: [0, 0],
                size: [shape.height, shape.width],
            };
            of(fields.draw(shape, rng).0.unwrap_or(whole)).collect()
        }
        Operation::RandomResizedCrop(fields) => of(fields.draw(shape, rng)).collect(),
        Operation::Perspective(fields) => {
            let drawn = fields.draw(shape, rng).into_iter().zip(corners(shape));
            let moves = drawn.flat_map(|(to, from)| [to[0] - from[0], to[1] - from[1]]);
            moves.map(f64::abs).collect()
        }
        Operation::Elastic(fields) => {
            let moves = fields.draw(shape, rng).concat();
            let squares = moves.iter().map(|by| f64::from(by * by));
            vec![squares.sum::<f64>() / moves.len() as f64]
        }
        other => panic!("`{}` draws nothing that is compared", other.key()),
    }
}

#[test]
fn operations_draw_what_torchvision_draws_on_average() {
    let draws = Peer::read(TORCHVISION).index.draws;
    let mut compared = BTreeSet::new();
    for case in &draws {
        let [channels, height, width] = case.shape;
        let shape = ImageShape::new(channels, height, width);
        let mut rng = Seed(0).stream(Purpose::Augment, &[]);
        let times = if case.means.len() == 1 { 100 } else { 4000 };
        let mut means = vec![0.0; case.means.len()];
        for _ in 0..times {
            let drawn = numbers(&case.operation, shape, &mut rng);
            for (mean, drawn) in means.iter_mut().zip(drawn) {
                *mean += drawn / f64::from(times);
            }
        }
        for (mean, expected) in means.iter().zip(&case.means) {
            let off = (mean - expected).abs() / expected;
            assert!(
                off < 0.05,
                "{:?}: {means:?}, {:?}",
                case.operation,
                case.means
            );
        }
        compared.insert(case.operation.key());
    }
    let expected = [
        "elastic",
        "perspective",
        "random_erasing",
        "random_resized_crop",
    ];
    assert!(compared.into_iter().eq(expected));
}

/// Strength of a step as torchvision's tables have it, and the step's name there.
fn strength(step: Step) -> (&'static str, f64) {
    match step {
        Step::Identity => ("Identity", 0.0),
        Step::ShearX(by) => ("ShearX", by),
        Step::ShearY(by) => ("ShearY", by),
        Step::TranslateX(by) => ("TranslateX", by),
        Step::TranslateY(by) => ("TranslateY", by),
        Step::Rotate(degrees) => ("Rotate", degrees),
        Step::Brightness(by) => ("Brightness", by),
        Step::Color(by) => ("Color", by),
        Step::Contrast(by) => ("Contrast", by),
        Step::Sharpness(by) => ("Sharpness", by),
        Step::Posterize(bits) => ("Posterize", bits as f64),
        Step::Solarize(threshold) => ("Solarize", 255.0 * threshold),
        Step::Autocontrast => ("AutoContrast", 0.0),
        Step::Equalize => ("Equalize", 0.0),
    }
}

#[test]
fn the_policies_have_the_operations_and_magnitudes_of_torchvision() {
    let Peer { index, inputs, .. } = Peer::read(TORCHVISION);
    assert_eq!(index.tables.len(), 2);
    for (policy, table) in &index.tables {
        let space = space(policy, inputs["photo"].shape);
        assert_eq!(table.len(), super::policy::OPERATIONS);
        for (which, (name, is_signed, magnitudes)) in table.iter().enumerate() {
            for sign in [1.0, -1.0] {
                for magnitude in 0..super::policy::BINS {
                    let expected = magnitudes.get(magnitude).copied().unwrap_or(0.0);
                    let expected = if *is_signed {
                        sign * expected
                    } else {
                        expected
                    };
                    // torchvision cuts moves to whole pixels when it makes them; of numbers of 32 bits, so that its 16
                    // are 15.999999, and 15 pixels.
                    let expected = match name.starts_with("Translate") {
                        true => (expected + 1e-4 * sign).trunc(),
                        false => expected,
                    };
                    let (found, strength) = strength(space.step(which, magnitude, sign));
                    assert_eq!(found, name, "{policy}");
                    let off = (strength - expected).abs();
                    assert!(
                        off < 1e-4,
                        "{policy} {name} {magnitude}: {strength}, {expected}"
                    );
                }
            }
        }
    }
}

/// Operations of which torchvision has no like: it multiplies where `brightness` adds, and has none that mixes
/// several operations by chance but the policies.
const UNLIKE: [&str; 5] = ["brightness", "noise", "lighting", "cutout", "one_of"];

#[test]
fn every_operation_that_torchvision_has_is_held_to_it() {
    let Index {
        cases,
        policies,
        tables,
        ..
    } = Peer::read(TORCHVISION).index;
    let operations = cases.iter().map(|case| case.operation.key());
    let held: BTreeSet<&str> = operations
        .chain(policies.iter().map(|case| case.policy.as_str()))
        .collect();
    let missing: Vec<&str> = Operation::NAMES
        .iter()
        .copied()
        .filter(|name| !held.contains(name))
        .collect();
    assert_eq!(
        missing, UNLIKE,
        "operations without an answer of torchvision"
    );
    for (policy, table) in &tables {
        let steps: BTreeSet<(&str, bool)> = policies
            .iter()
            .filter(|case| case.policy == *policy)
            .flat_map(|case| &case.steps)
            .map(|(name, _, sign)| (name.as_str(), *sign < 0.0))
            .collect();
        for (name, is_signed, _) in table {
            let signs = if *is_signed {
                &[false, true][..]
            } else {
                &[false]
            };
            for sign in signs {
                let has = steps.contains(&(name.as_str(), *sign));
                assert!(has, "{policy} {name} has no answer of torchvision");
            }
        }
    }
}
