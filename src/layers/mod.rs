//! The vocabulary of layers: one file a layer, one line a layer in the registry below.
//!
//! A layer file holds its fields as a TOML file writes them, its shape rule, its cost, its weights
//! and its forward pass. A layer knows nothing of datasets, training or files.

// A network has few layers; the derived records of `Layer` fall under it too.
#![allow(clippy::large_enum_variant)]

mod activation_function;
mod activity;
mod axes;
pub mod bounds;
mod by_chance;
mod constants;
mod context;
mod convolution;
mod fields;
mod init;
mod largest;
mod penalty;
mod pooling;
mod recurrence;
mod signal;
mod standardize;
#[cfg(test)]
mod testing;
mod weightless;
mod wiring;

pub use activation_function::ActivationFunction;
pub use activity::Activity;
pub use context::{ForwardContext, GaussianCode, LayerOutput, SharedWeight};
pub use fields::Shared;
pub use init::{Initializer, Weights};
pub use signal::Signal;
pub use weightless::{Weightless, WithoutWeights};
pub use wiring::{Block, Join, List, Wiring};

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use schemars::Schema;

use crate::backend::Kernels;
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::Shape;
use crate::tagged::{one_key_enum, write_table};

/// What a layer may know of its surroundings besides its input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LayerContext<'a> {
    /// Number of classes of the dataset: what `units = "classes"` stands for.
    pub classes: usize,
    /// The shape of the weight that the layer is tied to, if it is.
    pub partner: Option<&'a [usize]>,
}

impl LayerContext<'_> {
    /// Surroundings of layers that are tied to none.
    pub fn new(classes: usize) -> Self {
        LayerContext {
            classes,
            partner: None,
        }
    }
}

/// What a layer costs for one sample, forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Trained numbers.
    pub parameters: usize,
    /// Multiplications followed by an addition, in convolutions and matrix products only.
    pub multiply_adds: usize,
}

impl Cost {
    /// Of `weights` weights that are multiplied at each of `places`, and `bias` numbers in a bias.
    fn of_filters(weights: usize, bias: usize, places: Shape) -> Self {
        Cost {
            parameters: weights.saturating_add(bias),
            multiply_adds: places
                .places()
                .iter()
                .copied()
                .fold(weights, usize::saturating_mul),
        }
    }
}

/// The product of sizes that a file states, or the largest number: what it is too much for is told afterwards.
fn product<const N: usize>(sizes: [usize; N]) -> usize {
    sizes.into_iter().fold(1, usize::saturating_mul)
}

impl std::iter::Sum for Cost {
    fn sum<I: Iterator<Item = Cost>>(costs: I) -> Cost {
        costs.fold(Cost::default(), |sum, cost| Cost {
            parameters: sum.parameters.saturating_add(cost.parameters),
            multiply_adds: sum.multiply_adds.saturating_add(cost.multiply_adds),
        })
    }
}

/// What a layer is for, where the network must know more than shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// New values of its input.
    Computes,
    /// Slides filters over images; its weight, two axes and `[rows, columns]`, can be looked at.
    Filters,
    /// A matrix product and a bias: the weight that it shares, or else the transposed one that it is tied to, is its Jacobian
    /// without the activation.
    Affine,
    /// The same values in the same order, in another shape.
    Reshapes,
    /// The same values in another order.
    Permutes,
    /// Nothing but its activation function, which its field `function` says.
    Activates,
    /// Corrupts its input in training.
    Noise,
    /// Draws a code from a normal distribution of each sample's own.
    GaussianCode,
    /// Joins the true class to each sample.
    Label,
}

/// How PyTorch has the tensors of a layer, where that differs from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InPytorch {
    /// Matrices that are `[out, in]` there.
    pub transposed: &'static [&'static str],
    /// Tensors that are the sum of two there.
    pub sums: &'static [(&'static str, [&'static str; 2])],
}

/// A layer as the file writes it.
pub trait LayerFields: Shared {
    /// What it is for.
    fn role(&self) -> Role {
        Role::Computes
    }

    /// How PyTorch has its tensors.
    fn in_pytorch(&self) -> InPytorch {
        InPytorch::default()
    }

    /// The name of the layer whose weight it uses instead of one of its own, if it does.
    fn tied_to(&self) -> Option<&str> {
        None
    }

    /// The shape of the weight that another layer may be tied to, if it has one.
    fn shared_weight(&self, _input: Shape, _context: LayerContext) -> Option<Vec<usize>> {
        None
    }

    /// The output's shape, or why this input cannot be.
    fn output(&self, input: Shape, context: LayerContext) -> Result<Shape, Flaw>;

    /// Whether its values lie between the least and the largest of its input's, or are 0.
    fn keeps_range(&self) -> bool {
        false
    }

