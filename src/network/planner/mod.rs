//! From a list of layers to a plan: the shape of every layer's output before any is built, and what is
//! wrong with the list.

mod block;
mod names;
mod position;

use std::collections::HashSet;

use block::Through;
use names::names;
use position::{ListPosition, placed};

use super::patterns::layer_hint;
use super::plan::{Flow, Node, Partner, Plan, Planned};
use crate::error::{Flaw, thousands};
use crate::layers::sequential::Sequential;
use crate::layers::{Block, Cost, LayerContext, LayerSpec};
use crate::shape::Shape;

/// Plans the layers that `input` flows through.
///
/// Flaws have keys such as `3` or `3.conv2d.kernel`, where layers count from 0; their texts count
/// from 1. What comes after a layer that cannot take its input is not planned.
pub fn plan_layers(specs: &[LayerSpec], input: Shape, context: LayerContext) -> (Plan, Vec<Flaw>) {
    let mut planner = Planner::new(context);
    let position = ListPosition {
        scope: String::new(),
        key: String::new(),
        giver: "the dataset".to_string(),
    };
    let nodes = planner.list(specs, input, &position);
    planner.plan.nodes = nodes.map(|(nodes, _)| nodes).unwrap_or_default();
    (planner.plan, planner.flaws)
}

/// One of the networks of a model, such as `encoder`.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    name: &'static str,
    layers: &'a [LayerSpec],
}

impl<'a> Part<'a> {
    /// The names of its layers and the keys of its flaws start with `name`.
    pub fn new(name: &'static str, layers: &'a [LayerSpec]) -> Self {
        Part { name, layers }
    }
}

/// Plans networks of which each takes what the one before gives; the first takes `input` from `giver`.
///
/// Every part is one node of the plan, a `sequential` of its name. Flaws have keys such as
/// `encoder.3.conv2d.kernel`.
pub fn plan_parts(
    parts: &[Part],
    input: Shape,
    giver: &str,
    context: LayerContext,
) -> (Plan, Vec<Flaw>) {
    let mut planner = Planner::new(context);
    planner.plan.has_parts = true;
    let (mut shape, mut giver) = (input, giver.to_string());
    for part in parts {
        let position = ListPosition {
            scope: part.name.to_string(),
            key: part.name.to_string(),
            giver,
        };
        if part.layers.is_empty() {
            let message = format!("the {} has no layers", part.name);
            planner.flaws.push(Flaw::new(part.name, message));
            break;
        }
        let Ok((nodes, output)) = planner.list(part.layers, shape, &position) else {
            break;
        };
        let spec = LayerSpec::Sequential(Sequential {
            name: Some(part.name.to_string()),
            made_of: None,
            layers: part.layers.to_vec(),
        });
        planner.plan.nodes.push(Node {
            name: part.name.to_string(),
            key: spec.key(),
            output,
            flow: Flow::Block {
                spec: Box::new(spec),
                lists: vec![nodes],
            },
        });
        shape = output;
        giver = format!("the {}", part.name);
    }
    (planner.plan, planner.flaws)
}

/// A layer cannot be planned; its flaws are noted already.
struct Stopped;

struct Planner {
    classes: usize,
    plan: Plan,
    flaws: Vec<Flaw>,
    /// Of all layers.
    names: HashSet<String>,
    /// Entries of lists planned so far.
    nodes: usize,
}

impl Planner {
    fn new(context: LayerContext) -> Self {
        Planner {
            classes: context.classes,
            plan: Plan::default(),
            flaws: Vec::new(),
            names: HashSet::new(),
            nodes: 0,
        }
    }

    fn list(
        &mut self,
        specs: &[LayerSpec],
        input: Shape,
        position: &ListPosition,
    ) -> Result<(Vec<Node>, Shape), Stopped> {
        if specs.is_empty() && position.key.is_empty() {
            let flaw = Flaw::new("", "the list of layers is empty");
            self.flaws.push(flaw.hint(
                "the shortest network: layers = [\"flatten\", { dense = { units = \"classes\" } }]",
            ));
            return Err(Stopped);
        }
        let (names, flaws) = names(specs, position);
        self.flaws.extend(flaws);
        let mut nodes = Vec::with_capacity(specs.len());
        let mut shape = input;
        for (index, name) in names.into_iter().enumerate() {
            let node = self.node(specs, index, position.full(&name), shape, position)?;
            shape = node.output;
            nodes.push(node);
        }
        Ok((nodes, shape))
    }

