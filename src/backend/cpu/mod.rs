//! Arithmetic for the CPU that gives the same bits on every processor.
//!
//! Every value is made by the same operations in the same order, whatever the width of the processor's vectors, the
//! size of its caches and the number of threads: a value of a product is one chain of fused multiply-adds, a function
//! is one polynomial, a sum has one tree. Knows slices of numbers, not tensors.

mod convolution;
mod depthwise;
mod frame;
pub mod functions;
mod implicit;
mod panel;
mod product;
mod simd;
mod sizes;
pub mod sums;
#[cfg(test)]
mod testing;
mod transpose;
mod unfolded;
mod vector;

pub use convolution::{back, forward, of_filters};
pub use panel::{Start, width};
pub use product::{Matrix, add_product, product};
pub use simd::Simd;
pub use sizes::Sizes;
