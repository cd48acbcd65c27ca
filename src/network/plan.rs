//! A network before it has weights: its layers with names and shapes, what flows where, what is frozen.

use super::Patterns;
use crate::error::Flaw;
use crate::layers::{ActivationFunction, Cost, LayerSpec};
use crate::shape::Shape;

/// A network before it has weights: what flows where, and the layers that will have weights.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// All layers that are no blocks, those inside blocks included, in forward order.
    pub layers: Vec<Planned>,
    /// The list as the file has it.
    pub nodes: Vec<Node>,
}

/// One layer that is no block.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The name the file gives it, or its key and a number from 1 among the layers of that key in its
    /// list; inside a block after the block's name and a dot: `residual_1.conv2d_2`.
    pub name: String,
    /// What it is: `conv2d`.
    pub key: &'static str,
    /// Of one sample.
    pub input: Shape,
    pub output: Shape,
    pub cost: Cost,
    pub activation: Option<ActivationFunction>,
    pub spec: LayerSpec,
    /// What it is tied to, if it is.
    pub partner: Option<Partner>,
    /// Whether training leaves its tensors as they are.
    pub is_frozen: bool,
}

/// A layer whose weight another one uses.
#[derive(Debug, Clone, PartialEq)]
pub struct Partner {
    /// Its number among [`Plan::layers`].
    pub layer: usize,
    /// The shape of its weight.
    pub weight: Vec<usize>,
}

/// One entry of a list of layers.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// As [`Planned::name`].
    pub name: String,
    pub key: &'static str,
    pub output: Shape,
    pub flow: Flow,
}

/// What a node does with its input.
#[derive(Debug, Clone, PartialEq)]
pub enum Flow {
    /// The layer with this number among [`Plan::layers`].
    Layer(usize),
    /// The lists of a block, wired as the block says.
    Block {
        spec: Box<LayerSpec>,
        lists: Vec<Vec<Node>>,
    },
}

impl Node {
    /// Cost of the node's layers.
    pub fn cost(&self, plan: &Plan) -> Cost {
        match &self.flow {
            Flow::Layer(layer) => plan.layers[*layer].cost,
            Flow::Block { lists, .. } => lists.iter().flatten().map(|node| node.cost(plan)).sum(),
        }
    }
}

impl Plan {
    /// The activation function that is applied last of all, if one is, also inside blocks.
    pub fn last_activation(&self) -> Option<ActivationFunction> {
        let mut node = self.nodes.last()?;
        loop {
            match &node.flow {
                Flow::Layer(layer) => return self.layers[*layer].activation,
                Flow::Block { spec, lists } => match &**spec {
                    LayerSpec::Residual(residual) => return residual.activation,
                    LayerSpec::Sequential(_) | LayerSpec::Repeat(_) => {
                        node = lists.last()?.last()?;
                    }
                    _ => return None,
                },
            }
        }
    }

    /// Whether a pass must know the true classes.
    pub fn is_conditional(&self) -> bool {
        let mut specs = self.layers.iter().map(|layer| &layer.spec);
        specs.any(|spec| matches!(spec, LayerSpec::ConcatLabel(_)))
    }

    /// Whether some layer corrupts its input in training.
    pub fn has_noise(&self) -> bool {
        let mut specs = self.layers.iter().map(|layer| &layer.spec);
        specs.any(|spec| {
            matches!(
                spec,
                LayerSpec::GaussianNoise(_)
                    | LayerSpec::MaskNoise(_)
                    | LayerSpec::SaltAndPepperNoise(_)
            )
        })
    }

    /// Cost of the whole network.
    pub fn cost(&self) -> Cost {
        self.layers.iter().map(|layer| layer.cost).sum()
    }

    /// Cost of the layers that training leaves as they are.
    pub fn frozen_cost(&self) -> Cost {
        let frozen = self.layers.iter().filter(|layer| layer.is_frozen);
        frozen.map(|layer| layer.cost).sum()
    }

    /// The names of all layers that are no blocks.
    pub fn names(&self) -> Vec<&str> {
        self.layers
            .iter()
            .map(|layer| layer.name.as_str())
            .collect()
    }

