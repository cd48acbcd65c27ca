//! `gaussian_code`: a code drawn from a normal distribution that the features say, as in variational auto-encoders.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bounds::{at_least, at_most};
use super::constants::constant;
use super::fields::layer;
use super::init::{Fan, glorot_uniform, zeros};
use super::signal::EachRank;
use super::{
    ActivationFunction, Cost, Forward, ForwardContext, GaussianCode as Code, InPytorch,
    Initializer, LayerContext, LayerFields, Role, SharedWeight, Signal, Weights, needs,
};
use crate::backend::{Distribution, Kernels, math};
use crate::error::Flaw;
use crate::onnx::{Graph, Name, Value};
use crate::shape::Shape;
use crate::value::{NonNegative, Positive};

layer! {
    /// Two fully connected layers side by side say the mean and the spread of a normal distribution for each
    /// sample, and the code is drawn from it: `mean + deviation * noise` (Kingma and Welling 2013);
    /// `[batch, features]` to `[batch, units]`. In training it is drawn anew for every batch, and once for each image where an
    /// auto-encoder's losses are measured; in classifiers that are measured, and where codes or images are asked for, the code is
    /// the mean. The distribution's divergence from the standard normal one, in nats, the mean over the batch times `beta`, is
    /// added to the loss.
    pub struct GaussianCode {
        /// Length of the code.
        pub units: Positive,
        /// What the second layer gives: `log_variance` (default) or `softplus`.
        #[serde(default)]
        pub form: Form,
        /// What the divergence counts in the loss: above 1 a beta-VAE (Higgins et al. 2017). Default 1.
        #[serde(default = "one")]
        pub beta: NonNegative,
        /// First values of both layers' weights. Default glorot_uniform.
        #[serde(default = "glorot_uniform")]
        pub init: Initializer,
        /// First values of both layers' biases. Default zeros.
        #[serde(default = "zeros")]
        pub bias_init: Initializer,
    }
}

fn one() -> NonNegative {
    NonNegative(1.0)
}

/// How a number says the spread of a normal distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// As the logarithm of the variance. Its divergence overflows above 88, which ends a run like any
    /// infinite loss.
    #[default]
    LogVariance,
    /// As the number whose softplus is the standard deviation, however large or small.
    Softplus,
}

impl Form {
    /// The standard deviation and the logarithm of its square, `[batch, units]` each.
    fn spread<B: Kernels>(self, h: Tensor<B, 2>) -> [Tensor<B, 2>; 2] {
        match self {
            Form::LogVariance => [math::exp(h.clone() * 0.5), h],
            Form::Softplus => [
                ActivationFunction::Softplus {}.apply(h.clone(), 1),
                log_softplus(h) * 2.0,
            ],
        }
    }
}

/// `ln(softplus(h))`, which is `h` to 32 bits below -15: further down softplus becomes 0, its logarithm would
/// not be finite.
fn log_softplus<B: Kernels>(h: Tensor<B, 2>) -> Tensor<B, 2> {
    const STRAIGHT: f64 = -15.0;
    let bent = ActivationFunction::Softplus {}.apply(at_least(h.clone(), STRAIGHT), 1);
    math::ln(bent) + at_most(h - STRAIGHT, 0.0)
}

impl GaussianCode {
    /// The two layers' weights on the device.
    pub fn build<B: Backend>(
        &self,
        input: Shape,
        _context: LayerContext,
        weights: &mut Weights<B>,
    ) -> GaussianCodeLayer<B> {
        let (fan_in, fan_out) = (input.len(), self.units.get());
        let fan = Fan { fan_in, fan_out };
        GaussianCodeLayer {
            mean_weight: weights.param(self.init, [fan_in, fan_out], fan),
            spread_weight: weights.param(self.init, [fan_in, fan_out], fan),
            mean_bias: weights.param(self.bias_init, [fan_out], fan),
            spread_bias: weights.param(self.bias_init, [fan_out], fan),
            fields: self.clone(),
        }
    }
}

impl LayerFields for GaussianCode {
    fn role(&self) -> Role {
        Role::GaussianCode
    }

    fn in_pytorch(&self) -> InPytorch {
        InPytorch {
            transposed: &["mean_weight", "spread_weight"],
            ..InPytorch::default()
        }
    }

    fn output(&self, input: Shape, _context: LayerContext) -> Result<Shape, Flaw> {
        match input {
            Shape::Features(_) => Ok(Shape::Features(self.units.get())),
            _ => Err(needs("features", input)),
        }
    }

    fn cost(&self, input: Shape, _context: LayerContext) -> Cost {
        let units = self.units.get();
        Cost {
            parameters: 2 * units * (input.len() + 1),
            multiply_adds: 2 * units * input.len(),
        }
    }
}

/// The weights of the two layers.
#[derive(Module, Debug)]
pub struct GaussianCodeLayer<B: Backend> {
    /// `[features, units]`
    pub mean_weight: Param<Tensor<B, 2>>,
    /// `[units]`
    pub mean_bias: Param<Tensor<B, 1>>,
    /// `[features, units]`
    pub spread_weight: Param<Tensor<B, 2>>,
    /// `[units]`
    pub spread_bias: Param<Tensor<B, 1>>,
    #[module(skip)]
    fields: GaussianCode,
}

