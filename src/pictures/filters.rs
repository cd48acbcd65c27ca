//! `filters`: the kernels of a convolution, or the weights of a dense layer as images.

use image::RgbImage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canvas::{Grid, beside, color_bar, enlarged, enlargement, titled};
use super::colors::Map;
use super::{PictureContext, PictureFields, PictureInput, PictureOutput, tiles};
use crate::error::{Flaw, count};
use crate::layers::Role;
use crate::models::WeightTensor;
use crate::network::Planned;
use crate::shape::ImageShape;

/// The weights of a layer as small pictures, each in a range of its own about 0: of `conv2d`,
/// `depthwise_conv2d` and `conv2d_transpose` the kernels, of a `dense` layer that sees images or makes
/// them the weights of each unit. Only the first ones of very many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Filters {
    /// What its files and its tag in TensorBoard are called. Default `filters.` and the layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The layer's name, such as `encoder.conv2d_1`.
    pub layer: String,
}

/// How many small pictures there may be, and how many of each of two kinds of channels.
const MOST: usize = 256;
const MOST_CHANNELS: usize = 16;

impl PictureFields for Filters {
    fn about(&self) -> Option<&str> {
        Some(&self.layer)
    }

    fn check(&self, context: &PictureContext) -> Vec<Flaw> {
        let layer = match context.layer(&self.layer) {
            Ok(layer) => layer,
            Err(flaw) => return vec![flaw],
        };
        let name = &self.layer;
        if let Some(partner) = &layer.partner {
            let partner = &context.layers[partner.layer].name;
            let message = format!("`{name}` has no filters of its own: it is tied to `{partner}`");
            return vec![Flaw::new("layer", message).hint(format!("draw those of `{partner}`"))];
        }
        let message = match layer.spec.role() {
            Some(Role::Filters) => return Vec::new(),
            Some(Role::Affine) => match dense_is_images(layer, context.model.images) {
                true => return Vec::new(),
                false => format!(
                    "`{name}` makes {} of {}: neither is an image of {} to draw its weights as",
                    layer.output, layer.input, context.model.images
                ),
            },
            _ => format!(
                "`{name}` is a `{}`, which has no filters to draw",
                layer.key
            ),
        };
        vec![Flaw::new("layer", message)]
    }

    fn draw(&self, subject: &PictureInput) -> Vec<PictureOutput> {
        let wanted = format!("{}/weight", self.layer).replace('.', "/");
        let weights = subject.model.weights();
        let found = weights.iter().find(|t| t.name.replace('.', "/") == wanted);
        let Some(kernels) = found.and_then(|weight| Kernels::of(weight, subject.shape())) else {
            return Vec::new();
        };
        let wished = if kernels.width >= 14 { 84 } else { 42 };
        let times = enlargement([kernels.width, kernels.height], kernels.columns, wished);
        let tiles = kernels.tiles.iter().map(|tile| enlarged(tile, times));
        let grid = Grid::new(tiles.collect(), kernels.columns).draw();
        let bar = color_bar(
            Map::Diverging,
            grid.height().min(240),
            "-largest",
            Some("0"),
            "+largest",
        );
        let picture = match kernels.in_color {
            true => grid,
            false => beside(&[grid, bar], 18),
        };
        let title = match kernels.in_color {
            true => format!("{}: {}", self.layer, kernels.title),
            false => format!("{}: {}, each in its own range", self.layer, kernels.title),
        };
        vec![PictureOutput::Picture(titled(&title, &picture))]
    }
}

/// Whether what a dense layer sees, or else what it makes, is an image.
fn dense_is_images(layer: &Planned, images: ImageShape) -> bool {
    [layer.input.len(), layer.output.len()].contains(&images.len())
}

/// Kernels as small pictures.
struct Kernels {
    tiles: Vec<RgbImage>,
    columns: usize,
    width: usize,
    height: usize,
    title: String,
    /// Whether the three channels of each are drawn as one picture, without a map.
    in_color: bool,
}

