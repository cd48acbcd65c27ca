//! The vocabulary of clipping: what is done to gradients that are too large, before a step is taken.
//!
//! Each way is a line of the registry and an arm. Knows nothing of layers, losses or the training loop.

use burn::module::{AutodiffModule, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::backend::reshape;
use crate::backend::{Kernels, TrainingBackend};
use crate::layers::bounds::at_most;
use crate::tagged::{Choice, Form, one_key_enum, write_table};
use crate::value::PositiveReal;

one_key_enum! {
    /// How gradients are clipped.
    #[derive(Debug, Clone, Copy, PartialEq)]
    ClipSpec, "a way of clipping", "Clip", write_table {
        /// Every number of every gradient is kept between minus this and this, as by PyTorch's
        /// `clip_grad_value_`.
        value: Value(PositiveReal);
        /// All gradients together are scaled down to this length where they are longer, as by PyTorch's
        /// `clip_grad_norm_`: by `this / (length + 1e-6)`. (Keras calls it `global_clipnorm`; its `clipnorm`
        /// looks at each tensor by itself.)
        norm: Norm(PositiveReal);
    }
}

impl Choice for ClipSpec {
    const WHAT: &'static str = "a way of clipping";
    const FORM: Form = Form::Named(ClipSpec::NAMES);
}

impl ClipSpec {
    /// The gradients of a module's tensors, clipped; `norm` is their [`norm`], `[1]`.
    pub fn apply<B, M>(
        &self,
        module: &M,
        gradients: GradientsParams,
        norm: &Tensor<B::InnerBackend, 1>,
    ) -> GradientsParams
    where
        B: TrainingBackend,
        M: AutodiffModule<B>,
    {
        match self {
            ClipSpec::Value(most) => {
                let most = most.get();
                changed::<B, M>(module, gradients, &|flat| flat.clamp(-most, most))
            }
            ClipSpec::Norm(most) => {
                let share = at_most((norm.clone() + 1e-6).recip() * most.get(), 1.0);
                changed::<B, M>(module, gradients, &|flat| flat * share.clone())
            }
        }
    }
}

/// The length of all gradients of a module's tensors together, `[1]`; `None` if there are none.
///
/// The root of the sum of the squares of all numbers.
pub fn norm<B, M>(module: &M, gradients: &GradientsParams) -> Option<Tensor<B::InnerBackend, 1>>
where
    B: TrainingBackend,
    M: AutodiffModule<B>,
{
    let mut flat = Flat::<B> {
        gradients,
        found: Vec::new(),
    };
    module.visit(&mut flat);
    match flat.found.is_empty() {
        true => None,
        false => Some(B::InnerBackend::sum_of_squares(flat.found).sqrt()),
    }
}

/// The gradients of a module's tensors, each in a row.
struct Flat<'a, B: TrainingBackend> {
    gradients: &'a GradientsParams,
    found: Vec<Tensor<B::InnerBackend, 1>>,
}

impl<B: TrainingBackend> ModuleVisitor<B> for Flat<'_, B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if let Some(gradient) = self.gradients.get::<B::InnerBackend, D>(param.id) {
            let values = gradient.shape().num_elements();
            self.found.push(reshape(gradient, [values]));
        }
    }
}

type Change<'a, B> = &'a dyn Fn(Tensor<B, 1>) -> Tensor<B, 1>;

/// The gradients after a change of each, laid flat.
fn changed<B, M>(
    module: &M,
    mut gradients: GradientsParams,
    change: Change<B::InnerBackend>,
) -> GradientsParams
where
    B: TrainingBackend,
    M: AutodiffModule<B>,
{
    let mut changer = Changer::<B> {
        gradients: &mut gradients,
        change,
    };
    module.visit(&mut changer);
    gradients
}

struct Changer<'a, B: TrainingBackend> {
    gradients: &'a mut GradientsParams,
    change: Change<'a, B::InnerBackend>,
}

impl<B: TrainingBackend> ModuleVisitor<B> for Changer<'_, B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let Some(gradient) = self.gradients.remove::<B::InnerBackend, D>(param.id) else {
            return;
        };
        let dims = gradient.dims();
        let flat = reshape(gradient, [dims.iter().product()]);
        let changed = reshape((self.change)(flat), dims);
        self.gradients.register(param.id, changed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::{Autodiff, Flex};
    use burn::module::Module;
    use burn::tensor::backend::Backend;

    type Training = Autodiff<Flex>;

    #[derive(Module, Debug)]
    struct Two<B: Backend> {
        matrix: Param<Tensor<B, 2>>,
        vector: Param<Tensor<B, 1>>,
    }

    /// A module, and the gradients `[[3, 0], [0, -4]]` and `[12]` whose norm is 13.
    fn given() -> (Two<Training>, GradientsParams) {
        let device = Default::default();
        let module = Two {
            matrix: Param::from_data([[1.0, 1.0], [1.0, 1.0]], &device),
            vector: Param::from_data([1.0], &device),
        };
        let mut gradients = GradientsParams::new();
        let matrix = Tensor::<Flex, 2>::from_floats([[3.0, 0.0], [0.0, -4.0]], &device);
        gradients.register(module.matrix.id, matrix);
        let vector = Tensor::<Flex, 1>::from_floats([12.0], &device);
        gradients.register(module.vector.id, vector);
        (module, gradients)
    }

    fn clipped(json: &str) -> Vec<f32> {
        let (module, gradients) = given();
        let clip: ClipSpec = serde_json::from_str(json).unwrap();
        let norm = norm::<Training, _>(&module, &gradients).unwrap();
        let gradients = clip.apply::<Training, _>(&module, gradients, &norm);
        let matrix = gradients.get::<Flex, 2>(module.matrix.id).unwrap();
        let vector = gradients.get::<Flex, 1>(module.vector.id).unwrap();
        assert_eq!(matrix.dims(), [2, 2]);
        let all = Tensor::cat(vec![matrix.reshape([4]), vector], 0);
        all.into_data().into_vec().unwrap()
    }

    #[test]
    fn the_norm_is_that_of_all_gradients_together() {
        let (module, gradients) = given();
        let norm = norm::<Training, _>(&module, &gradients).unwrap();
        assert_eq!(norm.into_scalar(), 13.0);
        assert!(super::norm::<Training, _>(&module, &GradientsParams::new()).is_none());
    }

    #[test]
    fn values_are_kept_between_two_bounds() {
        assert_eq!(clipped(r#"{"value": 3.5}"#), [3.0, 0.0, 0.0, -3.5, 3.5]);
    }

    #[test]
    fn long_gradients_are_shortened_and_short_ones_are_not() {
        let short = clipped(r#"{"norm": 6.5}"#);
        for (received, expected) in short.iter().zip([1.5, 0.0, 0.0, -2.0, 6.0]) {
            assert!((received - expected).abs() < 1e-5, "{short:?}");
        }
        assert_eq!(clipped(r#"{"norm": 14}"#), [3.0, 0.0, 0.0, -4.0, 12.0]);
    }

    #[test]
    fn a_length_above_0_is_asked_for() {
        let wrong = |json: &str| {
            let read = serde_json::from_str::<ClipSpec>(json);
            read.unwrap_err().to_string()
        };
        assert!(wrong(r#"{"norm": 0}"#).contains("expected a number above 0"));
        assert!(wrong(r#"{"nrm": 1}"#).contains("unknown variant `nrm`"));
    }
}