impl<B: Kernels> Forward<B> for GaussianCodeLayer<B> {
    fn forward(&self, input: Signal<B>, context: &mut ForwardContext<B>) -> Signal<B> {
        let x = input.features();
        let mean_bias = Some(self.mean_bias.val());
        let mean = math::linear(x.clone(), self.mean_weight.val(), mean_bias);
        let h = math::linear(x, self.spread_weight.val(), Some(self.spread_bias.val()));
        let [deviation, log_variance] = self.fields.form.spread(h);
        let noise = match context.drawing {
            true => math::random_like(&mean, Distribution::Normal, context.chance.draw()),
            false => mean.zeros_like(),
        };
        let code = match context.drawing {
            true => mean.clone() + deviation * noise.clone(),
            false => mean.clone(),
        };
        context.gaussian.push(Code {
            mean,
            log_variance,
            noise,
            code: code.clone(),
            beta: self.fields.beta.get(),
        });
        Signal::Features(code)
    }

    fn onnx(&self, input: &Value, graph: &mut Graph, _tied: Option<SharedWeight<B>>) -> Name {
        let weight = constant(graph, "mean_weight", self.mean_weight.val());
        let bias = constant(graph, "mean_bias", self.mean_bias.val());
        graph.linear(&input.name, &weight, Some(&bias))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_layer, expect, flaw, near, outputs, training_outputs};
    use super::*;
    use burn::backend::{Autodiff, Flex};

    #[test]
    fn gaussian_code_keeps_the_promises_of_every_layer() {
        check_layer("gaussian_code = { units = 3 }", &[5], expect(&[3], 36));
        check_layer(
            "gaussian_code = { units = 2, form = 'softplus', beta = 0 }",
            &[4],
            expect(&[2], 20),
        );
    }

    /// Whose mean is 0 and whose second layer gives `h`, whatever comes in.
    fn code(form: Form, h: f32, drawing: bool) -> Code<Autodiff<Flex>> {
        let ([samples, units], device) = ([20, 1000], Default::default());
        let zeros = || Param::from_tensor(Tensor::zeros([1, units], &device));
        let layer = GaussianCodeLayer {
            mean_weight: zeros(),
            spread_weight: zeros(),
            mean_bias: Param::from_tensor(Tensor::zeros([units], &device)),
            spread_bias: Param::from_tensor(Tensor::full([units], h, &device)),
            fields: GaussianCode {
                name: None,
                units: Positive(units),
                form,
                beta: one(),
                init: glorot_uniform(),
                bias_init: super::zeros(),
            },
        };
        let mut context = ForwardContext::training(crate::rng::Chance::new(1));
        context.drawing = drawing;
        let x = Signal::Features(Tensor::ones([samples, 1], &device));
        layer.forward(x, &mut context);
        context.gaussian.remove(0)
    }

    fn values<const D: usize>(tensor: Tensor<Autodiff<Flex>, D>) -> Vec<f32> {
        tensor.into_data().into_vec().expect("floats")
    }

    #[test]
    fn codes_are_drawn_with_the_deviation_of_either_form() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        for (form, h, deviation) in [
            (Form::LogVariance, -1.0f32, (-0.5f64).exp()),
            (Form::Softplus, 0.5, 0.5f64.exp().ln_1p()),
        ] {
            let drawn = values(code(form, h, true).code);
            let squares = drawn.iter().map(|&z| f64::from(z).powi(2)).sum::<f64>();
            let received = (squares / drawn.len() as f64).sqrt();
            assert!((received / deviation - 1.0).abs() < 0.02, "{received}");
            let inference = code(form, h, false);
            assert!(values(inference.code).iter().all(|&z| z == 0.0));
            near(
                &values(inference.log_variance)[..1],
                &[2.0 * deviation.ln() as f32],
            );
        }
    }

    #[test]
    fn a_code_is_drawn_in_training_only() {
        let layer = "gaussian_code = { units = 4, bias_init = 'zeros' }";
        let x = [0.5, -1.0, 2.0];
        assert_eq!(outputs(layer, &[3], &x), outputs(layer, &[3], &x));
        assert_ne!(training_outputs(layer, &[3], &x), outputs(layer, &[3], &x));
    }

    #[test]
    fn the_softplus_form_is_finite_everywhere_and_so_is_its_slope() {
        for h in [-1e6f32, -200.0, -16.0, -15.0, -14.0, 0.0, 30.0, 1e6] {
            let device = Default::default();
            let spread = Tensor::<Autodiff<Flex>, 2>::full([1, 1], h, &device).require_grad();
            let [deviation, log_variance] = Form::Softplus.spread(spread.clone());
            let (d, received) = (values(deviation)[0], values(log_variance.clone())[0]);
            let exact = match f64::from(h) {
                h if h < -30.0 => h,
                h => (h.max(0.0) + (-h.abs()).exp().ln_1p()).ln(),
            };
            let off = (f64::from(received) - 2.0 * exact).abs();
            assert!(off < 2e-6 * exact.abs().max(1.0), "{h}: {received}");
            let slope = spread.grad(&log_variance.backward()).expect("a gradient");
            let slope: Vec<f32> = slope.into_data().into_vec().expect("floats");
            assert!(d.is_finite() && slope[0].is_finite(), "{h}: {d} {slope:?}");
            // The logarithm goes on rising by 2 where softplus itself is 0.
            assert!(h > -100.0 || slope[0] == 2.0, "{h}: {slope:?}");
        }
    }

    #[test]
    fn a_code_is_made_of_features() {
        let flaw = flaw("gaussian_code = { units = 2 }", &[1, 4, 4]);
        assert_eq!(
            flaw.message,
            "needs features but the layer before gives an image (1x4x4)"
        );
    }
}