impl Kernels {
    fn of(weight: &WeightTensor, images: ImageShape) -> Option<Kernels> {
        match *weight.shape.as_slice() {
            [one, other, height, width] => Some(Kernels::of_convolution(
                &weight.values,
                [one, other],
                [height, width],
            )),
            [features, units] if features == images.len() => {
                let column = |unit: usize| {
                    let rows = weight.values.chunks_exact(units);
                    rows.map(|row| row[unit]).collect::<Vec<f32>>()
                };
                let shown = units.min(MOST);
                let all: Vec<Vec<f32>> = (0..shown).map(column).collect();
                Some(Kernels::of_units(&all, units, images))
            }
            [features, units] if units == images.len() => {
                let rows = weight.values.chunks_exact(units).take(MOST);
                let all: Vec<Vec<f32>> = rows.map(<[f32]>::to_vec).collect();
                Some(Kernels::of_units(&all, features, images))
            }
            _ => None,
        }
    }

    /// `values` is `[one, other, height, width]`: a row for each of the first axis, unless one of the two
    /// is alone.
    fn of_convolution(
        values: &[f32],
        [one, other]: [usize; 2],
        [height, width]: [usize; 2],
    ) -> Kernels {
        let plane = height * width;
        let (all, kernel) = (one * other, format!("{height}x{width}"));
        let (chosen, columns, title): (Vec<usize>, usize, String) = match one == 1 || other == 1 {
            true => {
                let shown = all.min(MOST);
                let title = format!("{} of {kernel}", some(shown, all, "filter"));
                ((0..shown).collect(), wrap(shown), title)
            }
            false => {
                let (rows, columns) = (one.min(MOST / MOST_CHANNELS), other.min(MOST_CHANNELS));
                let chosen = (0..rows).flat_map(|row| (0..columns).map(move |c| row * other + c));
                let across = match (rows, columns) {
                    shown if shown == (one, other) => String::new(),
                    _ => format!(", of these {rows}x{columns}"),
                };
                let title = format!("{one}x{other} kernels of {kernel}{across}");
                (chosen.collect(), columns, title)
            }
        };
        if other == 3 {
            return Kernels::in_color(values, one, [height, width]);
        }
        let tile = |&at: &usize| own_range(&values[at * plane..(at + 1) * plane], width);
        Kernels {
            tiles: chosen.iter().map(tile).collect(),
            columns,
            width,
            height,
            title,
            in_color: false,
        }
    }

    /// Kernels that see red, green and blue: gray is 0.
    fn in_color(values: &[f32], filters: usize, [height, width]: [usize; 2]) -> Kernels {
        let shape = ImageShape::new(3, height, width);
        let shown = filters.min(MOST);
        let tile = |kernel: &[f32]| {
            let limit = largest(kernel);
            tiles::image(kernel, shape, &crate::data::Scale::Range([-limit, limit]))
        };
        Kernels {
            tiles: values
                .chunks_exact(shape.len())
                .take(shown)
                .map(tile)
                .collect(),
            columns: wrap(shown),
            width,
            height,
            title: format!(
                "{} of 3x{height}x{width}, gray is 0",
                some(shown, filters, "filter")
            ),
            in_color: true,
        }
    }

    fn of_units(units: &[Vec<f32>], all: usize, images: ImageShape) -> Kernels {
        let plane = images.height * images.width;
        // Colors of images are drawn as their mean: weights have a sign.
        let mean = |unit: &Vec<f32>| -> Vec<f32> {
            let sum = |at: usize| unit.iter().skip(at).step_by(plane).sum::<f32>();
            (0..plane)
                .map(|at| sum(at) / images.channels as f32)
                .collect()
        };
        let tile = |unit: &Vec<f32>| own_range(&mean(unit), images.width);
        Kernels {
            tiles: units.iter().map(tile).collect(),
            columns: wrap(units.len()),
            width: images.width,
            height: images.height,
            title: format!("weights of {}", some(units.len(), all, "unit")),
            in_color: false,
        }
    }
}