    /// Whether what it makes of a sample in training depends on the others of the batch; frozen, it stays as it is.
    fn joins_samples(&self, _is_frozen: bool) -> bool {
        false
    }

    /// Parameters and multiply-adds; the input is one that [`output`](Self::output) accepts.
    fn cost(&self, _input: Shape, _context: LayerContext) -> Cost {
        Cost::default()
    }
}

/// A layer with its weights on a device.
pub trait Forward<B: Backend> {
    /// Applies the layer to a batch, but for its activation function.
    fn forward(&self, input: Signal<B>, context: &mut ForwardContext<B>) -> Signal<B>;

    /// What it does in inference, but for its activation function, as nodes of an ONNX graph; `tied` is the weight
    /// of the layer that it is tied to, if it is.
    fn onnx(&self, input: &Value, graph: &mut Graph, tied: Option<SharedWeight<B>>) -> Name;

    /// The weight that another layer may be tied to.
    fn shared(&self) -> Option<SharedWeight<B>> {
        None
    }

    /// What the size of its weights adds to the loss, `[1]`, if anything.
    fn penalty(&self) -> Option<Tensor<B, 1>> {
        None
    }
}

/// Declares every layer once: its file and TOML key, its fields, and its weights on backend `B` if it has any; and
/// every block, which holds lists of layers.
macro_rules! layers {
    (
        layers { $($(#[doc = $doc:literal])* $file:ident: $Name:ident => $Layer:ty;)* }
        weightless { $($(#[doc = $pure_doc:literal])* $pure:ident: $Pure:ident;)* }
        blocks { $($(#[doc = $block_doc:literal])* $block:ident: $Block:ident;)* }
    ) => {
        $(pub mod $file;)*
        $(pub mod $pure;)*
        $(pub mod $block;)*

        one_key_enum! {
            /// One layer of a list: a table with the layer's key, or only its name.
            #[derive(Debug, Clone, PartialEq)]
            LayerSpec, "a layer", "Layer", write_table, extended by with_uses_of_blocks {
                $($(#[doc = $doc])* $file: $Name($file::$Name);)*
                $($(#[doc = $pure_doc])* $pure: $Pure($pure::$Pure);)*
                $($(#[doc = $block_doc])* $block: $Block($block::$Block);)*
            }
        }

        impl LayerSpec {
            /// The fields, unless it is a block.
            pub fn fields(&self) -> Option<&dyn LayerFields> {
                match self {
                    $(LayerSpec::$Name(fields) => Some(fields),)*
                    $(LayerSpec::$Pure(fields) => Some(fields),)*
                    $(LayerSpec::$Block(_) => None,)*
                }
            }

            /// The block, unless it is a layer.
            pub fn block(&self) -> Option<&dyn Block> {
                match self {
                    $(LayerSpec::$Block(block) => Some(block),)*
                    _ => None,
                }
            }

            /// Leads a value through a block; a layer that is none passes it on.
            pub fn wire<T: Clone, W: Wiring<T>>(
                &self,
                input: T,
                wiring: &mut W,
            ) -> Result<T, W::Error> {
                match self {
                    $(LayerSpec::$Block(block) => block.wire(input, wiring),)*
                    _ => Ok(input),
                }
            }

            /// The layer with fresh weights on the device; the input is one its shape rule accepts.
            ///
            /// # Panics
            /// For a block: its layers are built one by one.
            pub fn build<B: Backend>(
                &self,
                input: Shape,
                context: LayerContext,
                weights: &mut Weights<B>,
            ) -> Layer<B> {
                match self {
                    $(LayerSpec::$Name(fields) => Layer::$Name(fields.build(input, context, weights)),)*
                    $(LayerSpec::$Pure(fields) => Layer::$Pure(WithoutWeights::new(fields.clone())),)*
                    $(LayerSpec::$Block(_) => unreachable!("a block has no weights of its own"),)*
                }
            }
        }

        /// One layer with its weights.
        #[derive(Module, Debug)]
        pub enum Layer<B: Backend> {
            $(
                #[doc = concat!("`", stringify!($file), "`")]
                $Name($Layer),
            )*
            $(
                #[doc = concat!("`", stringify!($pure), "`")]
                $Pure(WithoutWeights<$pure::$Pure>),
            )*
        }

        impl<B: Kernels> Forward<B> for Layer<B> {
            fn forward(&self, input: Signal<B>, context: &mut ForwardContext<B>) -> Signal<B> {
                match self {
                    $(Layer::$Name(layer) => layer.forward(input, context),)*
                    $(Layer::$Pure(layer) => layer.forward(input, context),)*
                }
            }

            fn onnx(
                &self,
                input: &Value,
                graph: &mut Graph,
                tied: Option<SharedWeight<B>>,
            ) -> Name {
                match self {
                    $(Layer::$Name(layer) => layer.onnx(input, graph, tied),)*
                    $(Layer::$Pure(layer) => layer.onnx(input, graph, tied),)*
                }
            }

            fn shared(&self) -> Option<SharedWeight<B>> {
                match self {
                    $(Layer::$Name(layer) => Forward::<B>::shared(layer),)*
                    $(Layer::$Pure(layer) => Forward::<B>::shared(layer),)*
                }
            }

            fn penalty(&self) -> Option<Tensor<B, 1>> {
                match self {
                    $(Layer::$Name(layer) => Forward::<B>::penalty(layer),)*
                    $(Layer::$Pure(layer) => Forward::<B>::penalty(layer),)*
                }
            }
        }
    };
}

impl LayerSpec {
    /// Its name, and what it is called after without one.
    pub fn name(&self) -> (Option<&str>, &str) {
        let of_layer = self.fields().and_then(Shared::name);
        let block = self.block();
        let name = block.map_or(of_layer, Block::name);
        (name, block.and_then(Block::called).unwrap_or(self.key()))
    }

    /// The lists of layers in it: none unless it is a block.
    pub fn lists(&self) -> Vec<List<'_>> {
        self.block().map_or_else(Vec::new, Block::lists)
    }

    /// What it is for, unless it is a block.
    pub fn role(&self) -> Option<Role> {
        self.fields().map(LayerFields::role)
    }
}

layers! {
    layers {
        /// 2-d convolution.
        conv2d: Conv2d => conv2d::Conv2dLayer<B>;
        /// Fully connected layer.
        dense: Dense => dense::DenseLayer<B>;
        /// Normalization over the batch.
        batch_normalization: BatchNormalization => batch_normalization::BatchNormalizationLayer<B>;
        /// Normalization over the channels at each place.
        layer_normalization: LayerNormalization => layer_normalization::LayerNormalizationLayer<B>;
        /// Normalization over groups of channels of each sample.
        group_normalization: GroupNormalization => group_normalization::GroupNormalizationLayer<B>;
        /// Normalization over the places of each channel of each sample.
        instance_normalization: InstanceNormalization => instance_normalization::InstanceNormalizationLayer<B>;
        /// A code drawn from a normal distribution that the features say.
        gaussian_code: GaussianCode => gaussian_code::GaussianCodeLayer<B>;
        /// The true class joined to each sample.
        concat_label: ConcatLabel => concat_label::ConcatLabelLayer;
        /// A rectifier whose slope below 0 is trained.
        prelu: Prelu => prelu::PreluLayer<B>;
        /// A trained factor and offset for each channel.
        scale: Scale => scale::ScaleLayer<B>;
        /// Long short-term memory.
        lstm: Lstm => lstm::LstmLayer<B>;
        /// Gated recurrent unit.
        gru: Gru => gru::GruLayer<B>;
        /// Channels weighed by what the whole image holds.
        squeeze_excite: SqueezeExcite => squeeze_excite::SqueezeExciteLayer<B>;
        /// 1-d convolution.
        conv1d: Conv1d => conv1d::Conv1dLayer<B>;
        /// 3-d convolution.
        conv3d: Conv3d => conv3d::Conv3dLayer<B>;
        /// 2-d convolution of each channel on its own.
        depthwise_conv2d: DepthwiseConv2d => depthwise_conv2d::DepthwiseConv2dLayer<B>;
        /// Depthwise convolution, then a 1x1 one.
        separable_conv2d: SeparableConv2d => separable_conv2d::SeparableConv2dLayer<B>;
        /// 1-d transposed convolution.
        conv1d_transpose: Conv1dTranspose => conv1d_transpose::Conv1dTransposeLayer<B>;
        /// 2-d transposed convolution.
        conv2d_transpose: Conv2dTranspose => conv2d_transpose::Conv2dTransposeLayer<B>;
        /// 3-d transposed convolution.
        conv3d_transpose: Conv3dTranspose => conv3d_transpose::Conv3dTransposeLayer<B>;
    }
    weightless {
        /// Largest value of each window.
        max_pool2d: MaxPool2d;
        /// Mean of each window.
        avg_pool2d: AvgPool2d;
        /// Anything as one row of features.
        flatten: Flatten;
        /// Values dropped at random in training.
        dropout: Dropout;
        /// The same values in another shape.
        reshape: Reshape;
        /// The axes in another order.
        permute: Permute;
        /// Each channel held down by its neighbors.
        local_response_normalization: LocalResponseNormalization;
        /// Whole channels dropped at random in training.
        spatial_dropout: SpatialDropout;
        /// Normally distributed numbers added in training.
        gaussian_noise: GaussianNoise;
        /// Values set to 0 at random in training.
        mask_noise: MaskNoise;
        /// Values set to the lowest or the highest at random in training.
        salt_and_pepper_noise: SaltAndPepperNoise;
        /// Only the largest values of each sample pass.
        k_sparse: KSparse;
        /// Only winners pass in training, of each channel's places or of the batch.
        winner_take_all: WinnerTakeAll;
        /// An activation function on its own.
        activation: Activation;
        /// Largest value of each window of steps.
        max_pool1d: MaxPool1d;
        /// Largest value of each window of a volume.
        max_pool3d: MaxPool3d;
        /// Mean of each window of steps.
        avg_pool1d: AvgPool1d;
        /// Mean of each window of a volume.
        avg_pool3d: AvgPool3d;
        /// Mean of each channel.
        global_avg_pool: GlobalAvgPool;
        /// Largest value of each channel.
        global_max_pool: GlobalMaxPool;
        /// Means of windows, given the size of the output.
        adaptive_avg_pool2d: AdaptiveAvgPool2d;
        /// Largest values of windows, given the size of the output.
        adaptive_max_pool2d: AdaptiveMaxPool2d;
        /// Every axis grows by a factor.
        upsampling: Upsampling;
        /// Zeros around the input.
        zero_padding: ZeroPadding;
        /// The border of the input cut off.
        cropping: Cropping;
    }
    blocks {
        /// Layers under one name.
        sequential: Sequential;
        /// Layers whose input is added to their output.
        residual: Residual;
        /// Branches that start from one input and are joined.
        parallel: Parallel;
        /// Layers several times in a row.
        repeat: Repeat;
        /// A side classifier that counts in training only.
        auxiliary: Auxiliary;
    }
}

/// Uses of `[blocks]` stand in files only: what is read are the layers that they expand to.
fn with_uses_of_blocks(mut schema: Schema) -> Schema {
    if let Some(serde_json::Value::Array(kinds)) = schema.get_mut("oneOf") {
        kinds.push(serde_json::json!({
            "description": "An entry of `[blocks]`, with values for its parameters.",
            "type": "object",
            "required": ["block"],
            "additionalProperties": false,
            "properties": { "block": {
                "type": "object",
                "required": ["use"],
                "properties": {
                    "use": { "type": "string" },
                    "name": { "type": "string" }
                }
            } }
        }));
    }
    schema
}

/// Where a flaw's message names whatever gives the layer its input; the network, which knows
/// the layers, puts its name there.
pub(crate) const GIVER: &str = "the layer before";

/// The flaw of a window that does not fit its input.
fn too_large(kernel: &[usize], input: Shape) -> Flaw {
    let size: Vec<String> = kernel.iter().map(usize::to_string).collect();
    let size = size.join("x");
    let message = format!("has a {size} kernel, larger than its input ({input})");
    Flaw::new("kernel", message).hint("use a smaller `kernel`, or `padding = \"same\"`")
}

/// The flaw of a tied layer that says something of weights of its own, which it does not have.
fn idle(
    tied_to: Option<&str>,
    init: Initializer,
    l1: crate::value::NonNegative,
    l2: crate::value::NonNegative,
) -> Option<Flaw> {
    let name = tied_to?;
    let said = [
        ("init", init != init::glorot_uniform()),
        ("l1", l1.get() > 0.0),
        ("l2", l2.get() > 0.0),
    ];
    let (field, _) = said.into_iter().find(|(_, is_said)| *is_said)?;
    let message = format!("has `{field}` but no weights of its own: it is tied to `{name}`");
    Some(Flaw::new(field, message).hint(format!("say it at `{name}`")))
}

/// The flaw of a layer tied to one with weights of another kind.
fn not_alike(name: Option<&str>, wanted: &str) -> Flaw {
    let name = name.unwrap_or_default();
    let message = format!("is tied to `{name}`, whose weights are of another kind");
    Flaw::new("tied_to", message).hint(format!("tie it to a `{wanted}` layer"))
}

/// The shape of a layer that keeps its input's, which has to have places besides its channels.
fn with_places(input: Shape) -> Result<Shape, Flaw> {
    match input {
        Shape::Features(_) => Err(needs("a sequence, an image or a volume", input)),
        _ => Ok(input),
    }
}

/// The flaw of a layer that needs another kind of input than it gets.
fn needs(wanted: &str, input: Shape) -> Flaw {
    let message = format!(
        "needs {wanted} but {GIVER} gives {} ({input})",
        input.kind()
    );
    let flaw = Flaw::new("", message);
    match (wanted, input) {
        ("features", Shape::Sequence(_)) => flaw.hint(
            "add `flatten` between them, or take { conv1d = { filters = N, kernel = 1 } } for the same at every step",
        ),
        ("features", _) => flaw.hint("add `flatten` between them"),
        ("a sequence", Shape::Image(image)) => flaw.hint(format!(
            "for its rows as steps add {{ reshape = {{ shape = [{}, {}] }} }} between them",
            image.channels * image.height,
            image.width
        )),
        _ => flaw,
    }
}
