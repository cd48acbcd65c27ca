//! The operations against SciPy's answers for the first MNIST digits and a texture.
//!
//! The answers are committed; the script beside them makes them anew.

use std::collections::BTreeMap;
use std::io::Read;

use serde::Deserialize;

use super::{Image, Interpolation, Operation};
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
    /// `[images, height, width]` of each set, in the order of their pixels.
    images: BTreeMap<String, [usize; 3]>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    images: String,
    operation: Operation,
}

/// How far one operation is from SciPy on one set of images.
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

#[test]
fn the_operations_agree_with_scipy() {
    let (index, pixels) = answers();
    let mut rest = pixels.as_slice();
    let mut inputs = BTreeMap::new();
    for (name, [count, height, width]) in &index.images {
        let shape = ImageShape::new(1, *height, *width);
        let (input, after) = rest.split_at(count * shape.len());
        inputs.insert(name.as_str(), (shape, input));
        rest = after;
    }
    for case in &index.cases {
        let (shape, input) = inputs[case.images.as_str()];
        let (expected, after) = rest.split_at(input.len());
        rest = after;
        let found = difference(&case.operation, shape, input, expected);
        let line = format!("{} {:?}: {found:?}", case.images, case.operation);
        println!("{line}");
        match interpolation(&case.operation) {
            None | Some(Interpolation::Nearest) => assert_eq!(found.largest, 0.0, "{line}"),
            Some(Interpolation::Bilinear) => assert!(found.largest < 1e-5, "{line}"),
            // Two different cubics: SciPy's is a B-spline over the whole image, ours Catmull-Rom.
            Some(Interpolation::Bicubic) => assert!(found.mean < 0.01, "{line}"),
        }
    }
    assert!(rest.is_empty(), "{} answers without a case", rest.len());
}
