//! Shapes on their way through a block: where its lists fork, and whether what is joined again fits.

use super::position::ListPosition;
use super::{Planner, Stopped};
use crate::error::Flaw;
use crate::layers::{ActivationFunction, Join, LayerSpec, List, Wiring};
use crate::network::plan::Node;
use crate::shape::Shape;

/// Shapes on their way through a block.
pub(super) struct Through<'a> {
    pub title: String,
    pub position: &'a ListPosition,
    pub index: usize,
    pub giver: String,
    pub name: &'a str,
    pub spec: &'a LayerSpec,
    pub lists: Vec<List<'a>>,
    /// The output of each list.
    pub nodes: Vec<Vec<Node>>,
    pub planner: &'a mut Planner,
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
        let gives = scores.called();
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

#[cfg(test)]
mod tests {
    use crate::network::testing::*;

    #[test]
    fn a_sum_of_different_shapes_names_both_and_says_how_to_mend_it() {
        expect_flaw(
            "{ residual = { layers = [{ conv2d = { filters = 8, kernel = 3, stride = 2 } }] } }, 'flatten', { dense = { units = 10 } }",
            "0.residual",
            "layer 1 (`residual`) adds its layers (8x14x14) and its input (1x28x28), whose shapes differ",
            "projection = [{ conv2d = { filters = 8, kernel = 1, stride = 2 } }]",
        );
    }

    #[test]
    fn branches_that_do_not_concatenate_are_named_with_their_shapes() {
        expect_flaw(
            "{ parallel = { branches = [{ name = 'fine', layers = [] }, { layers = ['max_pool2d'] }] } }, 'flatten', { dense = { units = 10 } }",
            "0.parallel",
            "layer 1 (`parallel`) joins `fine` (1x28x28) and `branch_2` (1x14x14), whose shapes differ",
            "branches that are concatenated differ in channels only: give them the same strides, and padding = \"same\"",
        );
    }

    #[test]
    fn a_flaw_inside_a_block_says_which() {
        expect_flaw(
            "'max_pool2d', { repeat = { name = 'stage', times = 2, layers = ['flatten', { conv2d = { filters = 1, kernel = 3 } }] } }, 'flatten'",
            "1.repeat.layers.1",
            "layer 2 (`conv2d`) of `stage.1` needs an image but layer 1 (`flatten`) of `stage.1` gives features (196)",
            "",
        );
        expect_flaw(
            "'flatten', { residual = { layers = [{ conv2d = { filters = 1, kernel = 3 } }] } }, { dense = { units = 10 } }",
            "1.residual.layers.0",
            "layer 1 (`conv2d`) of `residual_1` needs an image but layer 1 (`flatten`) gives features (784)",
            "",
        );
    }

    #[test]
    fn a_side_classifier_gives_one_score_a_class() {
        expect_flaw(
            "{ auxiliary = { layers = ['flatten', { dense = { units = 7 } }] } }, 'flatten', { dense = { units = 10 } }",
            "0.auxiliary.layers",
            "layer 1 (`auxiliary`) gives 7 features but the dataset has 10 classes",
            "end its layers with { dense = { units = \"classes\" } }",
        );
    }
}
