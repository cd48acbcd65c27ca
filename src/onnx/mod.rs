//! A network as an ONNX file, written node by node by its layers.
//!
//! Knows the operators' names and the file's messages, and nothing of layers, weights or files on disk. The
//! operators are those of version 17 of ONNX's standard set: <https://onnx.ai/onnx/operators/>.

mod messages;

use std::collections::HashSet;

use prost::Message;

use crate::shape::Shape;
use messages::{
    AttributeProto, DimensionProto, GraphProto, Length, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto,
    ValueInfoProto, kinds,
};

/// The version of the set of operators, and of the file's format, which came with ONNX 1.12.
const OPERATORS: i64 = 17;
const FORMAT: i64 = 8;

/// The name of the free axis of samples.
const BATCH: &str = "batch";
/// The input of classes.
const LABEL: &str = "label";

/// What a node makes, or a constant, by its name in the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

/// A batch on its way through the graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Its name.
    pub name: Name,
    /// The shape of one sample.
    pub shape: Shape,
}

impl Value {
    /// The axis of the channels, or of a vector's or sequence's features; that of the batch is 0.
    pub fn channel_axis(&self) -> usize {
        match self.shape {
            Shape::Sequence(_) => 2,
            _ => 1,
        }
    }

    /// The axes of the places.
    pub fn place_axes(&self) -> Vec<i64> {
        let axes = 1..=self.shape.dims().len();
        axes.filter(|axis| *axis != self.channel_axis())
            .map(|axis| axis as i64)
            .collect()
    }

    /// The shape of one value a channel that goes with all places: `[channels, 1, 1]`.
    fn along_channels(&self) -> Vec<usize> {
        let (channels, places) = (self.shape.channels(), self.shape.places().len());
        match self.channel_axis() {
            1 => [vec![channels], vec![1; places]].concat(),
            _ => vec![channels],
        }
    }
}

/// A setting of an operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute(AttributeProto);

impl Attribute {
    fn of(name: &str, kind: i32) -> AttributeProto {
        AttributeProto {
            name: name.to_string(),
            kind: Some(kind),
            ..AttributeProto::default()
        }
    }

    /// A whole number.
    pub fn int(name: &str, value: i64) -> Self {
        Attribute(AttributeProto {
            i: Some(value),
            ..Attribute::of(name, kinds::OF_INT)
        })
    }

    /// Whole numbers.
    pub fn ints(name: &str, values: impl IntoIterator<Item = i64>) -> Self {
        Attribute(AttributeProto {
            ints: values.into_iter().collect(),
            ..Attribute::of(name, kinds::OF_INTS)
        })
    }

    /// Sizes.
    pub fn sizes(name: &str, values: &[usize]) -> Self {
        Attribute::ints(name, values.iter().map(|&value| value as i64))
    }

    /// A real number.
    pub fn float(name: &str, value: f64) -> Self {
        Attribute(AttributeProto {
            f: Some(value as f32),
            ..Attribute::of(name, kinds::OF_FLOAT)
        })
    }

    /// A word.
    pub fn word(name: &str, value: &str) -> Self {
        Attribute(AttributeProto {
            s: Some(value.as_bytes().to_vec()),
            ..Attribute::of(name, kinds::OF_STRING)
        })
    }
}

/// A graph that is being written.
#[derive(Debug, Default)]
pub struct Graph {
    graph: GraphProto,
    /// What the names of nodes begin with: the layer's.
    scope: String,
    /// Of nodes and constants.
    names: HashSet<String>,
}

impl Graph {
    /// An empty graph.
    pub fn new(name: &str) -> Self {
        Graph {
            graph: GraphProto {
                name: name.to_string(),
                ..GraphProto::default()
            },
            scope: name.to_string(),
            names: HashSet::new(),
        }
    }

    /// What follows belongs to the layer of this name.
    pub fn enter(&mut self, layer: &str) {
        self.scope = layer.to_string();
    }

