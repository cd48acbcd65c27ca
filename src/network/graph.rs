//! A network as a graph of named nodes, for whoever draws it.

use std::convert::Infallible;

use burn::tensor::backend::Backend;

use super::plan::{Flow, Node as Planned};
use super::{Network, Plan};
use crate::layers::{ActivationFunction, Join, Role, Wiring};
use crate::objective::LossKind;
use crate::record::Node;
use crate::shape::Shape;

/// What a network's outputs are held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// Class labels.
    Labels,
    /// The input images.
    Input,
    /// Nothing: the outputs are the result.
    Nothing,
}

impl<B: Backend> Network<B> {
    /// The nodes in forward order, from `input`, the name of what goes in, of this shape, to the loss; every
    /// input is a node named before.
    pub fn graph(&self, input: &str, shape: Shape, truth: Truth, loss: LossKind) -> Vec<Node> {
        let mut drawing = Drawing {
            plan: &self.plan,
            tensors: self.tensor_shapes(),
            nodes: Vec::new(),
            scores: Vec::new(),
        };
        let input = drawing.add(input, input, &[], shape.dims());
        let last = drawing.list(&self.plan.nodes, input.clone());
        let truth = match truth {
            Truth::Labels => Some(drawing.add("labels", "labels", &[], Vec::new())),
            Truth::Input => Some(input),
            Truth::Nothing => None,
        };
        let inputs: Vec<String> = [last.name]
            .into_iter()
            .chain(drawing.scores.split_off(0))
            .chain(truth.map(|truth| truth.name))
            .collect();
        let name = format!("loss/{}", loss.key());
        drawing.add(&name, loss.key(), &inputs, Vec::new());
        drawing.nodes
    }
}

/// A node that was drawn, and the shape of what it gives.
#[derive(Debug, Clone)]
struct PlacedNode {
    name: String,
    shape: Vec<usize>,
}

struct Drawing<'a> {
    plan: &'a Plan,
    tensors: Vec<(String, Vec<usize>)>,
    nodes: Vec<Node>,
    /// Nodes that give the scores of side classifiers.
    scores: Vec<String>,
}

impl Drawing<'_> {
    fn add(
        &mut self,
        name: &str,
        operation: &str,
        inputs: &[String],
        shape: Vec<usize>,
    ) -> PlacedNode {
        self.nodes
            .push(node(name, operation, inputs, shape.clone()));
        PlacedNode {
            name: name.to_string(),
            shape,
        }
    }

    fn list(&mut self, nodes: &[Planned], input: PlacedNode) -> PlacedNode {
        nodes.iter().fold(input, |last, node| match &node.flow {
            Flow::Layer(index) => self.layer(*index, last),
            Flow::Block { spec, lists } => {
                let mut block = Block {
                    drawing: self,
                    scope: node.name.replace('.', "/"),
                    shape: node.output.dims(),
                    lists,
                };
                let Ok(output) = spec.wire(last, &mut block);
                output
            }
        })
    }

    fn layer(&mut self, index: usize, last: PlacedNode) -> PlacedNode {
        let layer = &self.plan.layers[index];
        let scope = format!("{}/", layer.name.replace('.', "/"));
        let mut inputs = vec![last.name];
        let own = |name: &str| name.starts_with(&scope) && !name[scope.len()..].contains('/');
        let tensors: Vec<_> = self.tensors.iter().filter(|(name, _)| own(name)).collect();
        for (name, shape) in tensors {
            let role = &name[scope.len()..];
            self.nodes.push(node(name, role, &[], shape.clone()));
            inputs.push(name.clone());
        }
        let activation = layer.activation.map(|function| function.key());
        let only_activates = layer.spec.role() == Some(Role::Activates);
        let operation = match activation {
            Some(function) if only_activates => function,
            _ => layer.key,
        };
        let shape = layer.output.dims();
        let mut last = self.add(&format!("{scope}{operation}"), operation, &inputs, shape);
        let cost = [
            ("parameters", layer.cost.parameters),
            ("multiply_adds", layer.cost.multiply_adds),
        ];
        if let Some(node) = self.nodes.last_mut() {
            let texts = cost.map(|(name, value)| (name.to_string(), value.to_string()));
            node.attributes = texts.to_vec();
        }
        if let Some(function) = activation.filter(|_| !only_activates) {
            let name = format!("{scope}{function}");
            last = self.add(&name, function, &[last.name], last.shape);
        }
        last
    }
}

