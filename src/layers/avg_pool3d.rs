//! `avg_pool3d`: the mean of each window.

use burn::module::Module;
use burn::tensor::backend::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::convolution::Sweep;
use super::pooling::{in_volume, mean, pool_output, valid};
use super::{Around, Fields, Forward, Pass, Signal, Weights, needs};
use crate::error::Flaw;
use crate::shape::{Padding, Shape};
use crate::value::Triple;

/// Average pooling: `[batch, channels, depth, height, width]` to `[batch, channels, slices, rows, columns]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AvgPool3d {
    /// What the layer is called in summaries, logs and grid keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Depth, height and width of the window. Default 2.
    #[serde(default = "two")]
    pub size: Triple,
    /// Steps of the window. Default: its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Triple>,
    /// `valid` (default) or `same`; padded places do not count, as in TensorFlow.
    #[serde(default = "valid")]
    pub padding: Padding,
}

fn two() -> Triple {
    Triple::all(2)
}

impl AvgPool3d {
    fn pool(&self) -> Sweep<3> {
        Sweep {
            kernel: self.size.get(),
            stride: self.stride.unwrap_or(self.size).get(),
            dilation: [1; 3],
            padding: self.padding,
        }
    }

    /// Pooling has no weights.
    pub fn build<B: Backend>(
        &self,
        _input: Shape,
        _around: Around,
        _weights: &mut Weights<B>,
    ) -> AvgPool3dLayer {
        AvgPool3dLayer {
            fields: self.clone(),
        }
    }
}

impl Fields for AvgPool3d {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn output(&self, input: Shape, _around: Around) -> Result<Shape, Flaw> {
        match input {
            Shape::Volume(_) => pool_output(input, self.pool()),
            _ => Err(needs("a volume", input)),
        }
    }
}

/// Average pooling, ready to apply.
#[derive(Module, Clone, Debug)]
pub struct AvgPool3dLayer {
    #[module(skip)]
    fields: AvgPool3d,
}

impl<B: Backend> Forward<B> for AvgPool3dLayer {
    fn forward(&self, input: Signal<B>, _pass: &mut Pass<B>) -> Signal<B> {
        Signal::Volume(in_volume(input.volume(), self.fields.pool(), mean))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_layer, check_slopes, expect, outputs};

    #[test]
    fn avg_pool3d_keeps_the_promises_of_every_layer() {
        check_layer(
            "avg_pool3d = { size = 2 }",
            &[2, 5, 7, 6],
            expect(&[2, 2, 3, 3], 0),
        );
        check_layer(
            "avg_pool3d = { size = 3, stride = 2, padding = 'same' }",
            &[2, 4, 5, 8],
            expect(&[2, 2, 3, 4], 0),
        );
    }

    #[test]
    fn avg_pool3d_has_the_slopes_of_its_gradients() {
        check_slopes("avg_pool3d = { size = 2 }", &[2, 5, 7, 6]);
        check_slopes(
            "avg_pool3d = { size = 3, stride = 2, padding = 'same' }",
            &[2, 4, 5, 8],
        );
    }

    #[test]
    fn padded_places_do_not_count() {
        let values: Vec<f32> = (0..27).map(|value| value as f32).collect();
        let layer = "avg_pool3d = { size = 2, padding = 'same' }";
        let y = outputs(layer, &[1, 3, 3, 3], &values);
        assert_eq!(y, [6.5, 8.0, 11.0, 12.5, 20.0, 21.5, 24.5, 26.0]);
    }
}
