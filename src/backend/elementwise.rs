//! Functions of every value of the CPU's tensors, with their gradients.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::{Autodiff, Flex};
use burn::tensor::{Tensor, TensorMetadata};
use rayon::prelude::*;

use super::cpu::{Simd, functions};
use super::plain::{Plain, plain, tensor, tracked, tracked_tensor, untracked, values};

/// Values that are worth a thread.
const SHARED: usize = 1 << 15;

/// What the gradient of a function is made from, besides that of its output.
#[derive(Debug, Clone, Copy)]
enum Kept {
    Input,
    Output,
}

/// A function with its gradient.
#[derive(Debug, Clone, Copy)]
pub(super) struct Function {
    of: fn(Simd, &[f32], &mut [f32]),
    slope: fn(Simd, &[f32], &[f32], &mut [f32]),
    kept: Kept,
}

macro_rules! functions {
    ($($constant:ident: $of:ident, $slope:ident, $kept:ident;)+) => {
        $(pub(super) const $constant: Function = Function {
            of: functions::$of,
            slope: functions::$slope,
            kept: Kept::$kept,
        };)+
    };
}

functions! {
    EXP: exp, exp_slope, Output;
    LN: ln, ln_slope, Input;
    LN_1P: ln_1p, ln_1p_slope, Input;
    TANH: tanh, tanh_slope, Output;
    SIGMOID: sigmoid, sigmoid_slope, Output;
    SOFTPLUS: softplus, softplus_slope, Input;
    RELU: relu, relu_slope, Output;
}

impl Function {
    pub(super) fn plain<const D: usize>(self, x: Tensor<Flex, D>) -> Tensor<Flex, D> {
        let x = untracked(x);
        tensor(self.applied(&x))
    }

    pub(super) fn tracked<const D: usize>(
        self,
        x: Tensor<Autodiff<Flex>, D>,
    ) -> Tensor<Autodiff<Flex>, D> {
        let x = tracked(x);
        let y = self.applied(&x.primitive);
        let output = match self
            .prepare::<NoCheckpointing>([x.node])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prepared) => {
                let kept = match self.kept {
                    Kept::Input => x.primitive,
                    Kept::Output => y.clone(),
                };
                prepared.finish(kept, y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        };
        tracked_tensor(output)
    }

    fn applied(self, x: &Plain) -> Plain {
        let simd = Simd::chosen();
        let from = values(x);
        let mut to = vec![0.0; from.len()];
        match is_shared(from.len()) {
            false => (self.of)(simd, &from, &mut to),
            true => from
                .par_chunks(SHARED)
                .zip(to.par_chunks_mut(SHARED))
                .for_each(|(from, to)| (self.of)(simd, from, to)),
        }
        plain(to, &x.shape())
    }
}

impl Backward<Flex, 1> for Function {
    type State = Plain;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [of_x] = ops.parents;
        let slopes = gradients.consume::<Flex>(&ops.node);
        if let Some(node) = of_x {
            let of_x = paired(self.slope, &slopes, &ops.state);
            gradients.register::<Flex>(node.id, of_x);
        }
    }
}

fn is_shared(count: usize) -> bool {
    count > SHARED && rayon::current_num_threads() > 1
}

/// A function of the values of two tensors of one shape.
pub(super) fn paired(of: fn(Simd, &[f32], &[f32], &mut [f32]), a: &Plain, b: &Plain) -> Plain {
    let simd = Simd::chosen();
    let (left, right) = (values(a), values(b));
    assert_eq!(left.len(), right.len());
    let mut to = vec![0.0; left.len()];
    match is_shared(left.len()) {
        false => of(simd, &left, &right, &mut to),
        true => left
            .par_chunks(SHARED)
            .zip(right.par_chunks(SHARED))
            .zip(to.par_chunks_mut(SHARED))
            .for_each(|((left, right), to)| of(simd, left, right, to)),
    }
    plain(to, &a.shape())
}
