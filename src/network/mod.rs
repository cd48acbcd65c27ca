//! From a list of layers to a network: planned, built, applied, described, and its weights in and out.
//!
//! Knows what comes before and after each layer, and so turns a layer's flaw into one that names both.
//! Knows nothing of datasets, losses' values or training.

mod classifier;
mod contractive;
mod export;
mod graph;
mod memory;
mod misfit;
mod naming;
mod onnx;
mod parts;
mod patterns;
mod plan;
mod planner;
mod pytorch;
#[cfg(test)]
mod reference;
mod summary;
mod tensors;
mod torchvision;
mod weight_file;
mod weights;

pub use classifier::plan_classifier;
pub use export::export;
pub use graph::Truth;
pub use misfit::misfit;
pub use naming::{Map, Naming, begins};
pub use patterns::{Patterns, layer_hint};
pub use plan::{Flow, Node, Plan, Planned};
pub use planner::{MOST_LAYERS, Part, plan_layers, plan_parts};
pub use pytorch::Layout;
pub use summary::summary_table;
pub use tensors::{NamedValues, TensorShape};
pub use weight_file::{Fitted, WeightFile};

use std::convert::Infallible;

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::backend::{Kernels, math};
use crate::layers::{
    ActivationFunction, Forward, ForwardContext, Join, Layer, LayerContext, LayerOutput,
    SharedWeight, Signal, Weights, Wiring,
};
use crate::rng::{Chance, Seed};

/// Layers with their weights on a device, and what flows where.
#[derive(Module, Debug)]
pub struct Network<B: Backend> {
    layers: Vec<Layer<B>>,
    #[module(skip)]
    plan: Plan,
}

/// Results of a forward pass in training.
pub struct ForwardOutput<B: Backend> {
    /// `[batch, features]`
    pub outputs: Tensor<B, 2>,
    /// Of each side classifier: its weight in the loss and its scores, `[batch, classes]`.
    pub auxiliary: Vec<(f64, Tensor<B, 2>)>,
    /// What the layers' outputs and the divergence of gaussian codes add to the mean loss, `[1]`, if anything.
    pub of_outputs: Option<Tensor<B, 1>>,
    /// What the size of the weights adds to the loss, `[1]`, if anything.
    pub of_weights: Option<Tensor<B, 1>>,
}

impl<B: Kernels> ForwardOutput<B> {
    /// What training minimizes, `[1]`: the mean loss of the outputs, those of side classifiers with their weights and what
    /// outputs add, all times `factor`; and what weights add.
    pub fn total_loss(
        self,
        mean: Tensor<B, 1>,
        factor: f64,
        of_scores: impl Fn(Tensor<B, 2>) -> Tensor<B, 1>,
    ) -> Tensor<B, 1> {
        let sides = self.auxiliary.into_iter();
        let sides = sides.map(|(weight, scores)| of_scores(scores) * weight);
        let of_batch = sides
            .chain(self.of_outputs)
            .fold(mean, |sum, part| sum + part);
        let of_weights = self.of_weights.into_iter();
        of_weights.fold(of_batch * factor, |sum, part| sum + part)
    }
}

impl<B: Kernels> Network<B> {
    /// `[batch, channels, height, width]` to the last layer's `[batch, features]`, with dropout and the
    /// like off.
    pub fn forward(&self, images: Tensor<B, 4>) -> Tensor<B, 2> {
        let mut context = ForwardContext::inference();
        self.list(&self.plan.nodes, Signal::Image(images), &mut context)
            .features()
    }

    /// The same with dropout, noise and batch statistics on, and all that the loss is made of.
    pub fn forward_training(&self, images: Tensor<B, 4>, chance: Chance) -> ForwardOutput<B> {
        self.forward_output(images, ForwardContext::training(chance))
    }

    fn forward_output(
        &self,
        images: Tensor<B, 4>,
        mut context: ForwardContext<B>,
    ) -> ForwardOutput<B> {
        let outputs = self.list(&self.plan.nodes, Signal::Image(images), &mut context);
        let codes = context.gaussian.iter();
        let divergences = codes.map(|code| math::mean(code.divergence()) * code.beta);
        let of_outputs = divergences.chain(context.activity);
        ForwardOutput {
            outputs: outputs.features(),
            auxiliary: context.auxiliary,
            of_outputs: of_outputs.reduce(|sum, part| sum + part),
            of_weights: self.penalty(),
        }
    }

