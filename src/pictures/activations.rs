//! `activations`: what a layer makes of a test image, before and after its activation function.

use image::RgbImage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canvas::{Grid, beside, color_bar, enlarged, enlargement, number, stacked, titled};
use super::colors::Map;
use super::{PictureContext, PictureFields, PictureInput, PictureOutput, tiles};
use crate::error::Flaw;
use crate::models::Ability;
use crate::shape::Shape;

/// The maps of a layer for one test image, or its values where it gives features; only the first 64 of
/// more maps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Activations {
    /// What its files and its tag in TensorBoard are called. Default `activations.` and the layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The layer's name, such as `encoder.conv2d_1`.
    pub layer: String,
    /// Which test image, from 0. Default 0.
    #[serde(default)]
    pub image: usize,
}

const MOST: usize = 64;
const MOST_FEATURES: usize = 1024;

impl PictureFields for Activations {
    fn about(&self) -> Option<&str> {
        Some(&self.layer)
    }

    fn check(&self, context: &PictureContext) -> Vec<Flaw> {
        let kinds = context.needs("activations", Ability::TakeImages);
        if let Some(flaw) = kinds {
            return vec![flaw];
        }
        let shape = match context.layer(&self.layer) {
            Ok(layer) if matches!(layer.output, Shape::Image(_) | Shape::Features(_)) => None,
            Ok(layer) => {
                let (name, gives) = (&self.layer, layer.output.kind());
                let message = format!("`{name}` gives {gives}, which is not drawn");
                Some(Flaw::new("layer", message).hint("draw a layer that gives images or features"))
            }
            Err(flaw) => Some(flaw),
        };
        let flaws = shape
            .into_iter()
            .chain(context.test_image("image", self.image));
        flaws.collect()
    }

    fn draw(&self, subject: &PictureInput) -> Vec<PictureOutput> {
        let pixels = subject.image(self.image);
        let labels = [subject.labels[self.image]];
        let given = subject
            .model
            .activations(&self.layer, pixels, Some(&labels));
        let Some(given) = given else {
            return Vec::new();
        };
        let mut panels = Vec::new();
        match given.function {
            None => panels.push(panel(&self.layer, given.shape, &given.after)),
            Some(function) => {
                let title = |when: &str| format!("{} {when} {}", self.layer, function.key());
                panels.push(panel(&title("before"), given.shape, &given.before));
                panels.push(panel(&title("after"), given.shape, &given.after));
            }
        }
        let shape = subject.shape();
        let times = enlargement([shape.width, shape.height], 8, 112);
        let input = titled("input", &subject.tiles(pixels, times)[0]);
        vec![PictureOutput::Picture(beside(
            &[input, stacked(&panels, 16)],
            28,
        ))]
    }
}

/// The maps under a title, beside the bar of their one range.
fn panel(title: &str, shape: Shape, values: &[f32]) -> RgbImage {
    let (map, range) = tiles::map_of(values);
    let (width, height, most) = match shape {
        Shape::Image(image) => (image.width, image.height, MOST),
        _ => (1, 1, MOST_FEATURES),
    };
    let plane = (width * height).max(1);
    let shown = (values.len() / plane).min(most);
    let title = match shown * plane == values.len() {
        true => title.to_string(),
        false => format!("{title}: the first {shown} of {}", values.len() / plane),
    };
    let columns = match (plane, shown) {
        (1, _) => (shown as f64).sqrt().ceil().max(10.0) as usize,
        (_, 0..=8) => shown.max(1),
        (_, 9..=32) => 8,
        _ => 16,
    };
    let wished = if plane == 1 { 18 } else { 70 };
    let times = enlargement([width, height], columns.max(8), wished);
    let maps = values.chunks_exact(plane).take(shown);
    let maps = maps.map(|values| enlarged(&tiles::plane(values, width, map, range), times));
    let grid = Grid::new(maps.collect(), columns).draw();
    let middle = (map == Map::Diverging).then_some("0");
    let bar_height = grid.height().min(240);
    let [low, high] = range.map(number);
    let bar = color_bar(map, bar_height, &low, middle, &high);
    titled(&title, &beside(&[grid, bar], 18))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn maps_are_drawn_before_and_after_the_function() {
        let fake_input = FakeInput::at(Fake::autoencoder());
        let maps = fake_input.save(
            "activations",
            "{ activations = { layer = 'encoder.conv2d_1' } }",
        );
        let features = "{ activations = { layer = 'encoder.dense_1', image = 3 } }";
        let features = fake_input.save("activations_features", features);
        assert!(maps.height() > 2 * features.height());
    }

    #[test]
    fn the_layer_and_the_image_must_be_there() {
        let messages =
            |fake, fields: &str| messages(fake, &format!("{{ activations = {{ {fields} }} }}"));
        assert_eq!(
            messages(Fake::autoencoder(), "layer = 'encoder.dense_1', image = 59"),
            [""; 0]
        );
        assert_eq!(
            messages(Fake::autoencoder(), "layer = 'encoder.dense', image = 60"),
            [
                "activations.layer: there is no layer `encoder.dense`",
                "activations.image: there is no test image 60: there are 60 test images, from 0"
            ]
        );
        assert_eq!(
            messages(Fake::gan(), "layer = 'generator.dense_1'"),
            [
                "activations: `activations` needs a classifier or an auto-encoder but the model is a GAN"
            ]
        );
    }
}
