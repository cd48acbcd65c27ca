//! Matrix products of 32-bit floats, of matrices that lie in memory or that are the windows of images.
//!
//! Every value is one chain of fused multiply-adds over the whole depth, or over each part of it where there are few values
//! and a long depth; nothing is added in an order that could be another next time.

use burn_cubecl::CubeRuntime;
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::*;

use super::launch::{array, contiguous, empty, grid, units};
use super::sums::of_parts;
use crate::backend::passes::matrix_shape;

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
enum Way {
    /// Matrices with strides.
    Plain,
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
pub(super) struct Form {
    way: Way,
    tile: Tile,
    pub rows: usize,
    pub columns: usize,
    down: usize,
    across: usize,
    row_gap: usize,
    column_gap: usize,
    above: usize,
    before: usize,
    /// Whether the depth goes through all channels (`Forward`) or filters (`Images`) at one tap before the next tap: what a
    /// place sees of an image is then found out once for many of them.
    by_taps: bool,
    bias: Bias,
    /// Whether a last row (`Plain`) or column (`Filters`) of ones is there, for the gradient of a bias.
    ones: bool,
}

impl Form {
    /// Parts of an image whose values go through the same taps: `Images` are made one by one, so that taps which
    /// never hit are left out.
    fn phases(self) -> usize {
        match self.way {
            Way::Images => self.down * self.across,
            _ => 1,
        }
    }
}

/// The sizes of a product.
#[derive(CubeLaunch, CubeType)]
pub(super) struct Sizes {
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
    pub down: usize,
    pub across: usize,
}

#[cube]
fn left_at(
    left: &Array<f32>,
    z: usize,
    m: usize,
    k: usize,
    sizes: &Sizes,
    #[comptime] form: Form,
) -> f32 {
    if comptime!(form.way == Way::Plain) {
        left[z * sizes.left_z + m * sizes.left_m + k * sizes.left_k]
    } else if comptime!(form.way == Way::Forward) {
        left[(z * sizes.filters + m) * sizes.k + k]
    } else if comptime!(form.way == Way::Images) {
        let taps = comptime!(form.rows * form.columns);
        let filter = z * sizes.filters + k / taps;
        left[(filter * sizes.channels + m) * taps + k % taps]
    } else {
        let places = sizes.down * sizes.across;
        let image = k / places;
        left[(image * sizes.all_filters + z * sizes.filters + m) * places + k % places]
    }
}

/// The value of a window's tap at a place of the output, or 0 outside of the image.
#[cube]
pub(super) fn under(
    images: &Array<f32>,
    plane: usize,
    place: usize,
    tap: usize,
    sizes: &Sizes,
    #[comptime] form: Form,
) -> f32 {
    let y = place / sizes.across * form.down + tap / form.columns * form.row_gap;
    let x = place % sizes.across * form.across + tap % form.columns * form.column_gap;
    let mut value = f32::new(0.0);
    if y >= form.above && x >= form.before {
        let y = y - form.above;
        let x = x - form.before;
        if y < sizes.height && x < sizes.width {
            value = images[(plane * sizes.height + y) * sizes.width + x];
        }
    }
    value
}

/// The output whose window has its tap at a place of the image, or 0 if there is none.
#[cube]
pub(super) fn over(
    outputs: &Array<f32>,
    plane: usize,
    place: usize,
    tap: usize,
    sizes: &Sizes,
    #[comptime] form: Form,
) -> f32 {
    let y = place / sizes.width + form.above;
    let x = place % sizes.width + form.before;
    let row = tap / form.columns * form.row_gap;
    let column = tap % form.columns * form.column_gap;
    let mut value = f32::new(0.0);
    if y >= row && x >= column {
        let y = y - row;
        let x = x - column;
        if y % form.down == 0 && x % form.across == 0 {
            let y = y / form.down;
            let x = x / form.across;
            if y < sizes.down && x < sizes.across {
                value = outputs[(plane * sizes.down + y) * sizes.across + x];
            }
        }
    }
    value
}

/// The image of column `n` of `Images`, and a place of it: those of one phase lie beside each other.
#[cube]
fn spot(n: usize, phase: usize, sizes: &Sizes, #[comptime] form: Form) -> (usize, usize, usize) {
    let rows = sizes.height.div_ceil(form.down);
    let columns = sizes.width.div_ceil(form.across);
    let count = rows * columns;
    let at = n % count;
    let y = at / columns * form.down + phase / form.across;
    let x = at % columns * form.across + phase % form.across;
    (n / count, y, x)
}

#[cube]
fn right_at(
    right: &Array<f32>,
    z: usize,
    phase: usize,
    k: usize,
    n: usize,
    sizes: &Sizes,
    #[comptime] form: Form,
) -> f32 {
    let taps = comptime!(form.rows * form.columns);
    if comptime!(form.way == Way::Plain) {
        right[z * sizes.right_z + k * sizes.right_k + n * sizes.right_n]
    } else if comptime!(form.way == Way::Forward) {
        let places = sizes.down * sizes.across;
        let plane = n / places * sizes.all_channels + z * sizes.channels + k / taps;
        under(right, plane, n % places, k % taps, sizes, form)
    } else if comptime!(form.way == Way::Images) {
        let (image, y, x) = spot(n, phase, sizes, form);
        let plane = image * sizes.all_filters + z * sizes.filters + k / taps;
        over(right, plane, y * sizes.width + x, k % taps, sizes, form)
    } else {
        let places = sizes.down * sizes.across;
        let plane = k / places * sizes.all_channels + z * sizes.channels + n / taps;
        under(right, plane, k % places, n % taps, sizes, form)
    }
}

/// What a column sees at one tap: where the first channel's value lies, and whether there is one.
#[cube]
fn seen(
    n: usize,
    z: usize,
    phase: usize,
    tap: usize,
    channel: usize,
    sizes: &Sizes,
    #[comptime] form: Form,
) -> (usize, bool) {
    let row = tap / form.columns * form.row_gap;
    let column = tap % form.columns * form.column_gap;
    if comptime!(form.way == Way::Forward) {
        let places = sizes.down * sizes.across;
        let (image, place) = (n / places, n % places);
        let y = place / sizes.across * form.down + row;
        let x = place % sizes.across * form.across + column;
        let is_inside = y >= form.above
            && x >= form.before
            && y < sizes.height + form.above
            && x < sizes.width + form.before;
        let plane = image * sizes.all_channels + z * sizes.channels + channel;
        let at = (plane * sizes.height + y - form.above) * sizes.width + x - form.before;
        (at, is_inside)
    } else {
        let (image, y, x) = spot(n, phase, sizes, form);
        let is_there = y < sizes.height && x < sizes.width;
        let y = y + form.above;
        let x = x + form.before;
        let is_inside = is_there
            && y >= row
            && x >= column
            && y < sizes.down * form.down + row
            && x < sizes.across * form.across + column;
        let plane = image * sizes.all_filters + z * sizes.filters + channel;
        let y = (y - row) / form.down;
        let at = (plane * sizes.down + y) * sizes.across + (x - column) / form.across;
        (at, is_inside)
    }
}

/// Whether a tap ever hits what a phase's values were made of.
#[cube]
fn hits(phase: usize, tap: usize, #[comptime] form: Form) -> bool {
    if comptime!(form.way == Way::Images && form.by_taps) {
        // Multiples of the strides, so that nothing is below 0.
        let more = comptime!(form.rows * form.row_gap * form.down);
        let y = phase / form.across + form.above + more - tap / form.columns * form.row_gap;
        let more = comptime!(form.columns * form.column_gap * form.across);
        let x = phase % form.across + form.before + more - tap % form.columns * form.column_gap;
        y % form.down == 0 && x % form.across == 0
    } else {
        true.runtime()
    }
}

/// A filter's value at a tap.
#[cube]
fn left_of_tap(
    left: &Array<f32>,
    z: usize,
    m: usize,
    tap: usize,
    channel: usize,
    sizes: &Sizes,
    #[comptime] form: Form,
) -> f32 {
    let taps = comptime!(form.rows * form.columns);
    if comptime!(form.way == Way::Forward) {
        left[((z * sizes.filters + m) * sizes.channels + channel) * taps + tap]
    } else {
        left[((z * sizes.filters + channel) * sizes.channels + m) * taps + tap]
    }
}

#[cube(launch_unchecked)]
fn product_kernel(
    left: &Array<f32>,
    right: &Array<f32>,
    bias: &Array<f32>,
    out: &mut Array<f32>,
    sizes: &Sizes,
    batch: usize,
    tiles_m: usize,
    tiles_n: usize,
    #[comptime] form: Form,
) {
    let tiles = tiles_m * tiles_n;
    if CUBE_POS >= tiles * batch * comptime!(form.phases()) * sizes.parts {
        terminate!();
    }
    let units = comptime!(form.tile.units());
    let (tile_m, tile_n) = comptime!((form.tile.m, form.tile.n));
    let (pitch_m, pitch_n) = comptime!((tile_m + GAP, tile_n + GAP));
    let unit = UNIT_POS as usize;
    let first_m = CUBE_POS / tiles_n % tiles_m * tile_m;
    let first_n = CUBE_POS % tiles_n * tile_n;
    let layer = CUBE_POS / tiles / sizes.parts;
    let part = CUBE_POS / tiles % sizes.parts;
    let (z, phase) = (
        layer / comptime!(form.phases()),
        layer % comptime!(form.phases()),
    );
    let first_k = part * sizes.part;
    let end_k = clamp_max(first_k + sizes.part, sizes.k);
    let all_m = if comptime!(form.ones && form.way == Way::Plain) {
        sizes.m + 1
    } else {
        sizes.m + 0
    };
    let all_n = if comptime!(form.ones && form.way == Way::Filters) {
        sizes.n + 1
    } else {
        sizes.n + 0
    };
    // What lies at a tap, one behind the other.
    let (channels, gap) = if comptime!(form.way == Way::Images) {
        (sizes.filters + 0, sizes.down * sizes.across)
    } else {
        (sizes.channels + 0, sizes.height * sizes.width)
    };

    let mut lefts = SharedMemory::<f32>::new(comptime!(DEPTH * pitch_m));
    let mut rights = SharedMemory::<f32>::new(comptime!(DEPTH * pitch_n));
    let mut sums = Array::<f32>::new(comptime!(SIDE * SIDE));
    #[unroll]
    for i in 0..comptime!(SIDE * SIDE) {
        sums[i] = f32::new(0.0);
    }
    let own_m = unit / comptime!(tile_n / SIDE) * SIDE;
    let own_n = unit % comptime!(tile_n / SIDE) * SIDE;

    let steps = (end_k - first_k).div_ceil(DEPTH);
    for step in 0..steps {
        let start = first_k + step * DEPTH;
        let (tap, channel) = if comptime!(form.by_taps) {
            (start / channels, start % channels)
        } else {
            (start - start, start - start)
        };
        // The same for all units of the cube.
        if hits(phase, tap, form) {
            for i in 0..comptime!(tile_m * DEPTH / units) {
                let at = unit + i * units;
                let (k, m) = if comptime!(form.way == Way::Images) {
                    (at / tile_m, at % tile_m)
                } else {
                    (at % DEPTH, at / DEPTH)
                };
                let mut value = f32::new(0.0);
                if start + k < end_k && first_m + m < all_m {
                    let m = first_m + m;
                    if comptime!(form.by_taps) {
                        value = left_of_tap(left, z, m, tap, channel + k, sizes, form);
                    } else if comptime!(form.ones && form.way == Way::Plain) {
                        if m < sizes.m {
                            value = left_at(left, z, m, start + k, sizes, form);
                        } else {
                            value = f32::new(1.0);
                        }
                    } else {
                        value = left_at(left, z, m, start + k, sizes, form);
                    }
                }
                lefts[k * pitch_m + m] = value;
            }
            if comptime!(form.by_taps) {
                // A unit's values all lie in one column.
                let n = unit % tile_n;
                let (at, is_inside) = seen(first_n + n, z, phase, tap, channel, sizes, form);
                let is_inside = is_inside && first_n + n < all_n;
                for i in 0..comptime!(tile_n * DEPTH / units) {
                    let k = unit / tile_n + i * comptime!(units / tile_n);
                    let mut value = f32::new(0.0);
                    if is_inside {
                        value = right[at + k * gap];
                    }
                    rights[k * pitch_n + n] = value;
                }
            } else {
                for i in 0..comptime!(tile_n * DEPTH / units) {
                    let at = unit + i * units;
                    let (k, n) = if comptime!(form.way == Way::Filters) {
                        (at % DEPTH, at / DEPTH)
                    } else {
                        (at / tile_n, at % tile_n)
                    };
                    let mut value = f32::new(0.0);
                    if start + k < end_k && first_n + n < all_n {
                        let n = first_n + n;
                        if comptime!(form.ones && form.way == Way::Filters) {
                            if n < sizes.n {
                                value = right_at(right, z, phase, start + k, n, sizes, form);
                            } else {
                                value = f32::new(1.0);
                            }
                        } else {
                            value = right_at(right, z, phase, start + k, n, sizes, form);
                        }
                    }
                    rights[k * pitch_n + n] = value;
                }
            }
            sync_cube();
            for k in 0..DEPTH {
                #[unroll]
                for i in 0..SIDE {
                    let l = lefts[k * pitch_m + own_m + i];
                    #[unroll]
                    for j in 0..SIDE {
                        let r = rights[k * pitch_n + own_n + j];
                        sums[i * SIDE + j] = fma(l, r, sums[i * SIDE + j]);
                    }
                }
            }
            sync_cube();
        }
    }

    // Behind the values of all parts stand the sums of what multiplies ones.
    let values = batch * sizes.m * sizes.n;
    let ones = if comptime!(form.way == Way::Plain) {
        sizes.n + 0
    } else {
        batch * sizes.m
    };
    let whole = if comptime!(form.ones) {
        values + ones
    } else {
        values + 0
    };
    #[unroll]
    for j in 0..SIDE {
        let n = first_n + own_n + j;
        let (column, is_there) = column_of(n, z, phase, sizes, form);
        #[unroll]
        for i in 0..SIDE {
            let m = first_m + own_m + i;
            if m < sizes.m && n < sizes.n && is_there {
                let mut value = sums[i * SIDE + j];
                if comptime!(form.bias == Bias::OfRow) {
                    value += bias[z * sizes.m + m];
                } else if comptime!(form.bias == Bias::OfColumn) {
                    value += bias[n];
                }
                let pitch = if comptime!(form.way == Way::Forward) {
                    sizes.down * sizes.across
                } else if comptime!(form.way == Way::Images) {
                    sizes.height * sizes.width
                } else {
                    sizes.n + 0
                };
                out[part * whole + column + m * pitch] = value;
            }
            if comptime!(form.ones && form.way == Way::Plain) {
                if m == sizes.m && n < sizes.n {
                    out[part * whole + values + n] = sums[i * SIDE + j];
                }
            } else if comptime!(form.ones) {
                if n == sizes.n && m < sizes.m {
                    out[part * whole + values + z * sizes.m + m] = sums[i * SIDE + j];
                }
            }
        }
    }
}

/// Where the first value of a column of the product goes, and whether it goes anywhere.
#[cube]
fn column_of(
    n: usize,
    z: usize,
    phase: usize,
    sizes: &Sizes,
    #[comptime] form: Form,
) -> (usize, bool) {
    if comptime!(form.way == Way::Forward) {
        let places = sizes.down * sizes.across;
        let plane = n / places * sizes.all_filters + z * sizes.filters;
        (plane * places + n % places, true.runtime())
    } else if comptime!(form.way == Way::Images) {
        let (image, y, x) = spot(n, phase, sizes, form);
        let plane = image * sizes.all_channels + z * sizes.channels;
        let at = (plane * sizes.height + y) * sizes.width + x;
        (at, y < sizes.height && x < sizes.width)
    } else {
        (z * sizes.m * sizes.n + n, true.runtime())
    }
}

/// A product to be made.
struct Product {
    /// Matrices, or groups.
    batch: usize,
    sizes: [usize; 3],
    form: Form,
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

/// Two tensors of matrices, each with its strides: `[..., m, k]` and `[..., k, n]`.
pub(super) struct Matrices<R: CubeRuntime> {
    left: CubeTensor<R>,
    right: CubeTensor<R>,
    /// Of each, from one matrix to the next, and along its axes.
    strides: [[usize; 3]; 2],
    batch: usize,
    sizes: [usize; 3],
}

impl<R: CubeRuntime> Matrices<R> {
    /// As many matrices on the left as on the right.
    pub fn of(left: &CubeTensor<R>, right: &CubeTensor<R>) -> Self {
        let ([m, k], [height, n]) = (matrix_shape(left), matrix_shape(right));
        assert_eq!(k, height, "the matrices' shapes do not fit");
        let shape = left.meta.shape();
        let batch = shape[..shape.num_dims() - 2].iter().product();
        let (left, of_left) = strided(left.clone());
        let (right, of_right) = strided(right.clone());
        Matrices {
            left,
            right,
            strides: [of_left, of_right],
            batch,
            sizes: [m, n, k],
        }
    }

