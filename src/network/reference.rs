//! Every layer and block, alone and in small networks, against PyTorch.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use burn::backend::{Autodiff, Flex};
use burn::module::AutodiffModule;
use burn::optim::GradientsParams;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use toml::Value;

use super::{ForwardOutput, NamedValues, Network, Part, plan_layers, plan_parts};
use crate::backend::TrainingBackend;
use crate::backend::testing::on_test_device;
use crate::hex::hex;
use crate::layers::{ActivationFunction, ForwardContext, LayerContext, LayerSpec, Signal};
use crate::objective::{Loss, Objective, Targets};
use crate::onnx::Graph;
use crate::reference::{
    Answers, assert_none, cases, check_cover, difference, one, without_case, words,
};
use crate::rng::{self, Seed};
use crate::shape::{ImageShape, Shape};

const OUTPUT_TOLERANCE: f32 = 1e-4;
const GRADIENT_TOLERANCE: f32 = 1e-3;
/// Of shares and means of at least 16,000 draws on either side.
const CHANCE_TOLERANCE: f32 = 0.05;

#[derive(Deserialize)]
struct Case {
    /// `[batch, channels, height, width]`
    input: [usize; 4],
    layers: Vec<Value>,
    #[serde(default = "ten")]
    classes: usize,
    /// Whether the training form is compared too.
    #[serde(default = "yes")]
    training: bool,
    /// The loss that is minimized; without it the outputs' sum, weighted by `gradient.output`.
    loss: Option<Loss>,
}

fn ten() -> usize {
    10
}

fn yes() -> bool {
    true
}

