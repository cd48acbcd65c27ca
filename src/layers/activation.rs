//! `activation`: an activation function as a layer of its own.

use super::fields::layer;
use super::{
    ActivationFunction, Activity, ForwardContext, LayerContext, LayerFields, Role, Shared, Signal,
    Weightless,
};
use crate::backend::Kernels;
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::Shape;

layer! {
    @fields
    /// Applies an activation function to every value. Keeps the shape.
    pub struct Activation {
        /// Which function.
        pub function: ActivationFunction,
        /// What its outputs add to the loss, of auto-encoders to those that are reported, too. Default nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub activity: Option<Activity>,
    }
}

impl Shared for Activation {
    fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn activation(&self) -> Option<ActivationFunction> {
        Some(self.function)
    }

    fn activity(&self) -> Option<&Activity> {
        self.activity.as_ref()
    }
}

impl LayerFields for Activation {
    fn role(&self) -> Role {
        Role::Activates
    }

    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        Ok(input)
    }
}

impl Weightless for Activation {
    fn forward<B: Kernels>(&self, input: Signal<B>, _pass: &mut ForwardContext<B>) -> Signal<B> {
        input
    }

    fn onnx(&self, input: &Value, _graph: &mut Graph) -> Name {
        input.name.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_finite_differences, check_layer, expect, outputs};
    use super::*;
    use burn::backend::{Autodiff, Flex};
    use burn::tensor::Tensor;

    #[test]
    fn activation_keeps_the_promises_of_every_layer() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        for function in ActivationFunction::NAMES {
            let layer = format!("activation = {{ function = '{function}' }}");
            check_layer(&layer, &[2, 3, 4], expect(&[2, 3, 4], 0));
            check_layer(&layer, &[6], expect(&[6], 0));
        }
    }

    #[test]
    fn functions_give_their_known_values() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        let at = |function: &str| {
            outputs(
                &format!("activation = {{ function = {function} }}"),
                &[2],
                &[-1.0, 2.0],
            )
        };
        let near = |received: Vec<f32>, expected: [f32; 2]| {
            for (r, e) in received.iter().zip(expected) {
                assert!((r - e).abs() < 1e-5, "{received:?} against {expected:?}");
            }
        };
        near(at("'relu'"), [0.0, 2.0]);
        near(at("'elu'"), [-0.632_120_6, 2.0]);
        near(at("{ elu = { alpha = 2 } }"), [-1.264_241_1, 2.0]);
        near(at("'selu'"), [-1.111_330_7, 2.101_402]);
        near(at("'tanh'"), [-0.761_594_2, 0.964_027_6]);
        near(at("'sigmoid'"), [0.268_941_4, 0.880_797_1]);
        near(at("'hard_sigmoid'"), [1.0 / 3.0, 5.0 / 6.0]);
        near(at("'softplus'"), [0.313_261_7, 2.126_928]);
        near(at("'softsign'"), [-0.5, 2.0 / 3.0]);
        near(at("'exponential'"), [0.367_879_4, 7.389_056]);
        near(at("'relu6'"), [0.0, 2.0]);
        near(at("'leaky_relu'"), [-0.3, 2.0]);
        near(at("'gelu'"), [-0.158_655_3, 1.954_499_7]);
        near(at("'silu'"), [-0.268_941_4, 1.761_594_2]);
        near(at("'mish'"), [-0.303_401_5, 1.943_958_9]);
        near(at("'softmax'"), [0.047_425_87, 0.952_574_1]);
    }

    #[test]
    fn gradients_of_functions_match_finite_differences() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        for function in ActivationFunction::NAMES {
            check_finite_differences(&format!("activation = {{ function = '{function}' }}"), &[7]);
        }
    }

    #[test]
    fn large_values_overflow_neither_forward_nor_backward() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        let far = |function: ActivationFunction| {
            let x = Tensor::<Autodiff<Flex>, 2>::from_floats(
                [[-200.0, 0.0, 200.0]],
                &Default::default(),
            );
            let x = x.require_grad();
            let y = Signal::Features(x.clone()).map(function).features();
            let gradient = x.grad(&y.clone().sum().backward()).expect("a gradient");
            let values = |data: burn::tensor::TensorData| data.into_vec::<f32>().expect("floats");
            (values(y.into_data()), values(gradient.into_data()))
        };
        for (name, low, high, gradient) in [
            ("elu", -1.0, 200.0, 1.0),
            ("selu", -1.758_099_3, 210.140_2, 1.050_701),
            ("softplus", 0.0, 200.0, 1.0),
            ("mish", 0.0, 200.0, 1.0),
            ("silu", 0.0, 200.0, 1.0),
            ("softsign", -0.995_024_9, 0.995_024_9, 0.000_024_752),
            ("relu6", 0.0, 6.0, 0.0),
            ("hard_sigmoid", 0.0, 1.0, 0.0),
        ] {
            let function: ActivationFunction =
                serde_json::from_str(&format!("\"{name}\"")).unwrap();
            let (values, gradients) = far(function);
            let near = |received: f32, expected: f32| (received - expected).abs() < 1e-4;
            assert!(
                near(values[0], low) && near(values[2], high),
                "{name}: {values:?}"
            );
            assert!(near(gradients[2], gradient), "{name}: {gradients:?}");
            assert!(
                gradients.iter().all(|gradient| gradient.is_finite()),
                "{name}: {gradients:?}"
            );
        }
    }
}
