//! The check that every optimiser goes through: three steps against the formula, and a saved state.

use burn::backend::{Autodiff, Flex};
use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::OptimizerSpec;

type Training = Autodiff<Flex>;

#[derive(Module, Debug)]
struct Two<B: Backend> {
    weight: Param<Tensor<B, 1>>,
}

const START: [f64; 2] = [1.0, -0.5];
/// Per step, per element.
const GRADIENTS: [[f64; 2]; 3] = [[0.3, -2.0], [-0.1, 0.7], [0.8, 0.01]];

/// Takes three steps with given gradients and compares each of the two weights with `by_hand`.
///
/// `by_hand` gets the first value and the three gradients. The state is saved and loaded on the way.
pub fn check_three_steps(json: &str, by_hand: impl Fn(f64, &[f64; 3]) -> f64) {
    let spec: OptimizerSpec = serde_json::from_str(&json.replace('\'', "\"")).unwrap();
    let device = Default::default();
    let data = |values: [f64; 2]| TensorData::from(values.map(|value| value as f32));
    let mut module = Two::<Training> {
        weight: Param::from_data(data(START), &device),
    };
    let mut optimiser = spec.build::<Training, Two<Training>>();
    for gradient in GRADIENTS {
        let mut gradients = GradientsParams::new();
        let gradient = Tensor::<Flex, 1>::from_data(data(gradient), &device);
        gradients.register::<Flex, 1>(module.weight.id, gradient);
        module = optimiser.step(spec.learning_rate(), module, gradients);

        let bytes = optimiser.save();
        optimiser = spec.build();
        optimiser.load(bytes, &device).unwrap();
    }
    let received: Vec<f32> = module.weight.val().into_data().into_vec().unwrap();
    for element in 0..2 {
        let gradients = GRADIENTS.map(|step| step[element]);
        let expected = by_hand(f64::from(START[element] as f32), &gradients);
        let off = (f64::from(received[element]) - expected).abs();
        assert!(
            off < 1e-6,
            "{json}: {} against {expected}",
            received[element]
        );
    }
}