    /// A batch of samples of this shape, of as many as there are.
    pub fn input(&mut self, name: &str, shape: Shape, explained: &str) -> Value {
        let info = value_info(name, kinds::FLOAT, &shape.dims(), explained);
        self.graph.input.push(info);
        Value {
            name: Name(name.to_string()),
            shape,
        }
    }

    /// The class of each sample, `[batch]`, from 0: an input once it is asked for.
    pub fn labels(&mut self) -> Name {
        if self.graph.input.iter().all(|input| input.name != LABEL) {
            let explained = "the number of each sample's class, from 0";
            let info = value_info(LABEL, kinds::INT64, &[], explained);
            self.graph.input.push(info);
        }
        Name(LABEL.to_string())
    }

    /// What the graph gives under a name of its own.
    pub fn output(&mut self, name: &str, value: &Value, explained: &str) {
        self.graph.node.push(NodeProto {
            input: vec![value.name.0.clone()],
            output: vec![name.to_string()],
            name: format!("outputs/{name}"),
            op_type: "Identity".to_string(),
            attribute: Vec::new(),
        });
        let info = value_info(name, kinds::FLOAT, &value.shape.dims(), explained);
        self.graph.output.push(info);
    }

    /// A constant of real numbers; `role` is what it is to the layer.
    pub fn floats(&mut self, role: &str, dims: &[usize], values: Vec<f32>) -> Name {
        debug_assert_eq!(dims.iter().product::<usize>(), values.len());
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.constant(role, kinds::FLOAT, dims, bytes.collect())
    }

    /// One real number.
    pub fn float(&mut self, role: &str, value: f64) -> Name {
        self.floats(role, &[], vec![value as f32])
    }

    /// A constant row of whole numbers.
    pub fn ints(&mut self, role: &str, values: &[i64]) -> Name {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        self.constant(role, kinds::INT64, &[values.len()], bytes.collect())
    }

    fn constant(&mut self, role: &str, kind: i32, dims: &[usize], bytes: Vec<u8>) -> Name {
        let name = self.fresh(role, '.');
        self.graph.initializer.push(TensorProto {
            dims: dims.iter().map(|&size| size as i64).collect(),
            data_type: Some(kind),
            name: name.clone(),
            raw_data: Some(bytes),
        });
        Name(name)
    }

    /// An operation, and what it makes first.
    pub fn node(
        &mut self,
        operator: &str,
        inputs: &[&Name],
        attributes: impl IntoIterator<Item = Attribute>,
    ) -> Name {
        let inputs: Vec<Option<&Name>> = inputs.iter().map(|name| Some(*name)).collect();
        let [name] = self.node_of(operator, &inputs, attributes);
        name
    }

    /// An operation some of whose inputs may be left out, and the first things that it makes.
    pub fn node_of<const N: usize>(
        &mut self,
        operator: &str,
        inputs: &[Option<&Name>],
        attributes: impl IntoIterator<Item = Attribute>,
    ) -> [Name; N] {
        let name = self.fresh(operator, '/');
        let outputs: [String; N] = std::array::from_fn(|index| match index {
            0 => name.clone(),
            _ => format!("{name}:{index}"),
        });
        let last = inputs.iter().rposition(Option::is_some);
        let inputs = inputs[..last.map_or(0, |last| last + 1)].iter();
        self.graph.node.push(NodeProto {
            input: inputs
                .map(|name| name.map_or(String::new(), |name| name.0.clone()))
                .collect(),
            output: outputs.to_vec(),
            name,
            op_type: operator.to_string(),
            attribute: attributes
                .into_iter()
                .map(|attribute| attribute.0)
                .collect(),
        });
        outputs.map(Name)
    }

    /// `conv2d_1/Conv`, with a number where there is one of that name.
    fn fresh(&mut self, last: &str, between: char) -> String {
        let first = format!("{}{between}{last}", self.scope);
        let others = (2..).map(|number| format!("{first}_{number}"));
        let mut names = std::iter::once(first.clone()).chain(others);
        let free = names.find(|name| !self.names.contains(name));
        let free = free.expect("numbers do not end");
        self.names.insert(free.clone());
        free
    }

