//! From a list of layers to a plan: the shape of every layer's output before any is built, and what is
//! wrong with the list.

use std::collections::{HashMap, HashSet};

use super::plan::{Flow, Node, Partner, Plan, Planned};
use crate::error::{Flaw, did_you_mean, thousands};
use crate::layers::sequential::Sequential;
use crate::layers::{
    ActivationFunction, Block, Cost, GIVER, Join, LayerContext, LayerSpec, List, Role, Wiring,
};
use crate::objective::LossKind;
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

/// Where a list of layers stands.
struct ListPosition {
    /// The name of the block around it; empty for none.
    scope: String,
    /// The key of the list below that of the outermost one; empty for that itself.
    key: String,
    /// What gives its first layer its input.
    giver: String,
}

impl ListPosition {
    /// The key of something at the layer with this index.
    fn at(&self, index: usize, below: &str) -> String {
        let parts = [self.key.as_str(), &index.to_string(), below];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(".")
    }

    /// ``layer 4 (`dense`)``, inside a block ``layer 2 (`conv2d`) of `residual_1` ``.
    fn title(&self, specs: &[LayerSpec], index: usize) -> String {
        let layer = format!("layer {} (`{}`)", index + 1, specs[index].key());
        match self.scope.as_str() {
            "" => layer,
            scope => format!("{layer} of `{scope}`"),
        }
    }

    fn giver(&self, specs: &[LayerSpec], index: usize) -> String {
        match index {
            0 => self.giver.clone(),
            _ => self.title(specs, index - 1),
        }
    }

    /// The full names that a name may stand for here, the nearest first.
    fn outwards<'a>(&'a self, name: &'a str) -> impl Iterator<Item = String> + 'a {
        let ends = self.scope.rmatch_indices('.').map(|(end, _)| end);
        let scopes = [self.scope.len()].into_iter().chain(ends);
        let inner = scopes.map(move |end| format!("{}.{name}", &self.scope[..end]));
        inner.chain([name.to_string()])
    }

    fn full(&self, name: &str) -> String {
        match self.scope.as_str() {
            "" => name.to_string(),
            scope => format!("{scope}.{name}"),
        }
    }
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
            return Err(flaw.maybe_hint(did_you_mean(name, &known)));
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

/// Shapes on their way through a block.
struct Through<'a> {
    title: String,
    position: &'a ListPosition,
    index: usize,
    giver: String,
    name: &'a str,
    spec: &'a LayerSpec,
    lists: Vec<List<'a>>,
    /// The output of each list.
    nodes: Vec<Vec<Node>>,
    planner: &'a mut Planner,
}

impl Through<'_> {
    fn flaw(&mut self, field: &str, message: String, hint: Option<String>) -> Stopped {
        let key = format!("{}.{field}", self.spec.key());
        self.planner.flaws.push(Flaw {
            key: self.position.at(self.index, key.trim_end_matches('.')),
            message: format!("{} {message}", self.title),
            hint,
        });
        Stopped
    }

    /// What the parts that are joined are called.
    fn parts(&self) -> Vec<String> {
        let scope = |list: &List| match list.scope.as_str() {
            "" => "its layers".to_string(),
            scope => format!("`{scope}`"),
        };
        let mut parts: Vec<String> = self.lists.iter().map(scope).collect();
        if parts.len() == 1 {
            parts.push("its input".to_string());
        }
        parts
    }
}