    fn node(
        &mut self,
        specs: &[LayerSpec],
        index: usize,
        name: String,
        input: Shape,
        position: &ListPosition,
    ) -> Result<Node, Stopped> {
        let spec = &specs[index];
        self.nodes += 1;
        if let Some(flaw) = endless(spec, self.nodes) {
            self.flaws.push(placed(flaw, specs, index, position));
            return Err(Stopped);
        }
        let (output, flow) = match spec.fields() {
            Some(_) => self.layer(specs, index, &name, input, position)?,
            None => {
                let lists = spec.lists();
                let mut through = Through {
                    title: position.title(specs, index),
                    position,
                    index,
                    giver: position.giver(specs, index),
                    name: &name,
                    spec,
                    nodes: vec![Vec::new(); lists.len()],
                    lists,
                    planner: self,
                };
                let output = spec.wire(input, &mut through)?;
                let lists = through.nodes;
                let spec = Box::new(spec.clone());
                (output, Flow::Block { spec, lists })
            }
        };
        let key = spec.key();
        Ok(Node {
            name,
            key,
            output,
            flow,
        })
    }

    fn layer(
        &mut self,
        specs: &[LayerSpec],
        index: usize,
        name: &str,
        input: Shape,
        position: &ListPosition,
    ) -> Result<(Shape, Flow), Stopped> {
        let spec = &specs[index];
        let fields = spec.fields().expect("the layer is no block");
        let planned = self
            .partner(fields.tied_to(), position)
            .and_then(|partner| {
                let context = LayerContext {
                    classes: self.classes,
                    partner: partner.as_ref().map(|partner| &partner.weight[..]),
                };
                let output = fields.output(input, context)?;
                let activity = fields.activity();
                if let Some(flaw) = activity.and_then(|activity| activity.flaw(fields.activation()))
                {
                    return Err(flaw);
                }
                let cost = fields.cost(input, context);
                if let Some(flaw) = too_much(output, cost) {
                    return Err(flaw);
                }
                let key = position.at(index, &format!("{}.name", spec.key()));
                let is_reported = self.flaws.iter().any(|flaw| flaw.key == key);
                if self.names.contains(name) && !is_reported {
                    let message = format!("gets the name `{name}`, as another layer does");
                    return Err(Flaw::new("name", message).hint("give it a `name` of its own"));
                }
                Ok(Planned {
                    name: name.to_string(),
                    key: spec.key(),
                    input,
                    output,
                    cost,
                    activation: fields.activation(),
                    spec: spec.clone(),
                    partner,
                    is_frozen: false,
                })
            });
        match planned {
            Ok(planned) => {
                let output = planned.output;
                self.names.insert(name.to_string());
                self.plan.layers.push(planned);
                Ok((output, Flow::Layer(self.plan.layers.len() - 1)))
            }
            Err(flaw) => {
                self.flaws.push(placed(flaw, specs, index, position));
                Err(Stopped)
            }
        }
    }

    /// What a layer is tied to: a layer before it, looked for in its own block first, then further out, then
    /// in the other parts of the model.
    fn partner(
        &self,
        tied_to: Option<&str>,
        position: &ListPosition,
    ) -> Result<Option<Partner>, Flaw> {
        let Some(name) = tied_to else {
            return Ok(None);
        };
        let layers = &self.plan.layers;
        let parts = self.plan.nodes.iter();
        let elsewhere = parts.map(|part| format!("{}.{name}", part.name));
        let Some(index) = position
            .outwards(name)
            .chain(elsewhere)
            .find_map(|full| layers.iter().position(|layer| layer.name == full))
        else {
            let known: Vec<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
            let message = format!("is tied to `{name}`, which is no layer before it");
            let flaw = Flaw::new("tied_to", message);
            return Err(flaw.hint(layer_hint(name, &known)));
        };
        let partner = &layers[index];
        let fields = partner.spec.fields().expect("planned layers are no blocks");
        match fields.shared_weight(partner.input, LayerContext::new(self.classes)) {
            Some(weight) => Ok(Some(Partner {
                layer: index,
                weight,
            })),
            None => {
                let key = partner.key;
                let message =
                    format!("is tied to `{name}` (`{key}`), which has no weight to share");
                Err(Flaw::new("tied_to", message))
            }
        }
    }
}

/// Layers and blocks of a network: more than anybody trains, and few enough to be planned at once.
pub const MOST_LAYERS: usize = 20_000;

