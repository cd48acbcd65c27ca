//! The one check that every layer goes through, and small helpers for layer tests.

use burn::module::{AutodiffModule, Module};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};

use super::{
    ActivationFunction, Forward, ForwardContext, Layer, LayerContext, LayerSpec, Signal, Weights,
};
use crate::backend::testing::{on_test_device, test_device, tolerance_factor};
use crate::backend::{Kernels, TrainingBackend};
use crate::error::Flaw;
use crate::rng::{Chance, Seed};
use crate::shape::Shape;

const CONTEXT: LayerContext = LayerContext {
    classes: 10,
    partner: None,
};
const BATCH: usize = 3;

/// What a layer should give.
pub struct Expected {
    output: Vec<usize>,
    parameters: usize,
}

/// An output shape, without the batch, and a number of parameters.
pub fn expect(output: &[usize], parameters: usize) -> Expected {
    Expected {
        output: output.to_vec(),
        parameters,
    }
}

fn shape(dims: &[usize]) -> Shape {
    Shape::of(dims).expect("a shape has one to four axes")
}

fn tensor<B: Backend, const D: usize>(
    values: Vec<f32>,
    dims: &[usize],
    device: &B::Device,
) -> Tensor<B, D> {
    let batch = values.len() / dims.iter().product::<usize>();
    let all: Vec<usize> = [batch].iter().chain(dims).copied().collect();
    Tensor::from_data(TensorData::new(values, all), device)
}

fn signal<B: Backend>(values: Vec<f32>, dims: &[usize], device: &B::Device) -> Signal<B> {
    match shape(dims) {
        Shape::Features(_) => Signal::Features(tensor(values, dims, device)),
        Shape::Sequence(_) => Signal::Sequence(tensor(values, dims, device)),
        Shape::Image(_) => Signal::Image(tensor(values, dims, device)),
        Shape::Volume(_) => Signal::Volume(tensor(values, dims, device)),
    }
}

fn values<B: Backend>(signal: Signal<B>) -> Vec<f32> {
    let data = match signal {
        Signal::Features(tensor) => tensor.into_data(),
        Signal::Sequence(tensor) => tensor.into_data(),
        Signal::Image(tensor) => tensor.into_data(),
        Signal::Volume(tensor) => tensor.into_data(),
    };
    data.into_vec().expect("32-bit floats")
}

/// The sum of all values' squares.
fn squares<B: Backend>(signal: Signal<B>) -> Tensor<B, 1> {
    match signal {
        Signal::Features(y) => y.square().sum(),
        Signal::Sequence(y) => y.square().sum(),
        Signal::Image(y) => y.square().sum(),
        Signal::Volume(y) => y.square().sum(),
    }
}

/// The same batch, asking for its gradient.
fn tracked<B: AutodiffBackend>(signal: Signal<B>) -> Signal<B> {
    match signal {
        Signal::Features(x) => Signal::Features(x.require_grad()),
        Signal::Sequence(x) => Signal::Sequence(x.require_grad()),
        Signal::Image(x) => Signal::Image(x.require_grad()),
        Signal::Volume(x) => Signal::Volume(x.require_grad()),
    }
}

/// The gradient of a [`watched`] batch.
fn quotient<B: AutodiffBackend>(signal: &Signal<B>, gradients: &B::Gradients) -> Vec<f32> {
    values(match signal {
        Signal::Features(x) => Signal::Features(x.grad(gradients).expect("a gradient")),
        Signal::Sequence(x) => Signal::Sequence(x.grad(gradients).expect("a gradient")),
        Signal::Image(x) => Signal::Image(x.grad(gradients).expect("a gradient")),
        Signal::Volume(x) => Signal::Volume(x.grad(gradients).expect("a gradient")),
    })
}

fn parse(layer: &str) -> LayerSpec {
    #[derive(serde::Deserialize)]
    struct Holder {
        layer: LayerSpec,
    }
    let text = format!("layer = {{ {layer} }}");
    toml::from_str::<Holder>(&text)
        .expect("the layer parses")
        .layer
}

