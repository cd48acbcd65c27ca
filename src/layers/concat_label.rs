//! `concat_label`: each sample's class joined to it, as in conditional generative models.

use burn::module::Module;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use super::fields::layer;
use super::{
    Forward, ForwardContext, LayerContext, LayerFields, Role, SharedWeight, Signal, Weights,
};
use crate::backend::{Kernels, reshape};
use crate::error::Flaw;
use crate::onnx::{Attribute, Graph, Name, Value};
use crate::shape::Shape;

layer! {
    /// Joins the true class to each sample, as one more feature a class that is 1 for the sample's and 0 for the
    /// others (Sohn et al. 2015): `[batch, features]` to `[batch, features + classes]`; a sequence at every step
    /// likewise; images and volumes get a channel for each class, the true one's 1 at every place.
    pub struct ConcatLabel {
    }
}

impl ConcatLabel {
    /// A label has no weights.
    pub fn build<B: Backend>(
        &self,
        _input: Shape,
        context: LayerContext,
        _weights: &mut Weights<B>,
    ) -> ConcatLabelLayer {
        ConcatLabelLayer {
            classes: context.classes,
        }
    }
}

impl LayerFields for ConcatLabel {
    fn role(&self) -> Role {
        Role::Label
    }

    fn output(&self, input: Shape, context: LayerContext) -> Result<Shape, Flaw> {
        Ok(input.with_channels(input.channels() + context.classes))
    }
}

/// Labels, ready to join.
#[derive(Module, Clone, Debug)]
pub struct ConcatLabelLayer {
    classes: usize,
}

impl ConcatLabelLayer {
    /// `[batch, classes]`: 1 for the true class.
    fn marked<B: Kernels>(&self, labels: Tensor<B, 1, Int>) -> Tensor<B, 2> {
        let classes = Tensor::<B, 1, Int>::arange(0..self.classes as i64, &labels.device());
        let [batch] = labels.dims();
        let labels = reshape(labels, [batch, 1]);
        labels.equal(reshape(classes, [1, self.classes])).float()
    }
}

impl<B: Kernels> Forward<B> for ConcatLabelLayer {
    fn forward(&self, input: Signal<B>, context: &mut ForwardContext<B>) -> Signal<B> {
        let labels = context.labels.clone();
        let classes = self.marked(labels.expect("a plan that is conditional is given labels"));
        let [batch, count] = classes.dims();
        let label = match &input {
            Signal::Features(_) => Signal::Features(classes),
            Signal::Sequence(x) => {
                let [_, steps, _] = x.dims();
                let classes = reshape(classes, [batch, 1, count]);
                Signal::Sequence(classes.expand([batch, steps, count]))
            }
            Signal::Image(x) => {
                let [_, _, height, width] = x.dims();
                let classes = reshape(classes, [batch, count, 1, 1]);
                Signal::Image(classes.expand([batch, count, height, width]))
            }
            Signal::Volume(x) => {
                let [_, _, depth, height, width] = x.dims();
                let classes = reshape(classes, [batch, count, 1, 1, 1]);
                Signal::Volume(classes.expand([batch, count, depth, height, width]))
            }
        };
        Signal::concat(vec![input, label])
    }

    fn onnx(&self, input: &Value, graph: &mut Graph, _tied: Option<SharedWeight<B>>) -> Name {
        let labels = graph.labels();
        let depth = graph.ints("classes", &[self.classes as i64]);
        let values = graph.floats("marks", &[2], vec![0.0, 1.0]);
        let marked = graph.node("OneHot", &[&labels, &depth, &values], []);
        let joined = |graph: &mut Graph, input: &Name, label: &Name, axis: usize| {
            let axis = Attribute::int("axis", axis as i64);
            graph.node("Concat", &[input, label], [axis])
        };
        let places = input.shape.places();
        if places.is_empty() {
            return joined(graph, &input.name, &marked, 1);
        }
        let axis = input.channel_axis();
        let mut dims = vec![1; 1 + places.len()];
        dims[axis - 1] = self.classes;
        let label = graph.reshaped(&marked, &dims);
        let mut all: Vec<i64> = std::iter::once(1)
            .chain(input.shape.dims().into_iter().map(|size| size as i64))
            .collect();
        all[axis] = self.classes as i64;
        let all = graph.ints("places", &all);
        let label = graph.node("Expand", &[&label, &all], []);
        joined(graph, &input.name, &label, axis)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_layer, expect, outputs};

    #[test]
    fn concat_label_keeps_the_promises_of_every_layer() {
        check_layer("concat_label = {}", &[6], expect(&[16], 0));
        check_layer("concat_label = {}", &[5, 3], expect(&[5, 13], 0));
        check_layer("concat_label = {}", &[2, 3, 4], expect(&[12, 3, 4], 0));
        check_layer(
            "concat_label = {}",
            &[2, 2, 3, 4],
            expect(&[12, 2, 3, 4], 0),
        );
    }

    #[test]
    fn the_class_stands_behind_the_features_and_at_every_place() {
        // Samples are of the classes 0, 1, ... in turn.
        let joined = outputs("concat_label = {}", &[1], &[5.0, 6.0, 7.0]);
        let third = &joined[22..];
        assert_eq!(
            third,
            [7.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        );
        let x = [5.0, 6.0, 7.0, 8.0];
        let second = &outputs("concat_label = {}", &[1, 1, 2], &x)[22..];
        assert_eq!(second[..2], [7.0, 8.0]);
        assert_eq!(second[2..8], [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
        let second = &outputs("concat_label = {}", &[2, 1], &x)[22..];
        assert_eq!(second[..4], [7.0, 0.0, 1.0, 0.0]);
        assert_eq!(second[11..15], [8.0, 0.0, 1.0, 0.0]);
    }
}