    /// The product plus a number for each column.
    pub fn product(self, bias: Option<CubeTensor<R>>) -> CubeTensor<R> {
        self.made(bias, false).0
    }

    /// The product of two matrices, and the sums of the right one's columns.
    pub fn product_and_sums(self) -> (CubeTensor<R>, CubeTensor<R>) {
        let (product, sums) = self.made(None, true);
        (product, sums.expect("asked for"))
    }

    fn made(
        self,
        bias: Option<CubeTensor<R>>,
        ones: bool,
    ) -> (CubeTensor<R>, Option<CubeTensor<R>>) {
        let [m, n, k] = self.sizes;
        let form = Form {
            way: Way::Plain,
            tile: Tile::of(m + usize::from(ones), n),
            rows: 1,
            columns: 1,
            down: 1,
            across: 1,
            row_gap: 1,
            column_gap: 1,
            above: 0,
            before: 0,
            by_taps: false,
            bias: match bias {
                Some(_) => Bias::OfColumn,
                None => Bias::No,
            },
            ones,
        };
        let product = Product {
            batch: self.batch,
            sizes: self.sizes,
            form,
            may_have_parts: bias.is_none(),
        };
        let [l, r] = self.strides;
        let sizes = |[part, parts]: [usize; 2]| {
            SizesLaunch::new(
                m, n, k, part, parts, l[0], l[1], l[2], r[0], r[1], r[2], 0, 0, 0, 0, 1, 1, 1, 1,
            )
        };
        let mut shape = self.left.meta.shape().to_vec();
        let rank = shape.len();
        shape[rank - 1] = n;
        made(self.left, self.right, bias, product, sizes, shape, n)
    }
}

/// The tensor, and its strides from one matrix to the next and along the two axes; copied where there are none.
fn strided<R: CubeRuntime>(x: CubeTensor<R>) -> (CubeTensor<R>, [usize; 3]) {
    let (shape, strides) = (x.meta.shape(), x.meta.strides());
    let rank = shape.num_dims();
    let leading: Vec<usize> = (0..rank - 2).filter(|&axis| shape[axis] > 1).collect();
    let is_even = leading
        .windows(2)
        .all(|pair| strides[pair[0]] == strides[pair[1]] * shape[pair[1]]);
    if !is_even {
        return strided(contiguous(x));
    }
    let step = leading.last().map_or(0, |&axis| strides[axis]);
    let strides = [step, strides[rank - 2], strides[rank - 1]];
    (x, strides)
}

/// A convolution, by its sizes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Convolution(pub crate::backend::sizes::Sizes);

impl Convolution {
    fn form(&self, way: Way, m: usize, n: usize, bias: bool, ones: bool) -> Form {
        let sliding = self.0.sliding;
        Form {
            way,
            tile: Tile::of(m, n + usize::from(ones)),
            rows: self.0.rows,
            columns: self.0.columns,
            down: sliding.stride[0],
            across: sliding.stride[1],
            row_gap: sliding.dilation[0],
            column_gap: sliding.dilation[1],
            above: sliding.before[0],
            before: sliding.before[1],
            by_taps: match way {
                Way::Forward => self.channels().is_multiple_of(DEPTH),
                Way::Images => self.0.share().is_multiple_of(DEPTH),
                Way::Plain | Way::Filters => false,
            },
            bias: if bias { Bias::OfRow } else { Bias::No },
            ones,
        }
    }