/// A layer with its activation function, which a network applies.
#[derive(Module, Debug)]
struct Applied<B: Backend> {
    layer: Layer<B>,
    #[module(skip)]
    activation: Option<ActivationFunction>,
}

impl<B: Kernels> Applied<B> {
    fn forward(&self, input: Signal<B>, context: &mut ForwardContext<B>) -> Signal<B> {
        let output = self.layer.forward(input, context);
        match self.activation {
            Some(function) => output.map(function),
            None => output,
        }
    }
}

fn build<B: Kernels>(spec: &LayerSpec, input: &[usize], device: &B::Device) -> Applied<B> {
    let mut weights = Weights::new(Seed(7), device.clone());
    Applied {
        layer: spec.build(shape(input), CONTEXT, &mut weights),
        activation: spec.fields().and_then(|fields| fields.activation()),
    }
}

/// The same pass for a batch whose samples are of the classes 0, 1, 2, ... in turn.
fn labeled<B: Kernels>(
    context: ForwardContext<B>,
    values: usize,
    input: &[usize],
    device: &B::Device,
) -> ForwardContext<B> {
    let batch = values / input.iter().product::<usize>();
    let labels: Vec<i32> = (0..batch).map(|i| (i % CONTEXT.classes) as i32).collect();
    let data = TensorData::new(labels, [batch]);
    ForwardContext {
        labels: Some(Tensor::from_data(data, device)),
        ..context
    }
}

fn training<B: Kernels>(values: usize, input: &[usize], device: &B::Device) -> ForwardContext<B> {
    labeled(
        ForwardContext::training(Chance::new(1)),
        values,
        input,
        device,
    )
}

fn inference<B: Kernels>(values: usize, input: &[usize], device: &B::Device) -> ForwardContext<B> {
    labeled(ForwardContext::inference(), values, input, device)
}

