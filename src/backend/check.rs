//! Whether a device computes what it should: operations with known answers, and how exact its products are.
//!
//! Backends have given wrong numbers without an error; a run on such a device would train on them.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::backend::{Autodiff, Flex};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::module::max_pool2d;
use burn::tensor::{Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::faults::{check_threads, is_of_driver, problem};
use super::math;
use super::precision::Precision;
use super::shapes::reshape;
use super::sliding::Sliding;
use super::{AdamStep, Device, Distribution, Kernels, MomentumStep, TrainingBackend, Work};
use crate::error::{Error, Problem, Result};
use crate::rng::Draw;
use crate::shape::ImageShape;

/// How exact a device's products are, as measured on products and convolutions of a common size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precisions {
    /// Of matrix products.
    pub products: Precision,
    /// Of convolutions.
    pub convolutions: Precision,
}

impl Precisions {
    /// Nothing is rounded before it is multiplied.
    pub const F32: Precisions = Precisions {
        products: Precision::F32,
        convolutions: Precision::F32,
    };

    /// Whether products or convolutions are as coarse as was asked for; the others may be too small for tensor cores.
    pub fn meet(&self, asked: Precision) -> bool {
        self.products.max(self.convolutions) >= asked
    }
}

impl fmt::Display for Precisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Precisions {
            products,
            convolutions,
        } = self;
        write!(f, "products in {products}, convolutions in {convolutions}")
    }
}

/// Bytes of free memory without which nothing can be trained on a GPU.
const LEAST: u64 = 1 << 28;

impl Device {
    /// Compares what the device makes of small operations with what the CPU does, and measures its precision.
    ///
    /// Takes some seconds on a GPU whose kernels are not compiled yet.
    ///
    /// # Errors
    /// A wrong answer or none, with the operation's name; or its memory is spent.
    pub fn check(&self) -> Result<Precisions> {
        self.has_room()?;
        let expected = operations::<Autodiff<Flex>>();
        for (index, (name, expected)) in expected.iter().enumerate() {
            let received = self.attempt(name, Operate(index))?;
            if let Some(wrong) = wrong(&received, &expected(&Default::default())) {
                return Err(self.problem(format!("computes {name} wrongly: {wrong}")));
            }
        }
        self.attempt("what tells its precision", Measure)
    }

    /// Does a piece of work of this name that may break off.
    fn attempt<W: Work>(&self, name: &str, work: W) -> Result<W::Output> {
        let received = catch_unwind(AssertUnwindSafe(|| self.run(work)));
        // What broke off in the device's own thread is the reason of what broke off here.
        let threads = check_threads();
        let cannot = |reason: &str| self.problem(format!("cannot compute {name}: {reason}"));
        threads.map_err(|error| cannot(error.first_message()))?;
        received.map_err(|panic| {
            let text = message(&*panic);
            match is_of_driver(text) {
                true => cannot(&problem(text).message),
                false => cannot(text.lines().next().unwrap_or_default()),
            }
        })
    }

    fn problem(&self, what: String) -> Error {
        Error::run(
            Problem::new(format!("the device `{self}` {what}"))
                .hint("nothing is trained on it: update its driver, or use `--device cpu`"),
        )
    }

    /// Sees that something can be trained on it now.
    ///
    /// # Errors
    /// Its memory is spent, or another program has it for itself.
    pub(super) fn has_room(&self) -> Result<()> {
        match self.memory()? {
            Some((free, _)) if free < LEAST => {
                let free = free >> 20;
                let message = format!("the device `{self}` has {free} MiB of free memory left");
                let hint = "other programs have the rest: `nvidia-smi` names them";
                Err(Error::run(Problem::new(message).hint(hint)))
            }
            _ => Ok(()),
        }
    }
}

/// The text of a caught panic.
pub fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

fn wrong(received: &[f32], expected: &[f32]) -> Option<String> {
    if received.len() != expected.len() {
        let (received, expected) = (received.len(), expected.len());
        return Some(format!("{received} values instead of {expected}"));
    }
    let agrees = |(r, e): (&f32, &f32)| (r - e).abs() <= 1e-3 * e.abs().max(1.0);
    let place = received
        .iter()
        .zip(expected)
        .position(|pair| !agrees(pair))?;
    Some(format!(
        "value {place} is {} instead of {}",
        received[place], expected[place]
    ))
}

struct Operate(usize);

impl Work for Operate {
    type Output = Vec<f32>;

    fn run<B: TrainingBackend>(self, device: B::Device) -> Vec<f32> {
        operations::<B>()[self.0].1(&device)
    }
}

type Operation<B> = (
    &'static str,
    fn(&<B as burn::tensor::backend::BackendTypes>::Device) -> Vec<f32>,
);