/// The flaw of a list that goes on and on, or of a block as it is written.
fn endless(spec: &LayerSpec, nodes: usize) -> Option<Flaw> {
    if nodes > MOST_LAYERS {
        let most = thousands(MOST_LAYERS);
        return Some(Flaw::new(
            "",
            format!("is one of more than {most} layers and blocks"),
        ));
    }
    spec.block().and_then(Block::flaw)
}

/// More values than any machine has room for; sizes within it can be multiplied without a care.
const MOST_VALUES: usize = 1 << 36;

fn too_much(output: Shape, cost: Cost) -> Option<Flaw> {
    let values = output
        .dims()
        .into_iter()
        .try_fold(1usize, |product, size| product.checked_mul(size));
    let most = thousands(MOST_VALUES);
    if values.is_none_or(|values| values > MOST_VALUES) {
        let message = format!(
            "gives {} ({output}) of more than {most} values",
            output.kind()
        );
        return Some(Flaw::new("", message));
    }
    let too_many = cost.parameters > MOST_VALUES;
    too_many.then(|| Flaw::new("", format!("has more than {most} parameters")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn an_image_where_features_are_needed_names_both_layers() {
        expect_flaw(
            "{ conv2d = { filters = 128, kernel = 3, stride = 4 } }, 'max_pool2d', { dense = { units = 10 } }",
            "2",
            "layer 3 (`dense`) needs features but layer 2 (`max_pool2d`) gives an image (128x3x3)",
            "add `flatten` between them",
        );
        expect_flaw(
            "{ dense = { units = 10 } }",
            "0",
            "layer 1 (`dense`) needs features but the dataset gives an image (1x28x28)",
            "add `flatten` between them",
        );
        expect_flaw(
            "'flatten', { conv2d = { filters = 1, kernel = 3 } }",
            "1",
            "layer 2 (`conv2d`) needs an image but layer 1 (`flatten`) gives features (784)",
            "",
        );
    }

    #[test]
    fn a_window_that_does_not_fit_is_found_at_its_field() {
        expect_flaw(
            "{ conv2d = { filters = 1, kernel = 29, padding = 'valid' } }",
            "0.conv2d.kernel",
            "layer 1 (`conv2d`) has a 29x29 kernel, larger than its input (1x28x28)",
            "use a smaller `kernel`, or `padding = \"same\"`",
        );
    }

    #[test]
    fn an_activity_penalty_suits_its_layer() {
        expect_flaw(
            "'flatten', { dense = { units = 10, activation = 'tanh', activity = { kl = { target = 0.1, weight = 1 } } } }",
            "1.dense.activity.kl",
            "layer 2 (`dense`) has `kl`, which needs outputs from 0 to 1, but its activation is `tanh`",
            "give it the activation `sigmoid`",
        );
    }

    #[test]
    fn an_empty_list_is_found() {
        assert_eq!(only_flaw("").1, "the list of layers is empty");
    }

    #[test]
    fn groups_must_divide_channels() {
        expect_flaw(
            "{ conv2d = { filters = 6, kernel = 3 } }, { conv2d = { filters = 8, kernel = 3, groups = 4 } }, 'flatten', { dense = { units = 10 } }",
            "1.conv2d.groups",
            "layer 2 (`conv2d`) has 4 groups, which do not divide its 6 input channels",
            "choose a divisor of both",
        );
    }

    #[test]
    fn a_tied_layer_needs_its_partner_and_the_partners_shape() {
        expect_flaw(
            "'flatten', { dense = { name = 'code', units = 3 } }, { dense = { units = 10, tied_to = 'cod' } }",
            "2.dense.tied_to",
            "layer 3 (`dense`) is tied to `cod`, which is no layer before it",
            "did you mean `code`?",
        );
        expect_flaw(
            "'flatten', { dense = { name = 'code', units = 3 } }, { dense = { units = 10, tied_to = 'code' } }",
            "2.dense.tied_to",
            "layer 3 (`dense`) makes 10 of 3 features with the weights of `code`, which make 3 of 784",
            "tied to `code` it takes 3 and has units = 784",
        );
        expect_flaw(
            "{ conv2d = { name = 'c', filters = 3, kernel = 3 } }, 'flatten', { dense = { units = 10, tied_to = 'c' } }",
            "2.dense.tied_to",
            "layer 3 (`dense`) is tied to `c`, whose weights are of another kind",
            "tie it to a `dense` layer",
        );
        expect_flaw(
            "{ max_pool2d = { name = 'p' } }, 'flatten', { dense = { units = 10, tied_to = 'p' } }",
            "2.dense.tied_to",
            "layer 3 (`dense`) is tied to `p` (`max_pool2d`), which has no weight to share",
            "",
        );
    }
}