    /// The value as another shape of one sample, in the same order.
    pub fn reshaped(&mut self, value: &Name, dims: &[usize]) -> Name {
        // 0 stands for the length that is there: the batch's.
        let sizes = dims.iter().map(|&size| size as i64);
        let sizes: Vec<i64> = std::iter::once(0).chain(sizes).collect();
        let shape = self.ints("shape", &sizes);
        self.node("Reshape", &[value, &shape], [])
    }

    /// The axes of a batch in another order.
    pub fn transposed(&mut self, value: &Name, order: &[usize]) -> Name {
        self.node("Transpose", &[value], [Attribute::sizes("perm", order)])
    }

    /// Applies what wants channels before places, and gives the result its order back: sequences are turned.
    pub fn with_channels_first(
        &mut self,
        value: &Value,
        apply: impl FnOnce(&mut Graph, &Name) -> Name,
    ) -> Name {
        match value.channel_axis() {
            1 => apply(self, &value.name),
            _ => {
                let turned = self.transposed(&value.name, &[0, 2, 1]);
                let applied = apply(self, &turned);
                self.transposed(&applied, &[0, 2, 1])
            }
        }
    }

    /// Applies what wants channels behind places, and gives the result its order back.
    pub fn with_channels_last(
        &mut self,
        value: &Value,
        apply: impl FnOnce(&mut Graph, &Name) -> Name,
    ) -> Name {
        let places = value.shape.places().len();
        if value.channel_axis() == places + 1 {
            return apply(self, &value.name);
        }
        let last = places + 1;
        let there: Vec<usize> = [0].into_iter().chain(2..=last).chain([1]).collect();
        let back: Vec<usize> = [0, last].into_iter().chain(1..last).collect();
        let turned = self.transposed(&value.name, &there);
        let applied = apply(self, &turned);
        self.transposed(&applied, &back)
    }

    /// `value * factors + offsets`, one of each a channel; either may be left out.
    pub fn scaled(
        &mut self,
        value: &Value,
        factors: Option<(&str, Vec<f32>)>,
        offsets: Option<(&str, Vec<f32>)>,
    ) -> Name {
        let dims = value.along_channels();
        let mut name = value.name.clone();
        for (operator, constant) in [("Mul", factors), ("Add", offsets)] {
            if let Some((role, values)) = constant {
                let constant = self.floats(role, &dims, values);
                name = self.node(operator, &[&name, &constant], []);
            }
        }
        name
    }

    /// One value a channel, or one for all, that goes with all places of a batch.
    pub fn along_channels(&mut self, value: &Value, role: &str, values: Vec<f32>) -> Name {
        match values.len() {
            1 => self.floats(role, &[1], values),
            _ => self.floats(role, &value.along_channels(), values),
        }
    }

    /// `[batch, features]` times `[features, units]`, plus a bias.
    pub fn linear(&mut self, value: &Name, weight: &Name, bias: Option<&Name>) -> Name {
        match bias {
            Some(bias) => self.node("Gemm", &[value, weight, bias], []),
            None => self.node("MatMul", &[value, weight], []),
        }
    }

    /// The file, with what is known of it besides the graph and the version of what wrote it.
    pub fn file(self, title: &str, version: &str, metadata: &[(&str, String)]) -> Vec<u8> {
        let metadata = metadata.iter().map(|(key, value)| StringStringEntryProto {
            key: key.to_string(),
            value: value.clone(),
        });
        let model = ModelProto {
            ir_version: Some(FORMAT),
            producer_name: "burnlab".to_string(),
            producer_version: version.to_string(),
            doc_string: title.to_string(),
            graph: Some(self.graph),
            opset_import: vec![OperatorSetIdProto {
                domain: Some(String::new()),
                version: Some(OPERATORS),
            }],
            metadata_props: metadata.collect(),
        };
        model.encode_to_vec()
    }
}

