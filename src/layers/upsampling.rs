//! `upsampling`: more places, each a copy of one or between its neighbors.

use burn::tensor::{Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::axes::per_axis;
use super::fields::layer;
use super::signal::EachRank;
use super::{ForwardContext, GIVER, LayerContext, LayerFields, Signal, Weightless};
use crate::backend::{Kernels, math, reshape};
use crate::error::Flaw;
use crate::onnx::{Attribute, Graph, Name, Value};
use crate::shape::Shape;
use crate::value::{PerAxis, Positive};

layer! {
    /// Every axis grows by a factor: `[batch, channels, height, width]` to
    /// `[batch, channels, height * size, width * size]`, and the like for volumes and the steps of sequences.
    pub struct Upsampling {
        /// By how much: one number for every axis, or a list with one for each. Default 2.
        #[serde(default = "twice")]
        pub size: PerAxis<Positive>,
        /// `nearest` (default), or `bilinear` for images.
        #[serde(default)]
        pub interpolation: Interpolation,
    }
}

/// What stands in new places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// A copy of the nearest value.
    #[default]
    Nearest,
    /// In proportion between the four nearest values, measured from the centers of pixels: PyTorch's
    /// `align_corners=False`, TensorFlow's `half_pixel_centers`.
    Bilinear,
}

fn twice() -> PerAxis<Positive> {
    PerAxis::All(Positive(2))
}

impl Upsampling {
    fn factors(&self, input: Shape) -> Result<Vec<usize>, Flaw> {
        let factors = per_axis(&self.size, input)?;
        Ok(factors.into_iter().map(Positive::get).collect())
    }
}

impl LayerFields for Upsampling {
    fn keeps_range(&self) -> bool {
        true
    }

    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        let factors = self.factors(input)?;
        let bilinear = self.interpolation == Interpolation::Bilinear;
        if bilinear && !matches!(input, Shape::Image(_)) {
            let message = format!(
                "interpolates between the pixels of an image but {GIVER} gives {} ({input})",
                input.kind()
            );
            let flaw = Flaw::new("interpolation", message);
            return Err(flaw.hint("use `interpolation = \"nearest\"`"));
        }
        let places = input.places().into_iter().zip(factors);
        let places: Vec<usize> = places.map(|(length, factor)| length * factor).collect();
        Ok(input.with(input.channels(), &places))
    }
}

impl Weightless for Upsampling {
    fn forward<B: Kernels>(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        let factors = self
            .factors(input.shape())
            .expect("the shape rule saw a factor for each axis");
        match (input, self.interpolation) {
            (Signal::Image(x), Interpolation::Bilinear) => {
                Signal::Image(bilinear(x, factors[0], factors[1]))
            }
            (input, _) => input.map(Copies(&factors)),
        }
    }

    fn onnx(&self, input: &Value, graph: &mut Graph) -> Name {
        let factors = self.factors(input.shape);
        let factors = factors.expect("the shape rule saw a factor for each axis");
        let mut scales = vec![1.0; input.shape.dims().len() + 1];
        for (axis, factor) in input.place_axes().into_iter().zip(factors) {
            scales[axis as usize] = factor as f32;
        }
        let scales = graph.floats("scales", &[scales.len()], scales);
        let settings = match self.interpolation {
            Interpolation::Nearest => vec![
                Attribute::word("mode", "nearest"),
                Attribute::word("coordinate_transformation_mode", "asymmetric"),
                Attribute::word("nearest_mode", "floor"),
            ],
            Interpolation::Bilinear => vec![
                Attribute::word("mode", "linear"),
                Attribute::word("coordinate_transformation_mode", "half_pixel"),
            ],
        };
        let [y] = graph.node_of(
            "Resize",
            &[Some(&input.name), None, Some(&scales)],
            settings,
        );
        y
    }
}

/// Copies of every value, side by side: their number along each axis.
struct Copies<'a>(&'a [usize]);

impl<B: Kernels> EachRank<B> for Copies<'_> {
    fn apply<const D: usize>(&self, x: Tensor<B, D>, channels: usize) -> Tensor<B, D> {
        let axes = (1..D).filter(|&axis| axis != channels);
        axes.zip(self.0).fold(x, |x, (axis, &factor)| {
            let mut dims = x.dims();
            let outer: usize = dims[..=axis].iter().product();
            let inner: usize = dims[axis + 1..].iter().product();
            dims[axis] *= factor;
            let x = reshape(x, [outer, 1, inner]);
            reshape(math::expand(x, [outer, factor, inner]), dims)
        })
    }
}