    /// Leads a batch through the part of the model with this number, from 0.
    pub fn part(
        &self,
        part: usize,
        input: Signal<B>,
        context: &mut ForwardContext<B>,
    ) -> Signal<B> {
        let node = std::slice::from_ref(&self.plan.nodes[part]);
        self.list(node, input, context)
    }

    /// Leads a batch through nodes of the plan, by their numbers, one after the other.
    pub fn route(
        &self,
        nodes: &[usize],
        input: Signal<B>,
        context: &mut ForwardContext<B>,
    ) -> Signal<B> {
        let nodes = nodes.iter();
        nodes.fold(input, |signal, &node| self.part(node, signal, context))
    }

    /// What the size of the weights adds to the loss, `[1]`, if anything.
    pub fn penalty(&self) -> Option<Tensor<B, 1>> {
        let layers = self.plan.on_the_way().into_iter();
        let penalties = layers.filter_map(|layer| self.layers[layer].penalty());
        penalties.reduce(|sum, penalty| sum + penalty)
    }

    fn shared_weight(&self, layer: usize) -> Option<SharedWeight<B>> {
        self.layers[layer].shared()
    }

    /// Leads a batch through nodes of this network's plan.
    pub fn list(
        &self,
        nodes: &[Node],
        input: Signal<B>,
        context: &mut ForwardContext<B>,
    ) -> Signal<B> {
        let through = |signal, node| self.node(node, signal, context);
        nodes.iter().fold(input, through)
    }

    fn node(&self, node: &Node, input: Signal<B>, context: &mut ForwardContext<B>) -> Signal<B> {
        match &node.flow {
            Flow::Layer(index) => {
                let layer = &self.layers[*index];
                let planned = &self.plan.layers[*index];
                let partner = planned.partner.as_ref();
                context.tied = partner.and_then(|partner| self.layers[partner.layer].shared());
                context.frozen = planned.is_frozen;
                let output = layer.forward(input, context);
                let output = match context.capture == Some(*index) {
                    true => capture(output, planned.activation, context),
                    false => activated(output, planned.activation),
                };
                let fields = planned.spec.fields();
                if let Some(activity) = fields.and_then(|fields| fields.activity()) {
                    context.activity.extend(activity.losses(&output));
                }
                output
            }
            Flow::Block { spec, lists } => {
                let mut batches = Batches {
                    network: self,
                    lists,
                    context,
                };
                let Ok(output) = spec.wire(input, &mut batches);
                output
            }
        }
    }
}

fn activated<B: Kernels>(x: Signal<B>, function: Option<ActivationFunction>) -> Signal<B> {
    match function {
        Some(function) => x.map(function),
        None => x,
    }
}

/// The same, of which the values before and after are wanted.
fn capture<B: Kernels>(
    before: Signal<B>,
    function: Option<ActivationFunction>,
    context: &mut ForwardContext<B>,
) -> Signal<B> {
    let after = activated(before.clone(), function);
    context.captured = Some(LayerOutput {
        before,
        after: after.clone(),
    });
    after
}

/// Batches on their way through a block.
struct Batches<'a, B: Backend> {
    network: &'a Network<B>,
    lists: &'a [Vec<Node>],
    context: &'a mut ForwardContext<B>,
}