    /// What [`under`] and [`over`] need of a form.
    pub fn window_form(&self) -> Form {
        self.form(Way::Forward, 1, 1, false, false)
    }

    /// What [`under`] and [`over`] need of sizes.
    pub fn window_sizes<R: CubeRuntime>(&self) -> SizesLaunch<R> {
        self.sizes([0; 3], [0, 1])
    }

    /// Channels of a group.
    fn channels(&self) -> usize {
        self.0.channels / self.0.sliding.groups
    }

    fn sizes<R: CubeRuntime>(&self, sizes: [usize; 3], parts: [usize; 2]) -> SizesLaunch<R> {
        let [m, n, k] = sizes;
        let [part, parts] = parts;
        let of = &self.0;
        SizesLaunch::new(
            m,
            n,
            k,
            part,
            parts,
            0,
            0,
            0,
            0,
            0,
            0,
            self.channels(),
            of.channels,
            of.share(),
            of.filters,
            of.height,
            of.width,
            of.down,
            of.across,
        )
    }

    /// Images and filters to outputs.
    pub fn forward<R: CubeRuntime>(
        &self,
        x: CubeTensor<R>,
        weight: CubeTensor<R>,
        bias: Option<CubeTensor<R>>,
    ) -> CubeTensor<R> {
        let of = &self.0;
        let sizes = [of.share(), of.batch * of.places(), of.seen()];
        let form = self.form(Way::Forward, sizes[0], sizes[1], bias.is_some(), false);
        let shape = vec![of.batch, of.filters, of.down, of.across];
        self.made(weight, x, bias, sizes, form, shape).0
    }

