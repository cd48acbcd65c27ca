//! A network as TensorBoard's graph: named nodes, folded into boxes by the `/` in their names.
//!
//! Knows nothing of layers; whoever builds the nodes says what they stand for.

use tensorboard_proto::attr_value::AttrValue;
use tensorboard_proto::graph::GraphDef;
use tensorboard_proto::node_def::NodeDef;

use super::shape_of;

/// One node of the graph.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GraphNode {
    /// Unique; each `/` opens a box, drawn closed at first: `conv2d_1/kernel`. Letters, digits,
    /// `_`, `.` and `-`.
    pub name: String,
    /// What it does: `conv2d`, `parameter`.
    pub op: String,
    /// Names of the nodes whose outputs flow into this one.
    pub inputs: Vec<String>,
    /// Shown when the node is selected; names may hold letters, digits and `_`.
    pub attributes: Vec<(String, String)>,
    /// Shown on the edges that leave the node; -1 stands for the batch.
    pub output_shape: Option<Vec<i64>>,
}

pub(super) fn message(nodes: &[GraphNode]) -> GraphDef {
    let mut graph = GraphDef::new();
    graph.set_node(nodes.iter().map(node_message).collect());
    // The version of TensorFlow's graphs that its current readers were written for.
    graph.mut_versions().set_producer(22);
    graph
}

fn node_message(node: &GraphNode) -> NodeDef {
    let mut message = NodeDef::new();
    message.set_name(node.name.clone());
    message.set_op(node.op.clone());
    message.set_input(node.inputs.iter().cloned().collect());
    for (name, text) in &node.attributes {
        let mut value = AttrValue::new();
        value.set_s(text.clone().into_bytes());
        message.mut_attr().insert(name.clone(), value);
    }
    if let Some(sizes) = &node.output_shape {
        let mut value = AttrValue::new();
        value.mut_list().mut_shape().push(shape_of(sizes));
        message
            .mut_attr()
            .insert("_output_shapes".to_string(), value);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_keeps_its_inputs_attributes_and_shape() {
        let node = GraphNode {
            name: "network/dense".into(),
            op: "dense".into(),
            inputs: vec!["network/flatten".into()],
            attributes: vec![("units".into(), "10".into())],
            output_shape: Some(vec![-1, 10]),
        };
        let graph = message(&[node]);
        let message = &graph.get_node()[0];
        assert_eq!(message.get_name(), "network/dense");
        assert_eq!(message.get_input(), ["network/flatten".to_string()]);
        assert_eq!(message.get_attr()["units"].get_s(), b"10");
        let shapes = message.get_attr()["_output_shapes"].get_list().get_shape();
        let sizes: Vec<i64> = shapes[0].get_dim().iter().map(|d| d.get_size()).collect();
        assert_eq!(sizes, [-1, 10]);
    }
}
