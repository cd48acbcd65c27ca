//! Steps with given gradients, and the check that every optimizer goes through: three of them against the formula.

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::OptimizerSpec;
use crate::backend::TrainingBackend;
use crate::backend::testing::{on_test_device, tolerance_factor};

#[derive(Module, Debug)]
struct Few<B: Backend> {
    weight: Param<Tensor<B, 1>>,
}

const START: [f64; 2] = [1.0, -0.5];
/// Per step, per element.
const GRADIENTS: [[f64; 2]; 3] = [[0.3, -2.0], [-0.1, 0.7], [0.8, 0.01]];

/// The weights after each of the steps that these gradients ask for.
///
/// The state is saved and loaded after every step.
pub fn steps<const N: usize>(
    spec: &OptimizerSpec,
    start: [f32; N],
    gradients: impl IntoIterator<Item = [f32; N]>,
) -> Vec<[f32; N]> {
    let start = start.to_vec();
    let gradients: Vec<Vec<f32>> = gradients.into_iter().map(|g| g.to_vec()).collect();
    let received = on_test_device!(steps_on(spec: &'a OptimizerSpec, start: Vec<f32>, gradients: Vec<Vec<f32>>) -> Vec<Vec<f32>>);
    let fixed = |weights: Vec<f32>| weights.try_into().expect("their number stays the same");
    received.into_iter().map(fixed).collect()
}

fn steps_on<B: TrainingBackend>(
    device: &B::Device,
    spec: &OptimizerSpec,
    start: Vec<f32>,
    gradients: Vec<Vec<f32>>,
) -> Vec<Vec<f32>> {
    let tensor_data = |values: Vec<f32>| {
        let count = values.len();
        TensorData::new(values, [count])
    };
    let mut module = Few::<B> {
        weight: Param::from_data(tensor_data(start), device),
    };
    let mut optimizer = spec.build::<B, Few<B>>();
    let mut take = |gradient: Vec<f32>| {
        let mut gradients = GradientsParams::new();
        let gradient = Tensor::<B::InnerBackend, 1>::from_data(tensor_data(gradient), device);
        gradients.register::<B::InnerBackend, 1>(module.weight.id, gradient);
        module = optimizer.step(spec.learning_rate(), module.clone(), gradients);

        let mut bytes = Vec::new();
        optimizer.save(&mut bytes).unwrap();
        optimizer = spec.build();
        optimizer.load(&mut bytes.as_slice(), device).unwrap();
        module.weight.val().into_data().into_vec().unwrap()
    };
    gradients.into_iter().map(&mut take).collect()
}

/// Takes three steps with given gradients and compares each of the two weights with `by_hand`.
///
/// `by_hand` gets the first value and the three gradients.
pub fn check_three_steps(json: &str, by_hand: impl Fn(f64, &[f64; 3]) -> f64) {
    let spec: OptimizerSpec = serde_json::from_str(&json.replace('\'', "\"")).unwrap();
    let start = START.map(|value| value as f32);
    let gradients = GRADIENTS.map(|step| step.map(|value| value as f32));
    let received = steps(&spec, start, gradients)[2];
    for element in 0..2 {
        let gradients = GRADIENTS.map(|step| step[element]);
        let expected = by_hand(f64::from(start[element]), &gradients);
        let off = (f64::from(received[element]) - expected).abs();
        assert!(
            off < 1e-6 * f64::from(tolerance_factor()),
            "{json}: {} against {expected}",
            received[element]
        );
    }
}