/// A plane in a range of its own about 0.
fn own_range(values: &[f32], width: usize) -> RgbImage {
    let limit = largest(values) as f32;
    tiles::plane(values, width, Map::Diverging, [-limit, limit])
}

fn largest(values: &[f32]) -> f64 {
    let sizes = values.iter().map(|value| f64::from(value.abs()));
    let largest = sizes.filter(|size| size.is_finite()).fold(0.0, f64::max);
    if largest == 0.0 { 1.0 } else { largest }
}

fn some(shown: usize, all: usize, noun: &str) -> String {
    match shown == all {
        true => count(all, noun),
        false => format!("the first {shown} of {}", count(all, noun)),
    }
}

/// Columns for `count` pictures: about twice as wide as high, powers of two where they are many.
fn wrap(count: usize) -> usize {
    match count {
        0..=8 => count.max(1),
        9..=32 => 8,
        33..=128 => 16,
        _ => 32,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn kernels_are_drawn_alone_in_a_matrix_or_in_color() {
        let kernels = |shape: &[usize]| {
            let count: usize = shape.iter().product();
            let weight = WeightTensor {
                name: "x/weight".to_string(),
                shape: shape.to_vec(),
                values: (0..count).map(|i| (i as f32).sin()).collect(),
            };
            let kernels = Kernels::of(&weight, ImageShape::new(1, 4, 5));
            kernels.map(|k| (k.tiles.len(), k.columns, k.title))
        };
        let expected = |tiles, columns, title: &str| Some((tiles, columns, title.to_string()));
        assert_eq!(
            kernels(&[32, 1, 3, 3]),
            expected(32, 8, "32 filters of 3x3")
        );
        assert_eq!(
            kernels(&[1, 32, 3, 3]),
            expected(32, 8, "32 filters of 3x3")
        );
        assert_eq!(
            kernels(&[4, 8, 5, 5]),
            expected(32, 8, "4x8 kernels of 5x5")
        );
        assert_eq!(
            kernels(&[64, 32, 3, 3]),
            expected(256, 16, "64x32 kernels of 3x3, of these 16x16")
        );
        assert_eq!(
            kernels(&[16, 3, 5, 5]),
            expected(16, 8, "16 filters of 3x5x5, gray is 0")
        );
        assert_eq!(kernels(&[20, 7]), expected(7, 7, "weights of 7 units"));
        assert_eq!(
            kernels(&[500, 20]),
            expected(256, 32, "weights of the first 256 of 500 units")
        );
        assert_eq!(kernels(&[6, 7]), None);
    }

    #[test]
    fn each_kernel_has_a_range_of_its_own() {
        let shades = |values: &[f32]| own_range(values, 2).into_raw();
        assert_eq!(
            shades(&[1.0, 0.0, -1.0, 0.5]),
            shades(&[10.0, 0.0, -10.0, 5.0])
        );
        assert_eq!(shades(&[0.0; 4]), [255; 12]);
    }

    #[test]
    fn filters_of_every_layer_that_has_some() {
        let fake_input = FakeInput::at(Fake::autoencoder());
        fake_input.save("filters", "{ filters = { layer = 'encoder.conv2d_1' } }");
        fake_input.save(
            "filters_dense",
            "{ filters = { layer = 'decoder.dense_1' } }",
        );
        let messages = |layer| {
            messages(
                Fake::autoencoder(),
                &format!("{{ filters = {{ layer = '{layer}' }} }}"),
            )
        };
        assert_eq!(messages("encoder.conv2d_1"), [""; 0]);
        assert_eq!(messages("decoder.dense_1"), [""; 0]);
        assert_eq!(
            messages("encoder.flatten_1"),
            ["filters.layer: `encoder.flatten_1` is a `flatten`, which has no filters to draw"]
        );
        assert_eq!(
            messages("encoder.dense_1"),
            [
                "filters.layer: `encoder.dense_1` makes 2 of 6272: neither is an image of 1x28x28 to draw \
              its weights as"
            ]
        );
        assert_eq!(
            messages("conv2d_1"),
            ["filters.layer: there is no layer `conv2d_1`"]
        );
    }
}
