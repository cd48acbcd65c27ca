//! The shape of every layer's output before any is built, and what is wrong with the list.

use std::collections::HashMap;

use crate::error::Flaw;
use crate::layers::{ActivationFunction, Around, Cost, Fields, GIVER, LayerSpec};
use crate::objective::LossSpec;
use crate::shape::Shape;

/// One layer of a network, before it has weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The name the file gives it, or its key and a number from 1 among the layers of that key.
    pub name: String,
    /// What it is: `conv2d`.
    pub key: &'static str,
    /// Of one sample.
    pub output: Shape,
    pub cost: Cost,
    pub activation: Option<ActivationFunction>,
}

/// Plans the layers that `input` flows through.
///
/// Flaws have keys such as `3` or `3.conv2d.kernel`, where layers count from 0; their texts count
/// from 1. What comes after a layer that cannot take its input is not planned.
pub fn plan_layers(specs: &[LayerSpec], input: Shape, around: Around) -> (Vec<Planned>, Vec<Flaw>) {
    if specs.is_empty() {
        let flaw = Flaw::new("", "the list of layers is empty");
        return (
            Vec::new(),
            vec![flaw.hint(
                "the shortest network: layers = [\"flatten\", { dense = { units = \"classes\" } }]",
            )],
        );
    }
    let (names, mut flaws) = names(specs);
    let mut planned: Vec<Planned> = Vec::with_capacity(specs.len());
    let mut shape = input;
    for (index, (spec, name)) in specs.iter().zip(names).enumerate() {
        let output = match spec.output(shape, around) {
            Ok(output) => output,
            Err(flaw) => {
                flaws.push(placed(flaw, specs, index));
                break;
            }
        };
        planned.push(Planned {
            name,
            key: spec.key(),
            output,
            cost: spec.cost(shape, around),
            activation: spec.activation(),
        });
        shape = output;
    }
    (planned, flaws)
}

/// Plans the layers of a classifier, whose last one must give one score a class.
pub fn plan_classifier(
    specs: &[LayerSpec],
    input: Shape,
    around: Around,
    loss: LossSpec,
) -> (Vec<Planned>, Vec<Flaw>) {
    let (planned, mut flaws) = plan_layers(specs, input, around);
    if let Some(last) = planned.last().filter(|_| planned.len() == specs.len()) {
        let index = planned.len() - 1;
        flaws.extend(output_flaw(last, index, around));
        flaws.extend(softmax_flaw(last, index, loss));
    }
    (planned, flaws)
}

fn output_flaw(last: &Planned, index: usize, around: Around) -> Option<Flaw> {
    let classes = around.classes;
    let gives = match last.output {
        Shape::Features(features) if features == classes => return None,
        Shape::Features(features) => format!("{features} features"),
        Shape::Image(image) => format!("an image ({image})"),
    };
    let message = format!(
        "the last layer (`{}`) gives {gives} but the dataset has {classes} classes",
        last.key
    );
    Some(match last.key {
        "dense" => Flaw::new(format!("{index}.dense.units"), message).hint("units = \"classes\""),
        _ => Flaw::new(index.to_string(), message)
            .hint("end with { dense = { units = \"classes\" } }"),
    })
}

fn softmax_flaw(last: &Planned, index: usize, loss: LossSpec) -> Option<Flaw> {
    let softmax = matches!(last.activation, Some(ActivationFunction::Softmax {}));
    if !softmax || loss != LossSpec::CrossEntropy {
        return None;
    }
    let field = match last.key {
        "activation" => "function",
        _ => "activation",
    };
    let message = format!(
        "the last layer (`{}`) applies softmax, which `cross_entropy` applies itself",
        last.key
    );
    let key = format!("{index}.{}.{field}", last.key);
    Some(Flaw::new(key, message).hint("remove the softmax"))
}

/// Each layer's name, and the flaws of given ones.
fn names(specs: &[LayerSpec]) -> (Vec<String>, Vec<Flaw>) {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut names: Vec<String> = Vec::with_capacity(specs.len());
    let mut flaws = Vec::new();
    for (index, spec) in specs.iter().enumerate() {
        let count = counts.entry(spec.key()).or_default();
        *count += 1;
        let name = match spec.name() {
            Some(name) => name.to_string(),
            None => format!("{}_{count}", spec.key()),
        };
        let flaw = |text: String| {
            let key = format!("{index}.{}.name", spec.key());
            Flaw::new(key, format!("{} {text}", title(specs, index)))
        };
        if let Some(other) = names.iter().position(|earlier| *earlier == name) {
            let earlier = title(specs, other);
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
        names.push(name);
    }
    (names, flaws)
}

/// Whether a name can stand in scopes and file keys.
fn is_plain(name: &str) -> bool {
    let plain = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
    !name.is_empty() && name.chars().all(plain)
}

/// ``layer 4 (`dense`)``
fn title(specs: &[LayerSpec], index: usize) -> String {
    format!("layer {} (`{}`)", index + 1, specs[index].key())
}

/// A layer's own flaw as the network tells it.
fn placed(flaw: Flaw, specs: &[LayerSpec], index: usize) -> Flaw {
    let giver = match index {
        0 => "the dataset".to_string(),
        _ => title(specs, index - 1),
    };
    let message = flaw.message.replace(GIVER, &giver);
    let key = match flaw.key.as_str() {
        "" => index.to_string(),
        field => format!("{index}.{}.{field}", specs[index].key()),
    };
    Flaw {
        key,
        message: format!("{} {message}", title(specs, index)),
        hint: flaw.hint,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn only_flaw(list: &str) -> (String, String, String) {
        let specs = layers(list);
        let (_, mut flaws) = plan_classifier(&specs, DIGIT, AROUND, LossSpec::CrossEntropy);
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
        let (_, flaws) = plan_classifier(&specs, DIGIT, AROUND, LossSpec::MeanSquaredError);
        assert_eq!(flaws, []);
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
}
