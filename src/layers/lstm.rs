//! `lstm`: long short-term memory.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::constants::numbers;
use super::fields::layer;
use super::init::{Fan, glorot_uniform, orthogonal};
use super::recurrence::{Recurrence, project};
use super::{
    Cost, Forward, ForwardContext, InPytorch, Initializer, LayerContext, LayerFields, SharedWeight,
    Signal, Weights,
};
use crate::backend::{Kernels, math};
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::Shape;
use crate::value::Positive;

/// Input, forget, cell and output.
const GATES: usize = 4;

layer! {
    /// Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000):
    /// `[batch, steps, features]` to `[batch, units]`, or to `[batch, steps, units]`.
    ///
    /// With `i, f, o = sigmoid(W x + U h + b)` and `g = tanh(W x + U h + b)`, each with weights of its own:
    /// `c = f * c + i * g`, `h = o * tanh(c)`; both states start at 0. The bias of the forget gate starts at 1
    /// (Jozefowicz et al. 2015), as in Keras, the others at 0.
    pub struct Lstm {
        /// Number of outputs, and of values in each state.
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

impl Lstm {
    fn recurrence(&self) -> Recurrence {
        Recurrence {
            units: self.units.get(),
            return_sequences: self.return_sequences,
            reverse: self.reverse,
        }
    }

    /// The weights and bias on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _context: LayerContext,
        weights: &mut Weights<B>,
    ) -> LstmLayer<B> {
        let (units, features) = (self.units.get(), input.channels());
        let fan_out = GATES * units;
        let fan = |fan_in| Fan { fan_in, fan_out };
        let is_forget = |place: usize| place / units == 1;
        let bias = (0..fan_out).map(|place| f32::from(u8::from(is_forget(place))));
        LstmLayer {
            weight_ih: weights.param(self.init, [fan_out, features], fan(features)),
            weight_hh: weights.param(self.recurrent_init, [fan_out, units], fan(units)),
            bias: weights.vector(bias.collect()),
            fields: self.clone(),
        }
    }
}

impl LayerFields for Lstm {
    fn in_pytorch(&self) -> InPytorch {
        InPytorch {
            sums: &[("bias", ["bias_ih_l0", "bias_hh_l0"])],
            ..InPytorch::default()
        }
    }

    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        self.recurrence().output(input)
    }

    fn cost(&self, input: Shape, _context: LayerContext) -> Cost {
        self.recurrence().cost(input, GATES, GATES)
    }
}

/// A long short-term memory's weights; gates in PyTorch's order: input, forget, cell, output.
#[derive(Module, Debug)]
pub struct LstmLayer<B: Backend> {
    /// `[4 * units, features]`
    pub weight_ih: Param<Tensor<B, 2>>,
    /// `[4 * units, units]`
    pub weight_hh: Param<Tensor<B, 2>>,
    /// `[4 * units]`: the sum of PyTorch's two.
    pub bias: Param<Tensor<B, 1>>,
    #[module(skip)]
    fields: Lstm,
}

impl<B: Kernels> Forward<B> for LstmLayer<B> {
    fn forward(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        let inputs = project(input.sequence(), self.weight_ih.val(), self.bias.val());
        let recurrent = self.weight_hh.val().transpose();
        let units = self.fields.units.get();
        let mut cell: Option<Tensor<B, 2>> = None;
        self.fields.recurrence().follow(inputs, |input, hidden| {
            let gates = input + math::matmul(hidden, recurrent.clone());
            let gate = |index: usize| gates.clone().narrow(1, index * units, units);
            let new = math::sigmoid(gate(0)) * math::tanh(gate(2));
            let next = match cell.take() {
                Some(cell) => math::sigmoid(gate(1)) * cell + new,
                None => new,
            };
            cell = Some(next.clone());
            math::sigmoid(gate(3)) * math::tanh(next)
        })
    }

    fn onnx(&self, input: &Value, graph: &mut Graph, _tied: Option<SharedWeight<B>>) -> Name {
        let weights = [self.weight_ih.val(), self.weight_hh.val()];
        let bias = numbers(self.bias.val());
        // Input, output, forget and cell there.
        let (form, none) = (("LSTM", &[0, 3, 1, 2][..]), vec![0.0; bias.len()]);
        let recurrence = self.fields.recurrence();
        recurrence.onnx(input, graph, form, weights, [bias, none], None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        check_finite_differences, check_layer, expect, flaw, near, outputs,
    };

    #[test]
    fn lstm_keeps_the_promises_of_every_layer() {
        let parameters = 4 * 5 * (3 + 5 + 1);
        check_layer("lstm = { units = 5 }", &[7, 3], expect(&[5], parameters));
        check_layer("lstm = { units = 5 }", &[1, 3], expect(&[5], parameters));
        check_layer(
            "lstm = { units = 5, return_sequences = true, reverse = true }",
            &[7, 3],
            expect(&[7, 5], parameters),
        );
        check_layer(
            "lstm = { units = 5, init = 'lecun_normal', recurrent_init = 'glorot_uniform' }",
            &[2, 3],
            expect(&[5], parameters),
        );
    }

    #[test]
    fn lstm_gradients_match_finite_differences() {
        check_finite_differences("lstm = { units = 4, return_sequences = true }", &[5, 3]);
        check_finite_differences("lstm = { units = 4, reverse = true }", &[5, 3]);
    }

    /// One unit, one feature, input weights 0.5, recurrent weights 0.25.
    fn by_hand(inputs: &[f64]) -> Vec<f32> {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let (mut c, mut h) = (0.0f64, 0.0f64);
        let mut outputs = Vec::new();
        for x in inputs {
            let sum = 0.5 * x + 0.25 * h;
            c = sigmoid(sum + 1.0) * c + sigmoid(sum) * sum.tanh();
            h = sigmoid(sum) * c.tanh();
            outputs.push(h as f32);
        }
        outputs
    }

    #[test]
    fn states_follow_the_formula() {
        let layer = |more: &str| {
            format!(
                "lstm = {{ units = 1, init = {{ constant = {{ value = 0.5 }} }}, \
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
            &outputs(&layer("reverse = true"), &[3, 1], &x),
            &backward[2..],
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
            flaw("lstm = { units = 5 }", &[1, 28, 28]).message,
            "needs a sequence but the layer before gives an image (1x28x28)"
        );
    }
}