impl<B: Kernels> Wiring<Signal<B>> for Batches<'_, B> {
    type Error = Infallible;

    fn through(&mut self, list: usize, input: Signal<B>) -> Result<Signal<B>, Infallible> {
        Ok(self.network.list(&self.lists[list], input, self.context))
    }

    fn join(&mut self, join: Join, parts: Vec<Signal<B>>) -> Result<Signal<B>, Infallible> {
        Ok(match join {
            Join::Concat => Signal::concat(parts),
            Join::Add => parts
                .into_iter()
                .reduce(Signal::plus)
                .expect("a sum has parts"),
        })
    }

    fn activate(
        &mut self,
        function: ActivationFunction,
        batch: Signal<B>,
    ) -> Result<Signal<B>, Infallible> {
        Ok(batch.map(function))
    }

    /// Side classifiers help training only.
    fn looks_aside(&self) -> bool {
        self.context.training
    }

    fn aside(&mut self, weight: f64, scores: Signal<B>) -> Result<(), Infallible> {
        self.context.auxiliary.push((weight, scores.features()));
        Ok(())
    }
}

impl<B: Backend> Network<B> {
    /// The network with fresh weights; the plan has no flaws.
    pub fn build(plan: Plan, classes: usize, seed: Seed, device: &B::Device) -> Self {
        Network::of(plan, classes, Weights::new(seed, device.clone()))
    }

    /// A network that is asked for the shapes of its tensors alone: they take no memory.
    fn of_shapes(plan: Plan, classes: usize, device: &B::Device) -> Self {
        Network::of(plan, classes, Weights::shapes(device.clone()))
    }

    fn of(plan: Plan, classes: usize, mut weights: Weights<B>) -> Self {
        let mut layers = Vec::with_capacity(plan.layers.len());
        for (index, planned) in plan.layers.iter().enumerate() {
            weights.enter_layer(index);
            let context = LayerContext {
                classes,
                partner: planned.partner.as_ref().map(|partner| &partner.weight[..]),
            };
            let layer = planned.spec.build(planned.input, context, &mut weights);
            // Without gradients the optimizer leaves them alone, weight decay included.
            layers.push(match planned.is_frozen {
                true => layer.no_grad(),
                false => layer,
            });
        }
        Network { layers, plan }
    }

    /// Weights and biases, frozen ones included.
    pub fn parameters(&self) -> usize {
        self.plan.cost().parameters
    }

    /// What flows where, with names and shapes.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

/// Shared by this room's tests.
#[cfg(test)]
mod testing {
    use super::*;
    use crate::layers::LayerSpec;
    use crate::objective::LossKind;
    use crate::shape::{ImageShape, Shape};

    pub const CONTEXT: LayerContext = LayerContext {
        classes: 10,
        partner: None,
    };
    pub const DIGIT: Shape = Shape::Image(ImageShape {
        channels: 1,
        height: 28,
        width: 28,
    });

    /// The layers of a TOML list.
    pub fn layers(list: &str) -> Vec<LayerSpec> {
        #[derive(serde::Deserialize)]
        struct Holder {
            layers: Vec<LayerSpec>,
        }
        toml::from_str::<Holder>(&format!("layers = [{list}]"))
            .expect("the layers parse")
            .layers
    }

    /// The network of the design's example.
    pub const EXAMPLE: &str = "
        { conv2d = { filters = 32, kernel = 3, activation = 'relu' } },
        { conv2d = { filters = 64, kernel = 3, stride = 2, activation = 'relu' } },
        { conv2d = { name = 'deep', filters = 128, kernel = 3, stride = 2, activation = 'relu' } },
        { max_pool2d = { size = 2 } },
        'flatten',
        { dense = { units = 128, activation = 'relu' } },
        { dense = { units = 'classes' } },";

    /// A network with a layer of every kind of tensor.
    pub const SMALL: &str = "
        { conv2d = { filters = 2, kernel = 3, stride = 4 } }, 'batch_normalization', 'flatten',
        { dense = { name = 'out', units = 'classes' } }";

    pub fn planned(list: &str) -> Plan {
        let (plan, flaws) = plan_classifier(&layers(list), DIGIT, CONTEXT, LossKind::CrossEntropy);
        assert_eq!(flaws, []);
        plan
    }

    /// Expects the one flaw of a classifier's layers.
    pub fn expect_flaw(list: &str, key: &str, message: &str, hint: &str) {
        let (k, m, h) = only_flaw(list);
        assert_eq!((k.as_str(), m.as_str(), h.as_str()), (key, message, hint));
    }

