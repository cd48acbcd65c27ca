//! A network as a graph of named nodes, for whoever draws it.

use burn::tensor::backend::Backend;

use super::Network;
use crate::objective::LossSpec;
use crate::record::Node;
use crate::shape::{ImageShape, Shape};

impl<B: Backend> Network<B> {
    /// The nodes in forward order, from `input` to the loss; every input is a node named before.
    pub fn graph(&self, input: ImageShape, loss: LossSpec) -> Vec<Node> {
        let tensors = self.tensor_shapes();
        let mut nodes = vec![node("input", "input", &[], dims(Shape::Image(input)))];
        let mut last = "input".to_string();
        for layer in &self.planned {
            let scope = format!("{}/", layer.name);
            let mut inputs = vec![last];
            for (name, shape) in tensors.iter().filter(|(name, _)| name.starts_with(&scope)) {
                let role = &name[scope.len()..];
                nodes.push(node(name, role, &[], shape.clone()));
                inputs.push(name.clone());
            }
            let output = dims(layer.output);
            let activation = layer.activation.map(|function| function.key());
            // The layer `activation` is its function and nothing else.
            let operation = match (layer.key, activation) {
                ("activation", Some(function)) => function,
                (key, _) => key,
            };
            last = format!("{scope}{operation}");
            let mut operation = node(&last, operation, &inputs, output.clone());
            operation.attributes = vec![
                ("parameters".to_string(), layer.cost.parameters.to_string()),
                (
                    "multiply_adds".to_string(),
                    layer.cost.multiply_adds.to_string(),
                ),
            ];
            nodes.push(operation);
            if let Some(function) = activation.filter(|_| layer.key != "activation") {
                let name = format!("{scope}{function}");
                nodes.push(node(&name, function, &[last], output));
                last = name;
            }
        }
        nodes.push(node("labels", "labels", &[], Vec::new()));
        let name = format!("loss/{}", loss.key());
        let inputs = [last, "labels".to_string()];
        nodes.push(node(&name, loss.key(), &inputs, Vec::new()));
        nodes
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

fn dims(shape: Shape) -> Vec<usize> {
    match shape {
        Shape::Features(features) => vec![features],
        Shape::Image(image) => vec![image.channels, image.height, image.width],
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
        let graph = network.graph(ImageShape::new(1, 28, 28), LossSpec::CrossEntropy);
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
        let graph =
            network::<Flex>(EXAMPLE, 0).graph(ImageShape::new(1, 28, 28), LossSpec::CrossEntropy);
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