impl Case {
    /// Its network with the weights of the answers.
    fn build<B: TrainingBackend>(
        &self,
        name: &str,
        answers: &Answers,
        device: &B::Device,
    ) -> Network<B> {
        let (specs, input) = (self.specs(name), self.shape());
        let (plan, flaws) = plan_layers(&specs, input, LayerContext::new(self.classes));
        assert_eq!(flaws, [], "{name}");
        let network = Network::build(plan, self.classes, Seed(1), device);
        let network = network.load_weights(answers.path());
        network.unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn specs(&self, name: &str) -> Vec<LayerSpec> {
        let layer = |layer: &Value| match layer.clone().try_into::<LayerSpec>() {
            Ok(layer) => layer,
            Err(error) => panic!("{name}: {layer}: {error}"),
        };
        self.layers.iter().map(layer).collect()
    }

    fn shape(&self) -> Shape {
        let [_, channels, height, width] = self.input;
        Shape::Image(ImageShape::new(channels, height, width))
    }

    fn words(&self) -> BTreeSet<String> {
        let mut used = BTreeSet::new();
        each_layer(&self.layers, &mut |layer| used.extend(words(layer)));
        used
    }
}

/// Every layer of a list, and of the lists inside its blocks.
fn each_layer(layers: &[Value], see: &mut dyn FnMut(&Value)) {
    for layer in layers {
        see(layer);
        for (field, value) in one(layer).1 {
            let Some(list) = value.as_array() else {
                continue;
            };
            match field.as_str() {
                "layers" | "projection" => each_layer(list, see),
                "branches" => {
                    for branch in list {
                        let layers = branch["layers"].as_array();
                        each_layer(layers.expect("a branch's layers"), see);
                    }
                }
                _ => {}
            }
        }
    }
}

#[test]
fn networks_agree_with_pytorch() {
    let _alone = crate::backend::testing::sole_use_of_graphs();
    on_test_device!(networks() -> ());
}

fn networks<B: TrainingBackend>(device: &B::Device) {
    let mut differences = Vec::new();
    for (name, case) in cases::<Case>("network") {
        let answers = Answers::new("network", &name);
        let network = case.build::<B>(&name, &answers, device);
        let mut found = inference(&network, &answers, device);
        if case.training {
            found.extend(training(&network, case.loss.as_ref(), &answers, device));
        }
        differences.extend(found.into_iter().map(|found| format!("{name}, {found}")));
    }
    assert_none(differences);
}

fn inference<B: TrainingBackend>(
    network: &Network<B>,
    answers: &Answers,
    device: &B::Device,
) -> Vec<String> {
    let mut context = ForwardContext::inference();
    context.labels = labels(answers, device);
    let output = network
        .valid()
        .forward_output(answers.tensor("input", device), context)
        .outputs;
    let what = "inference.output";
    let found = difference(what, &read(output), &answers.values(what), OUTPUT_TOLERANCE);
    found.into_iter().collect()
}

/// The true classes, where the case has any.
fn labels<B: Backend>(answers: &Answers, device: &B::Device) -> Option<Tensor<B, 1, Int>> {
    let mut names = answers.names("targets");
    names.next().map(|_| answers.targets(device))
}

/// Output, loss, gradients and running statistics.
fn training<B: TrainingBackend>(
    network: &Network<B>,
    loss: Option<&Loss>,
    answers: &Answers,
    device: &B::Device,
) -> Vec<String> {
    let images = answers.tensor::<B, 4>("input", device).require_grad();
    let mut context = ForwardContext::training(rng::Chance::new(1));
    context.labels = labels(answers, device);
    let forward_output = network.forward_output(images.clone(), context);
    let output = forward_output.outputs.clone();
    let mut received = vec![("training.output".to_string(), read(output.clone()))];
    let small = match loss {
        Some(loss) => {
            let total = total_loss(forward_output, loss, answers, device);
            received.push(("loss".to_string(), read(total.clone())));
            total
        }
        None => (output * answers.tensor("gradient.output", device)).sum(),
    };
    let gradients = small.backward();
    let of_images = images.grad(&gradients).expect("a gradient");
    received.push(("gradient.input".to_string(), read(of_images)));
    let gradients = GradientsParams::from_grads(gradients, network);
    let named = network.gradient_values(&gradients).into_iter();
    received.extend(named.map(|tensor| renamed("gradient.", tensor)));
    let after = network.valid().values().into_iter();
    let running = |(name, _): &NamedValues| name.contains("running");
    received.extend(
        after
            .filter(running)
            .map(|tensor| renamed("after.", tensor)),
    );
    compare(received, answers)
}

fn total_loss<B: TrainingBackend>(
    forward_output: ForwardOutput<B>,
    loss: &Loss,
    answers: &Answers,
    device: &B::Device,
) -> Tensor<B, 1> {
    let objective = Objective::new(loss, &[], device);
    let targets = Targets::of(answers.targets(device));
    let mean = objective.mean(forward_output.outputs.clone(), &targets);
    forward_output.total_loss(mean, 1.0, |scores| objective.mean(scores, &targets))
}

fn compare(received: Vec<NamedValues>, answers: &Answers) -> Vec<String> {
    let gradients = answers.names("gradient.").filter(|name| *name != "output");
    let expected: BTreeSet<String> = gradients
        .map(|name| format!("gradient.{name}"))
        .chain(answers.names("after.").map(|name| format!("after.{name}")))
        .collect();
    let missing = expected
        .iter()
        .filter(|name| received.iter().all(|(r, _)| r != *name));
    let missing = missing.map(|name| format!("{name}: none received"));
    let compared = received.iter().filter_map(|(name, values)| {
        let tolerance = match name.starts_with("gradient.") {
            true => GRADIENT_TOLERANCE,
            false => OUTPUT_TOLERANCE,
        };
        difference(name, values, &answers.values(name), tolerance)
    });
    missing.chain(compared).collect()
}

/// A tensor of logs, `conv2d_1/weight`, by its name in the answers: `gradient.conv2d_1.weight`.
fn renamed(prefix: &str, (name, values): NamedValues) -> NamedValues {
    (format!("{prefix}{}", name.replace('/', ".")), values)
}

fn read<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().into_vec().expect("32-bit floats")
}

/// A case's network as an ONNX file.
fn onnx(name: &str, case: &Case) -> Vec<u8> {
    let answers = Answers::new("network", name);
    let network = case.build::<Autodiff<Flex>>(name, &answers, &Default::default());
    let mut graph = Graph::new("network");
    let images = graph.input("images", case.shape(), "");
    let nodes: Vec<usize> = (0..network.plan.nodes.len()).collect();
    let output = network.valid().onnx_route(&nodes, images, &mut graph);
    graph.output("output", &output, "");
    graph.file(name, "", &[])
}

/// The peers' check compares the outputs that onnxruntime computes by these files with PyTorch's, and keeps their sums;
/// `BURNLAB_ONNX=DIR` leaves them there for it.
#[test]
fn networks_are_written_as_onnxruntime_has_checked_them() {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/onnx");
    let checked = std::fs::read_to_string(peers.join("checked.txt")).unwrap_or_default();
    let checked: BTreeSet<&str> = checked.lines().collect();
    let folder = std::env::var_os("BURNLAB_ONNX").map(PathBuf::from);
    let mut written = BTreeSet::new();
    for (name, case) in cases::<Case>("network") {
        let bytes = onnx(&name, &case);
        if let Some(folder) = &folder {
            std::fs::write(folder.join(format!("{name}.onnx")), &bytes).unwrap();
        }
        written.insert(format!("{} {name}", hex(&Sha256::digest(bytes))));
    }
    let unchecked = written
        .iter()
        .filter(|line| !checked.contains(line.as_str()));
    let gone = checked.iter().filter(|line| !written.contains(**line));
    let differences = unchecked.map(String::as_str).chain(gone.copied());
    let what = |line: &str| {
        format!("{line}: only written or only checked; tests/peers/onnx/check says anew")
    };
    if folder.is_none() {
        assert_none(differences.map(what).collect());
    }
}