/// What is computed, by the name it has in errors. The inputs are small whole numbers, which every precision holds.
fn operations<B: TrainingBackend>() -> Vec<Operation<B>> {
    vec![
        ("a matrix product", |device| {
            let y = B::matmul(whole([37, 64], device), whole([64, 29], device));
            values(y)
        }),
        ("a sum", |device| {
            let x = whole::<B, 3>([7, 300, 9], device);
            let sums = [
                B::sum(B::sum_dim(x.clone(), 1)),
                B::sum(B::sum_dim(x.clone(), 2)),
                B::sum(x),
            ];
            values(Tensor::cat(sums.to_vec(), 0))
        }),
        ("a mean", |device| {
            values(B::mean_dim(whole::<B, 3>([5, 33, 65], device), 2))
        }),
        ("a reshaped transposed tensor", |device| {
            let x = whole::<B, 3>([8, 20, 1], device).swap_dims(0, 1);
            values(reshape(x, [20, 8, 1, 1]))
        }),
        ("a convolution", |device| convolved::<B>(3, 1, device)),
        ("a convolution with stride 2", |device| {
            convolved::<B>(3, 2, device)
        }),
        ("a convolution whose stride is above its kernel", |device| {
            convolved::<B>(1, 2, device)
        }),
        ("a transposed convolution", |device| {
            let (x, weight) = (whole([3, 4, 5, 5], device), whole([4, 6, 3, 3], device));
            let y = B::convolve2d_transpose(x, weight, None, [10, 10], sliding(2));
            values(y)
        }),
        ("max pooling", |device| {
            let x = whole::<B, 4>([2, 3, 9, 9], device).require_grad();
            let y = max_pool2d(x.clone(), [3, 3], [2, 2], [0, 0], [1, 1], false);
            with_gradients(y, &[x])
        }),
        ("a normalization", |device| {
            let x = whole::<B, 3>([8, 20, 1], device).require_grad();
            let y = B::standardize(x.clone(), 1e-3).values;
            with_gradients(y * whole([8, 20, 1], device), &[x])
        }),
        ("an activation function", |device| {
            let x = whole::<B, 2>([5, 7], device) / 4.0;
            let logs = math::ln(x.clone() * x.clone() + 1.0);
            let softmax = math::log_softmax(x.clone());
            let sum = math::exp(x.clone()) + math::tanh(x.clone()) + math::sigmoid(x.clone());
            values(sum + logs + softmax + math::relu(x))
        }),
        ("the gradient of an activation function", |device| {
            let x = (whole::<B, 2>([5, 7], device) / 4.0).require_grad();
            let sum = B::softplus(x.clone()) + math::tanh(x.clone()) + math::sigmoid(x.clone());
            with_gradients(
                sum + <B as Kernels>::gelu(x.clone()) + <B as Kernels>::elu(x.clone()),
                &[x],
            )
        }),
        ("a cross-entropy", |device| {
            let x = whole::<B, 2>([6, 5], device).require_grad();
            let targets = Tensor::from_ints([0, 1, 2, 3, 4, 0], device);
            let of_classes = B::cross_entropy(x.clone(), targets);
            let shares = math::sigmoid(x.clone());
            let of_shares = B::binary_cross_entropy(shares, whole([6, 5], device).abs() / 3.0);
            with_gradients(reshape(of_shares.sum() + of_classes, [1, 1]), &[x])
        }),
        ("images of bytes", |device| {
            let words = Tensor::from_ints([[0x0403_0201, 5], [-1, 0x7f80], [7, 8]], device);
            let meanings = whole([1, 256], device);
            let chosen = Tensor::from_ints([2, 0, 1, 0], device);
            values(B::look_up(
                words,
                chosen,
                meanings,
                ImageShape::new(1, 2, 3),
            ))
        }),
        ("random numbers", |device| {
            let draw = Draw {
                key: 0x0123_4567_89ab_cdef,
                number: 3,
                first: 0xffff_fffe,
            };
            values(<B as Kernels>::random(
                [5, 7],
                Distribution::Uniform,
                draw,
                device,
            ))
        }),
        ("a step of Adam", |device| {
            let whole = |shape| whole::<B::InnerBackend, 2>(shape, device);
            let step = AdamStep {
                beta_1: 0.5,
                beta_2: 0.75,
                epsilon: 1e-3,
                coupled_decay: 0.25,
                decoupled_decay: 0.5,
                learning_rate: 0.125,
                number: 1,
            };
            let [weight, mean, square] =
                B::InnerBackend::adam_step(whole([7, 9]), whole([7, 9]) + 1.0, None, step);
            let step = AdamStep { number: 2, ..step };
            let means = Some([mean, square]);
            let made = B::InnerBackend::adam_step(weight, whole([7, 9]), means, step);
            made.map(values).concat()
        }),
        ("a step of gradient descent", |device| {
            let whole = |shape| whole::<B::InnerBackend, 2>(shape, device);
            let step = MomentumStep {
                momentum: 0.5,
                nesterov: true,
                weight_decay: 0.25,
                learning_rate: 0.125,
            };
            let [weight, velocity] =
                B::InnerBackend::momentum_step(whole([7, 9]), whole([7, 9]) + 1.0, None, step);
            let made = B::InnerBackend::momentum_step(weight, whole([7, 9]), Some(velocity), step);
            made.map(values).concat()
        }),
    ]
}

