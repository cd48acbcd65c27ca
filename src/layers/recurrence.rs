//! Sequences step by step: what the recurrent layers have in common.

use burn::tensor::Tensor;

use super::{Cost, Signal, needs};
use crate::backend::{Kernels, math, reshape};
use crate::error::Flaw;
use crate::shape::Shape;

/// How a recurrent layer goes through the steps and what it gives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Course {
    pub units: usize,
    /// Whether the output is that of every step, in the order of the input, or that of the step done last.
    pub return_sequences: bool,
    /// Whether it starts at the last step.
    pub reverse: bool,
}

impl Course {
    pub fn output(self, input: Shape) -> Result<Shape, Flaw> {
        let Shape::Sequence(sequence) = input else {
            return Err(needs("a sequence", input));
        };
        Ok(match self.return_sequences {
            true => Shape::sequence(sequence.steps, self.units),
            false => Shape::Features(self.units),
        })
    }

    /// Of a layer with so many gates and biases for each unit.
    pub fn cost(self, input: Shape, gates: usize, biases: usize) -> Cost {
        let weights = gates * self.units * (input.channels() + self.units);
        Cost {
            parameters: weights + biases * self.units,
            multiply_adds: weights * input.places().iter().product::<usize>(),
        }
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