    /// Outputs and filters to images.
    pub fn images<R: CubeRuntime>(
        &self,
        outputs: CubeTensor<R>,
        weight: CubeTensor<R>,
        bias: Option<CubeTensor<R>>,
    ) -> CubeTensor<R> {
        let of = &self.0;
        let [down, across] = of.sliding.stride;
        // Of one phase, the largest.
        let places = of.height.div_ceil(down) * of.width.div_ceil(across);
        let sizes = [
            self.channels(),
            of.batch * places,
            of.share() * of.rows * of.columns,
        ];
        let form = self.form(Way::Images, sizes[0], sizes[1], bias.is_some(), false);
        let shape = vec![of.batch, of.channels, of.height, of.width];
        self.made(weight, outputs, bias, sizes, form, shape).0
    }

    /// Images and outputs to filters and, if wanted, to the bias.
    pub fn filters<R: CubeRuntime>(
        &self,
        x: CubeTensor<R>,
        outputs: CubeTensor<R>,
        bias: bool,
    ) -> (CubeTensor<R>, Option<CubeTensor<R>>) {
        let of = &self.0;
        let sizes = [of.share(), of.seen(), of.batch * of.places()];
        let form = self.form(Way::Filters, sizes[0], sizes[1], false, bias);
        let shape = vec![of.filters, self.channels(), of.rows, of.columns];
        self.made(outputs, x, None, sizes, form, shape)
    }

    fn made<R: CubeRuntime>(
        &self,
        left: CubeTensor<R>,
        right: CubeTensor<R>,
        bias: Option<CubeTensor<R>>,
        sizes: [usize; 3],
        form: Form,
        shape: Vec<usize>,
    ) -> (CubeTensor<R>, Option<CubeTensor<R>>) {
        let product = Product {
            batch: self.0.sliding.groups,
            sizes,
            form,
            may_have_parts: form.way == Way::Filters,
        };
        let (left, right) = (contiguous(left), contiguous(right));
        let sizes = |parts| self.sizes(sizes, parts);
        made(left, right, bias, product, sizes, shape, self.0.filters)
    }
}

/// Launches the kernel; `sums` is the number of sums beside the product if the form has ones.
fn made<R: CubeRuntime>(
    left: CubeTensor<R>,
    right: CubeTensor<R>,
    bias: Option<CubeTensor<R>>,
    product: Product,
    sizes: impl Fn([usize; 2]) -> SizesLaunch<R>,
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
    let (more_m, more_n) = match form.way {
        Way::Plain => (usize::from(form.ones), 0),
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
