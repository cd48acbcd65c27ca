//! Facts about models that tests make up.

use super::{Kind, ModelFacts};
use crate::shape::{ImageShape, Shape};

/// Of images that are large enough for most tests.
pub const SHAPE: ImageShape = ImageShape {
    channels: 1,
    height: 2,
    width: 2,
};

/// A model of images of this shape, of which nothing else is so.
pub fn facts(kind: Kind, images: ImageShape, classes: usize, code: Option<Shape>) -> ModelFacts {
    ModelFacts {
        kind,
        images,
        classes,
        code,
        has_gaussian_code: false,
        chain: None,
        is_conditional: false,
        has_likelihood: false,
        test: 100,
        trained_on: vec![true; classes],
    }
}