#[test]
fn divergences_agree_with_pytorch() {
    let _alone = crate::backend::testing::sole_use_of_graphs();
    on_test_device!(divergences() -> ());
}

fn divergences<B: TrainingBackend>(device: &B::Device) {
    let mut differences = Vec::new();
    for (name, case) in cases::<Case>("divergence") {
        let answers = Answers::new("divergence", &name);
        let network = case.build::<B>(&name, &answers, device);
        let images = answers.tensor::<B, 4>("input", device).require_grad();
        let mut context = ForwardContext::training(rng::Chance::new(1));
        network.list(
            &network.plan.nodes,
            Signal::Image(images.clone()),
            &mut context,
        );
        let code = context.gaussian.remove(0);
        let apart = code.divergence();
        let gradients = (apart.clone().mean() * code.beta).backward();
        let of_images = images.grad(&gradients).expect("a gradient");
        let mut received = vec![
            ("mean".to_string(), read(code.mean)),
            ("log_variance".to_string(), read(code.log_variance)),
            ("divergence".to_string(), read(apart)),
            ("gradient.input".to_string(), read(of_images)),
        ];
        let gradients = GradientsParams::from_grads(gradients, &network);
        let named = network.gradient_values(&gradients).into_iter();
        received.extend(named.map(|tensor| renamed("gradient.", tensor)));
        let found = compare(received, &answers).into_iter();
        differences.extend(found.map(|found| format!("{name}, {found}")));
    }
    assert_none(differences);
}

#[test]
fn norms_of_jacobians_agree_with_pytorch() {
    let _alone = crate::backend::testing::sole_use_of_graphs();
    on_test_device!(norms_of_jacobians() -> ());
}

fn norms_of_jacobians<B: TrainingBackend>(device: &B::Device) {
    let mut differences = Vec::new();
    for (name, case) in cases::<Case>("contractive") {
        let answers = Answers::new("contractive", &name);
        let layers = case.specs(&name);
        let parts = [Part::new("encoder", &layers)];
        let (plan, flaws) = plan_parts(&parts, case.shape(), "", LayerContext::new(case.classes));
        assert_eq!(
            (flaws, plan.contractive_flaw()),
            (Vec::new(), None),
            "{name}"
        );
        let network = Network::<B>::build(plan, case.classes, Seed(1), device);
        let network = network.load_weights(answers.path());
        let network = network.unwrap_or_else(|error| panic!("{name}: {error}"));
        let images = answers.tensor::<B, 4>("input", device).require_grad();
        let (_, norm) = network.contracted(
            Signal::Image(images.clone()),
            &mut ForwardContext::training(rng::Chance::new(1)),
        );
        let gradients = norm.backward();
        let mut received = vec![("norm".to_string(), read(norm))];
        // Nothing bends in a straight one: its norm is the same wherever the images are.
        let of_images = images.grad(&gradients);
        let still = || vec![0.0; answers.values("input").len()];
        received.push((
            "gradient.input".to_string(),
            of_images.map_or_else(still, read),
        ));
        let gradients = GradientsParams::from_grads(gradients, &network);
        let named = network.gradient_values(&gradients).into_iter();
        let answered: BTreeSet<String> = answers.names("gradient.").map(String::from).collect();
        let named = named.map(|tensor| renamed("", tensor));
        let bent = named.filter(|(name, _)| answered.contains(name));
        received.extend(bent.map(|tensor| renamed("gradient.", tensor)));
        let found = compare(received, &answers).into_iter();
        differences.extend(found.map(|found| format!("{name}, {found}")));
    }
    assert_none(differences);
}

#[derive(Deserialize)]
struct Chance {
    #[serde(flatten)]
    network: Case,
    /// All that the images hold.
    value: f32,
    /// The shape in which outputs and gradients are looked at,
    view: Vec<usize>,
    /// and the axis of it along which they are.
    #[serde(default = "second")]
    axis: usize,
}

fn second() -> usize {
    1
}

#[test]
fn chance_falls_as_it_does_in_pytorch() {
    let _alone = crate::backend::testing::sole_use_of_graphs();
    on_test_device!(chance() -> ());
}