    /// The key, message and hint of the one flaw of a classifier's layers.
    pub fn only_flaw(list: &str) -> (String, String, String) {
        let specs = layers(list);
        let (_, mut flaws) = plan_classifier(&specs, DIGIT, CONTEXT, LossKind::CrossEntropy);
        assert_eq!(flaws.len(), 1, "{flaws:?}");
        let flaw = flaws.remove(0);
        (flaw.key, flaw.message, flaw.hint.unwrap_or_default())
    }

    pub fn network<B: Kernels>(list: &str, seed: u64) -> Network<B> {
        Network::build(
            planned(list),
            CONTEXT.classes,
            Seed(seed),
            &Default::default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::testing::*;
    use super::*;
    use burn::backend::Flex;

    #[test]
    fn the_example_has_the_parameters_counted_by_hand() {
        let network = network::<Flex>(EXAMPLE, 0);
        let by_hand =
            32 * 10 + 64 * (9 * 32 + 1) + 128 * (9 * 64 + 1) + (1152 * 128 + 128) + (128 * 10 + 10);
        assert_eq!(network.parameters(), by_hand);
        assert_eq!(network.num_params(), by_hand);
    }

    #[test]
    fn forward_gives_one_score_a_class() {
        let network = network::<Flex>(EXAMPLE, 0);
        let images = Tensor::zeros([3, 1, 28, 28], &Default::default());
        assert_eq!(network.forward(images).dims(), [3, 10]);
    }

    #[test]
    fn a_seed_gives_the_same_weights_again_and_another_gives_others() {
        let values =
            |seed| network::<Flex>("'flatten', { dense = { units = 'classes' } }", seed).values();
        assert_eq!(values(1), values(1));
        assert_ne!(values(1), values(2));
    }

    fn names(list: &str) -> Vec<String> {
        planned(list).layers.into_iter().map(|l| l.name).collect()
    }

    const END: &str = "'flatten', { dense = { units = 10 } }";

    #[test]
    fn layers_inside_blocks_are_named_after_them() {
        let body = "{ conv2d = { filters = 1, kernel = 3 } }";
        let list = format!(
            "{{ residual = {{ layers = [{body}, {{ activation = {{ name = 'act', function = 'relu' }} }}], projection = [{body}] }} }},
             {{ parallel = {{ name = 'mix', branches = [{{ name = 'wide', layers = [{body}] }}, {{ layers = [{body}] }}] }} }},
             {{ repeat = {{ name = 'stage', times = 2, layers = [{{ sequential = {{ layers = [{body}] }} }}] }} }}, {END}"
        );
        assert_eq!(
            names(&list),
            [
                "residual_1.conv2d_1",
                "residual_1.act",
                "residual_1.projection.conv2d_1",
                "mix.wide.conv2d_1",
                "mix.branch_2.conv2d_1",
                "stage.1.sequential_1.conv2d_1",
                "stage.2.sequential_1.conv2d_1",
                "flatten_1",
                "dense_1",
            ]
        );
        let network = network::<Flex>(&list, 0);
        assert_eq!(network.num_params(), network.parameters());
    }

    /// A convolution that multiplies every value by this.
    fn times(factor: u32) -> String {
        format!(
            "{{ conv2d = {{ filters = 1, kernel = 1, bias = false, init = {{ constant = {{ value = {factor} }} }} }} }}"
        )
    }

    /// What a one-channel image of ones becomes, one value a channel of each place.
    fn of_ones(block: &str) -> Vec<f32> {
        let list = format!("{block}, 'flatten'");
        let (plan, flaws) = plan_layers(&layers(&list), DIGIT, CONTEXT);
        assert_eq!(flaws, []);
        let network = Network::<Flex>::build(plan, 10, Seed(0), &Default::default());
        let ones = Tensor::ones([1, 1, 28, 28], &Default::default());
        let values: Vec<f32> = network.forward(ones).into_data().into_vec().unwrap();
        values.into_iter().step_by(28 * 28).collect()
    }

    #[test]
    fn weights_that_nothing_sees_are_0() {
        let list = "{ conv2d = { filters = 4, kernel = 1 } }, { conv2d = { name = 'some', filters = 2, kernel = 1, \
                    connections = [[1], [3, 0]], init = { constant = { value = 1 } } } }, 'flatten'";
        let (plan, flaws) = plan_layers(&layers(list), DIGIT, CONTEXT);
        assert_eq!(flaws, []);
        let network = Network::<Flex>::build(plan, 10, Seed(0), &Default::default());
        let values = network.values().into_iter();
        let mut some = values.filter(|(name, _)| name == "some/weight");
        let expected = [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0];
        assert_eq!(some.next().unwrap().1, expected);
    }

    #[test]
    fn blocks_join_what_their_lists_give() {
        let residual = format!("{{ residual = {{ layers = [{}] }} }}", times(3));
        assert_eq!(of_ones(&residual), [4.0]);
        let projected = format!(
            "{{ residual = {{ layers = [{}], projection = [{}], activation = 'relu' }} }}",
            times(3),
            times(5)
        );
        assert_eq!(of_ones(&projected), [8.0]);
        let branches = format!(
            "branches = [{{ layers = [{}] }}, {{ layers = [] }}, {{ layers = [{}, {}] }}]",
            times(2),
            times(3),
            times(4)
        );
        assert_eq!(
            of_ones(&format!("{{ parallel = {{ {branches} }} }}")),
            [2.0, 1.0, 12.0]
        );
        let added = format!("{{ parallel = {{ {branches}, join = 'add' }} }}");
        assert_eq!(of_ones(&added), [15.0]);
        let repeated = format!("{{ repeat = {{ times = 3, layers = [{}] }} }}", times(2));
        assert_eq!(of_ones(&repeated), [8.0]);
    }

    #[test]
    fn a_side_classifier_speaks_in_training_only_and_changes_nothing() {
        let side = format!("{{ auxiliary = {{ weight = 0.5, layers = [{END}] }} }}");
        let network = network::<Flex>(&format!("{side}, {}, {END}", times(2)), 3);
        let images = || Tensor::ones([2, 1, 28, 28], &Default::default());
        let forward_output = network.forward_training(images(), Chance::new(1));
        assert_eq!(forward_output.auxiliary.len(), 1);
        assert_eq!(forward_output.auxiliary[0].0, 0.5);
        assert_eq!(forward_output.auxiliary[0].1.dims(), [2, 10]);
        let inference: Vec<f32> = network.forward(images()).into_data().into_vec().unwrap();
        let training: Vec<f32> = forward_output.outputs.into_data().into_vec().unwrap();
        assert_eq!(inference, training);
    }

    #[test]
    fn codes_and_outputs_count_in_the_loss() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        // What outputs and what weights add.
        let penalty = |list: &str| {
            let network = network::<Flex>(&format!("'flatten', {list}"), 3);
            let images = Tensor::ones([2, 1, 28, 28], &Default::default());
            let forward_output = network.forward_training(images, Chance::new(1));
            [forward_output.of_outputs, forward_output.of_weights]
                .map(|part| part.map(|part| part.into_scalar()))
        };
        let zeros = "units = 10, init = 'zeros'";
        assert_eq!(
            penalty(&format!("{{ dense = {{ {zeros} }} }}")),
            [None, None]
        );
        // Softplus of 0 is ln 2, the standard deviation.
        let variance = 2f32.ln().powi(2);
        let divergence = 0.5 * (variance - 1.0 - variance.ln());
        let code = format!("{{ gaussian_code = {{ {zeros}, form = 'softplus', beta = 2 }} }}");
        let received = penalty(&code)[0].expect("a code diverges");
        assert!((received - 20.0 * divergence).abs() < 1e-5, "{received}");
        let ones = "units = 10, init = 'ones', bias_init = 'ones', l2 = 1, activity = { l1 = 0.5 }";
        assert_eq!(
            penalty(&format!("{{ dense = {{ {ones} }} }}")),
            [Some(0.5 * 10.0 * 785.0), Some(7840.0)]
        );
    }

    #[test]
    fn a_loss_that_is_a_sum_over_the_batch_is_that_of_outputs_too() {
        let one = |value: f32| Tensor::<Flex, 1>::from_floats([value], &Default::default());
        let forward_output = ForwardOutput {
            outputs: Tensor::<Flex, 2>::zeros([3, 1], &Default::default()),
            auxiliary: vec![(0.5, Tensor::zeros([3, 1], &Default::default()))],
            of_outputs: Some(one(0.25)),
            of_weights: Some(one(7.0)),
        };
        let total = forward_output.total_loss(one(1.0), 3.0, |_| one(2.0));
        assert_eq!(total.into_scalar(), (1.0 + 0.5 * 2.0 + 0.25) * 3.0 + 7.0);
    }

    #[test]
    fn a_tied_layer_uses_its_partners_weights_transposed() {
        let list = "'flatten', { dense = { name = 'code', units = 3 } }, { dense = { units = 784, tied_to = 'code' } },
                    { dense = { units = 10 } }";
        let network = network::<Flex>(list, 0);
        assert_eq!(network.parameters(), (784 * 3 + 3) + 784 + (7840 + 10));
        assert_eq!(network.num_params(), network.parameters());
        let values: std::collections::HashMap<_, _> = network.values().into_iter().collect();
        let code = &values["code/weight"];
        let image: Vec<f32> = (0..784).map(|i| (i as f32 * 0.3).sin()).collect();
        let codes: Vec<f32> = (0..3)
            .map(|unit| (0..784).map(|i| image[i] * code[i * 3 + unit]).sum())
            .collect();
        let back: Vec<f32> = (0..784)
            .map(|i| (0..3).map(|unit| codes[unit] * code[i * 3 + unit]).sum())
            .collect();
        let last = &values["dense_3/weight"];
        let score: f32 = (0..784).map(|i| back[i] * last[i * 10]).sum();
        let data = burn::tensor::TensorData::new(image, [1, 1, 28, 28]);
        let images = Tensor::from_data(data, &Default::default());
        let scores: Vec<f32> = network.forward(images).into_data().into_vec().unwrap();
        assert!(
            (scores[0] - score).abs() < 1e-3,
            "{} against {score}",
            scores[0]
        );
    }

    #[test]
    fn a_layer_may_be_tied_to_one_of_a_side_classifier() {
        let list = "'flatten', { auxiliary = { name = 'side', layers = [{ dense = { name = 'code', units = 10 } }] } },
                    { dense = { units = 10 } }, { dense = { units = 784, tied_to = 'side.code' } }, { dense = { units = 10 } }";
        let network = network::<Flex>(list, 0);
        let images = Tensor::ones([2, 1, 28, 28], &Default::default());
        assert_eq!(network.forward(images).dims(), [2, 10]);
    }

    #[test]
    fn a_name_to_be_tied_to_is_looked_for_in_the_same_block_first() {
        let pair = "{ dense = { name = 'code', units = 3 } }, { dense = { units = 784, tied_to = 'code' } }";
        let list =
            format!("'flatten', {pair}, {{ repeat = {{ times = 2, layers = [{pair}] }} }}, {END}");
        let layers = planned(&list).layers;
        let partners: Vec<(usize, usize)> = layers
            .iter()
            .enumerate()
            .filter_map(|(index, layer)| Some((index, layer.partner.as_ref()?.layer)))
            .collect();
        assert_eq!(partners, [(2, 1), (4, 3), (6, 5)]);
    }

    #[test]
    fn penalties_add_up_over_layers() {
        let list =
            "'flatten', { dense = { units = 2, l2 = 0.5, init = { constant = { value = 2 } } } },
                    { dense = { units = 10, l1 = 0.1, init = { constant = { value = -3 } } } }";
        let network = network::<Flex>(list, 0);
        let forward_output = network.forward_training(
            Tensor::ones([1, 1, 28, 28], &Default::default()),
            Chance::new(1),
        );
        let penalty: f32 = forward_output.of_weights.unwrap().into_scalar();
        let by_hand = 0.5 * 784.0 * 2.0 * 4.0 + 0.1 * 20.0 * 3.0;
        assert!(
            (penalty / by_hand - 1.0).abs() < 1e-5,
            "{penalty} against {by_hand}"
        );
    }
}
