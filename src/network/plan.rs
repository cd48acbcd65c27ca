//! A network before it has weights: its layers with names and shapes, what flows where, what is frozen.

use std::convert::Infallible;

use super::Patterns;
use crate::error::Flaw;
use crate::layers::{ActivationFunction, Activity, Block, Cost, Join, LayerSpec, Role, Wiring};
use crate::shape::Shape;

/// A network before it has weights: what flows where, and the layers that will have weights.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// All layers that are no blocks, those inside blocks included, in forward order.
    pub layers: Vec<Planned>,
    /// The list as the file has it, or the parts of the model.
    pub nodes: Vec<Node>,
    /// Whether it is made of parts, such as encoder and decoder.
    pub has_parts: bool,
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
    /// Shape of its output for one sample.
    pub output: Shape,
    /// Its parameters and multiply-adds for one sample.
    pub cost: Cost,
    /// The function that the network applies to its output, if any.
    pub activation: Option<ActivationFunction>,
    /// The layer as the file writes it.
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
    /// What it is: `conv2d`, `residual`.
    pub key: &'static str,
    /// Shape of its output for one sample.
    pub output: Shape,
    /// What it does with its input.
    pub flow: Flow,
}

/// What a node does with its input.
#[derive(Debug, Clone, PartialEq)]
pub enum Flow {
    /// The layer with this number among [`Plan::layers`].
    Layer(usize),
    /// The lists of a block, wired as the block says.
    Block {
        /// The block as the file writes it.
        spec: Box<LayerSpec>,
        /// Its lists of layers, planned.
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
    /// The activation function that is applied last of all, if one is, also inside blocks; layers that only
    /// lay values out anew do not count.
    pub fn last_activation(&self) -> Option<ActivationFunction> {
        let Ok(last) = LastActivation {
            plan: self,
            lists: &[],
        }
        .list(&self.nodes, None);
        last
    }

    /// What a node is for, unless it is a block.
    pub fn role(&self, node: &Node) -> Option<Role> {
        match node.flow {
            Flow::Layer(layer) => self.layers[layer].spec.role(),
            Flow::Block { .. } => None,
        }
    }

    /// Whether a layer draws a code from a normal distribution.
    pub fn has_gaussian_code(&self) -> bool {
        self.has_role(Role::GaussianCode, "")
    }

    /// Whether some layer whose name starts so, such as `encoder.`, is for this.
    fn has_role(&self, role: Role, scope: &str) -> bool {
        let mut layers = self.layers.iter();
        layers.any(|layer| layer.spec.role() == Some(role) && layer.name.starts_with(scope))
    }

    /// The layers and blocks of the part with this number; none where there are no parts.
    pub fn part(&self, part: usize) -> &[Node] {
        match self.nodes.get(part).map(|node| &node.flow) {
            Some(Flow::Block { lists, .. }) if self.has_parts => &lists[0],
            _ => &[],
        }
    }

    /// The plan without the layers and blocks that `skip` is for: what is left has its old inputs and gives
    /// its old output.
    ///
    /// Flaws have keys below `skip`.
    pub fn without(&self, skip: &Patterns) -> (Plan, Vec<Flaw>) {
        let mut plan = self.clone();
        if skip.is_empty() {
            return (plan, Vec::new());
        }
        let names = self.names_in_rows();
        let flaws = skip.flaws("skip", &names);
        if !flaws.is_empty() {
            return (
                plan,
                flaws.into_iter().map(|flaw| flaw.under("skip")).collect(),
            );
        }
        let mut passing = Passing {
            skip,
            layers: &self.layers,
            gap: None,
            now: None,
        };
        plan.nodes = passing.list(&self.nodes);
        let whole = self.nodes.last().map(|node| node.output);
        let end = plan.nodes.last().map(|node| node.output);
        let is_there = |name: &str| plan.nodes.iter().any(|node| node.name == name);
        let mut parts = self.nodes.iter().filter(|_| self.has_parts);
        let message = passing.gap.or_else(|| match (end, whole) {
            (None, Some(_)) => Some("`skip` leaves no layer".to_string()),
            (Some(end), Some(whole)) if end != whole => Some(format!(
                "what `skip` leaves gives {end} where {whole} is needed"
            )),
            _ => {
                let gone = parts.find(|part| !is_there(&part.name))?;
                Some(format!("`skip` leaves nothing of `{}`", gone.name))
            }
        });
        let flaw = message.map(|message| Flaw::new("skip", message));
        (plan, flaw.into_iter().collect())
    }

    /// The names of the layers and blocks that stand in a row, where one may be left out.
    fn names_in_rows(&self) -> Vec<&str> {
        fn add<'a>(nodes: &'a [Node], names: &mut Vec<&'a str>) {
            for node in nodes {
                names.push(&node.name);
                if let Flow::Block { spec, lists } = &node.flow
                    && is_row(spec)
                {
                    add(&lists[0], names);
                }
            }
        }
        let mut names = Vec::new();
        add(&self.nodes, &mut names);
        names
    }

