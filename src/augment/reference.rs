//! The operations against SciPy's and Pillow's answers for digits, a texture and a picture.
//!
//! The answers are committed; the script beside them makes them anew.

use std::collections::BTreeMap;
use std::io::Read;

use serde::Deserialize;

use super::elastic::displacement;
use super::{Elastic, Image, Interpolation, Operation, OperationFields, Perspective};
use crate::rng::{Purpose, Seed};
use crate::shape::ImageShape;

const INDEX: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/peers/augment/answers.json"
);
const PIXELS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/peers/augment/answers.f32.gz"
);

#[derive(Deserialize)]
struct Index {
    /// `[images, channels, height, width]` of each set, in the order of their pixels.
    images: BTreeMap<String, [usize; 4]>,
    cases: Vec<Case>,
    /// Strengths of the elastic distortions of one field of moves.
    elastic: Vec<BTreeMap<String, f64>>,
    /// Corners of the images as they are seen.
    perspective: Vec<[[f64; 2]; 4]>,
}

#[derive(Deserialize)]
struct Case {
    images: String,
    operation: Operation,
}

/// How far one operation is from the answers on one set of images.
#[derive(Debug)]
struct Difference {
    mean: f64,
    largest: f64,
}

fn answers() -> (Index, Vec<f32>) {
    let index = std::fs::read_to_string(INDEX).unwrap();
    let file = std::fs::File::open(PIXELS).unwrap();
    let mut bytes = Vec::new();
    let mut unzip = flate2::read::GzDecoder::new(file);
    unzip.read_to_end(&mut bytes).unwrap();
    let pixels = bytes
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()));
    (serde_json::from_str(&index).unwrap(), pixels.collect())
}

fn difference(
    operation: &Operation,
    shape: ImageShape,
    input: &[f32],
    expected: &[f32],
) -> Difference {
    let mut differences = Vec::new();
    for (pixels, expected) in input.chunks(shape.len()).zip(expected.chunks(shape.len())) {
        let mut image = Image {
            shape,
            pixels: pixels.to_vec(),
        };
        operation.apply(&mut image, &mut Seed(0).stream(Purpose::Augment, &[]));
        let both = image.pixels.iter().zip(expected);
        differences.extend(both.map(|(a, b)| f64::from((a - b).abs())));
    }
    Difference {
        mean: differences.iter().sum::<f64>() / differences.len() as f64,
        largest: differences.iter().copied().fold(0.0, f64::max),
    }
}

/// `None` where the operation only rearranges pixels.
fn interpolation(operation: &Operation) -> Option<Interpolation> {
    match operation {
        Operation::Rotate(fields) => Some(fields.interpolation),
        Operation::Zoom(fields) => Some(fields.interpolation),
        Operation::Shift(fields) => Some(fields.interpolation),
        Operation::Shear(fields) => Some(fields.interpolation),
        _ => None,
    }
}

/// How far an operation may be from the answers, on average and at most.
fn tolerance(operation: &Operation) -> [f64; 2] {
    // A step of the 8 bits that Pillow works with, and a little.
    let step = 1.001 / 255.0;
    match (operation, interpolation(operation)) {
        (_, Some(Interpolation::Bilinear)) => [1e-5; 2],
        // Two different cubics: SciPy's is a B-spline over the whole image, ours Catmull-Rom.
        (_, Some(Interpolation::Bicubic)) => [0.01, 1.0],
        (Operation::Saturation(_) | Operation::Sharpness(_) | Operation::Grayscale(_), _) => {
            [0.6 * step, 1.6 * step]
        }
        (Operation::Autocontrast(_), _) => [0.6 * step, step],
        (Operation::Blur(_) | Operation::Hue(_), _) => [1e-5; 2],
        (Operation::Posterize(_) | Operation::Solarize(_), _) => [1e-6; 2],
        (Operation::Invert(_) | Operation::Equalize(_), _) => [1e-6; 2],
        _ => [0.0; 2],
    }
}

#[test]
fn the_operations_agree_with_scipy_and_pillow() {
    let (index, pixels) = answers();
    let mut rest = pixels.as_slice();
    let mut inputs = BTreeMap::new();
    for (name, [count, channels, height, width]) in &index.images {
        let shape = ImageShape::new(*channels, *height, *width);
        let (input, after) = rest.split_at(count * shape.len());
        inputs.insert(name.as_str(), (shape, input));
        rest = after;
    }
    let mut wrong = Vec::new();
    for case in &index.cases {
        let (shape, input) = inputs[case.images.as_str()];
        let (expected, after) = rest.split_at(input.len());
        rest = after;
        let found = difference(&case.operation, shape, input, expected);
        let line = format!("{} {:?}: {found:?}", case.images, case.operation);
        println!("{line}");
        let [mean, largest] = tolerance(&case.operation);
        if found.mean > mean || found.largest > largest {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let (shape, input) = inputs["texture"];
    let image = || Image {
        shape,
        pixels: input.to_vec(),
    };
    let (moves, after) = rest.split_at(2 * input.len());
    rest = after;
    for strength in &index.elastic {
        let elastic: Elastic = serde_json::from_str(
            r#"{"alpha": 1, "sigma": 1, "interpolation": "bilinear", "fill": 0.25}"#,
        )
        .unwrap();
        let size = [shape.height, shape.width];
        let of = |moves: &[f32]| displacement(moves, size, strength["alpha"], strength["sigma"]);
        let (down, right) = moves.split_at(input.len());
        let mut image = image();
        elastic.apply(&[of(down), of(right)], &mut image);
        rest = compared(&image, rest, &format!("elastic {strength:?}"));
    }
    for corners in &index.perspective {
        let json = r#"{"interpolation": "bilinear", "fill": 0.25}"#;
        let perspective: Perspective = serde_json::from_str(json).unwrap();
        let mut image = image();
        perspective.apply(corners, &mut image);
        rest = compared(&image, rest, &format!("perspective {corners:?}"));
    }
    assert!(rest.is_empty(), "{} answers without a case", rest.len());
}

/// Compares an image with the first of the answers; the others.
fn compared<'a>(image: &Image, answers: &'a [f32], what: &str) -> &'a [f32] {
    let (expected, rest) = answers.split_at(image.pixels.len());
    let differences = image
        .pixels
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs());
    let largest = differences.fold(0.0, f32::max);
    assert!(largest < 1e-4, "{what}: {largest}");
    rest
}
