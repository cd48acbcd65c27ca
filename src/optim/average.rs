//! The vocabulary of averages of the weights over steps, which often do better than the weights of the
//! last step.
//!
//! Each way is a line of the registry and an arm. Knows nothing of layers, losses or the training loop.

use burn::module::{AutodiffModule, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::reshape;
use crate::tagged::{Choice, Form, one_key_enum, write_table};
use crate::value::Rate;

one_key_enum! {
    /// Which average of the weights is taken.
    #[derive(Debug, Clone, Copy, PartialEq)]
    AverageSpec, "an average of the weights", "Average", write_table {
        /// An exponential moving average over the steps.
        ema: Ema(Ema);
    }
}

/// `average = decay * average + (1 - decay) * weights` after every step, as PyTorch's `AveragedModel`
/// with `get_ema_multi_avg_fn`: the first step's weights are the first average (Keras: the weights
/// before the first step); also of layers that are frozen for a stage. Running statistics are those of the last step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ema {
    /// Share of the average that is kept in a step. Default 0.999.
    pub decay: Rate,
}

impl Default for Ema {
    fn default() -> Self {
        Ema { decay: Rate(0.999) }
    }
}

impl Choice for AverageSpec {
    const WHAT: &'static str = "an average of the weights";
    const FORM: Form = Form::Named(AverageSpec::NAMES);
}

impl AverageSpec {
    /// The average after a step that led to `module`; `None` stands for no step before.
    pub fn after_step<B, M>(&self, average: Option<M::InnerModule>, module: &M) -> M::InnerModule
    where
        B: AutodiffBackend,
        M: AutodiffModule<B>,
    {
        let AverageSpec::Ema(Ema { decay }) = self;
        let Some(average) = average else {
            return module.valid();
        };
        let mut tensors = Tensors::default();
        module.visit(&mut tensors);
        let mut values = Values(Vec::new());
        average.visit(&mut values);
        module.valid().map(&mut Mixer {
            averages: values.0.into_iter().zip(tensors.uses),
            decay: decay.get(),
        })
    }
}

/// What a tensor of a module is to training.
#[derive(Clone, Copy)]
enum Use {
    Trained,
    /// A weight that steps leave alone for now.
    Frozen,
    /// Gathered from the batches.
    Statistic,
}

/// The tensors of a module.
#[derive(Default)]
struct Tensors {
    uses: Vec<Use>,
    /// Names of the fields that lead to the next tensor.
    fields: Vec<String>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Tensors {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.fields.push(name.to_string());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.fields.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let is_running = |field: &String| field.starts_with("running");
        self.uses.push(match param.val().is_require_grad() {
            true => Use::Trained,
            false if self.fields.last().is_some_and(is_running) => Use::Statistic,
            false => Use::Frozen,
        });
    }
}

/// Each tensor of a module, laid flat.
struct Values<B: Backend>(Vec<Tensor<B, 1>>);

impl<B: Backend> ModuleVisitor<B> for Values<B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let values = param.val();
        let count = values.dims().iter().product();
        self.0.push(reshape(values, [count]));
    }
}

/// Mixes each weight with its average so far.
struct Mixer<A> {
    averages: A,
    decay: f64,
}

impl<B, A> ModuleMapper<B> for Mixer<A>
where
    B: Backend,
    A: Iterator<Item = (Tensor<B, 1>, Use)>,
{
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let (average, used) = self.averages.next().expect("both modules have one shape");
        if let Use::Statistic = used {
            return param;
        }
        let (id, value, mapper) = param.consume();
        let average = reshape(average, value.dims());
        let mixed = match used {
            // In a form that leaves alone what never was anything else.
            Use::Frozen => average.clone() + (value - average) * (1.0 - self.decay),
            _ => average * self.decay + value * (1.0 - self.decay),
        };
        Param::from_mapped_value(id, mixed, mapper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::{Autodiff, Flex};
    use burn::module::RunningState;

    type Training = Autodiff<Flex>;

    #[derive(Module, Debug)]
    struct Two<B: Backend> {
        weight: Param<Tensor<B, 2>>,
        running: RunningState<Tensor<B, 1>>,
    }

    fn two(weight: f32, running: f32) -> Two<Training> {
        let device = Default::default();
        Two {
            weight: Param::from_data([[weight, 2.0 * weight]], &device),
            running: RunningState::new(Tensor::from_floats([running], &device)),
        }
    }

    #[test]
    fn weights_are_averaged_and_running_statistics_are_the_last() {
        let average = AverageSpec::Ema(Ema { decay: Rate(0.75) });
        let mut kept = None;
        for (weight, running) in [(4.0, 1.0), (8.0, 2.0), (0.0, 3.0)] {
            kept = Some(average.after_step::<Training, _>(kept, &two(weight, running)));
        }
        let kept: Two<Flex> = kept.unwrap();
        // 4, then 0.75 * 4 + 0.25 * 8 = 5, then 0.75 * 5.
        let weight: Vec<f32> = kept.weight.val().into_data().into_vec().unwrap();
        assert_eq!(weight, [3.75, 7.5]);
        assert_eq!(kept.running.value().into_scalar(), 3.0);
    }

    #[test]
    fn the_average_of_a_frozen_weight_goes_on_towards_it() {
        let average = AverageSpec::Ema(Ema { decay: Rate(0.75) });
        let mut kept = None;
        for (module, running) in [(two(4.0, 1.0), 1.0), (two(8.0, 2.0), 2.0)] {
            kept = Some(average.after_step::<Training, _>(kept, &module));
            assert_eq!(
                kept.as_ref()
                    .map(|kept: &Two<Flex>| kept.running.value().into_scalar()),
                Some(running)
            );
        }
        // 5 after those, then 5 + 0.25 * (8 - 5).
        let frozen = two(8.0, 3.0).no_grad();
        let kept = average.after_step::<Training, _>(kept, &frozen);
        let weight: Vec<f32> = kept.weight.val().into_data().into_vec().unwrap();
        assert_eq!(weight, [5.75, 11.5]);
        assert_eq!(kept.running.value().into_scalar(), 3.0);
        // One that was never trained stays what it is, to the last bit.
        let odd = two(0.1, 0.0).no_grad();
        let first = average.after_step::<Training, _>(None, &odd);
        let second = average.after_step::<Training, _>(Some(first), &odd);
        let weight: Vec<f32> = second.weight.val().into_data().into_vec().unwrap();
        assert_eq!(weight, [0.1, 0.2]);
    }

    #[test]
    fn a_decay_below_1_is_asked_for() {
        let read = serde_json::from_str::<AverageSpec>(r#"{"ema": {"decay": 1}}"#);
        let text = read.unwrap_err().to_string();
        assert!(
            text.contains("expected a number from 0 to below 1"),
            "{text}"
        );
        let bare: AverageSpec = serde_json::from_str(r#""ema""#).unwrap();
        assert_eq!(bare, AverageSpec::Ema(Ema::default()));
    }
}