    /// Marks the layers that training leaves as they are: those that `freeze` is for, or all but those
    /// that `train_only` is for; none if both are empty.
    ///
    /// Flaws have the keys `freeze` and `train_only`.
    pub fn freeze(&mut self, freeze: &Patterns, train_only: &Patterns) -> Vec<Flaw> {
        let (key, patterns) = match (freeze.is_empty(), train_only.is_empty()) {
            (true, true) => return Vec::new(),
            (false, true) => ("freeze", freeze),
            (true, false) => ("train_only", train_only),
            (false, false) => {
                let message = "`freeze` and `train_only` both say what is frozen";
                return vec![Flaw::new("train_only", message).hint("keep one of them")];
            }
        };
        for layer in &mut self.layers {
            layer.is_frozen = patterns.matches(&layer.name) == (key == "freeze");
        }
        let flaws = patterns.flaws(key, &self.names());
        let mut flaws: Vec<Flaw> = flaws.into_iter().map(|flaw| flaw.under(key)).collect();
        if flaws.is_empty() && self.frozen_cost().parameters == self.cost().parameters {
            let message = format!("`{key}` leaves nothing to train");
            flaws.push(Flaw::new(key, message).hint("some layer with weights must be trained"));
        }
        flaws
    }
}

#[cfg(test)]
mod tests {
    use super::super::patterns::patterns;
    use super::super::plan_layers;
    use super::super::testing::*;

    #[test]
    fn labels_and_noise_are_seen_inside_blocks_too() {
        let of = |layer: &str| {
            let list = format!("{{ repeat = {{ times = 1, layers = [{layer}] }} }}");
            let (plan, flaws) = plan_layers(&layers(&list), DIGIT, AROUND);
            assert_eq!(flaws, []);
            (plan.is_conditional(), plan.has_noise())
        };
        assert_eq!(of("'concat_label'"), (true, false));
        assert_eq!(of("{ mask_noise = { keep = 0.7 } }"), (false, true));
        let salt = "{ salt_and_pepper_noise = { rate = 0.1 } }";
        assert_eq!(of(salt), (false, true));
        let noise = "{ gaussian_noise = { standard_deviation = 1 } }";
        assert_eq!(of(noise), (false, true));
        assert_eq!(of("{ dropout = { rate = 0.5 } }"), (false, false));
    }

    #[test]
    fn layers_are_frozen_by_what_is_named_or_by_what_is_not() {
        let frozen = |freeze: &[&str], train_only: &[&str]| {
            let mut plan = planned(EXAMPLE);
            let flaws = plan.freeze(&patterns(freeze), &patterns(train_only));
            assert_eq!(flaws, []);
            let frozen = plan.layers.iter().filter(|layer| layer.is_frozen);
            let names: Vec<String> = frozen.map(|layer| layer.name.clone()).collect();
            (names.join(" "), plan.frozen_cost().parameters)
        };
        assert_eq!(frozen(&[], &[]), (String::new(), 0));
        let (names, parameters) = frozen(&["conv*", "deep"], &[]);
        assert_eq!(names, "conv2d_1 conv2d_2 deep");
        assert_eq!(parameters, 32 * 10 + 64 * (9 * 32 + 1) + 128 * (9 * 64 + 1));
        let (names, parameters) = frozen(&[], &["dense_2"]);
        assert_eq!(
            names,
            "conv2d_1 conv2d_2 deep max_pool2d_1 flatten_1 dense_1"
        );
        assert_eq!(parameters, 241_546 - 1_290);
    }

    #[test]
    fn what_cannot_be_frozen_is_a_flaw() {
        let told = |freeze: &[&str], train_only: &[&str]| {
            let mut flaws = planned(EXAMPLE).freeze(&patterns(freeze), &patterns(train_only));
            assert_eq!(flaws.len(), 1, "{flaws:?}");
            let flaw = flaws.remove(0);
            format!("{}: {}", flaw.key, flaw.message)
        };
        assert_eq!(
            told(&["deep", "conv3d*"], &[]),
            "freeze.1: `conv3d*` in `freeze` is the name of no layer"
        );
        assert_eq!(
            told(&["deep"], &["deep"]),
            "train_only: `freeze` and `train_only` both say what is frozen"
        );
        assert_eq!(
            told(&["*"], &[]),
            "freeze: `freeze` leaves nothing to train"
        );
        assert_eq!(
            told(&[], &["flatten_1"]),
            "train_only: `train_only` leaves nothing to train"
        );
    }
}
