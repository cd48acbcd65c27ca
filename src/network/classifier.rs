//! The plan of a classifier: what its last layer gives, and what it may not be given.

use super::plan::{Flow, Node, Plan};
use super::planner::plan_layers;
use crate::error::Flaw;
use crate::layers::{ActivationFunction, LayerContext, LayerSpec, List, Role};
use crate::objective::LossKind;
use crate::shape::Shape;

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
        flaws.extend(activation_flaw(&plan, loss));
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
        other => other.called(),
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

/// What is done to the scores that `cross_entropy` makes probabilities of itself.
fn activation_flaw(plan: &Plan, loss: LossKind) -> Option<Flaw> {
    let function = plan.last_activation()?;
    let why = match function {
        ActivationFunction::Softmax {} => "which `cross_entropy` applies itself",
        ActivationFunction::Sigmoid {} | ActivationFunction::Relu {} => {
            "but `cross_entropy` takes scores of any size and sign"
        }
        _ => return None,
    };
    if loss != LossKind::CrossEntropy {
        return None;
    }
    let applies = |node: &Node| match node.flow {
        Flow::Layer(layer) => plan.layers[layer].activation.is_some(),
        Flow::Block { .. } => true,
    };
    let index = plan.nodes.iter().rposition(applies)?;
    let (last, behind) = (&plan.nodes[index], &plan.nodes[index + 1..]);
    // Behind it may stand what moves values only; pooling makes other scores of what is left.
    let moves = |node: &Node| matches!(plan.role(node), Some(Role::Reshapes | Role::Permutes));
    if !behind.iter().all(moves) {
        return None;
    }
    let function = function.key();
    let message = format!("the last layer (`{}`) applies {function}, {why}", last.key);
    let key = match plan.role(last) {
        None => index.to_string(),
        Some(Role::Activates) => format!("{index}.{}.function", last.key),
        Some(_) => format!("{index}.{}.activation", last.key),
    };
    Some(Flaw::new(key, message).hint(format!("remove the {function}")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn the_last_layer_must_give_one_score_a_class() {
        expect_flaw(
            "'flatten', { dense = { units = 12 } }",
            "1.dense.units",
            "the last layer (`dense`) gives 12 features but the dataset has 10 classes",
            "units = \"classes\"",
        );
        expect_flaw(
            "'max_pool2d'",
            "0",
            "the last layer (`max_pool2d`) gives an image (1x14x14) but the dataset has 10 classes",
            "end with { dense = { units = \"classes\" } }",
        );
    }

    #[test]
    fn softmax_before_cross_entropy_is_found() {
        expect_flaw(
            "'flatten', { dense = { units = 10, activation = 'softmax' } }",
            "1.dense.activation",
            "the last layer (`dense`) applies softmax, which `cross_entropy` applies itself",
            "remove the softmax",
        );
        expect_flaw(
            "'flatten', { dense = { units = 10 } }, { activation = { function = 'relu' } }",
            "2.activation.function",
            "the last layer (`activation`) applies relu, but `cross_entropy` takes scores of any size and sign",
            "remove the relu",
        );
        expect_flaw(
            "'flatten', { dense = { units = 10, activation = 'softmax' } }, 'flatten'",
            "1.dense.activation",
            "the last layer (`dense`) applies softmax, which `cross_entropy` applies itself",
            "remove the softmax",
        );
        // As networks without dense layers end.
        let pooled =
            "{ conv2d = { filters = 10, kernel = 1, activation = 'relu' } }, 'global_avg_pool'";
        let (_, flaws) = plan_classifier(&layers(pooled), DIGIT, CONTEXT, LossKind::CrossEntropy);
        assert_eq!(flaws, []);
        let specs = layers("'flatten', { dense = { units = 10, activation = 'softmax' } }");
        let (_, flaws) = plan_classifier(&specs, DIGIT, CONTEXT, LossKind::Mse);
        assert_eq!(flaws, []);
    }

    #[test]
    fn a_classifier_is_not_conditional() {
        let answer = "`concat_label` gives a classifier the answer";
        let end = "'flatten', { dense = { units = 10 } }";
        expect_flaw(&format!("'concat_label', {end}"), "0", answer, "remove it");
        expect_flaw(
            &format!(
                "{{ repeat = {{ times = 2, layers = ['max_pool2d', 'concat_label'] }} }}, {end}"
            ),
            "0.repeat.layers.1",
            answer,
            "remove it",
        );
    }
}
