//! A network in inference as an ONNX graph: the order of its layers' nodes, their activation functions and joins.

use std::convert::Infallible;

use super::{Flow, Network, Node};
use crate::backend::Kernels;
use crate::layers::{ActivationFunction, Forward, Join, Wiring};
use crate::onnx::{Attribute, Graph, Name, Value};

impl<B: Kernels> Network<B> {
    /// Leads a value of a graph through nodes of the plan, by their numbers, one after the other.
    pub fn onnx_route(&self, nodes: &[usize], input: Value, graph: &mut Graph) -> Value {
        let nodes = nodes.iter().map(|&node| &self.plan.nodes[node]);
        nodes.fold(input, |value, node| self.onnx_node(node, value, graph))
    }

    fn onnx_node(&self, node: &Node, input: Value, graph: &mut Graph) -> Value {
        let name = match &node.flow {
            Flow::Layer(index) => self.onnx_layer(*index, &input, graph),
            Flow::Block { spec, lists } => {
                let mut branches = Branches {
                    network: self,
                    lists,
                    graph,
                    block: &node.name,
                };
                let Ok(output) = spec.wire(input, &mut branches);
                output.name
            }
        };
        Value {
            name,
            shape: node.output,
        }
    }

    fn onnx_layer(&self, index: usize, input: &Value, graph: &mut Graph) -> Name {
        let planned = &self.plan.layers[index];
        let partner = planned.partner.as_ref();
        let tied = partner.and_then(|partner| self.layers[partner.layer].shared());
        graph.enter(&planned.name);
        let output = Value {
            name: self.layers[index].onnx(input, graph, tied),
            shape: planned.output,
        };
        match planned.activation {
            Some(function) => function.onnx(&output, graph),
            None => output.name,
        }
    }
}

/// Values on their way through a block.
struct Branches<'a, B: Kernels> {
    network: &'a Network<B>,
    lists: &'a [Vec<Node>],
    graph: &'a mut Graph,
    block: &'a str,
}

impl<B: Kernels> Wiring<Value> for Branches<'_, B> {
    type Error = Infallible;

    fn through(&mut self, list: usize, input: Value) -> Result<Value, Infallible> {
        let nodes = self.lists[list].iter();
        Ok(nodes.fold(input, |value, node| {
            self.network.onnx_node(node, value, self.graph)
        }))
    }

    fn join(&mut self, join: Join, parts: Vec<Value>) -> Result<Value, Infallible> {
        self.graph.enter(self.block);
        let axis = parts[0].channel_axis();
        let mut shape = parts[0].shape;
        let mut parts = parts.into_iter();
        let name = match join {
            Join::Concat => {
                let parts: Vec<Value> = parts.collect();
                let channels = parts.iter().map(|part| part.shape.channels()).sum();
                shape = shape.with_channels(channels);
                let names: Vec<&Name> = parts.iter().map(|part| &part.name).collect();
                let axis = Attribute::int("axis", axis as i64);
                self.graph.node("Concat", &names, [axis])
            }
            Join::Add => {
                let first = parts.next().expect("a sum has parts").name;
                parts.fold(first, |sum, part| {
                    self.graph.node("Add", &[&sum, &part.name], [])
                })
            }
        };
        Ok(Value { name, shape })
    }

    fn activate(
        &mut self,
        function: ActivationFunction,
        value: Value,
    ) -> Result<Value, Infallible> {
        self.graph.enter(self.block);
        Ok(Value {
            name: function.onnx(&value, self.graph),
            shape: value.shape,
        })
    }

    /// Side classifiers help training only.
    fn looks_aside(&self) -> bool {
        false
    }

    fn aside(&mut self, _weight: f64, _scores: Value) -> Result<(), Infallible> {
        Ok(())
    }
}
