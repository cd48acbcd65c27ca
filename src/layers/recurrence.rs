//! Sequences step by step: what the recurrent layers have in common.

use burn::tensor::Tensor;

use super::constants::numbers;
use super::{Cost, Signal, needs};
use crate::backend::{Kernels, math, reshape};
use crate::error::Flaw;
use crate::onnx::{Attribute, Graph, Name, Value};
use crate::shape::Shape;

/// How a recurrent layer goes through the steps and what it gives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Recurrence {
    pub units: usize,
    /// Whether the output is that of every step, in the order of the input, or that of the step done last.
    pub return_sequences: bool,
    /// Whether it starts at the last step.
    pub reverse: bool,
}

impl Recurrence {
    pub fn output(self, input: Shape) -> Result<Shape, Flaw> {
        let Shape::Sequence(sequence) = input else {
            return Err(needs("a sequence", input));
        };
        Ok(match self.return_sequences {
            true => Shape::sequence(sequence.steps, self.units),
            false => Shape::Features(self.units),
        })
    }

    /// Of a layer with `gates` gates and `biases` biases for each unit.
    pub fn cost(self, input: Shape, gates: usize, biases: usize) -> Cost {
        let weights = gates * self.units * (input.channels() + self.units);
        Cost::of_filters(weights, biases * self.units, input)
    }

    /// Leads the hidden state, `[batch, units]` and first 0, through the steps of `inputs`,
    /// `[batch, steps, values]`. `step` makes the next state of a step's `[batch, values]` and the last state.
    pub fn follow<B: Kernels>(
        self,
        inputs: Tensor<B, 3>,
        mut step: impl FnMut(Tensor<B, 2>, Tensor<B, 2>) -> Tensor<B, 2>,
    ) -> Signal<B> {
        let mut hidden = Tensor::zeros([inputs.dims()[0], self.units], &inputs.device());
        let mut steps = Vec::new();
        split(inputs, &mut steps);
        if self.reverse {
            steps.reverse();
        }
        let mut states = Vec::new();
        for input in steps {
            hidden = step(input, hidden);
            if self.return_sequences {
                states.push(hidden.clone());
            }
        }
        if !self.return_sequences {
            return Signal::Features(hidden);
        }
        if self.reverse {
            states.reverse();
        }
        Signal::Sequence(Tensor::stack(states, 1))
    }
}

/// The gates of `[gates * units, values]`, or of `[gates * units]` where `values` is 1, in another order.
fn reordered(numbers: Vec<f32>, order: &[usize], values: usize) -> Vec<f32> {
    let gate = numbers.len() / order.len();
    debug_assert_eq!(gate % values, 0);
    let gates = order
        .iter()
        .flat_map(|&at| &numbers[at * gate..(at + 1) * gate]);
    gates.copied().collect()
}

impl Recurrence {
    /// The layer as a node of an ONNX graph: `order` are the numbers of its gates here in ONNX's order, `biases` the
    /// one added to what comes in and the one added to the state.
    pub fn onnx<B: Kernels>(
        self,
        input: &Value,
        graph: &mut Graph,
        (operator, order): (&str, &[usize]),
        [weight_ih, weight_hh]: [Tensor<B, 2>; 2],
        biases: [Vec<f32>; 2],
        more: Option<Attribute>,
    ) -> Name {
        let (values, features) = (order.len() * self.units, input.shape.channels());
        let weight = |graph: &mut Graph, role: &str, tensor: Tensor<B, 2>, width: usize| {
            let numbers = reordered(numbers(tensor), order, width);
            graph.floats(role, &[1, values, width], numbers)
        };
        let weight_ih = weight(graph, "weight_ih", weight_ih, features);
        let weight_hh = weight(graph, "weight_hh", weight_hh, self.units);
        let biases = biases.map(|bias| reordered(bias, order, 1)).concat();
        let biases = graph.floats("bias", &[1, 2 * values], biases);
        let steps = graph.transposed(&input.name, &[1, 0, 2]);
        let direction = if self.reverse { "reverse" } else { "forward" };
        let settings = [
            Attribute::int("hidden_size", self.units as i64),
            Attribute::word("direction", direction),
        ];
        let inputs = [&steps, &weight_ih, &weight_hh, &biases].map(Some);
        let [all, last] = graph.node_of(operator, &inputs, settings.into_iter().chain(more));
        // The axis of the directions, of which there is one.
        if !self.return_sequences {
            let axis = graph.ints("directions", &[0]);
            return graph.node("Squeeze", &[&last, &axis], []);
        }
        let axis = graph.ints("directions", &[1]);
        let all = graph.node("Squeeze", &[&all, &axis], []);
        graph.transposed(&all, &[1, 0, 2])
    }
}

/// `[batch, steps, features]` times `[values, features]`, for all steps in one product.
pub(super) fn project<B: Kernels>(
    x: Tensor<B, 3>,
    weight: Tensor<B, 2>,
    bias: Tensor<B, 1>,
) -> Tensor<B, 3> {
    let [batch, steps, features] = x.dims();
    let [values, _] = weight.dims();
    let x = reshape(x, [batch * steps, features]);
    let y = math::linear(x, weight.transpose(), Some(bias));
    reshape(y, [batch, steps, values])
}

/// The steps of `[batch, steps, values]`, each `[batch, values]`, in order.
///
/// By halves, since the gradient of each cut fills a tensor as large as what was cut.
fn split<B: Kernels>(x: Tensor<B, 3>, steps: &mut Vec<Tensor<B, 2>>) {
    let [batch, count, values] = x.dims();
    if count == 1 {
        steps.push(reshape(x, [batch, values]));
        return;
    }
    let half = count / 2;
    split(x.clone().narrow(1, 0, half), steps);
    split(x.narrow(1, half, count - half), steps);
}
