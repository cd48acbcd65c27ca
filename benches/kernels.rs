//! The CPU's kernels, at the sizes of the networks in `experiments`: products, convolutions with their gradients, functions.
//!
//! `cargo bench --bench kernels`; `BURNLAB_SIMD` chooses the set of kernels, `RAYON_NUM_THREADS` the threads.

use burn::backend::{Autodiff, Flex};
use burn::tensor::{Distribution, Tensor};
use burnlab::backend::{Kernels, Sliding, kernel_set};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Training = Autodiff<Flex>;

fn random<const D: usize>(shape: [usize; D]) -> Tensor<Flex, D> {
    Tensor::random(shape, Distribution::Uniform(-1.0, 1.0), &Default::default())
}

fn products(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("product/{}", kernel_set()));
    for [rows, depth, columns] in [
        [196, 288, 64],
        [49, 576, 128],
        [100, 784, 1024],
        [100, 6272, 128],
        [50, 784, 32],
    ] {
        let (x, weight) = (random([rows, depth]), random([depth, columns]));
        group.throughput(Throughput::Elements((2 * rows * depth * columns) as u64));
        let name = format!("{rows}x{depth}x{columns}");
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| Flex::linear(x.clone(), weight.clone(), None));
        });
    }
}

/// Batch, channels, side, filters, kernel, stride, groups.
const CONVOLUTIONS: [[usize; 7]; 6] = [
    [100, 1, 28, 32, 3, 1, 1],
    [100, 32, 28, 64, 3, 2, 1],
    [100, 64, 14, 128, 3, 2, 1],
    [128, 16, 32, 16, 3, 1, 1],
    [128, 64, 8, 64, 3, 1, 1],
    [100, 32, 28, 32, 3, 1, 32],
];

fn convolutions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("convolution/{}", kernel_set()));
    group.sample_size(20);
    for sizes in CONVOLUTIONS {
        let [batch, channels, side, filters, kernel, stride, groups] = sizes;
        let x = random([batch, channels, side, side]);
        let weight = random([filters, channels / groups, kernel, kernel]);
        let bias = random([filters]);
        let sliding = Sliding {
            stride: [stride; 2],
            before: [kernel / 2; 2],
            after: [kernel / 2; 2],
            dilation: [1; 2],
            groups,
        };
        let name = format!(
            "{batch}x{channels}x{side}, {filters} by {kernel}, stride {stride}, groups {groups}"
        );
        group.bench_function(BenchmarkId::new("forward", &name), |bencher| {
            bencher
                .iter(|| Flex::convolve2d(x.clone(), weight.clone(), Some(bias.clone()), sliding));
        });
        group.bench_function(BenchmarkId::new("with gradients", &name), |bencher| {
            let x = Tensor::<Training, 4>::from_inner(x.clone()).require_grad();
            let weight = Tensor::<Training, 4>::from_inner(weight.clone()).require_grad();
            let bias = Tensor::<Training, 1>::from_inner(bias.clone()).require_grad();
            bencher.iter(|| {
                let (weight, bias) = (weight.clone(), bias.clone());
                Training::convolve2d(x.clone(), weight, Some(bias), sliding).backward()
            });
        });
    }
}

fn functions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group(format!("function/{}", kernel_set()));
    let x = random([64, 1024]);
    group.throughput(Throughput::Elements(64 * 1024));
    type Function = fn(Tensor<Flex, 2>) -> Tensor<Flex, 2>;
    let functions: [(&str, Function); 5] = [
        ("exp", Flex::exp),
        ("tanh", Flex::tanh),
        ("sigmoid", Flex::sigmoid),
        ("softplus", Flex::softplus),
        ("log_softmax", Flex::log_softmax),
    ];
    for (name, function) in functions {
        group.bench_function(name, |bencher| bencher.iter(|| function(x.clone())));
    }
}

criterion_group!(benches, products, convolutions, functions);
criterion_main!(benches);