fn value_info(name: &str, kind: i32, dims: &[usize], explained: &str) -> ValueInfoProto {
    let batch = Length::Param(BATCH.to_string());
    let sizes = dims.iter().map(|&size| Length::Value(size as i64));
    let lengths = std::iter::once(batch).chain(sizes);
    let dim = lengths.map(|length| DimensionProto {
        length: Some(length),
    });
    ValueInfoProto {
        name: name.to_string(),
        r#type: Some(TypeProto {
            tensor_type: Some(TensorTypeProto {
                elem_type: Some(kind),
                shape: Some(TensorShapeProto { dim: dim.collect() }),
            }),
        }),
        doc_string: explained.to_string(),
    }
}

/// The names of a file's inputs and outputs.
#[cfg(test)]
pub fn ends(file: &[u8]) -> [Vec<String>; 2] {
    let model = ModelProto::decode(file).expect("a file of that format");
    let graph = model.graph.expect("a graph");
    [graph.input, graph.output].map(|ends| ends.into_iter().map(|end| end.name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_goes_in_and_comes_out_for_any_number_of_samples() {
        let mut graph = Graph::new("network");
        let images = graph.input("images", Shape::image(3, 8, 6), "pixels");
        graph.enter("conv2d_1");
        let least = graph.float("least", 0.0);
        let name = graph.node("Max", &[&images.name, &least], []);
        let name = graph.node("Max", &[&name, &least], [Attribute::int("axis", 0)]);
        let shape = images.shape;
        graph.output("output", &Value { name, shape }, "");
        graph.labels();
        graph.labels();
        let metadata = [("classes", "[\"cat\"]".to_string())];
        let bytes = graph.file("a title", "1.2", &metadata);

        let model = ModelProto::decode(bytes.as_slice()).unwrap();
        assert_eq!(model.metadata_props[0].value, "[\"cat\"]");
        let graph = model.graph.unwrap();
        let names: Vec<&str> = graph.node.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["conv2d_1/Max", "conv2d_1/Max_2", "outputs/output"]);
        assert_eq!(graph.node[1].input, ["conv2d_1/Max", "conv2d_1.least"]);
        // Readers ask whether it is there, 0 though it be.
        assert_eq!(graph.node[1].attribute[0].i, Some(0));
        let inputs: Vec<&str> = graph
            .input
            .iter()
            .map(|input| input.name.as_str())
            .collect();
        assert_eq!(inputs, ["images", "label"]);
        let kind = graph.input[0].r#type.clone().unwrap().tensor_type.unwrap();
        let lengths = kind.shape.unwrap().dim.into_iter();
        let lengths: Vec<Length> = lengths.filter_map(|dim| dim.length).collect();
        let sizes = [3, 8, 6].map(Length::Value);
        assert_eq!(lengths[0], Length::Param("batch".to_string()));
        assert_eq!(lengths[1..], sizes);
    }

    #[test]
    fn sequences_are_turned_where_channels_come_first() {
        let turned = |shape: Shape| {
            let mut graph = Graph::new("network");
            let input = graph.input("images", shape, "");
            graph.with_channels_first(&input, |graph, x| graph.node("Conv", &[x], []));
            graph.with_channels_last(&input, |graph, x| {
                graph.node("LayerNormalization", &[x], [])
            });
            let nodes = graph.graph.node.into_iter();
            nodes
                .map(|node| match node.attribute.first() {
                    Some(order) => format!("{} {:?}", node.op_type, order.ints),
                    None => node.op_type,
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(
            turned(Shape::sequence(5, 2)),
            [
                "Transpose [0, 2, 1]",
                "Conv",
                "Transpose [0, 2, 1]",
                "LayerNormalization"
            ]
        );
        assert_eq!(
            turned(Shape::image(3, 4, 5)),
            [
                "Conv",
                "Transpose [0, 2, 3, 1]",
                "LayerNormalization",
                "Transpose [0, 3, 1, 2]"
            ]
        );
    }
}
