//! `gru`: gated recurrent unit.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::constants::numbers;
use super::fields::layer;
use super::init::{Fan, glorot_uniform, orthogonal};
use super::recurrence::{Recurrence, project};
use super::{
    Cost, Forward, ForwardContext, Initializer, LayerContext, LayerFields, SharedWeight, Signal,
    Weights,
};
use crate::backend::{Kernels, math};
use crate::error::Flaw;
use crate::onnx::{Attribute, Graph, Name, Value};
use crate::shape::Shape;
use crate::value::Positive;

/// Reset, update and new.
const GATES: usize = 3;

layer! {
    /// Gated recurrent unit (Cho et al. 2014): `[batch, steps, features]` to `[batch, units]`, or to
    /// `[batch, steps, units]`.
    ///
    /// With `r, z = sigmoid(W x + b + U h + c)` and `n = tanh(W x + b + r * (U h + c))`, each with weights of its
    /// own: `h = (1 - z) * n + z * h`, which starts at 0. The reset comes after the product, as in PyTorch, cuDNN
    /// and Keras.
    pub struct Gru {
        /// Number of outputs, and of values in the state.
        pub units: Positive,
        /// Whether every step gives its output, or only the step that comes last. Default false.
        #[serde(default)]
        pub return_sequences: bool,
        /// Whether it goes from the last step to the first; outputs stay in the order of the input. Default false.
        #[serde(default)]
        pub reverse: bool,
        /// First values of the weights of the input. Default glorot_uniform.
        #[serde(default = "glorot_uniform")]
        pub init: Initializer,
        /// First values of the weights of the last step's output. Default orthogonal.
        #[serde(default = "orthogonal")]
        pub recurrent_init: Initializer,
    }
}

impl Gru {
    fn recurrence(&self) -> Recurrence {
        Recurrence {
            units: self.units.get(),
            return_sequences: self.return_sequences,
            reverse: self.reverse,
        }
    }

    /// The weights, and biases of 0, on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _context: LayerContext,
        weights: &mut Weights<B>,
    ) -> GruLayer<B> {
        let (units, features) = (self.units.get(), input.channels());
        let fan_out = GATES * units;
        let fan = |fan_in| Fan { fan_in, fan_out };
        GruLayer {
            weight_ih: weights.param(self.init, [fan_out, features], fan(features)),
            weight_hh: weights.param(self.recurrent_init, [fan_out, units], fan(units)),
            bias_ih: weights.vector(vec![0.0; fan_out]),
            bias_hh: weights.vector(vec![0.0; fan_out]),
            fields: self.clone(),
        }
    }
}

impl LayerFields for Gru {
    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        self.recurrence().output(input)
    }

    fn cost(&self, input: Shape, _context: LayerContext) -> Cost {
        self.recurrence().cost(input, GATES, 2 * GATES)
    }
}

/// A gated recurrent unit's weights; gates in PyTorch's order: reset, update, new.
#[derive(Module, Debug)]
pub struct GruLayer<B: Backend> {
    /// `[3 * units, features]`
    pub weight_ih: Param<Tensor<B, 2>>,
    /// `[3 * units, units]`
    pub weight_hh: Param<Tensor<B, 2>>,
    /// `[3 * units]`
    pub bias_ih: Param<Tensor<B, 1>>,
    /// `[3 * units]`
    pub bias_hh: Param<Tensor<B, 1>>,
    #[module(skip)]
    fields: Gru,
}

impl<B: Kernels> Forward<B> for GruLayer<B> {
    fn forward(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        let inputs = project(input.sequence(), self.weight_ih.val(), self.bias_ih.val());
        let recurrent = self.weight_hh.val().transpose();
        let units = self.fields.units.get();
        let bias = self.bias_hh.val();
        self.fields.recurrence().follow(inputs, |input, hidden| {
            let product = math::linear(hidden.clone(), recurrent.clone(), Some(bias.clone()));
            let of = |x: &Tensor<B, 2>, gate: usize| x.clone().narrow(1, gate * units, units);
            let gate = |gate: usize| math::sigmoid(of(&input, gate) + of(&product, gate));
            let (reset, update) = (gate(0), gate(1));
            let new = math::tanh(of(&input, 2) + reset * of(&product, 2));
            new.clone() + update * (hidden - new)
        })
    }

    fn onnx(&self, input: &Value, graph: &mut Graph, _tied: Option<SharedWeight<B>>) -> Name {
        let weights = [self.weight_ih.val(), self.weight_hh.val()];
        let biases = [numbers(self.bias_ih.val()), numbers(self.bias_hh.val())];
        // Update, reset and new there; the reset gate after the product with the state, as in PyTorch.
        let form = ("GRU", &[1, 0, 2][..]);
        let after = Attribute::int("linear_before_reset", 1);
        let recurrence = self.fields.recurrence();
        recurrence.onnx(input, graph, form, weights, biases, Some(after))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        check_finite_differences, check_layer, expect, flaw, near, outputs,
    };

    #[test]
    fn gru_keeps_the_promises_of_every_layer() {
        let parameters = 3 * 5 * (3 + 5 + 2);
        check_layer("gru = { units = 5 }", &[7, 3], expect(&[5], parameters));
        check_layer("gru = { units = 5 }", &[1, 3], expect(&[5], parameters));
        check_layer(
            "gru = { units = 5, return_sequences = true, reverse = true }",
            &[7, 3],
            expect(&[7, 5], parameters),
        );
    }

    #[test]
    fn gru_gradients_match_finite_differences() {
        check_finite_differences("gru = { units = 4, return_sequences = true }", &[5, 3]);
        check_finite_differences("gru = { units = 4, reverse = true }", &[5, 3]);
    }

    /// One unit, one feature, input weights 0.5, recurrent weights 0.25.
    fn by_hand(inputs: &[f64]) -> Vec<f32> {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let mut h = 0.0f64;
        let mut outputs = Vec::new();
        for x in inputs {
            let gate = sigmoid(0.5 * x + 0.25 * h);
            let n = (0.5 * x + gate * (0.25 * h)).tanh();
            h = (1.0 - gate) * n + gate * h;
            outputs.push(h as f32);
        }
        outputs
    }

    #[test]
    fn states_follow_the_formula() {
        let layer = |more: &str| {
            format!(
                "gru = {{ units = 1, init = {{ constant = {{ value = 0.5 }} }}, \
                 recurrent_init = {{ constant = {{ value = 0.25 }} }}, {more} }}"
            )
        };
        let x = [1.0, -2.0, 3.0];
        let forward = by_hand(&[1.0, -2.0, 3.0]);
        let mut backward = by_hand(&[3.0, -2.0, 1.0]);
        near(
            &outputs(&layer("reverse = false"), &[3, 1], &x),
            &forward[2..],
        );
        near(
            &outputs(&layer("return_sequences = true"), &[3, 1], &x),
            &forward,
        );
        backward.reverse();
        let both = layer("return_sequences = true, reverse = true");
        near(&outputs(&both, &[3, 1], &x), &backward);
    }

    #[test]
    fn an_image_is_no_sequence() {
        assert_eq!(
            flaw("gru = { units = 5 }", &[1, 28, 28]).message,
            "needs a sequence but the layer before gives an image (1x28x28)"
        );
    }
}