/// The layer's output outside training for a batch of values.
pub fn outputs(layer: &str, input: &[usize], batch: &[f32]) -> Vec<f32> {
    fn on<B: TrainingBackend>(
        device: &B::Device,
        layer: &str,
        input: &[usize],
        batch: &[f32],
    ) -> Vec<f32> {
        let layer = build::<B>(&parse(layer), input, device).valid();
        let mut context = inference(batch.len(), input, device);
        values(layer.forward(signal(batch.to_vec(), input, device), &mut context))
    }
    on_test_device!(on(layer: &'a str, input: &'a [usize], batch: &'a [f32]) -> Vec<f32>)
}

/// The layer's output in training for a batch of values.
pub fn training_outputs(layer: &str, input: &[usize], batch: &[f32]) -> Vec<f32> {
    fn on<B: TrainingBackend>(
        device: &B::Device,
        layer: &str,
        input: &[usize],
        batch: &[f32],
    ) -> Vec<f32> {
        let layer = build::<B>(&parse(layer), input, device);
        let mut context = training(batch.len(), input, device);
        values(layer.forward(signal(batch.to_vec(), input, device), &mut context))
    }
    let _alone = crate::backend::testing::sole_use_of_graphs();
    on_test_device!(on(layer: &'a str, input: &'a [usize], batch: &'a [f32]) -> Vec<f32>)
}

/// What the shape rule finds wrong with this input.
pub fn flaw(layer: &str, input: &[usize]) -> Flaw {
    let spec = parse(layer);
    let fields = spec.fields().expect("the layer is no block");
    let output = fields.output(shape(input), CONTEXT);
    output.expect_err("the shape rule refuses it")
}

/// Equal but for rounding.
pub fn near(received: &[f32], expected: &[f32]) {
    let tolerance = 1e-5 * tolerance_factor();
    let is_near = |(r, e): (&f32, &f32)| (r - e).abs() <= tolerance * e.abs().max(1.0);
    assert!(
        received.len() == expected.len() && received.iter().zip(expected).all(is_near),
        "{received:?} against {expected:?}"
    );
}

/// Parses, round-trips, shape rule equals forward, gradients finite, parameters counted,
/// same output twice outside training.
pub fn check_layer(layer: &str, input: &[usize], expected: Expected) {
    let spec = parse(layer);
    let json = serde_json::to_value(&spec).expect("a layer serializes");
    let again: LayerSpec = serde_json::from_value(json).expect("what it serializes to parses");
    assert_eq!(spec, again, "round trip of {layer}");

    let fields = spec.fields().expect("the layer is no block");
    let said = fields
        .output(shape(input), CONTEXT)
        .expect("the shape rule accepts it");
    assert_eq!(said, shape(&expected.output), "shape rule of {layer}");
    let cost = fields.cost(shape(input), CONTEXT);
    assert_eq!(
        cost.parameters, expected.parameters,
        "parameters of {layer}"
    );

    let _alone = crate::backend::testing::sole_use_of_graphs();
    on_test_device!(check_forward(layer: &'a str, input: &'a [usize], expected: Expected) -> ());
}

fn check_forward<B: TrainingBackend>(
    device: &B::Device,
    layer: &str,
    input: &[usize],
    expected: Expected,
) {
    let module = build::<B>(&parse(layer), input, device);
    let count = BATCH * input.iter().product::<usize>();
    let batch: Vec<f32> = (0..count).map(|i| (i as f32 * 0.37).sin()).collect();

    let given = module.forward(
        signal(batch.clone(), input, device),
        &mut training(count, input, device),
    );
    let wanted: Vec<usize> = [BATCH].iter().chain(&expected.output).copied().collect();
    assert_eq!(given.dims(), wanted, "forward of {layer}");

    check_gradients(layer, &module, batch.clone(), input, device);

    let module = module.valid();
    let outputs = || {
        let mut context = inference(count, input, device);
        values(module.forward(signal(batch.clone(), input, device), &mut context))
    };
    let (once, twice) = (outputs(), outputs());
    assert_eq!(once, twice, "two passes outside training of {layer}");
    assert!(once.iter().all(|value| value.is_finite()), "{layer}");
    if test_device().is_cpu() {
        let mut context = inference(count, input, device);
        let nothing = signal(vec![f32::NAN; count], input, device);
        let outputs = values(module.forward(nothing, &mut context));
        let holds_nan = |sample: &[f32]| sample.iter().any(|value| value.is_nan());
        let size = outputs.len() / BATCH;
        assert!(
            outputs.chunks(size).all(holds_nan),
            "{layer} makes numbers of NaN"
        );
    }
}

fn check_gradients<B: TrainingBackend>(
    layer: &str,
    module: &Applied<B>,
    batch: Vec<f32>,
    input: &[usize],
    device: &B::Device,
) {
    let mut context = training(batch.len(), input, device);
    let x = tracked(signal(batch, input, device));
    let y = module.forward(x.clone(), &mut context);
    let gradients = squares(y).backward();
    let of_input = quotient(&x, &gradients);
    assert!(
        of_input.iter().all(|g| g.is_finite()),
        "gradient of {layer}"
    );

    struct Finite<'a, B: AutodiffBackend>(&'a B::Gradients, usize);
    impl<B: AutodiffBackend> burn::module::ModuleVisitor<B> for Finite<'_, B> {
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<B, D>>) {
            // Running statistics have no gradient.
            if let Some(gradient) = param.val().grad(self.0) {
                let values: Vec<f32> = gradient.into_data().into_vec().expect("32-bit floats");
                assert!(values.iter().all(|g| g.is_finite()));
                self.1 += values.len();
            }
        }
    }
    let mut finite = Finite::<B>(&gradients, 0);
    module.visit(&mut finite);
    let spec = parse(layer);
    let fields = spec.fields().expect("the layer is no block");
    let cost = fields.cost(shape(input), CONTEXT);
    assert_eq!(finite.1, cost.parameters, "trained values of {layer}");
}

/// How far each number is moved for a difference quotient, by its index: any direction would do.
fn direction(count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 1.7 + 0.3).cos()).collect()
}