impl Wiring<Shape> for Through<'_> {
    type Error = Stopped;

    fn through(&mut self, number: usize, input: Shape) -> Result<Shape, Stopped> {
        let spec = self.spec;
        let list = self.lists[number].clone();
        let scope = match list.scope.as_str() {
            "" => self.name.to_string(),
            scope => format!("{}.{scope}", self.name),
        };
        let key = format!("{}.{}", spec.key(), list.key);
        let position = ListPosition {
            scope,
            key: self.position.at(self.index, &key),
            giver: spec
                .block()
                .and_then(|block| block.giver(number))
                .unwrap_or(&self.giver)
                .to_string(),
        };
        let (nodes, output) = self.planner.list(list.layers, input, &position)?;
        self.nodes[number] = nodes;
        Ok(output)
    }

    fn join(&mut self, join: Join, parts: Vec<Shape>) -> Result<Shape, Stopped> {
        let names = self.parts();
        let first = parts[0];
        let fits = |shape: &Shape| match join {
            Join::Add => *shape == first,
            Join::Concat => shape.with_channels(1) == first.with_channels(1),
        };
        let Some(other) = parts.iter().position(|shape| !fits(shape)) else {
            return Ok(match join {
                Join::Add => first,
                Join::Concat => {
                    first.with_channels(parts.iter().map(|shape| shape.channels()).sum())
                }
            });
        };
        let shown = |part: usize| format!("{} ({})", names[part], parts[part]);
        let (verb, hint) = match join {
            Join::Add => ("adds", projection(parts[0], parts[other], &self.lists)),
            Join::Concat => (
                "joins",
                "branches that are concatenated differ in channels only: give them the same strides, \
                 and padding = \"same\"".to_string(),
            ),
        };
        let message = format!(
            "{verb} {} and {}, whose shapes differ",
            shown(0),
            shown(other)
        );
        Err(self.flaw("", message, Some(hint)))
    }

    fn activate(&mut self, _: ActivationFunction, shape: Shape) -> Result<Shape, Stopped> {
        Ok(shape)
    }

    fn aside(&mut self, _: f64, scores: Shape) -> Result<(), Stopped> {
        let classes = self.planner.classes;
        if scores == Shape::Features(classes) {
            return Ok(());
        }
        let gives = match scores {
            Shape::Features(features) => format!("{features} features"),
            other => format!("{} ({other})", other.kind()),
        };
        let message = format!("gives {gives} but the dataset has {classes} classes");
        let hint = "end its layers with { dense = { units = \"classes\" } }".to_string();
        Err(self.flaw("layers", message, Some(hint)))
    }
}

/// How to give two sides of a sum one shape.
fn projection(body: Shape, skip: Shape, lists: &[List]) -> String {
    let strides: Vec<String> = skip
        .places()
        .iter()
        .zip(body.places())
        .map(|(input, output)| input.div_ceil(output.max(1)).to_string())
        .collect();
    match (lists, body, skip, strides.as_slice()) {
        // What is added to the only list is the block's input.
        ([_], Shape::Image(image), Shape::Image(_), [down, across]) => {
            let stride = match down == across {
                true => down.clone(),
                false => format!("[{down}, {across}]"),
            };
            let filters = image.channels;
            format!(
                "projection = [{{ conv2d = {{ filters = {filters}, kernel = 1, stride = {stride} }} }}]"
            )
        }
        _ => "both sides of a sum need one shape".to_string(),
    }
}

/// Plans the layers of a classifier, whose last one must give one score a class.
pub fn plan_classifier(
    specs: &[LayerSpec],
    input: Shape,
    context: LayerContext,
    loss: LossKind,
) -> (Plan, Vec<Flaw>) {
    let (plan, mut flaws) = plan_layers(specs, input, context);
    flaws.extend(label(specs, "").map(|(key, name)| {
        Flaw::new(key, format!("`{name}` gives a classifier the answer")).hint("remove it")
    }));
    if let Some(last) = plan.nodes.last() {
        let index = plan.nodes.len() - 1;
        flaws.extend(output_flaw(&plan, last, index, context));
        flaws.extend(softmax_flaw(&plan, last, index, loss));
    }
    (plan, flaws)
}

/// The first layer that is given the true class, inside blocks too: where it stands, and what it is.
fn label(specs: &[LayerSpec], key: &str) -> Option<(String, &'static str)> {
    specs.iter().enumerate().find_map(|(index, spec)| {
        let key = format!("{key}{index}");
        let inside =
            |list: List| label(list.layers, &format!("{key}.{}.{}.", spec.key(), list.key));
        match spec.role() {
            Some(Role::Label) => Some((key, spec.key())),
            _ => spec.lists().into_iter().find_map(inside),
        }
    })
}

fn output_flaw(plan: &Plan, last: &Node, index: usize, context: LayerContext) -> Option<Flaw> {
    let classes = context.classes;
    let gives = match last.output {
        Shape::Features(features) if features == classes => return None,
        Shape::Features(features) => format!("{features} features"),
        other => format!("{} ({other})", other.kind()),
    };
    let message = format!(
        "the last layer (`{}`) gives {gives} but the dataset has {classes} classes",
        last.key
    );
    let key = last.key;
    Some(match plan.role(last) {
        Some(Role::Affine) => {
            Flaw::new(format!("{index}.{key}.units"), message).hint("units = \"classes\"")
        }
        _ => Flaw::new(index.to_string(), message)
            .hint("end with { dense = { units = \"classes\" } }"),
    })
}