/// Nodes on their way through a block.
struct Block<'a, 'b> {
    drawing: &'a mut Drawing<'b>,
    scope: String,
    /// Of the block's output.
    shape: Vec<usize>,
    lists: &'a [Vec<Planned>],
}

impl Wiring<PlacedNode> for Block<'_, '_> {
    type Error = Infallible;

    fn through(&mut self, list: usize, input: PlacedNode) -> Result<PlacedNode, Infallible> {
        Ok(self.drawing.list(&self.lists[list], input))
    }

    fn join(&mut self, join: Join, parts: Vec<PlacedNode>) -> Result<PlacedNode, Infallible> {
        let operation = match join {
            Join::Concat => "concat",
            Join::Add => "add",
        };
        let inputs: Vec<String> = parts.into_iter().map(|part| part.name).collect();
        let name = format!("{}/{operation}", self.scope);
        let shape = self.shape.clone();
        Ok(self.drawing.add(&name, operation, &inputs, shape))
    }

    fn activate(
        &mut self,
        function: ActivationFunction,
        value: PlacedNode,
    ) -> Result<PlacedNode, Infallible> {
        let name = format!("{}/{}", self.scope, function.key());
        let inputs = [value.name];
        Ok(self
            .drawing
            .add(&name, function.key(), &inputs, value.shape))
    }

    fn aside(&mut self, _weight: f64, scores: PlacedNode) -> Result<(), Infallible> {
        self.drawing.scores.push(scores.name);
        Ok(())
    }
}

fn node(name: &str, operation: &str, inputs: &[String], output: Vec<usize>) -> Node {
    Node {
        name: name.to_string(),
        operation: operation.to_string(),
        inputs: inputs.to_vec(),
        attributes: Vec::new(),
        output,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use burn::backend::Flex;

    #[test]
    fn the_graph_names_what_each_node_takes_from() {
        let network = network::<Flex>(
            "{ conv2d = { filters = 4, kernel = 3, activation = 'relu' } }, { activation = { function = 'tanh' } },
             'flatten', { dense = { units = 10, bias = false } }",
            0,
        );
        let graph = network.graph("input", DIGIT, Truth::Labels, LossKind::CrossEntropy);
        let lines: Vec<String> = graph
            .iter()
            .map(|node| {
                format!(
                    "{} <- {} {:?}",
                    node.name,
                    node.inputs.join(" "),
                    node.output
                )
            })
            .collect();
        assert_eq!(
            lines,
            [
                "input <-  [1, 28, 28]",
                "conv2d_1/weight <-  [4, 1, 3, 3]",
                "conv2d_1/bias <-  [4]",
                "conv2d_1/conv2d <- input conv2d_1/weight conv2d_1/bias [4, 28, 28]",
                "conv2d_1/relu <- conv2d_1/conv2d [4, 28, 28]",
                "activation_1/tanh <- conv2d_1/relu [4, 28, 28]",
                "flatten_1/flatten <- activation_1/tanh [3136]",
                "dense_1/weight <-  [3136, 10]",
                "dense_1/dense <- flatten_1/flatten dense_1/weight [10]",
                "labels <-  []",
                "loss/cross_entropy <- dense_1/dense labels []",
            ]
        );
    }

    #[test]
    fn every_input_is_a_node_named_before() {
        let graph = network::<Flex>(EXAMPLE, 0).graph(
            "input",
            DIGIT,
            Truth::Labels,
            LossKind::CrossEntropy,
        );
        for (index, node) in graph.iter().enumerate() {
            for input in &node.inputs {
                assert!(
                    graph[..index].iter().any(|earlier| earlier.name == *input),
                    "{input}"
                );
            }
        }
    }
}
