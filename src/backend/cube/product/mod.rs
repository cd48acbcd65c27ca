//! Matrix products of 32-bit floats, of matrices that lie in memory or that are the windows of images.
//!
//! Every value is one chain of fused multiply-adds over the whole depth, or over each part of it where there are few values
//! and a long depth; nothing is added in an order that could be another next time.

files!(convolution, kernel, matrices, places; "mod.rs");

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

pub(super) use self::convolution::Convolution;
use self::kernel::product_kernel;
pub(super) use self::matrices::Matrices;
pub(super) use self::places::{output_value, window_value};
use super::launch::{array, contiguous, empty, grid, units};
use super::sums::of_parts;

/// Depth of what is held in shared memory at a time.
const DEPTH: usize = 16;
/// Values of a row or column of the square that a unit makes.
const SIDE: usize = 4;
/// What keeps the columns of shared memory apart.
const GAP: usize = 4;
/// Cubes that a product should have.
const CUBES: usize = 512;
/// The least depth of a part.
const LEAST: usize = 128;

/// What the factors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operands {
    /// Matrices with strides.
    Matrices,
    /// Filters times the windows of images: a convolution.
    Forward,
    /// Filters times what the outputs of a convolution give back to each value of its images.
    Images,
    /// Outputs of a convolution times the windows of its images: what its filters are given back.
    Filters,
}

/// Where a number is added to each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Bias {
    No,
    OfRow,
    OfColumn,
}

/// Height and width of what a cube makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Tile {
    m: usize,
    n: usize,
}

impl Tile {
    fn of(m: usize, n: usize) -> Self {
        let side = |length: usize| match length {
            0..=16 => 16,
            17..=32 => 32,
            _ => 64,
        };
        let (m, n) = (side(m), side(n));
        // A plane's width of units at least.
        match m * n < 32 * SIDE * SIDE {
            true => Tile { m, n: 32 },
            false => Tile { m, n },
        }
    }

    fn units(self) -> usize {
        self.m * self.n / (SIDE * SIDE)
    }
}

/// What a kernel is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct KernelForm {
    operands: Operands,
    tile: Tile,
    pub kernel_height: usize,
    pub kernel_width: usize,
    stride_y: usize,
    stride_x: usize,
    dilation_y: usize,
    dilation_x: usize,
    padding_top: usize,
    padding_left: usize,
    /// Whether the depth goes through all channels (`Forward`) or filters (`Images`) at one tap before the next tap: what a
    /// place sees of an image is then found out once for many of them.
    by_taps: bool,
    bias: Bias,
    /// Whether a last row (`Matrices`) or column (`Filters`) of ones is there, for the gradient of a bias.
    ones: bool,
}

impl KernelForm {
    /// Parts of an image whose values go through the same taps: `Images` are made one by one, so that taps which
    /// never hit are left out.
    fn phases(self) -> usize {
        match self.operands {
            Operands::Images => self.stride_y * self.stride_x,
            _ => 1,
        }
    }
}

/// The sizes of a product.
#[derive(CubeLaunch, CubeType)]
pub(super) struct ProductSizes {
    /// Rows, columns and depth; without the ones.
    m: usize,
    n: usize,
    k: usize,
    /// Depth of a part, and how many parts there are.
    part: usize,
    parts: usize,
    /// Strides of the left and the right matrix.
    left_z: usize,
    left_m: usize,
    left_k: usize,
    right_z: usize,
    right_k: usize,
    right_n: usize,
    /// Channels of a group, of all groups, and filters of a group, of all groups.
    channels: usize,
    all_channels: usize,
    filters: usize,
    all_filters: usize,
    /// Of an image.
    pub height: usize,
    pub width: usize,
    /// Of a convolution's output.
    pub out_height: usize,
    pub out_width: usize,
}

/// A product to be made.
struct Product {
    /// Matrices, or groups.
    batch: usize,
    sizes: [usize; 3],
    form: KernelForm,
    /// Values that lie elsewhere in the output than in a matrix's row can have no parts.
    may_have_parts: bool,
}

impl Product {
    /// The parts of the depth, and how many there are.
    fn parts(&self) -> [usize; 2] {
        let [m, n, k] = self.sizes;
        let Tile {
            m: tile_m,
            n: tile_n,
        } = self.form.tile;
        let cubes = self.batch * m.div_ceil(tile_m) * n.div_ceil(tile_n);
        let wanted = (CUBES / cubes).min(k / LEAST).max(1);
        match self.may_have_parts && wanted > 1 {
            true => {
                let part = k.div_ceil(wanted).next_multiple_of(DEPTH);
                [part, k.div_ceil(part)]
            }
            false => [k.max(1), 1],
        }
    }
}

/// Launches the kernel; `sums` is the number of sums beside the product if the form has ones.
fn launch<R: CubeRuntime>(
    left: CubeTensor<R>,
    right: CubeTensor<R>,
    bias: Option<CubeTensor<R>>,
    product: Product,
    sizes: impl Fn([usize; 2]) -> ProductSizesLaunch<R>,
    shape: Vec<usize>,
    sums: usize,
) -> (CubeTensor<R>, Option<CubeTensor<R>>) {
    let Product {
        batch,
        sizes: [m, n, _],
        form,
        ..
    } = product;
    let parts = product.parts();
    let in_parts = form.ones || parts[1] > 1;
    let values: usize = shape.iter().product();
    let whole = if form.ones { values + sums } else { values };
    let room = if in_parts {
        vec![parts[1], whole]
    } else {
        shape.clone()
    };
    let out = empty(&left, &room);
    let (more_m, more_n) = match form.operands {
        Operands::Matrices => (usize::from(form.ones), 0),
        _ => (0, usize::from(form.ones)),
    };
    let tiles_m = (m + more_m).div_ceil(form.tile.m);
    let tiles_n = (n + more_n).div_ceil(form.tile.n);
    let cubes = tiles_m * tiles_n * batch * form.phases() * parts[1];
    let client = left.client.clone();
    let bias = match bias {
        Some(bias) => contiguous(bias),
        None => left.clone(),
    };
    // SAFETY: the kernel looks at the sizes before it reads or writes.
    unsafe {
        product_kernel::launch_unchecked(
            &client,
            grid(cubes),
            units(form.tile.units()),
            array(&left),
            array(&right),
            array(&bias),
            array(&out),
            sizes(parts),
            batch,
            tiles_m,
            tiles_n,
            form,
        );
    }
    match in_parts {
        false => (out, None),
        true => of_parts(out, shape, form.ones.then_some(sums)),
    }
}
