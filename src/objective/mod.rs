//! The vocabulary of losses: one file a loss, one line a loss in the registry below.
//!
//! A loss turns a batch of outputs, and the classes or values they should have been, into one number to
//! minimize. Knows nothing of layers, optimizers or the training loop.

#[cfg(test)]
mod reference;
mod targets;
mod truth;

pub use cross_entropy::ClassWeights;
pub use targets::{Mixed, Targets};
pub use truth::Truth;

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::backend::reshape;
use crate::backend::{Kernels, math};
use crate::error::Flaw;
use crate::tagged::{one_key_enum, write_one_key};

/// A loss as the file writes it.
trait LossFields {
    /// What is wrong with it for `classes` classes.
    fn check(&self, _classes: usize) -> Vec<Flaw> {
        Vec::new()
    }

    /// The weight of each class, where they differ; `counts` are the training images of each.
    fn class_weights(&self, _counts: &[usize]) -> Option<Vec<f64>> {
        None
    }

    /// Whether it weighs classes by how many training images each has.
    fn weighs_by_counts(&self) -> bool {
        false
    }

    /// What it does with a batch that makes the mean over it another than that over its parts, as a sentence says it; sums over
    /// the batch are known by themselves.
    fn joins_samples(&self) -> Option<&'static str> {
        None
    }

    /// Whether it compares classes alone, and so is no loss of images.
    fn is_of_classes(&self) -> bool {
        false
    }

    /// Whether the outputs are taken as probabilities of values between 0 and 1.
    fn takes_probabilities(&self) -> bool {
        false
    }

    /// Whether it judges verdicts on real (1) and generated (0) images, and so is a GAN's alone.
    fn is_of_verdicts(&self) -> bool {
        false
    }

    /// What no weight of a discriminator exceeds, in either direction; `None` where nothing bounds them.
    fn weight_bound(&self) -> Option<f64> {
        None
    }

    /// What the steps go by.
    fn over_batch(&self) -> Reduction {
        Reduction::Mean
    }

    /// The factor that makes an image's loss minus the logarithm of its likelihood, in nats; `None` of
    /// losses that are no likelihoods. `values` is the number of values of an image.
    fn nats(&self, _values: usize) -> Option<f64> {
        None
    }

    /// How the losses of an image's pixels become one.
    fn over_pixels(&self) -> Reduction {
        Reduction::Mean
    }

    /// The loss of each value, `[batch, values]`, as both arguments are; not of losses that compare
    /// classes alone.
    fn of_values<B: Kernels>(&self, outputs: Tensor<B, 2>, values: Tensor<B, 2>) -> Tensor<B, 2>
    where
        Self: Sized;

    /// The mean loss of a sample of the batch, `[1]`.
    ///
    /// `outputs` is `[batch, classes]` or `[batch, values]` as the last layer gives it; `weights` is
    /// `[classes]` if [`class_weights`](Self::class_weights) gives any.
    fn mean_loss<B: Kernels>(
        &self,
        outputs: Tensor<B, 2>,
        truth: &Truth<B>,
        _weights: Option<&Tensor<B, 1>>,
    ) -> Tensor<B, 1>
    where
        Self: Sized,
    {
        let [batch, width] = outputs.dims();
        let losses = self.of_values(outputs, truth.values(width));
        match self.over_pixels() {
            Reduction::Mean => math::mean(losses),
            Reduction::Sum => math::sum(losses) / batch as f64,
        }
    }

    /// The mean loss of a generator, `[1]`, for the verdicts on its images, `[batch, 1]`: that of images that should be
    /// found real.
    fn mean_of_forgeries<B: Kernels>(&self, verdicts: Tensor<B, 2>) -> Tensor<B, 1>
    where
        Self: Sized,
    {
        let real = Truth::Values(verdicts.full_like(1.0));
        self.mean_loss(verdicts, &real, None)
    }
}

/// How the numbers of several pixels or images become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// Their mean.
    Mean,
    /// Their sum.
    Sum,
}

impl Reduction {
    fn is_mean(&self) -> bool {
        *self == Reduction::Mean
    }

    fn is_sum(&self) -> bool {
        *self == Reduction::Sum
    }
}