    /// The layers that batches meet: all but those that are left out.
    pub fn on_the_way(&self) -> Vec<usize> {
        fn add(nodes: &[Node], layers: &mut Vec<usize>) {
            for node in nodes {
                match &node.flow {
                    Flow::Layer(layer) => layers.push(*layer),
                    Flow::Block { lists, .. } => lists.iter().for_each(|list| add(list, layers)),
                }
            }
        }
        let mut layers = Vec::new();
        add(&self.nodes, &mut layers);
        layers
    }

    /// Whether a pass must know the true classes.
    pub fn is_conditional(&self) -> bool {
        self.has_role(Role::Label, "")
    }

    /// Whether some layer whose name starts so, such as `encoder.`, corrupts its input in training.
    pub fn has_noise(&self, scope: &str) -> bool {
        self.has_role(Role::Noise, scope)
    }

    /// The first layer by which a sample's loss in training depends on the others of its batch.
    pub fn joining_layer(&self) -> Option<&Planned> {
        let joins = |layer: &&Planned| {
            layer.spec.fields().is_some_and(|fields| {
                fields.joins_samples(layer.is_frozen)
                    || fields.activity().is_some_and(Activity::joins_samples)
            })
        };
        self.layers.iter().find(joins)
    }

    /// The first side classifier's name for error messages, if there is one anywhere.
    pub fn side_classifier(&self) -> Option<&'static str> {
        fn find(nodes: &[Node]) -> Option<&'static str> {
            nodes.iter().find_map(|node| match &node.flow {
                Flow::Layer(_) => None,
                Flow::Block { spec, .. } if is_side(spec) => Some(node.key),
                Flow::Block { lists, .. } => lists.iter().find_map(|list| find(list)),
            })
        }
        fn is_side(spec: &LayerSpec) -> bool {
            spec.block().is_some_and(Block::is_side_classifier)
        }
        find(&self.nodes)
    }

    /// The last layer of the part with this number, also inside lists in its row; `None` if it ends with another block.
    pub fn last_layer(&self, part: usize) -> Option<&Planned> {
        let mut nodes = self.part(part);
        loop {
            match &nodes.last()?.flow {
                Flow::Layer(layer) => return Some(&self.layers[*layer]),
                Flow::Block { spec, lists } if is_row(spec) => nodes = lists.last()?,
                Flow::Block { .. } => return None,
            }
        }
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

    /// Whether a layer that batches meet has weights which training changes.
    pub fn trains(&self) -> bool {
        let mut met = self
            .on_the_way()
            .into_iter()
            .map(|layer| &self.layers[layer]);
        met.any(|layer| !layer.is_frozen && layer.cost.parameters > 0)
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
        if flaws.is_empty() && !self.trains() {
            let message = format!("`{key}` leaves nothing to train");
            flaws.push(Flaw::new(key, message).hint("some layer with weights must be trained"));
        }
        flaws
    }
}

fn is_row(spec: &LayerSpec) -> bool {
    spec.block().is_some_and(Block::is_row)
}

/// The last activation function on its way through lists and blocks.
struct LastActivation<'a> {
    plan: &'a Plan,
    lists: &'a [Vec<Node>],
}

type Last = Option<ActivationFunction>;

/// Whether it is about each value alone: a softmax is none any more of some of its values.
fn bounds(function: ActivationFunction) -> bool {
    function != ActivationFunction::Softmax {}
}