fn softmax_flaw(plan: &Plan, last: &Node, index: usize, loss: LossKind) -> Option<Flaw> {
    let softmax = Some(ActivationFunction::Softmax {});
    if plan.last_activation() != softmax || loss != LossKind::CrossEntropy {
        return None;
    }
    let message = format!(
        "the last layer (`{}`) applies softmax, which `cross_entropy` applies itself",
        last.key
    );
    let key = match plan.role(last) {
        None => index.to_string(),
        Some(Role::Activates) => format!("{index}.{}.function", last.key),
        Some(_) => format!("{index}.{}.activation", last.key),
    };
    Some(Flaw::new(key, message).hint("remove the softmax"))
}

/// Each layer's name within its list, and the flaws of given ones.
fn names(specs: &[LayerSpec], position: &ListPosition) -> (Vec<String>, Vec<Flaw>) {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut names: Vec<String> = Vec::with_capacity(specs.len());
    let mut first: HashMap<String, usize> = HashMap::new();
    let mut flaws = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        let (given, called) = spec.name();
        let count = counts.entry(called).or_default();
        *count += 1;
        let name = match given {
            Some(name) => name.to_string(),
            None => format!("{called}_{count}"),
        };
        let flaw = |text: String| {
            let key = position.at(index, &format!("{}.name", spec.key()));
            Flaw::new(key, format!("{} {text}", position.title(specs, index)))
        };
        if let Some(&other) = first.get(&name) {
            let earlier = position.title(specs, other);
            flaws.push(
                flaw(format!("is named `{name}` like {earlier}"))
                    .hint("give each layer a name of its own"),
            );
        } else if !is_plain(&name) {
            flaws.push(
                flaw(format!("is named `{name}`"))
                    .hint("a name is made of letters, digits, `_` and `-`"),
            );
        }
        flaws.extend(scope_flaw(spec).map(|(name, text)| {
            let key = position.at(index, &format!("{}.{name}", spec.key()));
            Flaw::new(key, format!("{} {text}", position.title(specs, index)))
        }));
        first.entry(name.clone()).or_insert(index);
        names.push(name);
    }
    (names, flaws)
}

/// The first of a block's lists whose name is wrong, by the key of its name, and what is wrong with it.
fn scope_flaw(spec: &LayerSpec) -> Option<(String, String)> {
    let mut scopes = HashSet::new();
    let flaw = |list: List| {
        let scope = list.scope.as_str();
        let message = if !scopes.insert(scope.to_string()) {
            format!("has two branches named `{scope}`")
        } else if !scope.is_empty() && !is_plain(scope) {
            format!("has a branch named `{scope}`: a name is made of letters, digits, `_` and `-`")
        } else {
            return None;
        };
        let position = list.key.strip_suffix("layers").unwrap_or_default();
        Some((format!("{position}name"), message))
    };
    spec.lists().into_iter().find_map(flaw)
}

/// Whether a name can stand in scopes and file keys.
fn is_plain(name: &str) -> bool {
    let plain = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
    !name.is_empty() && name.chars().all(plain)
}