/// The gradients of input and weights equal what the output's sum of squares does when they move.
pub fn check_finite_differences(layer: &str, input: &[usize]) {
    on_test_device!(check_finite_differences_on(layer: &'a str, input: &'a [usize]) -> ());
}

fn check_finite_differences_on<B: TrainingBackend>(
    device: &B::Device,
    layer: &str,
    input: &[usize],
) {
    // Less than half the distance between any two inputs, so that a largest one stays it.
    const STEP: f32 = 0.004;
    // Rounded factors drown such small differences; gradients are compared with PyTorch's there.
    if tolerance_factor() > 1.0 {
        return;
    }
    let module = build::<B>(&parse(layer), input, device);
    let count = BATCH * input.iter().product::<usize>();
    let batch: Vec<f32> = (0..count)
        .map(|i| (i * 7919 % 1009) as f32 / 100.0 - 5.0)
        .collect();
    let squares = |module: &Applied<B>, batch: Vec<f32>| -> f64 {
        let mut context = training(count, input, device);
        let outputs = values(module.forward(signal(batch, input, device), &mut context));
        outputs.iter().map(|&y| f64::from(y).powi(2)).sum()
    };
    let quotient = |ahead: f64, behind: f64| (ahead - behind) / (2.0 * f64::from(STEP));
    let near = |what: &str, received: f64, expected: f64| {
        let off = (received - expected).abs();
        assert!(
            off <= 0.01 * expected.abs().max(10.0),
            "{layer}, {what}: {received} against {expected}"
        );
    };

    let x = tracked(signal::<B>(batch.clone(), input, device));
    let y = module.forward(x.clone(), &mut training(count, input, device));
    let gradients = self::squares(y).backward();

    let along = direction(count);
    let moved = |step: f32| {
        batch
            .iter()
            .zip(&along)
            .map(|(x, d)| x + step * d)
            .collect()
    };
    let expected = quotient(
        squares(&module, moved(STEP)),
        squares(&module, moved(-STEP)),
    );
    near(
        "input",
        along_direction(&self::quotient(&x, &gradients)),
        expected,
    );

    let moved = |step: f32| squares(&module.clone().map(&mut Move(step)), batch.clone());
    let mut of_weights = Along::<B>(&gradients, 0.0);
    module.visit(&mut of_weights);
    near("weights", of_weights.1, quotient(moved(STEP), moved(-STEP)));
}

fn along_direction(gradient: &[f32]) -> f64 {
    let along = direction(gradient.len());
    let pairs = gradient.iter().zip(along);
    pairs.map(|(g, d)| f64::from(*g) * f64::from(d)).sum()
}

/// Moves every trained tensor along its direction.
struct Move(f32);

impl<B: Backend> burn::module::ModuleMapper<B> for Move {
    fn map_float<const D: usize>(
        &mut self,
        param: burn::module::Param<Tensor<B, D>>,
    ) -> burn::module::Param<Tensor<B, D>> {
        param.map(|tensor| {
            let along = direction(tensor.shape().num_elements());
            let data = TensorData::new(along, tensor.dims());
            let along = Tensor::<B, D>::from_data(data, &tensor.device());
            tensor + along * self.0
        })
    }
}

/// Adds up the gradients along the directions of all tensors.
struct Along<'a, B: AutodiffBackend>(&'a B::Gradients, f64);

impl<B: AutodiffBackend> burn::module::ModuleVisitor<B> for Along<'_, B> {
    fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<B, D>>) {
        let gradient = param.val().grad(self.0).expect("a gradient");
        let values: Vec<f32> = gradient.into_data().into_vec().expect("32-bit floats");
        self.1 += along_direction(&values);
    }
}