impl<'a> LastActivation<'a> {
    fn list(&mut self, nodes: &'a [Node], before: Last) -> Result<Last, Infallible> {
        nodes
            .iter()
            .try_fold(before, |before, node| match &node.flow {
                Flow::Layer(index) => {
                    let layer = &self.plan.layers[*index];
                    let fields = layer.spec.fields();
                    let moves = fields
                        .is_some_and(|it| matches!(it.role(), Role::Reshapes | Role::Permutes));
                    let keeps = fields.is_some_and(|fields| fields.keeps_range());
                    let passes =
                        |function: &ActivationFunction| moves || keeps && bounds(*function);
                    Ok(layer.activation.or(before.filter(passes)))
                }
                Flow::Block { spec, lists } => {
                    let plan = self.plan;
                    spec.wire(before, &mut LastActivation { plan, lists })
                }
            })
    }
}

impl Wiring<Last> for LastActivation<'_> {
    type Error = Infallible;

    fn through(&mut self, list: usize, before: Last) -> Result<Last, Infallible> {
        self.list(&self.lists[list], before)
    }

    fn join(&mut self, join: Join, lasts: Vec<Last>) -> Result<Last, Infallible> {
        let first = lasts.first().copied().flatten();
        let are_one = join == Join::Concat && lasts.iter().all(|last| *last == first);
        Ok(first.filter(|function| are_one && bounds(*function)))
    }

    fn activate(&mut self, function: ActivationFunction, _: Last) -> Result<Last, Infallible> {
        Ok(Some(function))
    }

    fn looks_aside(&self) -> bool {
        false
    }

    fn aside(&mut self, _: f64, _: Last) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A plan on its way to being one without some of its layers.
struct Passing<'a> {
    skip: &'a Patterns,
    layers: &'a [Planned],
    /// The first place where what is left does not fit together.
    gap: Option<String>,
    /// What flows at this point, if anything was skipped just before.
    now: Option<Shape>,
}

impl Passing<'_> {
    fn list(&mut self, nodes: &[Node]) -> Vec<Node> {
        let mut kept = Vec::new();
        let mut last: Option<Shape> = None;
        for node in nodes {
            if self.skip.matches(&node.name) {
                self.now = self.now.or(last).or_else(|| self.input(node));
                continue;
            }
            let mut node = node.clone();
            match &mut node.flow {
                // Lists in a row are looked into; what other blocks join has one shape.
                Flow::Block { spec, lists } if is_row(spec) => {
                    let inner = self.list(&lists[0]);
                    node.output = match (inner.last(), self.now) {
                        (_, Some(now)) => now,
                        (Some(inner), None) => inner.output,
                        (None, None) => node.output,
                    };
                    lists[0] = inner;
                }
                _ => {
                    let input = self.input(&node);
                    if let (Some(now), Some(input)) = (self.now.take(), input)
                        && now != input
                    {
                        let name = &node.name;
                        let message = format!(
                            "what `skip` leaves gives `{name}` {now} where it takes {input}"
                        );
                        self.gap.get_or_insert(message);
                    }
                }
            }
            last = Some(node.output);
            kept.push(node);
        }
        kept
    }

    /// What a node takes in the whole network.
    fn input(&self, node: &Node) -> Option<Shape> {
        match &node.flow {
            Flow::Layer(layer) => Some(self.layers[*layer].input),
            Flow::Block { lists, .. } => self.input(lists.first()?.first()?),
        }
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
            let (plan, flaws) = plan_layers(&layers(&list), DIGIT, CONTEXT);
            assert_eq!(flaws, []);
            (plan.is_conditional(), plan.has_noise(""))
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
        let message = |freeze: &[&str], train_only: &[&str]| {
            let mut flaws = planned(EXAMPLE).freeze(&patterns(freeze), &patterns(train_only));
            assert_eq!(flaws.len(), 1, "{flaws:?}");
            let flaw = flaws.remove(0);
            format!("{}: {}", flaw.key, flaw.message)
        };
        assert_eq!(
            message(&["deep", "conv3d*"], &[]),
            "freeze.1: `conv3d*` in `freeze` is the name of no layer"
        );
        assert_eq!(
            message(&["deep"], &["deep"]),
            "train_only: `freeze` and `train_only` both say what is frozen"
        );
        assert_eq!(
            message(&["*"], &[]),
            "freeze: `freeze` leaves nothing to train"
        );
        assert_eq!(
            message(&[], &["flatten_1"]),
            "train_only: `train_only` leaves nothing to train"
        );
    }
}
