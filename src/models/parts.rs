//! What is wrong with models that are made of two parts.

use crate::error::Flaw;
use crate::layers::LayerSpec;
use crate::network::Plan;
use crate::shape::{ImageShape, Shape};

/// A side classifier, whose classes this model knows nothing of.
pub(super) fn looks_aside(plan: &Plan) -> Option<Flaw> {
    let block = plan.side_classifier()?;
    Some(Flaw::new("", format!("`{block}` helps classifiers only")))
}

/// The flaw of a part whose output is neither an image of the dataset's shape nor its number of features.
pub(super) fn not_images(
    plan: &Plan,
    part: usize,
    name: &str,
    layers: &[LayerSpec],
    images: ImageShape,
) -> Option<Flaw> {
    let output = plan.nodes.get(part)?.output;
    let hint = match output {
        Shape::Image(image) if image == images => return None,
        Shape::Features(features) if features == images.len() => return None,
        Shape::Features(_) => format!("its last `dense` layer needs units = {}", images.len()),
        Shape::Image(image) if image.channels != images.channels => {
            format!("its last layer needs filters = {}", images.channels)
        }
        _ => "strides, `upsampling` and `cropping` set the size".to_string(),
    };
    let gives = output.called();
    let last = layers.len().saturating_sub(1);
    let message = format!("the {name} gives {gives} but the images are {images}");
    Some(Flaw::new(format!("{name}.{last}"), message).hint(hint))
}