/// Burn's own has no gradient on every backend; as products with two small matrices it has.
fn bilinear<B: Kernels>(x: Tensor<B, 4>, down: usize, across: usize) -> Tensor<B, 4> {
    let [batch, channels, height, width] = x.dims();
    let device = x.device();
    let matrix = |length, factor| {
        let shape = [length * factor, length];
        Tensor::<B, 2>::from_data(TensorData::new(shares(length, factor), shape), &device)
    };
    let x = reshape(x, [batch * channels * height, width]);
    let x = math::matmul(x, matrix(width, across).transpose());
    let x = reshape(x, [batch * channels, height, width * across]);
    let x = math::matmul(reshape(matrix(height, down), [1, height * down, height]), x);
    reshape(x, [batch, channels, height * down, width * across])
}

/// `[length * factor, length]`: the share of every old value in every new one.
fn shares(length: usize, factor: usize) -> Vec<f32> {
    let mut shares = vec![0.0; length * factor * length];
    for (new, row) in shares.chunks_exact_mut(length).enumerate() {
        let place = (new as f64 + 0.5) / factor as f64 - 0.5;
        let place = place.clamp(0.0, (length - 1) as f64);
        let (first, share) = (place as usize, place.fract() as f32);
        row[first] = 1.0 - share;
        if share > 0.0 {
            row[first + 1] = share;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, outputs};
    use super::*;

    #[test]
    fn upsampling_keeps_the_promises_of_every_layer() {
        check_layer("upsampling = {}", &[5, 3], expect(&[10, 3], 0));
        check_layer(
            "upsampling = { size = [2, 3] }",
            &[2, 4, 5],
            expect(&[2, 8, 15], 0),
        );
        check_layer(
            "upsampling = { size = [1, 2, 3] }",
            &[2, 3, 4, 5],
            expect(&[2, 3, 8, 15], 0),
        );
        check_layer(
            "upsampling = { size = [3, 2], interpolation = 'bilinear' }",
            &[2, 4, 1],
            expect(&[2, 12, 2], 0),
        );
    }

    #[test]
    fn upsampling_gradients_match_finite_differences() {
        check_finite_differences("upsampling = { size = [3] }", &[5, 3]);
        check_finite_differences("upsampling = { size = [2, 3] }", &[2, 4, 5]);
        check_finite_differences("upsampling = {}", &[2, 2, 3, 2]);
        check_finite_differences(
            "upsampling = { size = [2, 3], interpolation = 'bilinear' }",
            &[2, 4, 5],
        );
    }

    #[test]
    fn values_are_copied_or_mixed() {
        let square = [1.0, 2.0, 3.0, 4.0];
        let copies = outputs("upsampling = {}", &[1, 2, 2], &square);
        assert_eq!(copies[..8], [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
        // What torch.nn.Upsample(scale_factor=2, mode="bilinear") documents for this square.
        let between = outputs(
            "upsampling = { interpolation = 'bilinear' }",
            &[1, 2, 2],
            &square,
        );
        let expected = [
            1.0, 1.25, 1.75, 2.0, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3.0, 3.25, 3.75, 4.0,
        ];
        assert_eq!(between, expected);
        let steps = outputs("upsampling = {}", &[2, 2], &square);
        assert_eq!(steps, [1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 4.0]);
    }

    fn flaw(fields: &str, input: Shape) -> Flaw {
        let fields: Upsampling = toml::from_str(fields).unwrap();
        fields.output(input, LayerContext::new(10)).unwrap_err()
    }

    #[test]
    fn a_list_has_an_entry_for_each_axis() {
        let flaw = flaw("size = [2, 2, 2]", Shape::image(1, 28, 28));
        assert_eq!(
            flaw.message,
            "has a `size` with 3 entries but its input, an image (1x28x28), has 2 axes: height and width"
        );
        assert_eq!(
            flaw.hint.as_deref(),
            Some("write one number for every axis, or a list of 2")
        );
    }

    #[test]
    fn bilinear_interpolation_is_for_images() {
        let flaw = flaw("interpolation = 'bilinear'", Shape::sequence(28, 3));
        assert_eq!(
            flaw.message,
            "interpolates between the pixels of an image but the layer before gives a sequence (28x3)"
        );
    }
}