/// Declares every loss once: its file, which is its name in TOML, and its fields.
macro_rules! losses {
    ($($(#[doc = $doc:literal])* $file:ident: $Name:ident;)*) => {
        $(mod $file;)*
        $(pub use $file::$Name;)*

        /// Which loss it is, whatever its fields.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum LossKind {
            $($(#[doc = $doc])* $Name,)*
        }

        impl LossKind {
            /// The loss's name: `cross_entropy`.
            pub fn key(self) -> &'static str {
                match self {
                    $(LossKind::$Name => stringify!($file),)*
                }
            }
        }

        one_key_enum! {
            /// What training minimizes: a table with the loss's name, or only its name.
            #[derive(Debug, Clone, PartialEq)]
            Loss, "a loss", "Loss", write_one_key {
                $($(#[doc = $doc])* $file: $Name($Name);)*
            }
        }

        impl Loss {
            /// Which loss it is.
            pub fn kind(&self) -> LossKind {
                match self {
                    $(Loss::$Name(_) => LossKind::$Name,)*
                }
            }

            fn fields(&self) -> &dyn LossFields {
                match self {
                    $(Loss::$Name(fields) => fields,)*
                }
            }

            /// The loss of each value, `[batch, values]`, as both arguments are.
            fn of_values<B: Kernels>(
                &self,
                outputs: Tensor<B, 2>,
                values: Tensor<B, 2>,
            ) -> Tensor<B, 2> {
                match self {
                    $(Loss::$Name(fields) => fields.of_values(outputs, values),)*
                }
            }

            fn mean_loss<B: Kernels>(
                &self,
                outputs: Tensor<B, 2>,
                truth: &Truth<B>,
                weights: Option<&Tensor<B, 1>>,
            ) -> Tensor<B, 1> {
                match self {
                    $(Loss::$Name(fields) => fields.mean_loss(outputs, truth, weights),)*
                }
            }

            fn mean_of_forgeries<B: Kernels>(&self, verdicts: Tensor<B, 2>) -> Tensor<B, 1> {
                match self {
                    $(Loss::$Name(fields) => fields.mean_of_forgeries(verdicts),)*
                }
            }
        }
    };
}

losses! {
    /// Minus the log of the true class's softmax.
    cross_entropy: CrossEntropy;
    /// Mean squared error.
    mse: Mse;
    /// Mean absolute error.
    mae: Mae;
    /// Half the mean squared error.
    half_mse: HalfMse;
    /// Sum of squared errors.
    sum_squared: SumSquared;
    /// Binary cross-entropy of pixels between 0 and 1.
    binary_cross_entropy: BinaryCrossEntropy;
    /// Squared near 0, straight further out.
    huber: Huber;
    /// A GAN's: verdicts on either side of a margin.
    hinge: Hinge;
    /// A GAN's: how far apart its verdicts are, with bounded weights.
    wasserstein: Wasserstein;
}

impl Loss {
    /// Whether it weighs classes by how many training images each has.
    pub fn weighs_by_counts(&self) -> bool {
        self.fields().weighs_by_counts()
    }

    /// Why the mean over a batch is not the mean over its parts, if it is not: what the loss does, as a sentence says it.
    pub fn joins_samples(&self) -> Option<&'static str> {
        let own = self.fields().joins_samples();
        own.or_else(|| self.sums_over_batch().then_some("sums over a batch"))
    }

    /// Whether a batch's loss is the sum of its samples', not their mean.
    pub fn sums_over_batch(&self) -> bool {
        self.fields().over_batch() == Reduction::Sum
    }

    /// What is wrong with it for `classes` classes; keys are such as `cross_entropy.class_weights`.
    pub fn check(&self, classes: usize) -> Vec<Flaw> {
        let flaws = self.fields().check(classes).into_iter();
        flaws.map(|flaw| flaw.under(self.key())).collect()
    }

    /// Whether it compares classes alone, and so is no loss of images.
    pub fn is_of_classes(&self) -> bool {
        self.fields().is_of_classes()
    }

    /// Whether the outputs are taken as probabilities of values between 0 and 1.
    pub fn takes_probabilities(&self) -> bool {
        self.fields().takes_probabilities()
    }

    /// Whether it judges verdicts on real and generated images, and so is a GAN's alone.
    pub fn is_of_verdicts(&self) -> bool {
        self.fields().is_of_verdicts()
    }

    /// What no weight of a discriminator exceeds, in either direction; `None` where nothing bounds them.
    pub fn weight_bound(&self) -> Option<f64> {
        self.fields().weight_bound()
    }

    /// What steps multiply the mean loss of `batch` images by; what is reported is the mean.
    pub fn step_factor(&self, batch: usize) -> f64 {
        match self.fields().over_batch() {
            Reduction::Mean => 1.0,
            Reduction::Sum => batch as f64,
        }
    }

    /// The factor that makes an image's loss minus the logarithm of its likelihood, in nats; `None` of losses that are no
    /// likelihoods. `values` is the number of values of an image.
    pub fn nats(&self, values: usize) -> Option<f64> {
        self.fields().nats(values)
    }

    /// The loss of each image, `[batch]`; both arguments are `[batch, values]`.
    pub fn of_samples<B: Kernels>(
        &self,
        outputs: Tensor<B, 2>,
        values: Tensor<B, 2>,
    ) -> Tensor<B, 1> {
        let losses = self.of_values(outputs, values);
        let of_samples = match self.fields().over_pixels() {
            Reduction::Mean => math::mean_dim(losses, 1),
            Reduction::Sum => math::sum_dim(losses, 1),
        };
        let [batch, _] = of_samples.dims();
        reshape(of_samples, [batch])
    }
}

/// A loss at work on a device.
#[derive(Debug, Clone)]
pub struct Objective<B: Backend> {
    loss: Loss,
    /// `[classes]`.
    weights: Option<Tensor<B, 1>>,
}

impl<B: Kernels> Objective<B> {
    /// `counts` are the training images of each class.
    pub fn new(loss: &Loss, counts: &[usize], device: &B::Device) -> Self {
        let weights = loss.fields().class_weights(counts).map(|weights| {
            let weights: Vec<f32> = weights.into_iter().map(|weight| weight as f32).collect();
            let length = weights.len();
            Tensor::from_data(TensorData::new(weights, [length]), device)
        });
        Objective {
            loss: loss.clone(),
            weights,
        }
    }

    /// The mean loss of a batch, `[1]`; of mixed images that of both their classes, each by its share.
    ///
    /// `outputs` is `[batch, classes]` as the last layer gives it.
    pub fn mean(&self, outputs: Tensor<B, 2>, targets: &Targets<B>) -> Tensor<B, 1> {
        let mean = |outputs, classes: &Tensor<B, 1, Int>| {
            let weights = self.weights.as_ref();
            let truth = Truth::Classes(classes.clone());
            self.loss.mean_loss(outputs, &truth, weights)
        };
        match &targets.mixed {
            None => mean(outputs, &targets.classes),
            Some(Mixed { classes, share }) => {
                let own = mean(outputs.clone(), &targets.classes) * *share;
                own + mean(outputs, classes) * (1.0 - share)
            }
        }
    }

    /// The mean loss of a batch of images, `[1]`; both are `[batch, values]`.
    pub fn of_values(&self, outputs: Tensor<B, 2>, values: Tensor<B, 2>) -> Tensor<B, 1> {
        self.loss.mean_loss(outputs, &Truth::Values(values), None)
    }

    /// The mean loss of a generator, `[1]`, for the verdicts on its images, `[batch, 1]`.
    pub fn of_forgeries(&self, verdicts: Tensor<B, 2>) -> Tensor<B, 1> {
        self.loss.mean_of_forgeries(verdicts)
    }

    /// The loss at work.
    pub fn loss(&self) -> &Loss {
        &self.loss
    }

    /// What the batch's mean counts in the mean of many batches, `[1]`: its number of images, or the sum
    /// of their classes' weights.
    pub fn weight(&self, targets: &Targets<B>) -> Tensor<B, 1> {
        let sum = |classes: &Tensor<B, 1, Int>| match &self.weights {
            None => Tensor::full([1], classes.dims()[0] as f64, &classes.device()),
            Some(weights) => math::sum(weights.clone().select(0, classes.clone())),
        };
        match &targets.mixed {
            Some(Mixed { classes, share }) if self.weights.is_some() => {
                sum(&targets.classes) * *share + sum(classes) * (1.0 - share)
            }
            _ => sum(&targets.classes),
        }
    }
}

/// Shared by the losses' tests.
#[cfg(test)]
mod testing {
    use super::*;
    use burn::backend::{Autodiff, Flex};

    type Training = Autodiff<Flex>;

    pub fn loss(json: &str) -> Loss {
        serde_json::from_str(&json.replace('\'', "\"")).unwrap()
    }

    /// Two samples of three classes: the loss's value and its gradient must be as given.
    ///
    /// `counts` are the training images of each class.
    pub fn check(json: &str, counts: &[usize], value: f64, gradient: [[f64; 3]; 2]) {
        let device = Default::default();
        let outputs = Tensor::<Training, 2>::from_floats(OUTPUTS, &device).require_grad();
        let targets = Targets::of(Tensor::from_ints(TARGETS, &device));
        let objective = Objective::new(&loss(json), counts, &device);
        let mean = objective.mean(outputs.clone(), &targets);
        assert_eq!(mean.dims(), [1]);
        let gradients = mean.backward();
        let received: Vec<f32> = outputs
            .grad(&gradients)
            .unwrap()
            .into_data()
            .into_vec()
            .unwrap();
        let off = (f64::from(mean.into_scalar()) - value).abs();
        assert!(off < 1e-6, "off by {off}");
        for (r, e) in received.iter().zip(gradient.as_flattened()) {
            assert!((f64::from(*r) - e).abs() < 1e-6, "{r} against {e}");
        }
    }

    /// The same of a loss that `of` gives, with its slope, for how far an output is from 1 for the true class and 0 for the others.
    pub fn check_by_distance(json: &str, of: impl Fn(f64) -> [f64; 2]) {
        let mut value = 0.0;
        let mut gradient = [[0.0; 3]; 2];
        for (row, (outputs, target)) in OUTPUTS.iter().zip(TARGETS).enumerate() {
            for class in 0..3 {
                let truth = f64::from(u8::from(class == target as usize));
                let [loss, slope] = of(f64::from(outputs[class]) - truth);
                value += loss / 6.0;
                gradient[row][class] = slope / 6.0;
            }
        }
        check(json, &[1, 1, 1], value, gradient);
    }

    pub const OUTPUTS: [[f32; 3]; 2] = [[1.0, -0.5, 2.0], [0.25, 0.0, -3.0]];
    pub const TARGETS: [i32; 2] = [0, 2];
}

#[cfg(test)]
mod tests {
    use super::testing::{OUTPUTS, loss};
    use super::*;
    use burn::backend::Flex;

    #[test]
    fn losses_go_by_their_names() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        for name in Loss::NAMES {
            let loss: Loss = serde_json::from_value((*name).into()).unwrap();
            assert_eq!(loss.kind().key(), *name);
            assert_eq!(loss.check(10), []);
            let text = serde_json::to_string(&loss).unwrap();
            assert_eq!(text, format!("\"{name}\""));
        }
    }

    #[test]
    fn the_loss_of_mixed_images_is_that_of_both_classes_by_their_shares() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        let device = Default::default();
        let classes = |numbers: [i32; 2]| Tensor::<Flex, 1, Int>::from_ints(numbers, &device);
        let outputs = || Tensor::<Flex, 2>::from_floats(OUTPUTS, &device);
        for json in ["'mse'", "{'cross_entropy': {'class_weights': [1, 2, 5]}}"] {
            let objective = Objective::new(&loss(json), &[1, 1, 1], &device);
            let of = |numbers| {
                let targets = Targets::of(classes(numbers));
                let weight = objective.weight(&targets).into_scalar();
                (objective.mean(outputs(), &targets).into_scalar(), weight)
            };
            let ((own, own_weight), (other, other_weight)) = (of([0, 2]), of([2, 1]));
            let mixed = Targets {
                classes: classes([0, 2]),
                mixed: Some(Mixed {
                    classes: classes([2, 1]),
                    share: 0.75,
                }),
            };
            let mean = objective.mean(outputs(), &mixed).into_scalar();
            assert!((mean - (0.75 * own + 0.25 * other)).abs() < 1e-6, "{json}");
            let weight = objective.weight(&mixed).into_scalar();
            assert_eq!(weight, 0.75 * own_weight + 0.25 * other_weight, "{json}");
        }
    }
}
