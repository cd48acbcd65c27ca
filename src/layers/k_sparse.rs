//! `k_sparse`: only the largest values of each sample pass.

use burn::tensor::Tensor;

use super::fields::layer;
use super::largest::largest;
use super::signal::EachRank;
use super::{ForwardContext, LayerContext, LayerFields, Signal, Weightless};
use crate::backend::{Kernels, reshape, rows};
use crate::error::{Flaw, count};
use crate::onnx::{Attribute, Graph, Name, Value};
use crate::shape::Shape;
use crate::value::{Positive, PositiveReal};

layer! {
    /// The `k` largest values of each sample pass, the others become 0, as do their gradients (Makhzani and Frey
    /// 2013); of equal values any. An image's or a sequence's values count together: the paper's hidden units are a
    /// sample's, whatever their places. Keeps the shape.
    pub struct KSparse {
        /// How many values pass in training.
        pub k: Positive,
        /// Outside training `alpha * k` values pass, rounded, one at least; 1 or more in the paper. Default 1.
        #[serde(default = "one")]
        pub alpha: PositiveReal,
    }
}

fn one() -> PositiveReal {
    PositiveReal(1.0)
}

impl KSparse {
    fn passing(&self, training: bool) -> usize {
        match training {
            true => self.k.get(),
            false => ((self.alpha.get() * self.k.get() as f64).round() as usize).max(1),
        }
    }
}

impl LayerFields for KSparse {
    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        let (k, values) = (self.k.get(), input.len());
        if k > values {
            let message = format!("keeps the {k} largest of {}", count(values, "value"));
            return Err(Flaw::new("k", message).hint("use a smaller `k`"));
        }
        Ok(input)
    }
}

struct Keep(usize);

impl<B: Kernels> EachRank<B> for Keep {
    fn apply<const D: usize>(&self, x: Tensor<B, D>, _channels: usize) -> Tensor<B, D> {
        let dims = x.dims();
        x.clone() * reshape(largest(rows(x), self.0), dims)
    }
}

impl Weightless for KSparse {
    fn forward<B: Kernels>(&self, input: Signal<B>, context: &mut ForwardContext<B>) -> Signal<B> {
        input.map(Keep(self.passing(context.training)))
    }

    fn onnx(&self, input: &Value, graph: &mut Graph) -> Name {
        let values = input.shape.len();
        let count = graph.ints("count", &[self.passing(false).min(values) as i64]);
        let rows = graph.reshaped(&input.name, &[values]);
        let [largest, places] = graph.node_of("TopK", &[Some(&rows), Some(&count)], []);
        let shape = graph.node("Shape", &[&rows], []);
        let zeros = graph.node("ConstantOfShape", &[&shape], []);
        let axis = Attribute::int("axis", 1);
        let rows = graph.node("ScatterElements", &[&zeros, &places, &largest], [axis]);
        graph.reshaped(&rows, &input.shape.dims())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{
        check_finite_differences, check_layer, expect, flaw, outputs, training_outputs,
    };

    #[test]
    fn k_sparse_keeps_the_promises_of_every_layer() {
        check_layer("k_sparse = { k = 2 }", &[6], expect(&[6], 0));
        check_layer("k_sparse = { k = 5 }", &[2, 3, 4], expect(&[2, 3, 4], 0));
        check_layer("k_sparse = { k = 1 }", &[5, 3], expect(&[5, 3], 0));
        check_layer(
            "k_sparse = { k = 24, alpha = 2 }",
            &[2, 3, 2, 2],
            expect(&[2, 3, 2, 2], 0),
        );
    }

    #[test]
    fn k_sparse_gradients_match_finite_differences() {
        check_finite_differences("k_sparse = { k = 3 }", &[7]);
        check_finite_differences("k_sparse = { k = 4 }", &[2, 3, 2]);
    }

    #[test]
    fn the_k_largest_pass_and_alpha_times_k_outside_training() {
        let layer = "k_sparse = { k = 2, alpha = 1.5 }";
        let x = [3.0, -1.0, 7.0, 2.0, -5.0, -3.0, -2.0, -4.0];
        assert_eq!(
            training_outputs(layer, &[4], &x),
            [3.0, 0.0, 7.0, 0.0, 0.0, -3.0, -2.0, 0.0]
        );
        assert_eq!(
            outputs(layer, &[4], &x),
            [3.0, 0.0, 7.0, 2.0, 0.0, -3.0, -2.0, -4.0]
        );
        // All of an image's values together.
        assert_eq!(
            outputs("k_sparse = { k = 1 }", &[2, 2, 2], &x),
            [0.0, 0.0, 7.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        );
    }

    #[test]
    fn no_more_pass_than_there_are() {
        let flaw = flaw("k_sparse = { k = 9 }", &[8]);
        assert_eq!(
            (flaw.key.as_str(), flaw.message.as_str()),
            ("k", "keeps the 9 largest of 8 values")
        );
    }
}