fn sliding(stride: usize) -> Sliding {
    Sliding {
        stride: [stride; 2],
        before: [1, 1],
        after: [1, 1],
        dilation: [1, 1],
        groups: 1,
    }
}

/// A convolution's outputs and the gradients of its images, filters and bias.
fn convolved<B: TrainingBackend>(kernel: usize, stride: usize, device: &B::Device) -> Vec<f32> {
    let x = whole::<B, 4>([3, 4, 9, 9], device).require_grad();
    let weight = whole::<B, 4>([6, 4, kernel, kernel], device).require_grad();
    let bias = whole::<B, 1>([6], device).require_grad();
    let y = B::convolve2d(
        x.clone(),
        weight.clone(),
        Some(bias.clone()),
        sliding(stride),
    );
    let gradients = y.clone().sum().backward();
    let mut all = values(y);
    all.extend(values(x.grad(&gradients).expect("a gradient")));
    all.extend(values(weight.grad(&gradients).expect("a gradient")));
    all.extend(values(bias.grad(&gradients).expect("a gradient")));
    all
}

/// The values, and the gradients of these inputs.
fn with_gradients<B: AutodiffBackend, const D: usize>(
    y: Tensor<B, D>,
    inputs: &[Tensor<B, D>],
) -> Vec<f32> {
    let gradients = y.clone().sum().backward();
    let of_inputs = inputs
        .iter()
        .flat_map(|x| values(x.grad(&gradients).expect("a gradient")));
    let of_inputs: Vec<f32> = of_inputs.collect();
    [values(y), of_inputs].concat()
}

fn values<B: burn::tensor::backend::Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// Whole numbers from -3 to 3 without an obvious order.
fn whole<B: burn::tensor::backend::Backend, const D: usize>(
    shape: [usize; D],
    device: &B::Device,
) -> Tensor<B, D> {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count)
        .map(|i| (i * 7919 % 1009 % 7) as f32 - 3.0)
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

struct Measure;

impl Work for Measure {
    type Output = Precisions;

    /// Products by one of `1 + 2^-bits`: what has fewer than `bits` bits after the point takes it for 1.
    fn run<B: TrainingBackend>(self, device: B::Device) -> Precisions {
        let keeps = |mean: f64, bits: i32| (mean - 1.0) > 0.5 * 2f64.powi(-bits);
        let of = |mean: &dyn Fn(f64) -> f64| {
            if keeps(mean(2f64.powi(-12)), 12) {
                Precision::F32
            } else if keeps(mean(2f64.powi(-9)), 9) {
                Precision::Tf32
            } else {
                Precision::Bf16
            }
        };
        let mean = |y: Tensor<B, 1>, factors: usize| {
            y.into_data().iter::<f64>().next().unwrap_or_default() / factors as f64
        };
        let products = of(&|above: f64| {
            let x = Tensor::<B, 2>::full([512, 512], 1.0 + above, &device);
            let y = B::matmul(x, Tensor::ones([512, 512], &device));
            mean(y.slice([0..1, 0..1]).sum(), 512)
        });
        let convolutions = of(&|above: f64| {
            let x = Tensor::<B, 4>::full([32, 64, 18, 18], 1.0 + above, &device);
            let y = B::convolve2d(x, Tensor::ones([64, 64, 3, 3], &device), None, sliding(1));
            mean(y.slice([0..1, 0..1, 8..9, 8..9]).sum(), 64 * 9)
        });
        Precisions {
            products,
            convolutions,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::testing::test_device;

    #[test]
    fn a_device_that_computes_rightly_passes() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        let found = test_device().check().unwrap();
        assert_eq!(found.to_string(), "products in f32, convolutions in f32");
    }

    #[test]
    fn a_precision_that_a_device_lacks_is_not_met() {
        use Precision::{Bf16, F32, Tf32};
        assert!(Precisions::F32.meet(F32) && !Precisions::F32.meet(Tf32));
        let products = Precisions {
            products: Tf32,
            ..Precisions::F32
        };
        assert!(products.meet(F32) && products.meet(Tf32) && !products.meet(Bf16));
    }

    #[test]
    fn a_wrong_value_is_reported_with_its_place() {
        let _alone = crate::backend::testing::sole_use_of_graphs();
        assert_eq!(wrong(&[1.0, 2.0], &[1.0, 2.0]), None);
        assert_eq!(
            wrong(&[1.0, 0.0], &[1.0, 2.0]).unwrap(),
            "value 1 is 0 instead of 2"
        );
        assert_eq!(
            wrong(&[f32::NAN], &[1.0]).unwrap(),
            "value 0 is NaN instead of 1"
        );
        assert_eq!(wrong(&[], &[1.0]).unwrap(), "0 values instead of 1");
    }
}
