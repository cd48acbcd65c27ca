//! Arithmetic for the CPU that gives the same bits on every processor.
//!
//! Every value is made by the same operations in the same order, whatever the width of the processor's vectors, the
//! size of its caches and the number of threads: a value of a product is one chain of fused multiply-adds, a function
//! is one polynomial, a sum has one tree. Knows slices of numbers, not tensors.

mod buffers;
pub mod bytes;
pub mod channels;
mod convolution;
mod depthwise;
mod direct;
mod few;
mod frame;
mod fresh;
pub mod functions;
mod implicit;
mod panel;
pub mod pool;
mod product;
pub mod random;
mod simd;
pub mod steps;
pub mod sums;
#[cfg(test)]
mod testing;
mod transpose;
mod unfolded;
mod vector;

pub use convolution::{back, forward, of_filters};
pub use fresh::{copied, written};
pub use panel::{Start, width};
pub use product::{Matrix, add_product, product};
pub use simd::Simd;

/// Values that are worth a thread.
pub const SHARED: usize = 1 << 15;

#[cfg(test)]
mod tests {
    use super::testing::by_every_set;
    use super::*;
    use crate::backend::convolution_sizes::ConvolutionSizes;
    use crate::backend::sliding::Sliding;

    /// From -1 to 1, of whole numbers alone.
    fn values(count: u32) -> Vec<f32> {
        let value = |i: u32| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0;
        (0..count).map(value).collect()
    }

    /// FNV-1a of the bits.
    fn digest(values: &[f32]) -> u64 {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
    }

    /// Written down on one machine, to hold on all.
    #[test]
    fn the_bits_are_the_same_on_every_machine() {
        let sliding = Sliding {
            stride: [2, 1],
            before: [1, 1],
            after: [1, 1],
            dilation: [1, 1],
            groups: 1,
        };
        let sizes = ConvolutionSizes::of([9, 5, 11, 13], [21, 5, 3, 3], sliding);
        let images = values((sizes.batch * sizes.image()) as u32);
        let filters = values((sizes.filters * sizes.seen()) as u32);
        let outputs = values((sizes.batch * sizes.output()) as u32);
        let spread: Vec<f32> = images.iter().map(|value| value * 20.0).collect();
        let function = |of: fn(Simd, &mut [f32])| {
            by_every_set("a function", |simd| {
                let mut values = spread.clone();
                of(simd, &mut values);
                values
            })
        };
        let made = [
            by_every_set("forward", |simd| {
                forward(simd, &images, &filters, None, sizes)
            }),
            by_every_set("back", |simd| back(simd, &outputs, &filters, None, sizes)),
            by_every_set("filters", |simd| of_filters(simd, &images, &outputs, sizes)),
            by_every_set("sum", |simd| vec![sums::sum(simd, &images) as f32]),
            function(functions::exp),
            function(functions::tanh),
            function(functions::sigmoid),
            function(functions::softplus),
        ];
        let expected: [u64; 8] = [
            0x8418_7431_f79f_c2d7,
            0x5beb_bbdf_1804_a4a3,
            0xca77_6927_f1a7_ac3c,
            0x781a_6adb_7bea_8c53,
            0x942d_8e90_957d_c265,
            0x907a_f44d_0590_d1d5,
            0xceae_9e78_fd80_4046,
            0x57f6_75e4_e7ea_07bb,
        ];
        assert_eq!(made.map(|made| digest(&made)), expected);
    }
}