fn chance<B: TrainingBackend>(device: &B::Device) {
    let mut differences = Vec::new();
    for (name, case) in cases::<Chance>("chance") {
        let answers = Answers::new("chance", &name);
        let images = Tensor::<B, 4>::full(case.network.input, case.value, device);
        let images = images.require_grad();
        let network = case.network.build::<B>(&name, &answers, device);
        let output = network
            .forward_training(images.clone(), rng::Chance::new(1))
            .outputs;
        let gradients = output.clone().sum().backward();
        let gradient = images.grad(&gradients).expect("a gradient");
        for (what, numbers) in [("output", read(output)), ("gradient", read(gradient))] {
            let prefix = format!("{what}.");
            for role in answers.names(&prefix) {
                let received = seen(role, &numbers, &case);
                let expected = answers.values(&format!("{prefix}{role}"));
                let title = format!("{name}, {prefix}{role}");
                let tolerance = match role {
                    "values" => OUTPUT_TOLERANCE,
                    _ => CHANCE_TOLERANCE,
                };
                differences.extend(difference(title, &received, &expected, tolerance));
            }
        }
    }
    assert_none(differences);
}

/// What can be said of many random numbers, by the words of the answers.
fn seen(role: &str, numbers: &[f32], case: &Chance) -> Vec<f32> {
    let (mean, deviation) = spread(numbers.iter().copied());
    match role {
        "mean" => vec![mean],
        "deviation" => vec![deviation],
        "within_a_deviation" => {
            vec![share(numbers, |number| (number - mean).abs() <= deviation)]
        }
        "deviation_along_axis" => vec![deviation_along_axis(numbers, &case.view, case.axis)],
        "values" => distinct(numbers),
        "shares" => {
            let values = distinct(numbers).into_iter();
            values
                .map(|value| share(numbers, |number| number == value))
                .collect()
        }
        other => panic!("what is {other}?"),
    }
}

fn spread(numbers: impl Iterator<Item = f32> + Clone) -> (f32, f32) {
    let count = numbers.clone().count() as f64;
    let mean = numbers.clone().map(f64::from).sum::<f64>() / count;
    let squares = numbers.map(|number| (f64::from(number) - mean).powi(2));
    (mean as f32, (squares.sum::<f64>() / count).sqrt() as f32)
}

fn share(numbers: &[f32], is_such: impl Fn(f32) -> bool) -> f32 {
    numbers.iter().filter(|number| is_such(**number)).count() as f32 / numbers.len() as f32
}

/// In rising order; five of them if there are more.
fn distinct(numbers: &[f32]) -> Vec<f32> {
    let mut values: Vec<f32> = Vec::new();
    for &number in numbers {
        if values.len() < 5 && !values.contains(&number) {
            values.push(number);
        }
    }
    values.sort_by(f32::total_cmp);
    values
}

/// The mean of the deviations of all rows along one axis of the view.
fn deviation_along_axis(numbers: &[f32], view: &[usize], axis: usize) -> f32 {
    let (length, step) = (view[axis], view[axis + 1..].iter().product::<usize>());
    let firsts = (0..numbers.len()).filter(|index| index / step % length == 0);
    let deviations =
        firsts.map(|first| spread((0..length).map(|place| numbers[first + place * step])).1);
    let deviations: Vec<f32> = deviations.collect();
    spread(deviations.into_iter()).0
}

#[test]
fn every_layer_has_a_case() {
    let _alone = crate::backend::testing::sole_use_of_graphs();
    let networks = cases::<Case>("network");
    let in_training = networks.values().filter(|case| case.training);
    let mut used: BTreeSet<String> = in_training.flat_map(Case::words).collect();
    for case in cases::<Chance>("chance").values() {
        used.extend(case.network.words());
    }
    used.extend(cases::<Case>("divergence").values().flat_map(Case::words));
    check_cover(LayerSpec::NAMES, &schemars::schema_for!(LayerSpec), &used);

    let outside = networks.values().flat_map(Case::words).collect();
    assert_eq!(
        without_case(LayerSpec::NAMES, &outside),
        [""; 0],
        "outside training"
    );
}

#[test]
fn every_activation_function_has_a_case() {
    let _alone = crate::backend::testing::sole_use_of_graphs();
    let mut used = BTreeSet::new();
    for case in cases::<Case>("network").values() {
        each_layer(&case.layers, &mut |layer| {
            let functions = one(layer)
                .1
                .filter(|(field, _)| ["activation", "function"].contains(&field.as_str()));
            used.extend(functions.map(|(_, function)| one(function).0.to_string()));
        });
    }
    assert_eq!(without_case(ActivationFunction::NAMES, &used), [""; 0]);
}