/// A layer's own flaw as the network reports it.
fn placed(flaw: Flaw, specs: &[LayerSpec], index: usize, position: &ListPosition) -> Flaw {
    let message = flaw.message.replace(GIVER, &position.giver(specs, index));
    let key = match flaw.key.as_str() {
        "" => String::new(),
        field => format!("{}.{field}", specs[index].key()),
    };
    Flaw {
        key: position.at(index, &key),
        message: format!("{} {message}", position.title(specs, index)),
        hint: flaw.hint,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn only_flaw(list: &str) -> (String, String, String) {
        let specs = layers(list);
        let (_, mut flaws) = plan_classifier(&specs, DIGIT, CONTEXT, LossKind::CrossEntropy);
        assert_eq!(flaws.len(), 1, "{flaws:?}");
        let flaw = flaws.remove(0);
        (flaw.key, flaw.message, flaw.hint.unwrap_or_default())
    }

    fn expect(list: &str, key: &str, message: &str, hint: &str) {
        let (k, m, h) = only_flaw(list);
        assert_eq!((k.as_str(), m.as_str(), h.as_str()), (key, message, hint));
    }

    #[test]
    fn layers_are_named_by_key_and_number_unless_the_file_names_them() {
        let names: Vec<String> = planned(EXAMPLE)
            .layers
            .into_iter()
            .map(|layer| layer.name)
            .collect();
        assert_eq!(
            names,
            [
                "conv2d_1",
                "conv2d_2",
                "deep",
                "max_pool2d_1",
                "flatten_1",
                "dense_1",
                "dense_2"
            ]
        );
    }

    #[test]
    fn an_image_where_features_are_needed_names_both_layers() {
        expect(
            "{ conv2d = { filters = 128, kernel = 3, stride = 4 } }, 'max_pool2d', { dense = { units = 10 } }",
            "2",
            "layer 3 (`dense`) needs features but layer 2 (`max_pool2d`) gives an image (128x3x3)",
            "add `flatten` between them",
        );
        expect(
            "{ dense = { units = 10 } }",
            "0",
            "layer 1 (`dense`) needs features but the dataset gives an image (1x28x28)",
            "add `flatten` between them",
        );
        expect(
            "'flatten', { conv2d = { filters = 1, kernel = 3 } }",
            "1",
            "layer 2 (`conv2d`) needs an image but layer 1 (`flatten`) gives features (784)",
            "",
        );
    }

    #[test]
    fn a_window_that_does_not_fit_is_found_at_its_field() {
        expect(
            "{ conv2d = { filters = 1, kernel = 29, padding = 'valid' } }",
            "0.conv2d.kernel",
            "layer 1 (`conv2d`) has a 29x29 kernel, larger than its input (1x28x28)",
            "use a smaller `kernel`, or `padding = \"same\"`",
        );
    }

    #[test]
    fn the_last_layer_must_give_one_score_a_class() {
        expect(
            "'flatten', { dense = { units = 12 } }",
            "1.dense.units",
            "the last layer (`dense`) gives 12 features but the dataset has 10 classes",
            "units = \"classes\"",
        );
        expect(
            "'max_pool2d'",
            "0",
            "the last layer (`max_pool2d`) gives an image (1x14x14) but the dataset has 10 classes",
            "end with { dense = { units = \"classes\" } }",
        );
    }

    #[test]
    fn softmax_before_cross_entropy_is_found() {
        expect(
            "'flatten', { dense = { units = 10, activation = 'softmax' } }",
            "1.dense.activation",
            "the last layer (`dense`) applies softmax, which `cross_entropy` applies itself",
            "remove the softmax",
        );
        let specs = layers("'flatten', { dense = { units = 10, activation = 'softmax' } }");
        let (_, flaws) = plan_classifier(&specs, DIGIT, CONTEXT, LossKind::Mse);
        assert_eq!(flaws, []);
    }

    #[test]
    fn a_classifier_is_not_conditional() {
        let answer = "`concat_label` gives a classifier the answer";
        let end = "'flatten', { dense = { units = 10 } }";
        expect(&format!("'concat_label', {end}"), "0", answer, "remove it");
        expect(
            &format!(
                "{{ repeat = {{ times = 2, layers = ['max_pool2d', 'concat_label'] }} }}, {end}"
            ),
            "0.repeat.layers.1",
            answer,
            "remove it",
        );
    }

    #[test]
    fn an_activity_penalty_suits_its_layer() {
        expect(
            "'flatten', { dense = { units = 10, activation = 'tanh', activity = { kl = { target = 0.1, weight = 1 } } } }",
            "1.dense.activity.kl",
            "layer 2 (`dense`) has `kl`, which needs outputs from 0 to 1, but its activation is `tanh`",
            "give it the activation `sigmoid`",
        );
    }

    #[test]
    fn names_differ_and_are_plain() {
        expect(
            "{ flatten = { name = 'dense_2' } }, { dense = { units = 5 } }, { dense = { units = 10 } }",
            "2.dense.name",
            "layer 3 (`dense`) is named `dense_2` like layer 1 (`flatten`)",
            "give each layer a name of its own",
        );
        expect(
            "'flatten', { dense = { name = 'a/b', units = 10 } }",
            "1.dense.name",
            "layer 2 (`dense`) is named `a/b`",
            "a name is made of letters, digits, `_` and `-`",
        );
    }

    #[test]
    fn an_empty_list_is_found() {
        assert_eq!(only_flaw("").1, "the list of layers is empty");
    }

    #[test]
    fn a_sum_of_different_shapes_names_both_and_says_how_to_mend_it() {
        expect(
            "{ residual = { layers = [{ conv2d = { filters = 8, kernel = 3, stride = 2 } }] } }, 'flatten', { dense = { units = 10 } }",
            "0.residual",
            "layer 1 (`residual`) adds its layers (8x14x14) and its input (1x28x28), whose shapes differ",
            "projection = [{ conv2d = { filters = 8, kernel = 1, stride = 2 } }]",
        );
    }

    #[test]
    fn branches_that_do_not_concatenate_are_named_with_their_shapes() {
        expect(
            "{ parallel = { branches = [{ name = 'fine', layers = [] }, { layers = ['max_pool2d'] }] } }, 'flatten', { dense = { units = 10 } }",
            "0.parallel",
            "layer 1 (`parallel`) joins `fine` (1x28x28) and `branch_2` (1x14x14), whose shapes differ",
            "branches that are concatenated differ in channels only: give them the same strides, and padding = \"same\"",
        );
    }

    #[test]
    fn a_flaw_inside_a_block_says_which() {
        expect(
            "'max_pool2d', { repeat = { name = 'stage', times = 2, layers = ['flatten', { conv2d = { filters = 1, kernel = 3 } }] } }, 'flatten'",
            "1.repeat.layers.1",
            "layer 2 (`conv2d`) of `stage.1` needs an image but layer 1 (`flatten`) of `stage.1` gives features (196)",
            "",
        );
        expect(
            "'flatten', { residual = { layers = [{ conv2d = { filters = 1, kernel = 3 } }] } }, { dense = { units = 10 } }",
            "1.residual.layers.0",
            "layer 1 (`conv2d`) of `residual_1` needs an image but layer 1 (`flatten`) gives features (784)",
            "",
        );
    }

    #[test]
    fn groups_must_divide_channels() {
        expect(
            "{ conv2d = { filters = 6, kernel = 3 } }, { conv2d = { filters = 8, kernel = 3, groups = 4 } }, 'flatten', { dense = { units = 10 } }",
            "1.conv2d.groups",
            "layer 2 (`conv2d`) has 4 groups, which do not divide its 6 input channels",
            "choose a divisor of both",
        );
    }

    #[test]
    fn a_side_classifier_gives_one_score_a_class() {
        expect(
            "{ auxiliary = { layers = ['flatten', { dense = { units = 7 } }] } }, 'flatten', { dense = { units = 10 } }",
            "0.auxiliary.layers",
            "layer 1 (`auxiliary`) gives 7 features but the dataset has 10 classes",
            "end its layers with { dense = { units = \"classes\" } }",
        );
    }

    #[test]
    fn a_tied_layer_needs_its_partner_and_the_partners_shape() {
        expect(
            "'flatten', { dense = { name = 'code', units = 3 } }, { dense = { units = 10, tied_to = 'cod' } }",
            "2.dense.tied_to",
            "layer 3 (`dense`) is tied to `cod`, which is no layer before it",
            "did you mean `code`?",
        );
        expect(
            "'flatten', { dense = { name = 'code', units = 3 } }, { dense = { units = 10, tied_to = 'code' } }",
            "2.dense.tied_to",
            "layer 3 (`dense`) makes 10 of 3 features with the weights of `code`, which make 3 of 784",
            "tied to `code` it takes 3 and has units = 784",
        );
        expect(
            "{ conv2d = { name = 'c', filters = 3, kernel = 3 } }, 'flatten', { dense = { units = 10, tied_to = 'c' } }",
            "2.dense.tied_to",
            "layer 3 (`dense`) is tied to `c`, whose weights are of another kind",
            "tie it to a `dense` layer",
        );
        expect(
            "{ max_pool2d = { name = 'p' } }, 'flatten', { dense = { units = 10, tied_to = 'p' } }",
            "2.dense.tied_to",
            "layer 3 (`dense`) is tied to `p` (`max_pool2d`), which has no weight to share",
            "",
        );
    }
}
